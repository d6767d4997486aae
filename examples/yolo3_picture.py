"""Draw a batch with its boxes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

COLUMNS = 4
COLOURS = ("tab:red", "tab:blue", "tab:green", "tab:purple")


def draw_batch(
    images: npt.NDArray[Any], boxes: npt.NDArray[Any], class_names: Sequence[str], file: Path
) -> None:
    """Write a picture of all images of a batch, each with its boxes and their classes.

    Parameters
    ----------
    images : ndarray of uint8
        Shape (batch, height, width, 3).
    boxes : ndarray of float32
        Shape (batch, max_boxes, 5), as a `BatchSequence` without ``targets=`` delivers them.
    class_names : sequence of str
        By class.
    file : path
        Where to write.
    """
    rows = -(-len(images) // COLUMNS)
    figure = Figure(figsize=(3 * COLUMNS, 3 * rows), layout="constrained")
    axes = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axis, image, own in zip(axes, images, boxes, strict=False):
        axis.imshow(image)
        for box in own[own[:, 4] >= 0]:
            _draw_box(axis, box, class_names)
    for axis in axes:
        axis.axis("off")
    figure.savefig(file, dpi=100)


def _draw_box(axis: Any, box: npt.NDArray[Any], class_names: Sequence[str]) -> None:
    x1, y1, x2, y2, category = box
    colour = COLOURS[int(category) % len(COLOURS)]
    # Pixels are drawn about whole numbers, and boxes are edges.
    axis.add_patch(
        Rectangle((x1 - 0.5, y1 - 0.5), x2 - x1, y2 - y1, fill=False, edgecolor=colour, linewidth=2)
    )
    axis.text(x1, y1, class_names[int(category)], color="white", backgroundcolor=colour, fontsize=8)
