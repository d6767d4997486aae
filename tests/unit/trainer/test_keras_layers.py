"""A stack of Keras layers becomes declarations that draw from the same ranges and do the same."""

from __future__ import annotations

import logging
from dataclasses import fields
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest

from feedline import from_keras_layers
from feedline.common.declarations.catalogue import num_draws
from feedline.errors import ConfigurationError
from feedline.producer.transforms import Pipeline
from feedline.trainer.keras_layers import KNOWN
from feedline.transforms import (
    AugMix,
    CenterCrop,
    CutMix,
    MixUp,
    Normalization,
    RandAugment,
    RandomBrightness,
    RandomColorJitter,
    RandomContrast,
    RandomCrop,
    RandomErasing,
    RandomFlip,
    RandomGaussianBlur,
    RandomGrayscale,
    RandomHue,
    RandomRotation,
    RandomSaturation,
    RandomShear,
    RandomTranslation,
    RandomZoom,
    Rescaling,
    Resizing,
    Transform,
)

L = keras.layers

PAIRS: list[tuple[Any, Transform]] = [
    (L.RandomFlip("vertical"), RandomFlip("vertical")),
    (
        L.RandomRotation(0.1, "constant", "nearest", fill_value=3),
        RandomRotation((-0.1, 0.1), "constant", "nearest", 3),
    ),
    (L.RandomTranslation(0.1, (0.0, 0.2), "wrap"), RandomTranslation(0.1, (0.0, 0.2), "wrap")),
    (L.RandomZoom((-0.1, 0.2)), RandomZoom((-0.1, 0.2))),
    (L.RandomZoom(0.1, 0.2, fill_value=9), RandomZoom(0.1, 0.2, fill_value=9)),
    (L.RandomShear(0.2, (0.1, 0.3), "nearest", "wrap"), RandomShear(0.2, (0.1, 0.3), "nearest", "wrap")),
    (L.RandomCrop(5, 6), RandomCrop(5, 6)),
    (L.CenterCrop(5, 6), CenterCrop(5, 6)),
    (L.RandomBrightness((0.1, 0.2), (0, 1)), RandomBrightness((0.1, 0.2), (0, 1))),
    (L.RandomContrast((0.1, 0.2), (0, 1)), RandomContrast((0.1, 0.2), (0, 1))),
    (L.RandomSaturation((0.1, 0.6), (0, 1)), RandomSaturation((0.1, 0.6), (0, 1))),
    (L.RandomHue(0.3), RandomHue((0.0, 0.3))),
    (
        L.RandomColorJitter((0, 1), 0.1, (0.2, 0.3), (0.4, 0.5), (0.1, 0.2)),
        RandomColorJitter((0, 1), (-0.1, 0.1), (0.2, 0.3), (0.4, 0.5), (0.1, 0.2)),
    ),
    (L.RandomColorJitter(hue_factor=0.2), RandomColorJitter(hue_factor=(0.0, 0.2))),
    (L.RandomGrayscale(0.3), RandomGrayscale(0.3)),
    (L.RandomGaussianBlur(0.5, 5, (0.2, 0.8)), RandomGaussianBlur((0.0, 0.5), 5, (0.2, 0.8))),
    (L.RandomErasing(0.5, (0.1, 0.2), 7), RandomErasing((0.0, 0.5), (0.1, 0.2), 7)),
    (L.RandomErasing(fill_value=[1, 2, 3]), RandomErasing((0.0, 1.0), fill_value=(1, 2, 3))),
    (L.Resizing(5, 6), Resizing(5, 6)),
    (
        L.Resizing(5, 6, "area", pad_to_aspect_ratio=True, fill_value=7),
        Resizing(5, 6, "area", False, True, "constant", 7),
    ),
    (L.RandAugment((0, 1), 3, 0.4, "nearest"), RandAugment((0, 1), 3, (0.0, 0.4), "nearest")),
    (
        L.AugMix((0, 1), 2, 4, (0.1, 0.4), 0.5, False, "nearest"),
        AugMix((0, 1), 2, 4, (0.1, 0.4), 0.5, False, "nearest"),
    ),
    (L.MixUp(0.3), MixUp(0.3)),
    (L.CutMix(0.5), CutMix((0.0, 0.5))),
    (L.Rescaling(1 / 127.5, -1), Rescaling(1 / 127.5, -1)),
    (L.Normalization(mean=[1, 2, 3], variance=[4, 5, 6]), Normalization((1, 2, 3), (4, 5, 6))),
    (L.Normalization(axis=None, mean=1.5, variance=4.0), Normalization(1.5, 4.0)),
]


def name_of(value: Any) -> str | None:
    return type(value).__name__ if isinstance(value, Transform) else None


@pytest.mark.parametrize(("layer", "expected"), PAIRS, ids=name_of)
def test_a_layer_becomes_the_declaration_of_its_name_and_ranges(layer: Any, expected: Transform) -> None:
    assert from_keras_layers([layer]) == (expected,)


INSTEAD_OF_EXAMPLES: dict[type, Transform] = {
    L.RandomGaussianBlur: RandomGaussianBlur((0.8, 0.8), 9, (0.2, 1.0))
}
"""Where Keras would not take the example, as its sigma ends at 1."""

TAKEN_APART = {L.GaussianNoise, L.Pipeline}
"""What stands in the list is not a layer of that name, or has a strength in pixel values."""


@pytest.mark.parametrize("layer_type", [kind for kind in KNOWN if kind not in TAKEN_APART])
def test_a_layer_with_the_arguments_of_a_declaration_becomes_that_declaration(layer_type: type) -> None:
    """Apart from its factors: what Keras draws from them is compared in `PAIRS`, or where its pixels are."""
    example = INSTEAD_OF_EXAMPLES.get(layer_type, KNOWN[layer_type].example())
    (declared,) = from_keras_layers([layer_with_arguments_of(example)])
    assert type(declared) is type(example)
    for field in fields(example):
        if not field.name.endswith("factor"):
            assert getattr(declared, field.name) == getattr(example, field.name)


def layer_with_arguments_of(declared: Transform) -> Any:
    given = {field.name: getattr(declared, field.name) for field in fields(declared)}
    return getattr(L, type(declared).__name__)(**{name: v for name, v in given.items() if v is not None})


def test_the_range_is_the_one_that_the_layer_draws_from_though_keras_documents_another() -> None:
    contrast, saturation, jitter = from_keras_layers(
        [
            L.RandomContrast(0.2),
            L.RandomSaturation(0.2),
            L.RandomColorJitter(contrast_factor=0.2, saturation_factor=0.2),
        ]
    )
    assert contrast == RandomContrast((0.0, 0.2))
    assert saturation == RandomSaturation((-0.2, 0.2))
    assert jitter == RandomColorJitter(contrast_factor=(0.0, 0.2), saturation_factor=(-0.2, 0.2))


def test_a_normalization_that_was_adapted_keeps_what_it_learned() -> None:
    photos = np.random.default_rng(0).uniform(0, 255, (4, 5, 6, 3)).astype(np.float32)
    layer = L.Normalization()
    layer.adapt(photos)
    (result,) = from_keras_layers([layer])
    assert isinstance(result, Normalization)
    np.testing.assert_allclose(result.mean, photos.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(result.variance, photos.var((0, 1, 2)), rtol=1e-4)


def test_a_sequential_model_and_what_is_nested_in_it_is_taken_apart() -> None:
    inner = keras.Sequential([L.RandomZoom(0.1), L.RandomFlip("horizontal")])
    stack = keras.Sequential([keras.Input((8, 8, 3)), L.RandomRotation(0.1), inner])
    expected = (RandomRotation((-0.1, 0.1)), RandomZoom(0.1), RandomFlip("horizontal"))
    assert from_keras_layers(stack) == expected
    assert from_keras_layers([L.Pipeline(stack.layers)]) == expected
    assert from_keras_layers([]) == ()


def transformed(transforms: tuple[Transform, ...], image: npt.NDArray[Any], draw: float) -> npt.NDArray[Any]:
    pipeline = Pipeline(transforms, image.shape[:2], image.shape[2], "uint8", "float32")
    out = np.empty(pipeline.output_shape, np.float32)
    pipeline.apply(image, np.full(num_draws(transforms), draw), out)
    return out


def test_the_pixels_are_those_of_the_stack() -> None:
    image = np.random.default_rng(0).integers(0, 256, (31, 41, 3), np.uint8)
    stack = keras.Sequential([
        L.CenterCrop(21, 31),
        L.RandomBrightness((0.1, 0.1)),
        L.RandomGaussianBlur((1.0, 1.0), 3, (0.5, 0.5)),
        L.RandomContrast((0.0, 0.0)),
        L.Rescaling(1 / 255),
        L.RandomSaturation((0.6, 0.6), (0, 1)),
        L.RandomGrayscale(0.0),
        L.RandomErasing(0.0),
        L.Normalization(mean=[0.5, 0.4, 0.3], variance=[0.1, 0.2, 0.3]),
    ])  # fmt: skip
    expected = np.asarray(stack(image[np.newaxis].astype(np.float32), training=True))[0]
    np.testing.assert_allclose(transformed(from_keras_layers(stack), image, 0.3), expected, atol=1e-4)


@pytest.mark.parametrize(
    "before",
    [
        [],
        [L.Rescaling(1 / 255)],
        [L.Rescaling(-2 / 255, 1)],
        [L.Normalization(mean=[100, 110, 120], variance=[900, 1600, 2500])],
    ],
)
def test_noise_is_as_strong_as_in_its_place_in_the_stack_and_nothing_is_clipped(before: list[Any]) -> None:
    image = np.repeat(np.array([0, 255], np.uint8), 60_000).reshape(200, 200, 3)
    *others, noise = from_keras_layers([*before, L.GaussianNoise(0.5)])
    without = transformed(tuple(others), image, 0.3)
    deviation = (transformed((*others, noise), image, 0.3) - without).astype(np.float64)
    for half in (deviation[:100], deviation[100:]):
        assert half.mean() == pytest.approx(0.0, abs=0.01)
        assert half.std() == pytest.approx(0.5, rel=0.02)


def test_seeds_are_dropped_with_one_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="feedline.trainer.keras_layers"):
        from_keras_layers([L.RandomFlip(seed=1, name="a"), L.RandomZoom(0.1, name="b")])
        assert [record.message for record in caplog.records] == [
            "the seeds of a are not used: the BatchSequence's seed draws all"
        ]
        caplog.clear()
        from_keras_layers([L.RandomZoom(0.1)])
        assert caplog.records == []


class OwnFlip(L.RandomFlip):  # type: ignore[misc]
    """A subclass, which may do anything."""


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (L.Resizing(32, 48, antialias=True), r"Resizing 'resizing.*antialias=True.*area"),
        (L.Resizing(32, 48, "bicubic"), "Resizing 'resizing.*interpolation of Resizing.*'bicubic'"),
        (L.GaussianDropout(0.1, name="drops"), "GaussianDropout 'drops'.*leave it in the model.*RandomFlip"),
        (L.Dropout(0.1), "Dropout.*leave it in the model"),
        (OwnFlip(), "OwnFlip.*no counterpart"),
        (L.RandomFlip(data_format="channels_first"), "RandomFlip.*channels_first.*channels-last"),
        (L.RandomRotation((-5.0, 0.5)), r"RandomRotation 'random_rotation.*must be.*\[-1, 1\]"),
        (L.RandomGaussianBlur(kernel_size=(3, 5)), r"kernel_size=\(3, 5\).*one number"),
        (L.Rescaling([1.0, 2.0, 3.0]), "scale of Rescaling must be"),
        (L.Normalization(), r"neither mean nor variance: adapt\(\)"),
        (L.Normalization(axis=1, mean=[1, 2], variance=[1, 2]), r"axis=\(1,\)"),
        (L.Normalization(mean=1, variance=2, invert=True), "invert=True"),
    ],
)
def test_what_cannot_be_carried_over_is_named_with_what_to_do(layer: Any, text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        from_keras_layers([L.RandomFlip(), layer])


@pytest.mark.parametrize("value", [[3], [L.RandomFlip], "flip", L.RandomFlip(), None])
def test_what_is_no_list_of_layers_is_refused_and_quoted(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="expected"):
        from_keras_layers(value)
