"""YOLOv3's targets: boxes in, the arrays that its loss compares with the network's outputs.

The network looks at an image through two or three grids. Each box is the task of one cell of one grid, the
one that its centre lies in, and of the anchor that resembles it most there (Redmon and Farhadi, "YOLOv3: an
incremental improvement", 2018). What is written where equals ``preprocess_true_boxes`` of the Keras YOLOv3 by
qqwweee (github.com/qqwweee/keras-yolo3, ``yolo3/model.py``), number for number, with four differences that
``faithful=True`` takes back:

==============================  ====================================  =================================
what comes                      there                                 here
==============================  ====================================  =================================
a row without width before      the anchors of all later boxes go to  rows without an area are no boxes
others                          the row before, the last box is lost
a centre on the right or lower  an IndexError                         the last cell has it
edge of the image
a centre outside the image      an IndexError, or the cell at the     no cell has it: clip boxes first
                                other side of the image
two boxes for one cell and      the last one's place and the classes  the last one
anchor                          of both
==============================  ====================================  =================================
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from feedline.common.arguments import number, yes_or_no
from feedline.common.batch.layout import ArraySpec, BatchLayout, zero_buffer
from feedline.common.errors import ConfigurationError
from feedline.common.signatures import constructor_suggests, suggests

Array = npt.NDArray[Any]

Anchors = tuple[tuple[float, float], ...]
"""(width, height) of each anchor in pixels of the network's input."""

YOLO_ANCHORS: Anchors = (
    (10, 13), (16, 30), (33, 23), (30, 61), (62, 45), (59, 119), (116, 90), (156, 198), (373, 326),
)  # fmt: skip
"""Those of YOLOv3, found on COCO for images of 416 x 416 (``yolov3.cfg`` of Darknet)."""

TINY_YOLO_ANCHORS: Anchors = ((10, 14), (23, 27), (37, 58), (81, 82), (135, 169), (344, 319))
"""Those of the tiny YOLOv3 (``yolov3-tiny.cfg`` of Darknet)."""

STRIDES = (32, 16, 8)
"""Pixels of the input that a cell of each grid covers, from the coarsest grid on."""

MASKS: dict[int, tuple[tuple[int, ...], ...]] = {
    9: ((6, 7, 8), (3, 4, 5), (0, 1, 2)),
    6: ((3, 4, 5), (1, 2, 3)),
}
"""Which anchors each grid has, by the number of anchors. The tiny network, by a slip of its first
configuration that all weights were trained with, has anchor 3 twice and anchor 0 never: a box that is most
like anchor 0 becomes no target."""


@constructor_suggests()
@dataclass(frozen=True, slots=True)
class YoloTargets:
    """What boxes are encoded to.

    Parameters
    ----------
    num_classes : int
        At least 1.
    anchors : sequence of (width, height)
        In pixels of the network's input: nine for three grids, or six for the two of the tiny network.
    faithful : bool
        Keep the faults of the original, see the top of the file.
    as_inputs : bool
        Feed the arrays to the model beside the images, and zeros as its target: for a model whose output is
        its loss, as in the original.

    Raises
    ------
    ConfigurationError
        A value that cannot work, quoted.
    """

    num_classes: int
    anchors: Anchors = YOLO_ANCHORS
    faithful: bool = False
    as_inputs: bool = False

    def __post_init__(self) -> None:
        """Bring every value into one form, or refuse it."""
        object.__setattr__(self, "num_classes", _num_classes(self.num_classes))
        object.__setattr__(self, "anchors", _anchors(self.anchors))
        for name in ("faithful", "as_inputs"):
            object.__setattr__(self, name, yes_or_no(name, getattr(self, name)))

    @property
    def masks(self) -> tuple[tuple[int, ...], ...]:
        """Places in `anchors` of the anchors of each grid."""
        return MASKS[len(self.anchors)]

    def shapes(self, input_shape: tuple[int, int]) -> tuple[tuple[int, int, int, int], ...]:
        """(rows, columns, anchors, 5 + num_classes) of each grid, for inputs of (height, width) pixels."""
        height, width = _checked_size(input_shape)
        return tuple(
            (height // stride, width // stride, len(mask), 5 + self.num_classes)
            for stride, mask in zip(STRIDES, self.masks, strict=False)
        )

    def encode(self, boxes: npt.ArrayLike, input_shape: tuple[int, int]) -> tuple[Array, ...]:
        """See `encode_yolo_targets`."""
        rows = _checked_boxes(boxes, self.num_classes)
        specs = tuple(
            ArraySpec(f"y{i}", shape, "float32") for i, shape in enumerate(self.shapes(input_shape))
        )
        tasks = _tasks(self, rows, input_shape)
        layout = BatchLayout(specs, len(rows))
        targets = tuple(layout.views(zero_buffer(layout.num_bytes)).values())
        for target, mask in zip(targets, self.masks, strict=True):
            _write(target, tasks, mask, faithful=self.faithful)
        return targets


@suggests()
def encode_yolo_targets(
    boxes: npt.ArrayLike,
    input_shape: tuple[int, int],
    anchors: npt.ArrayLike,
    num_classes: int,
    *,
    faithful: bool = False,
) -> tuple[Array, ...]:
    """Encode the boxes of a batch.

    Parameters
    ----------
    boxes : array-like
        Shape (batch, max_boxes, 5): x1, y1, x2, y2 in pixels of the input, and the class. Rows without an
        area, of zeros or of -1, are no boxes.
    input_shape : (int, int)
        Height and width of the network's input in pixels, multiples of 32.
    anchors : array-like
        Shape (9, 2), or (6, 2) for the tiny network: width and height in pixels of the input.
    num_classes : int
        Classes are below it.
    faithful : bool
        Keep the faults of the original, see the top of the file.

    Returns
    -------
    tuple of ndarray
        For each grid, from the coarsest on, float32 of shape (batch, rows, columns, 3, 5 + num_classes):
        centre x, y and width, height as fractions of the input; 1 where there is a box; 1 at its class. The
        centre is rounded down to whole pixels, as in the original.

    Raises
    ------
    ConfigurationError
        An argument that cannot work, quoted.

    Examples
    --------
    >>> [y.shape for y in encode_yolo_targets([[[8, 8, 40, 72, 1]]], (416, 416), YOLO_ANCHORS, 20)]
    [(1, 13, 13, 3, 25), (1, 26, 26, 3, 25), (1, 52, 52, 3, 25)]
    """
    return YoloTargets(num_classes, _anchors(anchors), faithful).encode(boxes, input_shape)


@dataclass(frozen=True, slots=True)
class _Tasks:
    """Boxes and who has them: arrays with one entry for each box.

    Attributes
    ----------
    sample : ndarray of int
        Place of its image in the batch.
    xywh : ndarray of float32
        Shape (num_boxes, 4), fractions of the input.
    category : ndarray of int
        Its class.
    anchor : ndarray of int
        The anchor most like it.
    """

    sample: Array
    xywh: Array
    category: Array
    anchor: Array

    def of(self, chosen: Array) -> _Tasks:
        """Some of them."""
        return replace(self, **{name: getattr(self, name)[chosen] for name in self.__slots__})


def _tasks(targets: YoloTargets, boxes: Array, input_shape: tuple[int, int]) -> _Tasks:
    # The dtypes are the original's throughout: float32, and float64 where it is mixed with whole numbers.
    size = np.array(input_shape[::-1], np.int32)
    low, high = boxes[..., 0:2], boxes[..., 2:4]
    centres, sides = (low + high) // 2, high - low
    is_box = sides[..., 0] > 0
    if not targets.faithful:
        is_box &= (sides[..., 1] > 0) & ((centres >= 0) & (centres <= size)).all(axis=-1)
    sample, row = np.nonzero(is_box)
    anchor = _most_alike(sides[sample, row], np.array(targets.anchors, np.float64))
    if targets.faithful:
        row = (np.cumsum(is_box, axis=1) - 1)[is_box]
    xywh = np.concatenate([centres / size, sides / size], axis=-1).astype(np.float32)
    return _Tasks(sample, xywh[sample, row], boxes[sample, row, 4].astype(np.int32), anchor)


def _most_alike(sides: Array, anchors: Array) -> Array:
    """Find for each (width, height) the anchor of the largest intersection over union, centre on centre."""
    shared = np.minimum(sides[:, np.newaxis], anchors).clip(min=0).prod(axis=-1)
    own = (sides[:, 0] * sides[:, 1])[:, np.newaxis]
    best: Array = np.argmax(shared / (own + anchors.prod(axis=-1) - shared), axis=-1)
    return best


def _write(target: Array, tasks: _Tasks, mask: tuple[int, ...], *, faithful: bool) -> None:
    """Write the boxes whose anchors a grid has; of two for one place, the later one stays."""
    mine = tasks.of(np.isin(tasks.anchor, mask))
    grid = np.array(target.shape[2:0:-1])
    column, row = np.floor(mine.xywh[:, :2] * grid).astype(np.int32).T
    if not faithful:
        column, row = np.minimum(column, grid[0] - 1), np.minimum(row, grid[1] - 1)
    place = (mine.sample, row, column, np.searchsorted(mask, mine.anchor))
    target[(*place, slice(0, 4))] = mine.xywh
    target[(*place, 4)] = 1.0
    if faithful:
        target[(*place, 5 + mine.category)] = 1.0
    else:
        target[(*place, slice(5, None))] = np.eye(target.shape[-1] - 5)[mine.category]


def _num_classes(value: Any) -> int:
    try:
        count = operator.index(value)
    except TypeError:
        count = 0
    if count < 1:
        raise ConfigurationError(f"num_classes must be a whole number, at least 1, got {value!r}")
    return count


def _anchors(anchors: Any) -> Anchors:
    pairs = np.asarray(anchors).tolist()
    if len(pairs) not in MASKS or any(np.shape(pair) != (2,) for pair in pairs):
        raise ConfigurationError(
            f"anchors must be {' or '.join(map(str, MASKS))} pairs of (width, height), got {anchors!r}"
        )
    checked = tuple((number("an anchor's width", w), number("an anchor's height", h)) for w, h in pairs)
    if any(side <= 0 for pair in checked for side in pair):
        raise ConfigurationError(f"anchors must be positive, got {anchors!r}")
    return checked


def _checked_size(input_shape: tuple[int, int]) -> tuple[int, int]:
    try:
        height, width = (operator.index(side) for side in input_shape)
    except (TypeError, ValueError):
        height = width = 0
    if height < 1 or width < 1 or height % STRIDES[0] or width % STRIDES[0]:
        raise ConfigurationError(
            f"YOLO takes images whose (height, width) are multiples of {STRIDES[0]}, got {input_shape!r}"
        )
    return height, width


def _checked_boxes(boxes: npt.ArrayLike, num_classes: int) -> Array:
    rows = np.asarray(boxes, np.float32)
    if rows.ndim != 3 or rows.shape[2] != 5:
        raise ConfigurationError(f"boxes must have shape (batch, max_boxes, 5), got {rows.shape}")
    category = rows[..., 4]
    is_wrong = (category >= num_classes) | ((category < 0) & (rows[..., 2] > rows[..., 0]))
    if is_wrong.any():
        sample, row = np.argwhere(is_wrong)[0]
        raise ConfigurationError(
            f"classes must be whole numbers from 0 to {num_classes - 1}; box {row} of sample {sample} is"
            f" {rows[sample, row].tolist()}"
        )
    return rows
