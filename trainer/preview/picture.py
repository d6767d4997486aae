"""The picture itself, by Matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.patches import Rectangle

from feedline.common.errors import ConfigurationError
from feedline.common.wire.names import printable
from feedline.trainer.preview.samples import Panel, Shown
from feedline.trainer.preview.shades import CLASS_COLOURS

INK, QUIET = "#22303c", "#5d6b78"
DPI = 110
PANELS_A_ROW = 8
PANEL_INCHES = 1.75
"""The longer side of a panel."""

CAPTION_INCHES = 0.62


def draw(samples: Sequence[Shown], heading: str, class_names: Sequence[str] | None) -> Figure:
    """Draw samples in a grid, the panels of each side by side.

    Parameters
    ----------
    samples : sequence of Shown
        At least one; all have as many panels.
    heading : str
        Above all of them.
    class_names : sequence of str or None
        What boxes are of.

    Returns
    -------
    Figure
        Of Matplotlib; a notebook shows it.
    """
    num_panels = max(len(sample.panels) for sample in samples)
    num_columns = max(1, min(len(samples), PANELS_A_ROW // num_panels))
    num_rows = -(-len(samples) // num_columns)
    ratio = max(panel.picture.shape[0] / panel.picture.shape[1] for s in samples for panel in s.panels)
    width = PANEL_INCHES * num_panels * num_columns + 0.25 * (num_columns + 1)
    height = (PANEL_INCHES * min(ratio, 2.0) + CAPTION_INCHES) * num_rows + 0.75
    with rc_context({"font.size": 8, "text.color": INK, "axes.titlecolor": QUIET}):
        figure = Figure(figsize=(max(width, 5.0), height), dpi=DPI)
        at = {"x": 0.15 / max(width, 5.0), "y": 1 - 0.12 / height}
        figure.suptitle(printable(heading), **at, ha="left", va="top", fontsize=11, parse_math=False)
        grid = figure.add_gridspec(
            num_rows,
            num_columns,
            left=0.15 / width,
            right=1 - 0.15 / width,
            bottom=0.1 / height,
            top=1 - (0.4 + CAPTION_INCHES) / height,
            wspace=0.08,
            hspace=CAPTION_INCHES / (PANEL_INCHES * min(ratio, 2.0)),
        )
        for place, sample in enumerate(samples):
            _draw_sample(figure, grid[place], sample, num_panels, class_names)
    return figure


def save(figure: Figure, path: str | Path) -> None:
    """Write it; the ending of the name says as what.

    Raises
    ------
    ConfigurationError
        If it cannot be written there, or so.
    """
    try:
        figure.savefig(path, facecolor="white")
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"cannot write the picture {str(path)!r}: {error}") from error


def _draw_sample(
    figure: Figure, place: SubplotSpec, sample: Shown, num_panels: int, class_names: Sequence[str] | None
) -> None:
    row = place.subgridspec(1, num_panels, wspace=0.04)
    for number, panel in enumerate(sample.panels):
        axes = figure.add_subplot(row[number])
        _draw_panel(axes, panel, class_names)
        if number == 0:
            axes.annotate(
                printable(sample.caption),
                (0, 1),
                xytext=(0, 15),
                xycoords="axes fraction",
                textcoords="offset points",
                va="bottom",
                annotation_clip=False,
                parse_math=False,
            )


def _draw_panel(axes: Axes, panel: Panel, class_names: Sequence[str] | None) -> None:
    axes.imshow(panel.picture, interpolation="nearest")
    axes.set_title(printable(panel.title), fontsize=7, pad=3, loc="left", parse_math=False)
    axes.set_axis_off()
    for x1, y1, x2, y2, of in panel.boxes.tolist():
        colour = tuple(CLASS_COLOURS[int(of) % len(CLASS_COLOURS)] / 255)
        # Boxes mean edges; Matplotlib's pixels have their middle at whole numbers.
        axes.add_patch(
            Rectangle((x1 - 0.5, y1 - 0.5), x2 - x1, y2 - y1, fill=False, edgecolor=colour, linewidth=1.4)
        )
        name = class_names[int(of)] if class_names and int(of) < len(class_names) else f"{of:g}"
        axes.text(
            *(x1 - 0.5, y1 - 0.5),
            printable(name),
            parse_math=False,
            fontsize=5.5,
            color="white",
            va="bottom",
            clip_on=True,
            bbox={"facecolor": colour, "edgecolor": "none", "pad": 0.8},
        )
