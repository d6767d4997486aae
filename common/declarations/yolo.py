"""Declarations of the Keras YOLOv3: how a photograph of any size is put on the canvas that the network sees.

The arithmetic is that of ``get_random_data`` of qqwweee/keras-yolo3 (``yolo3/utils.py``), number for number:
the same draws in the same order give the same place and the same colours, so that recorded draws can be
replayed. What a declaration comes to for one photograph is a `Placement`, and a `Distortion` of colours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from feedline.common.declarations.base import (
    Check,
    Draws,
    Fill,
    between,
    bounds_of,
    check_takes_8_bits,
    declaration,
    number_from,
    one_name_of,
)
from feedline.common.declarations.framing import Framing
from feedline.common.errors import ConfigurationError
from feedline.common.sample.image import Size

CANVAS_VALUE = 128.0
"""The grey around a photograph."""


class Resample(StrEnum):
    """Who resizes, and how."""

    OPENCV = "opencv"
    """The fast way: shrink by areas, enlarge by bicubic interpolation."""

    PIL = "pil"
    """Pillow's bicubic filter, as the original has it, to the last bit."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a photograph lies on its canvas.

    Attributes
    ----------
    height, width : int
        What it is resized to, in pixels, at least 1.
    top, left : int
        Its corner on the canvas; negative where the canvas shows a part of it.
    flips : bool
        Whether the canvas is then mirrored, left to right.
    """

    height: int
    width: int
    top: int
    left: int
    flips: bool = False

    def matrix(self, source: Size, canvas: Size) -> npt.NDArray[np.float64]:
        """The map of points (x, y, 1) of a photograph of size `source` to points of the canvas, shape (3, 3).

        Points lie between pixels: pixel i covers [i, i + 1).
        """
        right, down = self.width / source[1], self.height / source[0]
        placed = np.array([[right, 0.0, self.left], [0.0, down, self.top], [0.0, 0.0, 1.0]])
        if not self.flips:
            return placed
        placed[0] = canvas[1] * placed[2] - placed[0]
        return placed


@dataclass(frozen=True, slots=True)
class Distortion:
    """What is done to colours, as hue, saturation and value.

    Attributes
    ----------
    hue : float
        Added, in turns.
    saturation, value : float
        Multiplied; results above 1 become 1.
    """

    hue: float
    saturation: float
    value: float


UNCHANGED = Distortion(0.0, 1.0, 1.0)

_RESAMPLE: Check = one_name_of(Resample)


@declaration
class Letterbox(Framing):
    """Resize with the ratio of sides kept, and centre on a grey canvas: for validation and prediction.

    Takes the place of the resize to ``image_size``, so it stands first in the list of transforms.

    Parameters
    ----------
    resample : {"opencv", "pil"}
        A `Resample`.
    fill_value : float or tuple of float, optional
        Of the canvas, for all channels or each; by default 128, and air in a CT.
    """

    resample: str = Resample.OPENCV
    fill_value: Fill = None

    _EXAMPLE: ClassVar[Mapping[str, Any]] = {"resample": Resample.OPENCV}
    _NUM_DRAWS: ClassVar[int] = 0
    _USUAL_FILL: ClassVar[float] = CANVAS_VALUE
    _CHECKS: ClassVar[Mapping[str, Check]] = {"resample": _RESAMPLE}

    def output_dtype(self, dtype: str) -> str:
        """The same; Pillow takes 8 bits."""
        if self.resample == Resample.PIL:
            check_takes_8_bits(self, dtype)
        return dtype

    def placement(self, _: Draws, source: Size, canvas: Size) -> Placement:
        """Where a photograph of size `source` lies on `canvas`."""
        scale = min(canvas[1] / source[1], canvas[0] / source[0])
        width, height = max(int(source[1] * scale), 1), max(int(source[0] * scale), 1)
        return Placement(height, width, (canvas[0] - height) // 2, (canvas[1] - width) // 2)


@declaration
class YoloAugment(Framing):
    """Resize to a random size and ratio of sides, place on a grey canvas, mirror one in two, change colours.

    Takes the place of the resize to ``image_size``, so it stands first in the list of transforms.

    Parameters
    ----------
    jitter : float
        In [0, 0.9]: the ratio of the canvas' sides is multiplied and divided by 1 - jitter .. 1 + jitter.
    hue : float
        In [0, 1]: at most so much of a turn is added, either way.
    saturation, value : float
        In [0.1, 10]: one image in two is multiplied by 1 .. saturation, the others are divided by it.
    resample : {"opencv", "pil"}
        A `Resample`.
    fill_value : float or tuple of float, optional
        Of the canvas, for all channels or each; by default 128. Its colour is changed with that of the image.
    """

    jitter: float = 0.3
    hue: float = 0.1
    saturation: float = 1.5
    value: float = 1.5
    resample: str = Resample.OPENCV
    fill_value: Fill = None

    _EXAMPLE: ClassVar[Mapping[str, Any]] = {"jitter": 0.3}
    _NUM_DRAWS: ClassVar[int] = 11
    _OF_COLORS: ClassVar[bool] = True
    _USUAL_FILL: ClassVar[float] = CANVAS_VALUE
    _CHECKS: ClassVar[Mapping[str, Check]] = {
        "jitter": number_from(0.0, 0.9),
        "hue": number_from(0.0, 1.0),
        "saturation": number_from(0.1, 10.0),
        "value": number_from(0.1, 10.0),
        "resample": _RESAMPLE,
    }

    def check_channels(self, channels: int) -> None:
        """Hue, saturation and value are those of red, green and blue."""
        if channels != 3:
            raise ConfigurationError(
                f'YoloAugment takes images of color_mode="rgb", got {channels} channel(s): ask for that, or'
                " use Letterbox"
            )

    def output_dtype(self, dtype: str) -> str:
        """The same, of 8 bits."""
        check_takes_8_bits(self, dtype)
        return dtype

    @property
    def without_colors(self) -> YoloAugment:
        """The same place on the canvas."""
        return replace(self, hue=0.0, saturation=1.0, value=1.0)

    @property
    def without_chance(self) -> Letterbox:
        """The whole photograph, as YOLO validates."""
        return Letterbox(self.resample, self.fill_value)

    def placement(self, draws: Draws, _: Size, canvas: Size) -> Placement:
        """Where a photograph lies on `canvas`, whatever its own size; by draws 0 to 5."""
        jitter = (1.0 - self.jitter, 1.0 + self.jitter)
        ratio = canvas[1] / canvas[0] * between(jitter, draws[0]) / between(jitter, draws[1])
        scale = between((0.25, 2.0), draws[2])
        if ratio < 1:
            height = max(int(scale * canvas[0]), 1)
            width = max(int(height * ratio), 1)
        else:
            width = max(int(scale * canvas[1]), 1)
            height = max(int(width / ratio), 1)
        left = int(between((0, canvas[1] - width), draws[3]))
        top = int(between((0, canvas[0] - height), draws[4]))
        return Placement(height, width, top, left, bool(draws[5] < 0.5))

    def distortion(self, draws: Draws) -> Distortion:
        """What is done to colours; by draws 6 to 10."""
        hue = between(bounds_of(self.hue), draws[6])
        return Distortion(hue, _times(self.saturation, *draws[7:9]), _times(self.value, *draws[9:11]))


def _times(most: float, coin: float, draw: float) -> float:
    drawn = between((1.0, most), draw)
    return drawn if coin < 0.5 else 1.0 / drawn
