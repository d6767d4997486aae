"""MixUp blends images and labels as ``keras.layers.MixUp`` does in the same shares."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import skimage.data

from feedline.producer.transforms import compose
from feedline.transforms import MixUp

LABELS = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)


@pytest.mark.parametrize("draw", [0.1, 0.3, 0.8])
def test_a_blend_and_its_labels_are_those_of_keras(draw: float) -> None:
    photos = [skimage.data.astronaut()[:64, :96], skimage.data.coffee()[:64, :96]]
    composition = compose([MixUp(1.0)], (64, 96), 3, "uint8", "uint8")
    out, draws = np.empty((64, 96, 3), np.uint8), np.array([draw])
    composition.run(composition.prepare(draws), iter(photos), out)

    share = MixUp(1.0).share(draws)
    drawn = {"mix_weight": np.full(2, share, np.float32), "permutation_order": np.array([1, 0])}
    layer = keras.layers.MixUp()
    images = keras.ops.convert_to_numpy(layer.transform_images(np.stack(photos), drawn))
    labels = keras.ops.convert_to_numpy(layer.transform_labels(LABELS, drawn))
    assert np.abs(out - images[0]).max() <= 0.51
    np.testing.assert_allclose(composition.shares(draws) @ LABELS, labels[0], atol=1e-6)
