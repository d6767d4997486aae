"""MixUp and CutMix make of images and labels what the Keras layers do of the same shares and rectangles."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import skimage.data
from like_keras import Array

from feedline.producer.transforms import compose
from feedline.transforms import CutMix, MixUp, Transform

LABELS = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)


PHOTOS = [skimage.data.astronaut()[:64, :96], skimage.data.coffee()[:64, :96]]


def mixed(mixing: Transform, draws: Array) -> tuple[Array, Array]:
    """The image that two photographs become, and its labels."""
    composition = compose([mixing], (64, 96), 3, "uint8", "uint8")
    out = np.empty((64, 96, 3), np.uint8)
    composition.run(composition.prepare(draws), iter(PHOTOS), out)
    return out, composition.shares(draws) @ LABELS


@pytest.mark.parametrize("draw", [0.1, 0.3, 0.8])
def test_a_blend_and_its_labels_are_those_of_keras(draw: float) -> None:
    draws = np.array([draw])
    out, own_labels = mixed(MixUp(1.0), draws)
    share = MixUp(1.0).share(draws)
    drawn = {"mix_weight": np.full(2, share, np.float32), "permutation_order": np.array([1, 0])}
    layer = keras.layers.MixUp()
    images = keras.ops.convert_to_numpy(layer.transform_images(np.stack(PHOTOS), drawn))
    labels = keras.ops.convert_to_numpy(layer.transform_labels(LABELS, drawn))
    assert np.abs(out - images[0]).max() <= 0.51
    np.testing.assert_allclose(own_labels, labels[0], atol=1e-6)


@pytest.mark.parametrize("draws", [[0.5, 0.4, 0.6, 0.7], [0.9, 0.2, 0.0, 0.999], [0.3, 0.8, 0.999, 0.0]])
def test_a_pasted_rectangle_and_its_labels_are_those_of_keras(draws: list[float]) -> None:
    out, own_labels = mixed(CutMix((1.0, 1.0)), np.array(draws))

    _, patch = CutMix((1.0, 1.0)).patches(draws, (64, 96))
    ends = (patch.left, patch.left + patch.width, patch.top, patch.top + patch.height)
    layer = keras.layers.CutMix()
    corners = [np.full(2, end, np.float32) for end in ends]
    masks, weight = layer._generate_batch_mask((2, 64, 96, 3), corners)
    drawn = {"batch_masks": masks, "mix_weight": weight, "permutation_order": np.array([1, 0])}
    images = keras.ops.convert_to_numpy(layer.transform_images(np.stack(PHOTOS), drawn))
    labels = keras.ops.convert_to_numpy(layer.transform_labels(LABELS, drawn))
    np.testing.assert_array_equal(out, images[0])
    np.testing.assert_allclose(own_labels, labels[0], atol=1e-6)
