"""Measure Feedline against the bare work and against other loaders, in turns on this machine.

Without --corpus and --make it is all that the design promises, with a verdict on each. Files are made
once from photographs that come inside the scikit-image and scikit-learn wheels.

For example:
  feedline bench
  feedline bench --make rsna --image-size 512 --color-mode grayscale --workers 1,2,4 --plot bench.png
  feedline bench --corpus photos/ --against limit,torch --through fit --json out.json
  feedline bench --workers auto
  feedline bench --simulate-producers 256
  feedline bench --report out.json
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from feedline.common.errors import ConfigurationError
from feedline.common.wire.names import printable
from feedline.trainer.bench.case import LINKS
from feedline.trainer.console.cache_dir import default_cache_dir

PEERS = ("keras", "keras-mp", "tfdata", "tfdata-service", "torch", "grain")
EVERYBODY = ("limit", "limit-fresh", *PEERS)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    _add_work(parser)
    _add_race(parser)
    _add_output(parser)


def _add_work(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the work")
    one = group.add_mutually_exclusive_group()
    one.add_argument("--corpus", metavar="DIR", type=Path, help="your own JPEG, PNG or DICOM files")
    one.add_argument(
        "--make",
        choices=("rsna", "dicom", "photos", "large"),
        help="grey PNG, CT slices, JPEG, or large JPEG",
    )
    group.add_argument("--num-images", metavar="N", type=int, default=1024, help="of --make (default: 1024)")
    group.add_argument("--batch-size", metavar="N", type=int, default=32)
    group.add_argument("--image-size", metavar="N", type=int, help="(default: 512 for slices, else 224)")
    group.add_argument("--color-mode", choices=("grayscale", "rgb", "windows"), help="(default: as made)")
    group.add_argument("--cache-dir", metavar="DIR", type=Path, help="where made files are kept")


def _add_race(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the race")
    group.add_argument(
        "--against", metavar="NAMES", default=",".join(EVERYBODY), help=f"of {', '.join(EVERYBODY)}"
    )
    group.add_argument(
        "--workers",
        metavar="N,N",
        default="2",
        help="processes or threads (default: 2); auto: how near to the best number workers='auto' comes",
    )
    group.add_argument("--transport", choices=("auto", "frames"), default="auto")
    group.add_argument(
        "--over", choices=LINKS, default="embedded", help="how batches reach Feedline's trainer"
    )
    group.add_argument("--cache", choices=("memory", "disk"), help="of decoded samples, in Feedline")
    group.add_argument("--jpeg-scaling", action="store_true", help="in Feedline")
    group.add_argument("--through", choices=("sequence", "fit"), default="sequence")
    group.add_argument("--step-ms", metavar="T", type=float, default=0.0, help="emulate a device step")
    group.add_argument("--repeat", metavar="N", type=int, default=3, help="rounds (default: 3)")
    group.add_argument("--seconds", metavar="S", type=float, default=2.0, help="of a turn (default: 2)")
    group.add_argument("--simulate-producers", metavar="N", type=int, help="load the trainer with these")
    group.add_argument("--quick", action="store_true", help="small and short: to see that it works")


def _add_output(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("output")
    group.add_argument("--json", metavar="OUT", type=Path, help="write everything there")
    group.add_argument("--plot", metavar="OUT.png", type=Path, help="draw bars and curves there")
    group.add_argument("--report", metavar="FILE.json", type=Path, help="print such a file as Markdown")


def run(args: argparse.Namespace) -> int:
    """Measure, print, write, draw.

    Raises
    ------
    FeedlineError
        An option cannot be used, or contenders do not do the same work.
    """
    if args.report is not None:
        return _report(args.report)
    if args.simulate_producers is not None:
        return _simulate(args)
    if args.workers == "auto":
        return _size(args)
    document = _race(args) if args.corpus or args.make else _suite(args)
    _print(document)
    if args.json is not None:
        _write(args.json, document)
        print(f"\n  everything measured   {printable(str(args.json))}")
    if args.plot is not None:
        args.plot.parent.mkdir(parents=True, exist_ok=True)
        from feedline.trainer.bench.plots import draw

        draw(document["results"], args.plot)
        print(f"  bars and curves       {printable(str(args.plot))}")
    return 0


def _race(args: argparse.Namespace) -> dict[str, Any]:
    from feedline.trainer.bench.machine import machine
    from feedline.trainer.bench.runner import Plan
    from feedline.trainer.bench.runner import run as race

    names, here = _contenders(args.against), machine()
    plan = Plan(args.seconds, args.repeat, args.step_ms / 1e3)
    if args.quick:
        plan = Plan(0.3, 1, args.step_ms / 1e3)
    case = _case(args)
    cases = [(name, case.with_(workers=number)) for number in _numbers(args.workers) for name in names]
    results = [result.to_json() for result in race(cases, plan, _say)]
    return {"machine": here | {"versions": machine(results)["versions"]}, "results": results}


def _suite(args: argparse.Namespace) -> dict[str, Any]:
    from feedline.trainer.bench.machine import machine
    from feedline.trainer.bench.suite import FULL, QUICK, Suite

    here, scale = machine(), QUICK if args.quick else FULL
    peers = [] if args.quick else [name for name in _contenders(args.against) if name in PEERS]
    cache_dir = args.cache_dir or default_cache_dir()
    minutes = "two or three" if args.quick else "some ten"
    _say(f"all that the design promises: takes {minutes} minutes; files are made once, in {cache_dir}")
    suite = Suite(cache_dir, scale, _numbers(args.workers)[-1], peers, _options(), _say)
    suite.run()
    document = suite.to_json()
    versions = machine(document["results"])["versions"]
    return {"machine": here | {"versions": versions}, "quick": args.quick, **document}


def _options() -> set[str]:
    from feedline.trainer.console.quiet import quiet_import

    with quiet_import():
        from feedline.trainer.bench.contenders.feedline import has_option
    return {name for name in ("cache", "jpeg_scaling") if has_option(name)}


def _case(args: argparse.Namespace) -> Any:
    from feedline.trainer.bench.case import Case
    from feedline.trainer.bench.corpora import RECIPES, corpus_folder

    recipe = RECIPES.get(args.make)
    folder = args.corpus
    if recipe is not None:
        num = 96 if args.quick else args.num_images
        folder = corpus_folder(args.cache_dir or default_cache_dir(), recipe, num)
    side = args.image_size or (512 if args.make in {"rsna", "dicom"} else 224)
    color = args.color_mode or (recipe.color_mode if recipe else "rgb")
    return Case(
        args.make or folder.name,
        str(folder),
        batch_size=args.batch_size,
        height=side,
        width=side,
        color_mode=color,
        transport=args.transport,
        over=args.over,
        cache=args.cache,
        jpeg_scaling=args.jpeg_scaling,
        through=args.through,
    )


def _contenders(text: str) -> list[str]:
    """Those asked for that are installed, and Feedline; names the others."""
    from feedline.trainer.bench.contenders import is_installed

    names = [name for name in text.split(",") if name]
    strange = [name for name in names if name not in {*EVERYBODY, "feedline"}]
    if strange:
        raise ConfigurationError(f"--against takes {', '.join(EVERYBODY)}; got {', '.join(strange)}")
    missing = [name for name in names if not is_installed(name)]
    if missing:
        _say(f"not installed, left out: {', '.join(missing)}")
    first = [name for name in ("limit",) if name in names]
    others = [name for name in names if name not in {*missing, "limit", "feedline"}]
    return [*first, "feedline", *others]


def _numbers(text: str) -> list[int]:
    try:
        numbers = sorted({int(word) for word in text.split(",")})
    except ValueError:
        numbers = [0]
    if numbers[0] < 1:
        raise ConfigurationError(f"--workers takes whole numbers such as 1,2,4; got {text!r}")
    return numbers


def _simulate(args: argparse.Namespace) -> int:
    from feedline.trainer.bench.simulate import Simulation, simulate

    side = args.image_size or 16
    settings = Simulation(
        args.simulate_producers,
        num_steps=400 if args.quick else 20_000,
        batch_size=args.batch_size,
        side=side,
        transport=args.transport,
    )
    load = simulate(settings)
    for text in (
        f"{settings.num_producers} simulated producers, tickets of {settings.batch_size} samples",
        f"tickets a second       {load.tickets_per_s:10,.0f}",
        f"GB a second            {load.gb_per_s:10,.2f}",
        f"CPU µs a ticket        {load.cpu_us_per_ticket:10,.0f}   its pool {load.thread_us_per_ticket:,.0f}",
        f"samples lost, doubled  {load.num_lost:10,}   {load.num_doubled:,}",
    ):
        print(f"  {text}")
    if args.json is not None:
        _write(args.json, load.to_json())
    return 1 if load.num_lost or load.num_doubled else 0


def _size(args: argparse.Namespace) -> int:
    """Compare ``workers="auto"`` with fixed numbers; that has loads of its own."""
    if args.corpus or args.make:
        raise ConfigurationError("--workers auto has loads of its own: leave out --corpus and --make")
    from feedline.trainer.bench.machine import machine
    from feedline.trainer.console.quiet import quiet_import

    with quiet_import():
        from feedline.trainer.bench.sizing import FULL, HEADINGS, QUICK, compare, to_json
    sized = compare(QUICK if args.quick else FULL, _say)
    _print_table("workers='auto' beside fixed numbers of producers", [HEADINGS, *(one.row for one in sized)])
    if args.json is not None:
        _write(args.json, {"machine": machine(), "sizing": to_json(sized)})
    return 0


def _print(document: dict[str, Any]) -> None:
    from feedline.trainer.bench import report

    for group in report.by_case(document["results"]):
        print(f"\n{report.case_title(group[0]['case'])}\n")
        print(report.plain_table([report.HEADINGS, *report.comparison_rows(group)]))
        _print_table(
            "Feedline, ms a batch; MB a producer", report.stage_rows(group) + report.memory_rows(group)
        )
        for line in report.verdict_lines(group):
            print(f"\n  Feedline is {line}")
        _print_table("emulated device: busy, first wait of an epoch", report.step_rows(group))
    _print_table("What the design promises", report.verdict_rows(document))
    if document.get("quick"):
        print("\n  It works. Turns this short measure noise: for verdicts leave --quick out")


def _print_table(title: str, rows: Sequence[Sequence[str]]) -> None:
    from feedline.trainer.bench.report import plain_table

    if rows:
        print(f"\n  {title}\n{plain_table(rows)}")


def _report(path: Path) -> int:
    from feedline.trainer.bench.report import markdown

    try:
        document = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"--report takes a file that --json wrote; {str(path)!r}: {error}"
        ) from error
    print(markdown(document), end="")
    return 0


def _write(path: Path, document: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1))


def _say(text: str) -> None:
    print(f"  · {text}", flush=True)
