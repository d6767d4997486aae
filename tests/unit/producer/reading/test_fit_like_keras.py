"""Resizing, cropping and padding to a size, against what Keras' image_dataset_from_directory calls."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
import skimage.data

from feedline.common.sample.image import ImageSpec
from feedline.producer.reading.fitting import fit

Array = npt.NDArray[Any]

PHOTO: Array = skimage.data.astronaut()[:301, :400]
SIZES = [(150, 200), (301, 400), (224, 224), (97, 333), (350, 123), (600, 601)]


def assert_alike(result: Array, expected: Array, within: float = 1.0) -> None:
    difference = np.abs(result.astype(np.float64) - expected)
    assert difference.mean() <= 0.5
    assert np.mean(difference <= within) >= 0.99


@pytest.mark.parametrize("size", SIZES)
def test_bilinear_is_keras_bilinear(size: tuple[int, int]) -> None:
    expected = np.asarray(keras.ops.image.resize(PHOTO.astype(np.float32), size, interpolation="bilinear"))
    assert_alike(fit(PHOTO, ImageSpec(*size)), expected)


@pytest.mark.parametrize("size", SIZES)
def test_nearest_is_keras_nearest(size: tuple[int, int]) -> None:
    expected = np.asarray(keras.ops.image.resize(PHOTO.astype(np.float32), size, interpolation="nearest"))
    result = fit(PHOTO, ImageSpec(*size, interpolation="nearest"))
    assert np.mean(result == expected) >= 0.99


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("turned", [False, True])
def test_crop_to_aspect_ratio_is_keras_smart_resize(size: tuple[int, int], turned: bool) -> None:
    photo = np.ascontiguousarray(PHOTO.transpose(1, 0, 2)) if turned else PHOTO
    expected = keras.preprocessing.image.smart_resize(photo.astype(np.float32), size)
    assert_alike(fit(photo, ImageSpec(*size, fit="crop")), expected)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("turned", [False, True])
def test_pad_to_aspect_ratio_is_keras_padding(size: tuple[int, int], turned: bool) -> None:
    photo = np.ascontiguousarray(PHOTO.transpose(1, 0, 2)) if turned else PHOTO
    expected = np.asarray(keras.ops.image.resize(photo.astype(np.float32), size, pad_to_aspect_ratio=True))
    assert_alike(fit(photo, ImageSpec(*size, fit="pad")), expected)
