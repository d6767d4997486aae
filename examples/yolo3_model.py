"""A network in the manner of YOLOv3, small enough for two cores, and its loss.

One convolution does here what ten do there, and the loss leaves out one part: that anchors which overlap a
box enough are not told that there is none. See `yolo_loss` of qqwweee/keras-yolo3 for the whole.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from feedline.yolo import STRIDES, YoloTargets

WIDTHS = (16, 32, 64, 96, 128)


def make_model(targets: YoloTargets) -> Any:
    """Images of any size that 32 divides, to one output for each grid, from the coarsest on."""
    pixels = keras.Input((None, None, 3), dtype="uint8")
    x = layers.Rescaling(1 / 127.5, offset=-1)(pixels)
    features = []
    for width in WIDTHS:
        x = layers.Conv2D(width, 3, strides=2, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.LeakyReLU(0.1)(x)
        features.insert(0, x)
    outputs = [Head(targets.num_classes)(feature) for feature in features[: len(targets.masks)]]
    model = keras.Model(pixels, outputs)
    losses = [
        GridLoss(stride, [targets.anchors[i] for i in mask])
        for stride, mask in zip(STRIDES, targets.masks, strict=True)
    ]
    model.compile(keras.optimizers.Adam(2e-3), loss=losses)
    return model


class Head(layers.Layer):  # type: ignore[misc]  # Keras has no types
    """Features of a grid, to (batch, rows, columns, 3, 5 + num_classes)."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self._depth = 5 + num_classes
        self._convolution = layers.Conv2D(3 * self._depth, 1)

    def call(self, features: Any) -> Any:
        """See `keras.layers.Layer`."""
        raw = self._convolution(features)
        batch, rows, columns = ops.shape(raw)[:3]
        return ops.reshape(raw, (batch, rows, columns, 3, self._depth))

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """See `keras.layers.Layer`."""
        return (*shape[:3], 3, self._depth)


class GridLoss(keras.losses.Loss):  # type: ignore[misc]  # Keras has no types
    """How far a grid's output is from the arrays of `YoloTargets`, added up over an image.

    Parameters
    ----------
    stride : int
        Pixels of the input that a cell covers.
    anchors : list of (float, float)
        Width and height of the grid's anchors, in pixels of the input.
    """

    def __init__(self, stride: int, anchors: list[tuple[float, float]]) -> None:
        super().__init__()
        self._stride = stride
        self._anchors = ops.convert_to_tensor(anchors, "float32")

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """See `keras.losses.Loss`."""
        has_box = y_true[..., 4]
        xy, wh = self._within_cells(y_true)
        # A pixel matters more to a small box.
        weight = 2.0 - y_true[..., 2] * y_true[..., 3]
        off_centre = ops.sum(ops.square(ops.sigmoid(y_pred[..., 0:2]) - xy), axis=-1)
        off_size = ops.sum(ops.square(y_pred[..., 2:4] - wh), axis=-1)
        category = ops.sum(_cross_entropy(y_true[..., 5:], y_pred[..., 5:]), axis=-1)
        of_boxes = has_box * (weight * (off_centre + off_size) + category)
        return ops.sum(of_boxes + _cross_entropy(has_box, y_pred[..., 4]), axis=(1, 2, 3))

    def _within_cells(self, y_true: Any) -> tuple[Any, Any]:
        """The centre within its cell, and the logarithm of the sides in anchors; 0 where there is no box."""
        rows, columns = ops.shape(y_true)[1:3]
        grid = ops.cast(ops.stack([columns, rows]), "float32")
        xy = y_true[..., 0:2] * grid
        sides = y_true[..., 2:4] * grid * self._stride / self._anchors
        return xy - ops.floor(xy), ops.log(ops.where(sides > 0, sides, 1.0))


def _cross_entropy(truth: Any, logits: Any) -> Any:
    return ops.maximum(logits, 0) - logits * truth + ops.log1p(ops.exp(-ops.abs(logits)))
