"""Two pictures: how the training went, and what the model was shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.ticker import MaxNLocator, PercentFormatter

from feedline.common.errors import ConfigurationError

if TYPE_CHECKING:
    # Keras takes seconds to import, and nothing here needs it.
    from feedline.trainer.demo.training import Outcome, Shown

Images = npt.NDArray[np.uint8]

INK = "#22303c"
QUIET = "#8a97a3"
GRID = "#e3e8ec"
TRAIN_COLOUR = "#9db4c8"
VALIDATION_COLOUR = "#d1495b"
WAIT_COLOUR = "#edae49"
DPI = 130
NUM_COLUMNS = 10
MAX_TITLE = 14
STYLE: dict[Any, Any] = {
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": QUIET,
    "axes.edgecolor": GRID,
    "axes.titlecolor": INK,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": GRID,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.edgecolor": "white",
    "legend.framealpha": 1,
    "legend.fancybox": False,
    "lines.linewidth": 2.4,
    "lines.solid_capstyle": "round",
}


def draw_training(outcome: Outcome, headline: str, path: Path) -> None:
    """Draw loss and accuracy of training and validation, and where the time went, per epoch.

    Raises
    ------
    ConfigurationError
        If `path` cannot be written.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(13, 4.8), dpi=DPI)
        figure.set_layout_engine("constrained", w_pad=0.15, h_pad=0.12, wspace=0.06)
        figure.suptitle(headline, x=0.012, ha="left", fontsize=11, color=QUIET)
        loss, accuracy, times = figure.subplots(1, 3)
        _draw_curves(loss, outcome, "loss", "{:.2f}")
        _draw_curves(accuracy, outcome, "accuracy", "{:.1%}")
        accuracy.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        _draw_times(times, outcome)
        _save(figure, path)


def draw_batches(batches: Sequence[Shown], class_names: Sequence[str], path: Path) -> None:
    """Draw images of each batch with their labels: as they are on disk and, below, augmented.

    Raises
    ------
    ConfigurationError
        If `path` cannot be written.
    """
    num_columns = min(NUM_COLUMNS, max(len(batch.labels) for batch in batches))
    inches = (0.75 + 1.2 * num_columns, 0.55 + 2.75 * len(batches))
    with rc_context({**STYLE, "axes.grid": False, "axes.spines.bottom": False}):
        figure = Figure(figsize=inches, dpi=DPI)
        for band, batch in zip(_bands(figure, len(batches)), batches, strict=True):
            rows = band.subgridspec(2, num_columns, wspace=0.05, hspace=0.05).subplots(squeeze=False)
            _draw_row(rows[0], "on disk", batch.plain)
            _draw_row(rows[1], "augmented", batch.augmented)
            for axes, label in zip(rows[0], batch.labels.tolist(), strict=False):
                axes.set_title(_shortened(class_names[label]), fontsize=9, loc="center", pad=4)
        _save(figure, path)


def _bands(figure: Figure, num: int) -> list[SubplotSpec]:
    """Write the heading, and divide what is below it. Margins are in inches: they fit any `num`."""
    width, height = figure.get_size_inches()
    left, top = 0.1 / width, 1 - 0.1 / height
    heading = "The first batches, on disk and as the model gets them"
    figure.suptitle(heading, x=left, y=top, ha="left", va="top", fontweight="bold")
    sides = {"left": 0.6 / width, "right": 1 - left, "bottom": 1 - top, "top": 1 - 0.65 / height}
    grid = figure.add_gridspec(num, hspace=0.16, **sides)
    return [grid[place] for place in range(num)]


def _draw_row(row: Iterable[Axes], name: str, images: Images) -> None:
    """Draw as many images as there is room for; a small batch leaves the rest empty."""
    for place, axes in enumerate(row):
        axes.set_xticks([])
        axes.set_yticks([])
        if place == 0:
            axes.set_ylabel(name, fontsize=9, labelpad=5)
        if place < len(images):
            axes.imshow(images[place], interpolation="bicubic")


def _draw_curves(axes: Axes, outcome: Outcome, name: str, number: str) -> None:
    train, validation = outcome.history[name], outcome.history[f"val_{name}"]
    epochs = range(1, len(train) + 1)
    style: dict[str, Any] = {"marker": "o", "markersize": 4.5}
    axes.plot(epochs, train, color=TRAIN_COLOUR, label="training, augmented", **style)
    axes.plot(epochs, validation, color=VALIDATION_COLOUR, label="validation", **style)
    axes.annotate(
        number.format(validation[-1]),
        (epochs[-1], validation[-1]),
        xytext=(8, 0),
        textcoords="offset points",
        va="center",
        color=VALIDATION_COLOUR,
        fontweight="bold",
    )
    axes.set_title(name.capitalize())
    axes.legend(labelcolor=INK)
    _number_epochs(axes, len(epochs))


def _draw_times(axes: Axes, outcome: Outcome) -> None:
    epochs = range(1, len(outcome.epochs) + 1)
    waits = [times.wait_s for times in outcome.epochs]
    works = [max(0.0, times.duration_s - times.wait_s) for times in outcome.epochs]
    axes.bar(epochs, works, color=TRAIN_COLOUR, width=0.7, label="training steps")
    axes.bar(epochs, waits, bottom=works, color=WAIT_COLOUR, width=0.7, label="waiting for batches")
    axes.set_title("Seconds per epoch")
    # Above the bars, whatever their heights.
    axes.set_ylim(0, 1.3 * max(times.duration_s for times in outcome.epochs))
    axes.legend(labelcolor=INK, loc="upper right")
    _number_epochs(axes, len(epochs))


def _number_epochs(axes: Axes, num_epochs: int) -> None:
    axes.set_xlabel("epoch")
    axes.set_xlim(0.4, num_epochs + 0.6)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=10))


def _shortened(name: str) -> str:
    return name if len(name) <= MAX_TITLE else name[: MAX_TITLE - 1] + "…"


def _save(figure: Figure, path: Path) -> None:
    try:
        figure.savefig(path, facecolor="white")
    except OSError as error:
        raise ConfigurationError(
            f"cannot write the picture {str(path)!r}: {error}. Choose another --out"
        ) from error
