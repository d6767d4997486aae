"""Every layer of Keras that changes images can be declared."""

from __future__ import annotations

from typing import Any

import keras

from feedline.common.declarations import DECLARATIONS

OTHERS = {"GaussianNoise", "Normalization", "Pipeline", "Rescaling"}
"""Layers for images that Keras does not derive from its base of such layers."""

ONLY_FOR_BOXES = {"MaxNumBoundingBoxes"}
"""It fills up the boxes of a batch: here each image has as many as it has."""

STILL_MISSING = {
    "AugMix",
    "Pipeline",
    "RandAugment",
    "Resizing",
}


def is_for_images(layer: Any) -> bool:
    """Whether it is derived from the base of Keras' layers for images."""
    return isinstance(layer, type) and "BaseImagePreprocessingLayer" in {
        base.__name__ for base in layer.mro()
    }


def test_every_image_layer_of_keras_has_a_declaration_of_its_name() -> None:
    layers = {name for name in dir(keras.layers) if is_for_images(getattr(keras.layers, name))} | OTHERS
    assert {"CenterCrop", "CutMix", "RandomCrop", "RandomFlip", "Resizing"} < layers
    missing = layers - {*DECLARATIONS} - ONLY_FOR_BOXES
    assert not missing - STILL_MISSING, "declare these: see the end of docs/transforms.md"
    assert not STILL_MISSING - missing, "these are not missing any more: take them from STILL_MISSING"
