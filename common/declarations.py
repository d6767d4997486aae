"""What a user may ask to be done to each image: names, arguments and meaning of Keras' layers.

A declaration holds no pixels and draws no numbers. It says how many uniforms one sample consumes, and
what they mean: ``RandomRotation(0.1).angle(draws)``. `producer.transforms` holds what each does to
pixels; `docs/transforms.md` shows it, and lists where Feedline differs from Keras and why. An argument
that cannot work is a ConfigurationError where it is written.

Arguments that several share, as in Keras:

- a *factor* is a number ``f``, which means ``(-|f|, |f|)``, or a (lower, upper) pair;
- `fill_mode` and `fill_value` say what lies beyond the edge, see `FillMode`;
- `interpolation` is ``"nearest"`` or ``"bilinear"``;
- `value_range` is the lowest and highest value of a pixel; results are clipped to it.

Keras' ``seed`` does not exist here because all draws come from the job's seed, so that a batch is the
same whoever builds it; ``data_format`` does not because batches are always channels-last.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from common.arguments import Pair, factor, number, one_of, pair, pixels
from common.errors import ConfigurationError
from common.image import Interpolation

Draws = Sequence[float] | npt.NDArray[np.float64]
"""The uniforms in [0, 1) of one sample and one transform, `Transform.num_draws` of them."""


class FillMode(StrEnum):
    """What lies beyond the edges of ``abcd``."""

    CONSTANT = "constant"  # kkkk|abcd|kkkk with k = fill_value
    NEAREST = "nearest"  # aaaa|abcd|dddd
    REFLECT = "reflect"  # dcba|abcd|dcba
    WRAP = "wrap"  # abcd|abcd|abcd


class FlipMode(StrEnum):
    """Which axes a flip reverses."""

    HORIZONTAL = "horizontal"
    VERTICAL = "vertical"
    HORIZONTAL_AND_VERTICAL = "horizontal_and_vertical"


@dataclass(frozen=True, slots=True)
class Transform:
    """One thing that is done to every image of a job."""

    _NUM_DRAWS: ClassVar[int] = 1
    _LOWEST_FACTOR: ClassVar[float] = -1.0

    def __post_init__(self) -> None:
        """Bring every argument into one form, or refuse it."""
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None and field.default is None:
                continue
            label = f"{field.name} of {type(self).__name__}"
            object.__setattr__(self, field.name, _CHECKS[field.name](label, value, self._LOWEST_FACTOR))

    @property
    def num_draws(self) -> int:
        """How many uniforms one sample consumes."""
        return self._NUM_DRAWS

    def output_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of what comes out of an image of (height, width), in pixels."""
        return size


@dataclass(frozen=True, slots=True)
class RandomFlip(Transform):
    """Mirror one image in two, as ``keras.layers.RandomFlip``.

    Parameters
    ----------
    mode : str
        A `FlipMode`. ``"horizontal_and_vertical"`` flips both axes or none, as in Keras: for all
        four outcomes declare two flips.
    """

    mode: str = FlipMode.HORIZONTAL_AND_VERTICAL

    def flips(self, draws: Draws) -> bool:
        """Whether this sample is flipped."""
        return bool(draws[0] < 0.5)


@dataclass(frozen=True, slots=True)
class RandomRotation(Transform):
    """Turn about the centre, as ``keras.layers.RandomRotation``.

    Parameters
    ----------
    factor : float or (float, float)
        Fraction of a full turn, in [-1, 1]; positive turns counter-clockwise.
    fill_mode, interpolation, fill_value
        See the top of the file.
    """

    factor: float | Pair
    fill_mode: str = FillMode.REFLECT
    interpolation: str = Interpolation.BILINEAR
    fill_value: float = 0.0

    def angle(self, draws: Draws) -> float:
        """Degrees, positive counter-clockwise."""
        return 360.0 * _between(_bounds(self.factor), draws[0])


@dataclass(frozen=True, slots=True)
class RandomTranslation(Transform):
    """Shift, as ``keras.layers.RandomTranslation``.

    Parameters
    ----------
    height_factor, width_factor : float or (float, float)
        Fraction of the height (positive: down) and of the width (positive: right), in [-1, 1].
    fill_mode, interpolation, fill_value
        See the top of the file.
    """

    height_factor: float | Pair
    width_factor: float | Pair
    fill_mode: str = FillMode.REFLECT
    interpolation: str = Interpolation.BILINEAR
    fill_value: float = 0.0

    _NUM_DRAWS: ClassVar[int] = 2

    def shift(self, draws: Draws) -> Pair:
        """(down, right) as fractions of height and width."""
        return _between(_bounds(self.height_factor), draws[0]), _between(_bounds(self.width_factor), draws[1])


@dataclass(frozen=True, slots=True)
class RandomZoom(Transform):
    """Zoom about the centre, as ``keras.layers.RandomZoom``.

    Parameters
    ----------
    height_factor : float or (float, float)
        How much more of the height is seen, in (-1, 1]: 0.2 zooms out by 20 %, -0.2 zooms in.
    width_factor : float, (float, float) or None
        The same for the width; None zooms both sides alike.
    fill_mode, interpolation, fill_value
        See the top of the file.
    """

    height_factor: float | Pair
    width_factor: float | Pair | None = None
    fill_mode: str = FillMode.REFLECT
    interpolation: str = Interpolation.BILINEAR
    fill_value: float = 0.0

    # Keras excludes -1, at which nothing would be seen.
    _LOWEST_FACTOR: ClassVar[float] = math.nextafter(-1.0, 0.0)

    @property
    def num_draws(self) -> int:
        """One when both sides zoom alike, else two."""
        return 1 if self.width_factor is None else 2

    def zoom(self, draws: Draws) -> Pair:
        """How many times its height and its width is seen of the image; below 1 zooms in."""
        height = 1.0 + _between(_bounds(self.height_factor), draws[0])
        if self.width_factor is None:
            return height, height
        return height, 1.0 + _between(_bounds(self.width_factor), draws[1])


@dataclass(frozen=True, slots=True)
class RandomCrop(Transform):
    """Cut out a window at a random place, as ``keras.layers.RandomCrop``.

    Parameters
    ----------
    height, width : int
        Pixels of the window, at least 1. It must fit: where Keras would enlarge a smaller image,
        here its size is known when the job is declared, and is a mistake.
    """

    height: int
    width: int

    _NUM_DRAWS: ClassVar[int] = 2

    def output_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of the window; ConfigurationError if it does not fit into `size`."""
        if self.height > size[0] or self.width > size[1]:
            raise ConfigurationError(
                f"RandomCrop(height={self.height}, width={self.width}) does not fit into images of "
                f"(height, width) = {tuple(size)}: crop less, or ask for a larger image_size"
            )
        return self.height, self.width

    def corner(self, draws: Draws, size: tuple[int, int]) -> tuple[int, int]:
        """(top, left) of the window in an image of `size`, in pixels; every place is as likely."""
        return int(draws[0] * (size[0] - self.height + 1)), int(draws[1] * (size[1] - self.width + 1))


@dataclass(frozen=True, slots=True)
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

    def delta(self, draws: Draws) -> float:
        """Draw what is added, in pixel values."""
        return _between(_bounds(self.factor), draws[0]) * (self.value_range[1] - self.value_range[0])


@dataclass(frozen=True, slots=True)
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

    _LOWEST_FACTOR: ClassVar[float] = 0.0

    def stretch(self, draws: Draws) -> float:
        """How many times as far from the mean a pixel comes to lie."""
        lower, upper = self.factor if isinstance(self.factor, tuple) else (self.factor, self.factor)
        return _between((1.0 - lower, 1.0 + upper), draws[0])


@dataclass(frozen=True, slots=True)
class Rescaling(Transform):
    """Multiply by `scale` and add `offset`, as ``keras.layers.Rescaling``; the batch becomes float32.

    Parameters
    ----------
    scale, offset : float
        ``Rescaling(1 / 255)`` gives [0, 1], ``Rescaling(1 / 127.5, -1)`` gives [-1, 1].
    """

    scale: float
    offset: float = 0.0

    _NUM_DRAWS: ClassVar[int] = 0


def _bounds(factor: float | Pair) -> Pair:
    if isinstance(factor, tuple):
        return min(factor), max(factor)
    return -abs(factor), abs(factor)


def _between(bounds: Pair, draw: float) -> float:
    return float(bounds[0] + (bounds[1] - bounds[0]) * draw)


def _sampling(label: str, value: Any, _: float) -> Interpolation:
    return one_of(Interpolation, label, value, Interpolation.NEAREST, Interpolation.BILINEAR)


def _factor(label: str, value: Any, lowest: float) -> float | Pair:
    return factor(label, value, lowest, 1.0)


_CHECKS: dict[str, Callable[[str, Any, float], Any]] = {
    **dict.fromkeys(("factor", "height_factor", "width_factor"), _factor),
    **dict.fromkeys(("height", "width"), lambda label, value, _: pixels(label, value)),
    **dict.fromkeys(("fill_value", "scale", "offset"), lambda label, value, _: number(label, value)),
    "mode": lambda label, value, _: one_of(FlipMode, label, value),
    "fill_mode": lambda label, value, _: one_of(FillMode, label, value),
    "interpolation": _sampling,
    "value_range": lambda label, value, _: tuple(sorted(pair(label, value))),
}
"""What each argument must be, whichever declaration has it: (label, value, lowest factor) -> value."""
