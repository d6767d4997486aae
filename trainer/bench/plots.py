"""Two pictures in one file: who does how much, and what more workers bring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from matplotlib.ticker import MaxNLocator

from common.errors import ConfigurationError
from trainer.bench.contenders import TITLES
from trainer.bench.figures import Figure, rates
from trainer.bench.report import by_case, case_title
from trainer.demo.pictures import DPI, INK, QUIET, STYLE

COLOURS = {"feedline": "#d1495b", "limit": "#22303c"}
OTHERS = ("#9db4c8", "#edae49", "#66a182", "#8d6b94", "#b08968", "#5f7c8a")

Results = Sequence[Mapping[str, Any]]


def draw(results: Results, path: Path) -> None:
    """Draw bars for each case at its most workers, and curves where there are several numbers of them.

    Raises
    ------
    ConfigurationError
        `path` cannot be written.
    """
    done = [result for result in results if result["rounds"]]
    workers = {result["case"]["workers"] for result in done}
    groups = by_case([r for r in done if r["case"]["workers"] == max(workers)])
    with rc_context(STYLE):
        num = len(groups) + (len(workers) > 1)
        picture = Picture(figsize=(7.6 * num, 1.6 + 0.42 * max(map(len, groups))), dpi=DPI)
        picture.set_layout_engine("constrained", w_pad=0.15, h_pad=0.12)
        panels = picture.subplots(1, num, squeeze=False)[0]
        for axes, group in zip(panels, groups, strict=False):
            draw_bars(axes, group)
        if len(workers) > 1:
            draw_scaling(panels[-1], done)
        _save(picture, path)


def draw_bars(axes: Axes, group: Results) -> None:
    """Images per second of one case, the fastest above."""
    ordered = sorted(group, key=lambda result: Figure.of(rates(result["rounds"])).median)
    figures = [Figure.of(rates(result["rounds"])) for result in ordered]
    medians = [figure.median for figure in figures]
    errors = [[f.median - f.lowest for f in figures], [f.highest - f.median for f in figures]]
    colours = [colour_of(result["name"]) for result in ordered]
    labels = [TITLES[result["name"]] for result in ordered]
    axes.barh(labels, medians, xerr=errors, color=colours, height=0.66, error_kw={"ecolor": QUIET, "lw": 1.2})
    for place, figure in enumerate(figures):
        axes.annotate(
            f"{figure.median:,.0f}",
            (figure.highest, place),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            color=INK,
        )
    axes.set_xlim(0, 1.18 * max(figure.highest for figure in figures))
    axes.set_xlabel("images per second (median; lowest to highest)")
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x")
    _title(axes, case_title(group[0]["case"]))


def draw_scaling(axes: Axes, results: Results) -> None:
    """Images per second over the number of workers, of the first case."""
    first = results[0]["case"]["name"]
    mine = [result for result in results if result["case"]["name"] == first]
    for name in dict.fromkeys(result["name"] for result in mine):
        points = sorted(
            (result["case"]["workers"], Figure.of(rates(result["rounds"])).median)
            for result in mine
            if result["name"] == name
        )
        axes.plot(*zip(*points, strict=True), marker="o", color=colour_of(name), label=TITLES[name])
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("workers")
    axes.set_ylabel("images per second")
    axes.legend(labelcolor=INK, loc="best", fontsize=8)
    _title(axes, f"{first}: more workers")


def colour_of(name: str) -> str:
    """The same for a contender in all panels."""
    others = [other for other in TITLES if other not in COLOURS]
    return COLOURS.get(name) or OTHERS[others.index(name) % len(OTHERS)]


def _title(axes: Axes, text: str) -> None:
    head, *rest = text.split(", ")
    axes.set_title("\n".join(filter(None, [head, ", ".join(rest)])), fontsize=8.5)


def _save(picture: Picture, path: Path) -> None:
    try:
        picture.savefig(path, facecolor="white")
    except OSError as error:
        raise ConfigurationError(f"cannot write {str(path)!r}: {error}. Choose another --plot") from error
