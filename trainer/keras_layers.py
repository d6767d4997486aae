"""A user's own stack of Keras' augmentation layers -> declarations that producers carry out."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NoReturn

import keras

from feedline.common.arguments import Pair, pair
from feedline.common.declarations import DECLARATIONS
from feedline.common.declarations.base import Transform
from feedline.common.errors import ConfigurationError
from feedline.common.signatures import suggests

logger = logging.getLogger(__name__)

KNOWN: dict[type, type[Transform]] = {
    getattr(keras.layers, name): declaration
    for name, declaration in DECLARATIONS.items()
    if hasattr(keras.layers, name)
}
"""The declaration of each layer's name. A subclass of a layer may do anything: it is none of these."""


@suggests()
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
    value_range = pair("value_range", value_range)
    for layer in known:
        transforms.append(_declared(layer, value_range))
        value_range = transforms[-1].output_range(value_range)
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


def _declared(layer: keras.layers.Layer, value_range: Pair) -> Transform:
    try:
        _check_channels_last(layer)
        if type(layer) not in KNOWN:
            _refuse()
        return KNOWN[type(layer)].from_keras(_config(layer), value_range)
    except ConfigurationError as error:
        raise ConfigurationError(f"{type(layer).__name__} {layer.name!r}: {error}") from error


def _config(layer: keras.layers.Layer) -> dict[str, Any]:
    """The arguments of a layer, with what it has learned in their place, as plain numbers."""
    config = layer.get_config()
    learned = {
        name: keras.ops.convert_to_numpy(getattr(layer, name)).tolist()
        for name in ("mean", "variance")
        if name in config and getattr(layer, name, None) is not None
    }
    return {**config, **learned}


def _check_channels_last(layer: keras.layers.Layer) -> None:
    if getattr(layer, "data_format", None) == "channels_first":
        raise ConfigurationError(
            'data_format="channels_first" cannot be carried over: batches are channels-last. '
            "Make the layer so, and transpose in the model"
        )


def _refuse() -> NoReturn:
    raise ConfigurationError(
        "has no counterpart in feedline.transforms: leave it in the model. "
        f"Known are {', '.join(sorted(known.__name__ for known in KNOWN))}"
    )
