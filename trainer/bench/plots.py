"""Two pictures in one file: who does how much, and what more workers bring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from matplotlib.ticker import MaxNLocator

from feedline.common.errors import ConfigurationError
from feedline.trainer.bench.contenders import TITLES
from feedline.trainer.bench.figures import Figure, rates
from feedline.trainer.bench.report import case_title
from feedline.trainer.demo.pictures import DPI, INK, QUIET, STYLE

COLOURS = {"feedline": "#d1495b", "limit": "#22303c", "limit-fresh": "#5a6b7b"}
OTHERS = ("#9db4c8", "#edae49", "#66a182", "#8d6b94", "#b08968", "#5f7c8a")

BAR_INCHES, ROOM_INCHES, SCALING_INCHES = 0.32, 1.1, 3.6
"""Heights: of a bar, of all that is around the bars of a panel, and of the panel with the curves."""

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
    groups = _by_work([r for r in done if r["case"]["workers"] == max(workers)])
    heights = [ROOM_INCHES + BAR_INCHES * len(group) for group in groups]
    heights += [SCALING_INCHES] * (len(workers) > 1)
    with rc_context(STYLE):
        picture = Picture(figsize=(8.0, sum(heights)), dpi=DPI)
        picture.set_layout_engine("constrained", w_pad=0.15, h_pad=0.12)
        panels = picture.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
        for axes, group in zip(panels, groups, strict=False):
            draw_bars(axes, group)
        if len(workers) > 1:
            draw_scaling(panels[-1], done)
        _save(picture, path)


def _by_work(results: Results) -> list[Results]:
    """Results that did the same work, whatever they did it with; those that a device slowed down left out."""
    free = [result for result in results if not result["rounds"][0]["device_s"]]
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for result in free or results:
        groups.setdefault(case_title(_plain(result["case"])), []).append(result)
    return list(groups.values())


def _plain(case: Mapping[str, Any]) -> dict[str, Any]:
    """The work alone: nothing of how it was done."""
    return {**case, "cache": None, "jpeg_scaling": False, "fast": True, "through": "sequence"}


def label_of(result: Mapping[str, Any]) -> str:
    """A contender, and how it did the work if that was not the usual way."""
    case = result["case"]
    ways = [f"cache={case['cache']}"] * bool(case["cache"]) + ["OpenCV alone"] * (not case["fast"])
    ways += ["jpeg_scaling"] * case["jpeg_scaling"] + ["through fit"] * (case["through"] == "fit")
    return ", ".join([TITLES[result["name"]], *ways])


def draw_bars(axes: Axes, group: Results) -> None:
    """Images per second of one case, the fastest above."""
    ordered = sorted(group, key=lambda result: Figure.of(rates(result["rounds"])).median)
    figures = [Figure.of(rates(result["rounds"])) for result in ordered]
    medians = [figure.median for figure in figures]
    errors = [[f.median - f.lowest for f in figures], [f.highest - f.median for f in figures]]
    colours = [colour_of(result["name"]) for result in ordered]
    labels = [label_of(result) for result in ordered]
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
    _title(axes, case_title(_plain(group[0]["case"])).removesuffix(", through sequence"))


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
