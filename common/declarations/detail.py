"""Declarations that take detail away, or bring it out: blur, sharpness, noise, erasing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from feedline.common.arguments import Pair, pixels
from feedline.common.declarations.base import (
    Check,
    Draws,
    Fill,
    Transform,
    between,
    bounds_from_zero,
    declaration,
    factor_from,
    is_chosen,
    number_from,
)
from feedline.common.errors import ConfigurationError

SIGMAS_OF_NOISE = 5.0
"""Our noise ends at 4.3 standard deviations: a range that is wider by so many on both sides clips none."""


def odd_pixels(label: str, value: Any) -> int:
    """Read an odd number of pixels; ConfigurationError if it is none."""
    count = pixels(label, value)
    if count % 2 == 0:
        raise ConfigurationError(f"{label} must be odd, so that it has a middle, got {value!r}")
    return count


@declaration
class RandomGaussianBlur(Transform):
    """Blur some images, as ``keras.layers.RandomGaussianBlur``.

    Parameters
    ----------
    factor : float or (float, float)
        The probability of being blurred, in [0, 1], is drawn from this range; ``f`` means ``(0, f)``, so
        that 1, the default, blurs one image in two, and ``(1, 1)`` all.
    kernel_size : int
        Pixels that one pixel is made of, in height and width; odd.
    sigma : float or (float, float)
        Standard deviation, in pixels, drawn for height and width apart; ``s`` means ``(0, s)``. Keras stops
        at 1.
    value_range : (float, float)
        See the top of the file.
    fill_value : float or tuple of float, optional
        What lies beyond the edge; Keras has 0.
    """

    factor: float | Pair = 1.0
    kernel_size: int = 3
    sigma: float | Pair = 1.0
    value_range: Pair = (0.0, 255.0)
    fill_value: Fill = None

    _EXAMPLE: ClassVar[Mapping[str, Any]] = {"factor": (0.8, 0.8), "kernel_size": 9, "sigma": 3.0}
    _NUM_DRAWS: ClassVar[int] = 3
    _USUAL_FILL: ClassVar[float] = 0.0
    _CHECKS: ClassVar[Mapping[str, Check]] = {
        "factor": factor_from(0.0),
        "kernel_size": odd_pixels,
        "sigma": factor_from(0.0, 1000.0),
    }

    @classmethod
    def from_keras(cls, config: Mapping[str, Any], _: Pair) -> RandomGaussianBlur:
        """See `Transform`; the kernel must be a square."""
        height, width = config["kernel_size"]
        if height != width:
            raise ConfigurationError(
                f"kernel_size=({height}, {width}) cannot be carried over: it must be one number"
            )
        return cls(config["factor"], height, config["sigma"], config["value_range"])

    def applies(self, draws: Draws) -> bool:
        """Whether this sample is blurred."""
        return is_chosen(self.factor, draws[0])

    def sigmas(self, draws: Draws) -> Pair:
        """Standard deviations along x and along y, in pixels; Keras adds 1e-6 to divide by."""
        bounds = bounds_from_zero(self.sigma)
        return between(bounds, draws[1]) + 1e-6, between(bounds, draws[2]) + 1e-6


@declaration
class RandomSharpness(Transform):
    """Blur or sharpen, as ``keras.layers.RandomSharpness``.

    Parameters
    ----------
    factor : float or (float, float)
        In [0, 1]: 0 is smooth, 0.5 changes nothing, 1 is sharp; ``f`` means ``(0, f)``.
    value_range : (float, float)
        See the top of the file.
    """

    factor: float | Pair
    value_range: Pair = (0.0, 255.0)

    _EXAMPLE: ClassVar[Mapping[str, Any]] = {"factor": 1.0}
    _CHECKS: ClassVar[Mapping[str, Check]] = {"factor": factor_from(0.0)}

    def smoothness(self, draws: Draws) -> float:
        """How much of the way to the smoothed image pixels go, in [-1, 1]: below 0, away from it."""
        return 1.0 - 2.0 * between(bounds_from_zero(self.factor), draws[0])


@declaration
class GaussianNoise(Transform):
    """Add a normally distributed number to each value, as ``keras.layers.GaussianNoise``.

    Parameters
    ----------
    stddev : float
        Standard deviation, in [0, 1], as a fraction of the width of `value_range`. With (0, 1), it is Keras'.
    value_range : (float, float)
        See the top of the file.
    """

    stddev: float
    value_range: Pair = (0.0, 255.0)

    _EXAMPLE: ClassVar[Mapping[str, Any]] = {"stddev": 0.1}
    _CHECKS: ClassVar[Mapping[str, Check]] = {"stddev": number_from(0.0, 1.0)}

    @classmethod
    def from_keras(cls, config: Mapping[str, Any], value_range: Pair) -> GaussianNoise:
        """See `Transform`; Keras does not clip, so nothing is, either."""
        stddev = config["stddev"]
        margin = SIGMAS_OF_NOISE * stddev
        lowest, highest = value_range[0] - margin, value_range[1] + margin
        return cls(stddev / (highest - lowest), (lowest, highest))

    @property
    def sigma(self) -> float:
        """Standard deviation in pixel values."""
        return self.stddev * (self.value_range[1] - self.value_range[0])


@declaration
class RandomErasing(Transform):
    """Overwrite a box, as ``keras.layers.RandomErasing``.

    Parameters
    ----------
    factor : float or (float, float)
        The probability of being erased, in [0, 1]; see `RandomGaussianBlur`.
    scale : float or (float, float)
        In [0, 1]. The square roots of two draws from it are the height and the width of the box, as fractions
        of those of the image; ``s`` means ``(0, s)``.
    fill_value : float, tuple of float or None
        One number, or one for each channel, in pixel values; None fills with normally distributed numbers of
        mean 0 whose standard deviation is the upper end of `value_range`.
    value_range : (float, float)
        What is filled in is clipped to it.
    """

    factor: float | Pair = 1.0
    scale: float | Pair = (0.02, 0.33)
    fill_value: Fill = None
    value_range: Pair = (0.0, 255.0)

    _EXAMPLE: ClassVar[Mapping[str, Any]] = {"factor": (0.8, 0.8), "scale": (0.05, 0.3)}
    _NUM_DRAWS: ClassVar[int] = 6
    _CHECKS: ClassVar[Mapping[str, Check]] = {
        "factor": factor_from(0.0),
        "scale": factor_from(0.0),
    }

    def applies(self, draws: Draws) -> bool:
        """Whether a box of this sample is erased."""
        return is_chosen(self.factor, draws[0])

    def box(self, draws: Draws, size: tuple[int, int]) -> tuple[Pair, Pair]:
        """((left, right), (top, bottom)) in an image of (height, width), in pixels and parts of them."""
        bounds = bounds_from_zero(self.scale)
        width, height = (
            size[1] * between(bounds, draws[1]) ** 0.5,
            size[0] * between(bounds, draws[2]) ** 0.5,
        )
        left, top = draws[3] * (size[1] - width), draws[4] * (size[0] - height)
        return (left, left + width), (top, top + height)

    def noise_draw(self, draws: Draws) -> float:
        """The draw that all the numbers of a box without `fill_value` depend on."""
        return float(draws[5])
