"""A user's own stack of Keras' augmentation layers -> declarations that producers carry out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from feedline.common.arguments import Pair, pair
from feedline.common.declarations.catalogue import (
    CenterCrop,
    CutMix,
    GaussianNoise,
    MixUp,
    Normalization,
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
    Transform,
)
from feedline.common.errors import ConfigurationError

logger = logging.getLogger(__name__)

SIGMAS_OF_NOISE = 5.0
"""Our noise ends at 4.3 standard deviations: a range that is wider by so many on both sides clips none."""


def from_keras_layers(
    layers: Sequence[keras.layers.Layer] | keras.Sequential, *, value_range: Pair = (0.0, 255.0)
) -> tuple[Transform, ...]:
    """Declare what Keras layers do to images, so that producers do it.

    Parameters
    ----------
    layers : sequence of keras.layers.Layer, or keras.Sequential
        The layers that stand before the model, in their order; those within a Sequential or a
        ``keras.layers.Pipeline`` count one by one. They are only read.
    value_range : (float, float)
        Lowest and highest value of a pixel that comes in. Noise must know, as its strength is in pixel
        values.

    Returns
    -------
    tuple of Transform
        For ``BatchSequence(transforms=...)``. Each draws from the range that its layer draws from, even
        where that is not the one that Keras documents.

    Raises
    ------
    ConfigurationError
        A layer, or an argument of one, that has no counterpart here; names it and says what to do.

    Notes
    -----
    Seeds are not carried over, which is logged in one line: all draws come from the seed of the
    `BatchSequence`. Neither are names and dtypes.
    """
    known = list(_one_by_one(layers))
    seeded = [layer.name for layer in known if getattr(layer, "seed", None) is not None]
    if seeded:
        logger.info(f"the seeds of {', '.join(seeded)} are not used: the BatchSequence's seed draws all")
    transforms: list[Transform] = []
    values = np.array(pair("value_range", value_range))
    for layer in known:
        transforms.append(_declared(layer, values))
        values = _values_after(transforms[-1], values)
    return tuple(transforms)


def _one_by_one(layers: Any) -> Iterator[keras.layers.Layer]:
    if isinstance(layers, keras.Sequential | keras.layers.Pipeline):
        layers = layers.layers
    if not isinstance(layers, Iterable):
        raise ConfigurationError(f"expected a list of Keras layers or a keras.Sequential, got {layers!r}")
    for layer in layers:
        if isinstance(layer, keras.Sequential | keras.layers.Pipeline):
            yield from _one_by_one(layer)
        elif isinstance(layer, keras.layers.Layer):
            yield layer
        else:
            raise ConfigurationError(f"expected Keras layers, got {layer!r} among them")


def _declared(layer: keras.layers.Layer, values: npt.NDArray[np.float64]) -> Transform:
    try:
        _check_channels_last(layer)
        # A subclass may do anything: only the layers themselves are known.
        return _MAKERS.get(type(layer), _refuse)(layer, values)
    except ConfigurationError as error:
        raise ConfigurationError(f"{type(layer).__name__} {layer.name!r}: {error}") from error


def _check_channels_last(layer: keras.layers.Layer) -> None:
    if getattr(layer, "data_format", None) == "channels_first":
        raise ConfigurationError(
            'data_format="channels_first" cannot be carried over: batches are channels-last. '
            "Make the layer so, and transpose in the model"
        )


def _refuse(layer: keras.layers.Layer, _: npt.NDArray[np.float64]) -> Transform:
    if type(layer) is keras.layers.Resizing:
        raise ConfigurationError(
            "images are resized before they are transformed: leave the layer out, and pass "
            f"image_size=({layer.height}, {layer.width}) to BatchSequence, which also has "
            "interpolation, crop_to_aspect_ratio and pad_to_aspect_ratio"
        )
    raise ConfigurationError(
        "has no counterpart in feedline.transforms: leave it in the model. "
        f"Known are {', '.join(sorted(known.__name__ for known in _MAKERS))}"
    )


def _values_after(transform: Transform, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Lowest and highest value of a pixel after `transform`, shape (2,)."""
    match transform:
        case Rescaling():
            ends = values * transform.scale + transform.offset
        case Normalization():
            ends = np.subtract.outer(values, transform.mean) / np.sqrt(transform.variance)
        case _:
            return values
    return np.array([np.min(ends), np.max(ends)])


# --- one maker for each layer -----------------------------------------------------------------------

_Maker = Callable[[Any, npt.NDArray[np.float64]], Transform]
"""(layer, lowest and highest value that comes in) -> the declaration."""


def _by_its_attributes(declaration: type[Transform]) -> _Maker:
    """Make what has an argument for each attribute of the same name, with the same meaning."""
    names = [field.name for field in fields(declaration)]
    return lambda layer, _: declaration(**{name: getattr(layer, name) for name in names})


def _shear(layer: Any, _: npt.NDArray[np.float64]) -> RandomShear:
    # A number f is kept as (-f, f), which Keras itself does not take for a pair.
    x, y = (upper if lower < 0.0 else (lower, upper) for lower, upper in (layer.x_factor, layer.y_factor))
    return RandomShear(x, y, layer.interpolation, layer.fill_mode, layer.fill_value)


def _jitter(layer: Any, _: npt.NDArray[np.float64]) -> RandomColorJitter:
    # Its own layers know from which range they draw.
    names = ("brightness", "contrast", "saturation", "hue")
    parts = {name: getattr(layer, f"random_{name}") for name in names}
    factors = {f"{name}_factor": part.factor for name, part in parts.items() if part is not None}
    return RandomColorJitter(layer.value_range, **factors)


def _blur(layer: Any, _: npt.NDArray[np.float64]) -> RandomGaussianBlur:
    height, width = layer.kernel_size
    if height != width:
        raise ConfigurationError(
            f"kernel_size=({height}, {width}) cannot be carried over: it must be one number"
        )
    return RandomGaussianBlur(layer.factor, height, layer.sigma, layer.value_range)


def _noise(layer: Any, values: npt.NDArray[np.float64]) -> GaussianNoise:
    # Keras does not clip.
    margin = SIGMAS_OF_NOISE * layer.stddev
    lowest, highest = float(values[0]) - margin, float(values[1]) + margin
    return GaussianNoise(layer.stddev / (highest - lowest), (lowest, highest))


def _normalization(layer: Any, _: npt.NDArray[np.float64]) -> Normalization:
    if layer.invert:
        raise ConfigurationError("invert=True cannot be carried over: use a Rescaling")
    if layer.axis not in {(), (-1,), (3,)}:
        raise ConfigurationError(f"axis={layer.axis} cannot be carried over: it must be -1 or None")
    built = layer.mean is not None
    mean, variance = (layer.mean, layer.variance) if built else (layer.input_mean, layer.input_variance)
    if mean is None:
        raise ConfigurationError("has neither mean nor variance: adapt() it first, or give it both")
    return Normalization(_one_or_each(mean), _one_or_each(variance))


def _one_or_each(values: Any) -> Any:
    """One number, or one for each channel, of what a layer has broadcast."""
    plain = np.ravel(keras.ops.convert_to_numpy(values)).tolist()
    return plain[0] if len(plain) == 1 else tuple(plain)


_MAKERS: dict[type, _Maker] = {
    **{
        getattr(keras.layers, declaration.__name__): _by_its_attributes(declaration)
        for declaration in (
            RandomFlip,
            RandomRotation,
            RandomTranslation,
            RandomZoom,
            RandomCrop,
            CenterCrop,
            RandomBrightness,
            RandomContrast,
            RandomSaturation,
            RandomHue,
            RandomGrayscale,
            RandomErasing,
            MixUp,
            CutMix,
            Rescaling,
        )
    },
    keras.layers.RandomShear: _shear,
    keras.layers.RandomColorJitter: _jitter,
    keras.layers.RandomGaussianBlur: _blur,
    keras.layers.GaussianNoise: _noise,
    keras.layers.Normalization: _normalization,
}
