"""A picture of a batch: its windows, what is in it, and what the model says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from feedline import BatchSequence
from feedline.rsna import SUBTYPES

NUM_IMAGES = 8
MARGIN = 0.14
"""Share of each image that is cut off at every side: air."""

PRESENT, ABSENT = "#d1495b", "#9db4c8"


def draw_predictions(
    sequence: BatchSequence, windows: Sequence[str], predictions: npt.NDArray[np.float32], path: Path
) -> None:
    """Draw some images with and some without blood, each in all windows, above its predictions.

    Parameters
    ----------
    sequence : BatchSequence
        Of labelled images, unshuffled.
    windows : sequence of str
        Names of the channels.
    predictions : ndarray
        Shape (num_samples, 6), in the order of the sequence's dataset.
    path : Path
        The PNG file.
    """
    rows = _chosen(sequence.dataset.columns["any"])
    shown = sequence.dataset.subset(rows)
    with sequence.with_options(dataset=shown, batch_size=len(rows)) as view:
        images, labels = view[0]
    figure = Figure(figsize=(1.9 * len(rows) + 1, 1.9 * len(windows) + 2.5), dpi=100, layout="constrained")
    figure.suptitle("Synthetic haemorrhages in a real head CT: probabilities, red where the subtype is there")
    grid = figure.subplots(len(windows) + 1, len(rows))
    for channel, window in enumerate(windows):
        grid[channel, 0].set_ylabel(window)
        for axes, image in zip(grid[channel], images[..., channel], strict=True):
            axes.imshow(image, cmap="gray", vmin=0, vmax=255)
            axes.set(xticks=[], yticks=[])
            axes.margins(-MARGIN)
    for axes, said, label in zip(grid[-1], predictions[rows], labels, strict=True):
        _draw_bars(axes, said, label)
    grid[-1, 0].set_yticks(range(len(SUBTYPES)), SUBTYPES)
    figure.savefig(path)


def _chosen(any_blood: npt.NDArray[np.float32]) -> npt.NDArray[np.intp]:
    """Rows far from each other, so of different patients: the first half with blood, the second without."""
    halves = [np.flatnonzero(any_blood == there) for there in (1, 0)]
    return np.concatenate(
        [half[np.linspace(0, len(half) - 1, NUM_IMAGES // 2).astype(int)] for half in halves]
    )


def _draw_bars(axes: Axes, said: npt.NDArray[np.float32], label: npt.NDArray[np.float32]) -> None:
    axes.barh(range(len(SUBTYPES)), said, color=[PRESENT if there else ABSENT for there in label])
    axes.set(xlim=(0, 1), yticks=[], xticks=[0, 1])
    axes.invert_yaxis()
