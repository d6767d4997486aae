"""The one table: which function says what a declaration does to pixels.

Seven families, by the form of the answer:

``MAPPINGS``
    (declaration, draws, size) → where in the image each output pixel is looked up, as a 3 x 3 matrix.
    Neighbours in a list are multiplied into one matrix and sampled once.
``WINDOWS``
    (declaration, draws, size) → the part of the image that is kept, as (top, left).
``LINES``
    (declaration, draws, means) → a straight tone curve: times, plus, and where it is clipped.
``FRAMINGS``
    (declaration, draws, size of a file's image, size to make) → how to make it, and as a 3 x 3 matrix where
    points of the image go. Only at the beginning of a list.
``MIXINGS``
    (declaration, draws, size) → how several images become one, and their labels and boxes.
``CALLS``
    (declaration, plugins) → a function of (image, random generator): code from elsewhere.
``FILTERS``
    (declaration, draws, size) → an `Action`: what else makes pixels of pixels, each in its place.

To add a transform, see the end of `docs/transforms.md`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from feedline.common.declarations.catalogue import (
    Albumentations,
    CenterCrop,
    CutMix,
    Flip,
    GaussianNoise,
    Letterbox,
    MixUp,
    Mosaic,
    Normalization,
    PythonTransform,
    RandomBrightness,
    RandomColorJitter,
    RandomContrast,
    RandomCrop,
    RandomErasing,
    RandomFlip,
    RandomGaussianBlur,
    RandomGrayscale,
    RandomHue,
    RandomResizedCrop,
    RandomRotation,
    RandomSaturation,
    RandomShear,
    RandomTranslation,
    RandomZoom,
    Rescaling,
    Transform,
    YoloAugment,
)
from feedline.producer.arrays import Draws, Matrix
from feedline.producer.plugins import Plugins
from feedline.producer.transforms import calls, color, crop, detail, framing, geometry, hue, mixing, yolo
from feedline.producer.transforms.calls import Function
from feedline.producer.transforms.color import Line, Means
from feedline.producer.transforms.geometry import Action
from feedline.producer.transforms.mixing import Mix

MAPPINGS: dict[type[Transform], Callable[[Any, Draws, tuple[int, int]], npt.NDArray[np.float64]]] = {
    Flip: geometry.flip,
    RandomFlip: geometry.flip,
    RandomRotation: geometry.rotation,
    RandomTranslation: geometry.translation,
    RandomZoom: geometry.zoom,
    RandomShear: geometry.shear,
}

WINDOWS: dict[type[Transform], Callable[[Any, Draws, tuple[int, int]], tuple[int, int]]] = {
    RandomCrop: crop.corner,
    CenterCrop: crop.corner,
}

LINES: dict[type[Transform], Callable[[Any, Draws, Means], Line]] = {
    RandomBrightness: color.brightness,
    RandomContrast: color.contrast,
    Rescaling: color.rescaling,
    Normalization: color.normalization,
}

FILTERS: dict[type[Transform], Callable[[Any, Draws, tuple[int, int]], Action]] = {
    RandomSaturation: hue.saturation,
    RandomHue: hue.hue,
    RandomColorJitter: hue.color_jitter,
    RandomGrayscale: hue.grayscale,
    RandomGaussianBlur: detail.gaussian_blur,
    GaussianNoise: detail.gaussian_noise,
    RandomErasing: detail.erasing,
}

NEED_MEANS: frozenset[type[Transform]] = frozenset({RandomContrast})
"""Those of `LINES` that call `means`: their curve is known only when the pixels are."""

FRAMINGS: dict[
    type[Transform], Callable[[Any, Draws, tuple[int, int], tuple[int, int]], tuple[Action, Matrix]]
] = {
    RandomResizedCrop: framing.resized_crop,
    Letterbox: yolo.letterbox,
    YoloAugment: yolo.yolo_augment,
}

MIXINGS: dict[type[Transform], Callable[[Any, Draws, tuple[int, int]], Mix]] = {
    MixUp: mixing.blend,
    CutMix: mixing.collage,
    Mosaic: mixing.collage,
}

CALLS: dict[type[Transform], Callable[[Any, Plugins], Function]] = {
    PythonTransform: calls.python_function,
    Albumentations: calls.albumentations_pipeline,
}
