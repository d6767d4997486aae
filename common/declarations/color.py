"""Declarations that change each value by itself: brightness, contrast, rescaling, normalization."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from feedline.common.arguments import Pair, numbers, whole
from feedline.common.declarations.base import (
    Check,
    Draws,
    Transform,
    between,
    bounds_from_zero,
    bounds_of,
    check_one_each,
    declaration,
    factor_from,
    is_chosen,
)
from feedline.common.errors import ConfigurationError

KERAS_EPSILON = 1e-7
"""``keras.backend.epsilon()``, unless someone sets it: it keeps Keras' layers from dividing by 0."""


@declaration
class RandomBrightness(Transform):
    """Add one number to all channels, as ``keras.layers.RandomBrightness``.

    Parameters
    ----------
    factor : float or (float, float)
        Fraction of the value range, in [-1, 1].
    value_range : (float, float)
        See the top of the file.
    """

    factor: float | Pair
    value_range: Pair = (0.0, 255.0)

    _EXAMPLE: ClassVar[Mapping[str, Any]] = {"factor": 0.4}

    def delta(self, draws: Draws) -> float:
        """Draw what is added, in pixel values."""
        return between(bounds_of(self.factor), draws[0]) * (self.value_range[1] - self.value_range[0])


@declaration
class RandomContrast(Transform):
    """Stretch each channel about its mean, as ``keras.layers.RandomContrast`` is documented.

    Parameters
    ----------
    factor : float or (float, float)
        In [0, 1]; ``(lower, upper)`` draws the stretch from [1 - lower, 1 + upper], and ``f`` means
        ``(f, f)``. The code of Keras 3.15 reads ``f`` as ``(0, f)`` and sorts a pair.
    value_range : (float, float)
        See the top of the file.
    """

    factor: float | Pair
    value_range: Pair = (0.0, 255.0)

    _EXAMPLE: ClassVar[Mapping[str, Any]] = {"factor": 0.7}
    _CHECKS: ClassVar[Mapping[str, Check]] = {"factor": factor_from(0.0)}

    def stretch(self, draws: Draws) -> float:
        """How many times as far from the mean a pixel comes to lie."""
        lower, upper = self.factor if isinstance(self.factor, tuple) else (self.factor, self.factor)
        return between((1.0 - lower, 1.0 + upper), draws[0])


def _bits(label: str, value: Any) -> int | tuple[int, int]:
    """Read a number of bits, or a pair of them; ConfigurationError if it is neither."""
    known = factor_from(1, 8)(label, value)
    if isinstance(known, tuple):
        lower, upper = sorted(whole(label, bits) for bits in value)
        return lower, upper
    return whole(label, value)


@declaration
class RandomPosterization(Transform):
    """Keep the upper bits of each value, as ``keras.layers.RandomPosterization`` is documented.

    Parameters
    ----------
    factor : int or (int, int)
        How many of 8 bits are kept, 1 to 8: all as likely that lie between the ends of a pair, and these. The
        code of Keras 3.15 reads ``f`` as ``(1, f)``, and never draws the upper end.
    value_range : (float, float)
        See the top of the file.
    """

    factor: int | tuple[int, int]
    value_range: Pair = (0.0, 255.0)

    _EXAMPLE: ClassVar[Mapping[str, Any]] = {"factor": (1, 5)}
    _CHECKS: ClassVar[Mapping[str, Check]] = {"factor": _bits}

    @classmethod
    def from_keras(cls, config: Mapping[str, Any], _: Pair) -> RandomPosterization:
        """See `Transform`; the upper end is one that Keras draws, too."""
        lower, upper = config["factor"]
        return cls((lower, max(lower, upper - 1)), config["value_range"])

    def bits(self, draws: Draws) -> int:
        """How many bits are kept, 1 to 8."""
        lower, upper = self.factor if isinstance(self.factor, tuple) else (self.factor, self.factor)
        return lower + int(draws[0] * (upper - lower + 1))


@declaration
class Solarization(Transform):
    """Add, then invert what is not below a threshold, as ``keras.layers.Solarization`` is documented.

    Parameters
    ----------
    addition_factor, threshold_factor : float or (float, float)
        Fractions of the value range, in [0, 1]; ``f`` means ``(0, f)``. The code of Keras 3.15 reads
        ``(lower, upper)`` as ``(lower / 255, upper)``.
    value_range : (float, float)
        See the top of the file.
    """

    addition_factor: float | Pair = 0.0
    threshold_factor: float | Pair = 0.0
    value_range: Pair = (0.0, 255.0)

    _EXAMPLE: ClassVar[Mapping[str, Any]] = {"threshold_factor": (0.0, 0.8)}
    _NUM_DRAWS: ClassVar[int] = 2
    _CHECKS: ClassVar[Mapping[str, Check]] = {
        "addition_factor": factor_from(0.0),
        "threshold_factor": factor_from(0.0),
    }

    @classmethod
    def from_keras(cls, config: Mapping[str, Any], _: Pair) -> Solarization:
        """See `Transform`; the ranges are those that the code of Keras 3.15 draws from."""
        factors = {name: config[name] for name in cls._CHECKS}
        drawn = {name: (lower / 255.0, upper) for name, (lower, upper) in factors.items()}
        return cls(**drawn, value_range=config["value_range"])

    def addition(self, draws: Draws) -> float:
        """Draw what is added first, in pixel values."""
        lowest, highest = self.value_range
        return between(bounds_from_zero(self.addition_factor), draws[0]) * (highest - lowest)

    def threshold(self, draws: Draws) -> float:
        """Draw the value from which on values are inverted."""
        return between(self.value_range, between(bounds_from_zero(self.threshold_factor), draws[1]))


@declaration
class RandomInvert(Transform):
    """Make a negative of some images, as ``keras.layers.RandomInvert`` is documented.

    Parameters
    ----------
    factor : float or (float, float)
        The probability of being inverted, in [0, 1], is drawn from this range; ``f`` means ``(0, f)``, so
        that 1, the default, inverts one image in two, and ``(1, 1)`` all.
    value_range : (float, float)
        Its ends change places. The code of Keras 3.15 subtracts from the upper one alone.
    """

    factor: float | Pair = 1.0
    value_range: Pair = (0.0, 255.0)

    _EXAMPLE: ClassVar[Mapping[str, Any]] = {"factor": 1.0}
    _CHECKS: ClassVar[Mapping[str, Check]] = {"factor": factor_from(0.0)}

    @classmethod
    def from_keras(cls, config: Mapping[str, Any], _: Pair) -> RandomInvert:
        """See `Transform`; the range must begin at 0, where Keras inverts it."""
        if config["value_range"][0] != 0:
            factor, ends = tuple(config["factor"]), tuple(config["value_range"])
            raise ConfigurationError(
                f"value_range={ends} cannot be carried over: Keras subtracts from its upper end, so that "
                f"pixels leave it. For a negative within it, declare RandomInvert({factor}, {ends})"
            )
        return cls(config["factor"], config["value_range"])

    def applies(self, draws: Draws) -> bool:
        """Whether this sample is inverted."""
        return is_chosen(self.factor, draws[0])


@declaration
class Rescaling(Transform):
    """Multiply by `scale` and add `offset`, as ``keras.layers.Rescaling``; the batch becomes float32.

    Parameters
    ----------
    scale, offset : float
        ``Rescaling(1 / 255)`` gives [0, 1], ``Rescaling(1 / 127.5, -1)`` gives [-1, 1].
    """

    scale: float
    offset: float = 0.0

    _EXAMPLE: ClassVar[Mapping[str, Any]] = {"scale": 1 / 255}
    _NUM_DRAWS: ClassVar[int] = 0

    def output_dtype(self, _: str) -> str:
        """Floats, whatever comes in."""
        return "float32"

    def output_range(self, value_range: Pair) -> Pair:
        """Both ends rescaled."""
        return _ends_of(np.array(value_range) * self.scale + self.offset)

    def fill_after(self, fill: tuple[float, ...]) -> tuple[float, ...]:
        """Rescaled."""
        return tuple(value * self.scale + self.offset for value in fill)


@declaration
class Normalization(Transform):
    """Subtract a mean and divide by a standard deviation, as ``keras.layers.Normalization``; makes float32.

    Parameters
    ----------
    mean, variance : float or tuple of float
        In pixel values and their square; one number, or one for each channel.
    """

    mean: float | tuple[float, ...]
    variance: float | tuple[float, ...]

    _EXAMPLE: ClassVar[Mapping[str, Any]] = {"mean": 127.5, "variance": 4000.0}
    _NUM_DRAWS: ClassVar[int] = 0
    _CHECKS: ClassVar[Mapping[str, Check]] = {"mean": numbers, "variance": numbers}

    def __post_init__(self) -> None:
        """Check each argument, then whether they go together."""
        # `super()` does not work in dataclasses with slots before Python 3.14.
        Transform.__post_init__(self)
        if np.shape(self.mean) != np.shape(self.variance):
            raise ConfigurationError(
                f"mean and variance of Normalization must have as many numbers, got {self.mean} "
                f"and {self.variance}"
            )
        if np.min(self.variance) < 0.0:
            raise ConfigurationError(f"variance of Normalization must not be negative, got {self.variance}")

    @classmethod
    def from_keras(cls, config: Mapping[str, Any], _: Pair) -> Normalization:
        """See `Transform`; of the last axis or of none, with numbers that are known."""
        if config["invert"]:
            raise ConfigurationError("invert=True cannot be carried over: use a Rescaling")
        if tuple(config["axis"]) not in {(), (-1,), (3,)}:
            raise ConfigurationError(
                f"axis={tuple(config['axis'])} cannot be carried over: it must be -1 or None"
            )
        if config["mean"] is None:
            raise ConfigurationError("has neither mean nor variance: adapt() it first, or give it both")
        return cls(_one_or_each(config["mean"]), _one_or_each(config["variance"]))

    def check_channels(self, channels: int) -> None:
        """There must be one number, or one for each channel."""
        check_one_each("mean of Normalization", self.mean, channels)

    def output_dtype(self, _: str) -> str:
        """Floats, whatever comes in."""
        return "float32"

    def output_range(self, value_range: Pair) -> Pair:
        """The lowest and the highest value of any channel."""
        return _ends_of(np.subtract.outer(value_range, self.mean) / self._deviation)

    def fill_after(self, fill: tuple[float, ...]) -> tuple[float, ...]:
        """Normalized."""
        return tuple(np.ravel(np.subtract(fill, self.mean) / self._deviation).tolist())

    @property
    def reach(self) -> float:
        """The largest value of a usual pixel, or the smallest negated: three deviations from the mean."""
        return float(np.max(np.abs(self.mean) + 3 * self._deviation))

    @property
    def _deviation(self) -> npt.NDArray[np.float64]:
        """As in Keras, nothing is divided by less than 1e-7."""
        return np.maximum(np.sqrt(self.variance), 1e-7)


def _ends_of(values: npt.NDArray[np.float64]) -> Pair:
    return float(np.min(values)), float(np.max(values))


def _one_or_each(values: Any) -> Any:
    """One number, or one for each channel, of what a layer has broadcast."""
    plain = np.ravel(values).tolist()
    return plain[0] if len(plain) == 1 else tuple(plain)
