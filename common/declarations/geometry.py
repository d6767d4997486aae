"""Declarations that move pixels: flip, rotation, translation, zoom, shear, perspective, elastic, crops."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from feedline.common.arguments import Pair, factor
from feedline.common.declarations.base import (
    Check,
    Draws,
    Fill,
    FillMode,
    Transform,
    between,
    bounds_from_zero,
    bounds_of,
    declaration,
    factor_from,
    fill_from_keras,
    is_chosen,
    number_from,
    one_name_of,
)
from feedline.common.errors import ConfigurationError
from feedline.common.sample.image import Interpolation


class FlipMode(StrEnum):
    """Which axes a flip reverses."""

    HORIZONTAL = "horizontal"
    VERTICAL = "vertical"
    HORIZONTAL_AND_VERTICAL = "horizontal_and_vertical"


@declaration
class RandomFlip(Transform):
    """Mirror one image in two, as ``keras.layers.RandomFlip``.

    Parameters
    ----------
    mode : str
        A `FlipMode`. ``"horizontal_and_vertical"`` flips both axes or none, as in Keras: for all
        four outcomes declare two flips.
    """

    mode: str = FlipMode.HORIZONTAL_AND_VERTICAL

    _MOVES: ClassVar[bool] = True
    _EXAMPLE: ClassVar[Mapping[str, Any]] = {"mode": FlipMode.HORIZONTAL}
    _CHECKS: ClassVar[Mapping[str, Check]] = {"mode": one_name_of(FlipMode)}

    def flips(self, draws: Draws) -> bool:
        """Whether this sample is flipped."""
        return bool(draws[0] < 0.5)


@declaration
class Flip(RandomFlip):
    """Mirror every image: a `RandomFlip` without the chance, for test-time augmentation.

    Parameters
    ----------
    mode : str
        A `FlipMode`.
    """

    mode: str = FlipMode.HORIZONTAL

    _EXAMPLE: ClassVar[Mapping[str, Any]] = {"mode": FlipMode.HORIZONTAL}

    def flips(self, draws: Draws) -> bool:  # noqa: ARG002 - the draw is still made, as for any flip
        """Say that this sample is flipped."""
        return True


def _turns(label: str, value: Any) -> float | Pair:
    """Read a fraction of a full turn, or a pair of them; degrees are answered with what they are in turns."""
    try:
        return factor(label, value, -1.0, 1.0)
    except ConfigurationError as error:
        ends = value if isinstance(value, tuple | list) else (value,)
        if not all(isinstance(end, int | float) for end in ends):
            raise
        turns = " and ".join(f"{end:g}/360" for end in ends)
        raise ConfigurationError(f"{error}: it is a fraction of a full turn, of degrees {turns}") from None


@declaration
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
    fill_value: Fill = None

    _MOVES: ClassVar[bool] = True
    _EXAMPLE: ClassVar[Mapping[str, Any]] = {"factor": 0.1}
    _USUAL_FILL: ClassVar[float] = 0.0
    _CHECKS: ClassVar[Mapping[str, Check]] = {"factor": _turns}

    def angle(self, draws: Draws) -> float:
        """Degrees, positive counter-clockwise."""
        return 360.0 * between(bounds_of(self.factor), draws[0])


@declaration
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
    fill_value: Fill = None

    _MOVES: ClassVar[bool] = True
    _EXAMPLE: ClassVar[Mapping[str, Any]] = {"height_factor": 0.2, "width_factor": 0.2}
    _USUAL_FILL: ClassVar[float] = 0.0
    _NUM_DRAWS: ClassVar[int] = 2

    def shift(self, draws: Draws) -> Pair:
        """(down, right) as fractions of height and width."""
        down, right = bounds_of(self.height_factor), bounds_of(self.width_factor)
        return between(down, draws[0]), between(right, draws[1])


@declaration
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
    fill_value: Fill = None

    _MOVES: ClassVar[bool] = True
    _EXAMPLE: ClassVar[Mapping[str, Any]] = {"height_factor": 0.4}
    _USUAL_FILL: ClassVar[float] = 0.0

    # Keras excludes -1, at which nothing would be seen.
    _CHECKS: ClassVar[Mapping[str, Check]] = dict.fromkeys(
        ("height_factor", "width_factor"), factor_from(math.nextafter(-1.0, 0.0))
    )

    @property
    def num_draws(self) -> int:
        """One when both sides zoom alike, else two."""
        return 1 if self.width_factor is None else 2

    def zoom(self, draws: Draws) -> Pair:
        """How many times its height and its width is seen of the image; below 1 zooms in."""
        height = 1.0 + between(bounds_of(self.height_factor), draws[0])
        if self.width_factor is None:
            return height, height
        return height, 1.0 + between(bounds_of(self.width_factor), draws[1])


@declaration
class RandomShear(Transform):
    """Slant along x and y from the top left corner, as ``keras.layers.RandomShear``.

    Parameters
    ----------
    x_factor, y_factor : float or (float, float)
        Pixels to the side per pixel down, and down per pixel to the side, in [0, 1]. A pair gets a sign
        at random, the same for both; a number ``f`` means ``(-f, f)``.
    interpolation, fill_mode, fill_value
        See the top of the file.
    """

    x_factor: float | Pair = 0.0
    y_factor: float | Pair = 0.0
    interpolation: str = Interpolation.BILINEAR
    fill_mode: str = FillMode.REFLECT
    fill_value: Fill = None

    _MOVES: ClassVar[bool] = True
    _EXAMPLE: ClassVar[Mapping[str, Any]] = {"x_factor": 0.3, "y_factor": 0.3}
    _USUAL_FILL: ClassVar[float] = 0.0
    _NUM_DRAWS: ClassVar[int] = 3
    _CHECKS: ClassVar[Mapping[str, Check]] = dict.fromkeys(("x_factor", "y_factor"), factor_from(0.0))

    @classmethod
    def from_keras(cls, config: Mapping[str, Any], _: Pair) -> RandomShear:
        """See `Transform`; a number f is kept as (-f, f), which Keras itself does not take for a pair."""
        bounds = config["x_factor"], config["y_factor"]
        x, y = (upper if lower < 0.0 else (lower, upper) for lower, upper in bounds)
        return cls(x, y, config["interpolation"], config["fill_mode"], fill_from_keras(config))

    def shear(self, draws: Draws) -> Pair:
        """How far to the right a pixel is looked up per row, and how far down per column."""
        sign = 1.0 if draws[0] < 0.5 else -1.0
        x, y = bounds_of(self.x_factor), bounds_of(self.y_factor)
        return sign * between(x, draws[2]), sign * between(y, draws[1])


@declaration
class RandomPerspective(Transform):
    """Look at some images from aside, as ``keras.layers.RandomPerspective``.

    Parameters
    ----------
    factor : float or (float, float)
        The probability of being changed, in [0, 1], is drawn from this range; ``f`` means ``(0, f)``, so that
        1, the default, changes one image in two, and ``(1, 1)`` all.
    scale : float
        How far corners move, in [0, 1]: each coordinate of each corner is multiplied by a number from
        [1 - scale / 2, 1 + scale / 2]. The top left corner, whose coordinates are 0, stays, as in Keras.
    interpolation, fill_value
        See the top of the file. Beyond the edge is always `fill_value`.
    """

    factor: float | Pair = 1.0
    scale: float = 1.0
    interpolation: str = Interpolation.BILINEAR
    fill_value: Fill = None

    _MOVES: ClassVar[bool] = True
    _USUAL_FILL: ClassVar[float] = 0.0
    _EXAMPLE: ClassVar[Mapping[str, Any]] = {"factor": (1.0, 1.0), "scale": 0.6}
    _NUM_DRAWS: ClassVar[int] = 9
    _CHECKS: ClassVar[Mapping[str, Check]] = {"factor": factor_from(0.0), "scale": number_from(0.0, 1.0)}

    @property
    def fill_mode(self) -> FillMode:
        """What lies beyond the edge."""
        return FillMode.CONSTANT

    def applies(self, draws: Draws) -> bool:
        """Whether this sample is changed."""
        return is_chosen(self.factor, draws[0])

    def times(self, draws: Draws) -> tuple[Pair, Pair, Pair, Pair]:
        """By what x and y of the corners are multiplied: top left, top right, bottom left, bottom right."""
        at = [1.0 + self.scale * (float(draw) - 0.5) for draw in draws[1:9]]
        return (at[0], at[1]), (at[2], at[3]), (at[4], at[5]), (at[6], at[7])


@declaration
class RandomElasticTransform(Transform):
    """Move each pixel a little, and its neighbours alike, as ``keras.layers.RandomElasticTransform``.

    Parameters
    ----------
    factor : float or (float, float)
        The probability of being changed, as in `RandomPerspective`.
    scale : float or (float, float)
        How strong, in [0, 1]; ``s`` means ``(0, s)``. It makes displacements both larger and smoother: see
        `alpha_and_sigma`.
    interpolation, fill_mode, fill_value, value_range
        See the top of the file.
    """

    factor: float | Pair = 1.0
    scale: float | Pair = 1.0
    interpolation: str = Interpolation.BILINEAR
    fill_mode: str = FillMode.REFLECT
    fill_value: Fill = None
    value_range: Pair = (0.0, 255.0)

    _MOVES: ClassVar[bool] = True
    _USUAL_FILL: ClassVar[float] = 0.0
    _EXAMPLE: ClassVar[Mapping[str, Any]] = {"factor": (1.0, 1.0), "scale": (0.4, 1.0)}
    _NUM_DRAWS: ClassVar[int] = 4
    _CHECKS: ClassVar[Mapping[str, Check]] = {"factor": factor_from(0.0), "scale": factor_from(0.0)}

    def applies(self, draws: Draws) -> bool:
        """Whether this sample is changed."""
        return is_chosen(self.factor, draws[0])

    def alpha_and_sigma(self, draws: Draws, size: tuple[int, int]) -> Pair:
        """By what displacements are multiplied, and how many pixels they are smoothed over.

        A tenth of the longer side, and a twentieth of the shorter one, times what is drawn from `scale`.
        """
        scale = between(bounds_from_zero(self.scale), draws[1])
        return 0.1 * scale * max(size), 0.05 * scale * min(size)

    def noise_draws(self, draws: Draws) -> Pair:
        """The keys of the noise that displacements along x and along y are made of."""
        return float(draws[2]), float(draws[3])


@dataclass(frozen=True, slots=True)
class _Crop(Transform):
    """A window of fixed size.

    Parameters
    ----------
    height, width : int
        Pixels of the window, at least 1. It must fit: where Keras would enlarge a smaller image,
        here its size is known when the job is declared, and is a mistake.
    """

    height: int
    width: int

    _MOVES: ClassVar[bool] = True

    def output_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of the window; ConfigurationError if it does not fit into `size`."""
        if self.height > size[0] or self.width > size[1]:
            raise ConfigurationError(
                f"{type(self).__name__}(height={self.height}, width={self.width}) does not fit into images "
                f"of (height, width) = {tuple(size)}: crop less, or ask for a larger image_size"
            )
        return self.height, self.width


@declaration
class RandomCrop(_Crop):
    """Cut out a window at a random place, as ``keras.layers.RandomCrop``; parameters as in `_Crop`."""

    _EXAMPLE: ClassVar[Mapping[str, Any]] = {"height": 72, "width": 72}
    _NUM_DRAWS: ClassVar[int] = 2

    @property
    def without_chance(self) -> CenterCrop:
        """The window in the middle."""
        return CenterCrop(self.height, self.width)

    def corner(self, draws: Draws, size: tuple[int, int]) -> tuple[int, int]:
        """(top, left) of the window in an image of `size`, in pixels; every place is as likely."""
        return int(draws[0] * (size[0] - self.height + 1)), int(draws[1] * (size[1] - self.width + 1))


@declaration
class CenterCrop(_Crop):
    """Cut out the window in the middle, as ``keras.layers.CenterCrop``; parameters as in `_Crop`."""

    _EXAMPLE: ClassVar[Mapping[str, Any]] = {"height": 72, "width": 72}
    _NUM_DRAWS: ClassVar[int] = 0

    def corner(self, _: Draws, size: tuple[int, int]) -> tuple[int, int]:
        """(top, left) of the window in an image of `size`, in pixels; an odd one is left over after it."""
        return (size[0] - self.height) // 2, (size[1] - self.width) // 2
