"""What one image of a job looks like once it is decoded and fitted: its size, colours and depth.

The names and meanings are those of ``keras.utils.image_dataset_from_directory``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from feedline.common.arguments import dtype_name, one_of, pixels, whole, yes_or_no
from feedline.common.errors import ConfigurationError, RemoteProtocolError
from feedline.common.sample.ct import AIR, CTWindows
from feedline.common.sample.dicom import AS_STORED, DicomReading
from feedline.common.sample.mask_values import MaskValues

Size = tuple[int, int]
"""(height, width) in pixels."""


Mode = str | CTWindows | MaskValues
"""A `ColorMode`, or what the values of a file are to become."""


class ColorMode(StrEnum):
    """Which channels an image has, in this order."""

    GRAYSCALE = "grayscale"
    RGB = "rgb"
    RGBA = "rgba"
    HOUNSFIELD = "hounsfield"
    """Not colours but the Hounsfield units of a CT's DICOM files, in int16."""

    CLASSES = "classes"
    """Not colours but the class number of each pixel: a mask's."""


class Interpolation(StrEnum):
    """How a pixel between pixels gets its value."""

    NEAREST = "nearest"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    AREA = "area"


class Fit(StrEnum):
    """What happens to an image whose sides have another ratio than the size asked for."""

    STRETCH = "stretch"
    """Height and width are resized independently: the whole image, distorted."""

    CROP = "crop"
    """The largest centred window of the right ratio is resized (``crop_to_aspect_ratio``)."""

    PAD = "pad"
    """What lies around an image is added evenly until the ratio is right (``pad_to_aspect_ratio``)."""

    FRAMED = "framed"
    """Left as it is: the first transform brings it to size."""

    @classmethod
    def of(cls, *, crop_to_aspect_ratio: bool, pad_to_aspect_ratio: bool, framed: bool = False) -> Fit:
        """Translate Keras' two flags, which exclude each other, and a transform that does without them.

        Raises
        ------
        ConfigurationError
            If more than one is true.
        """
        if framed and (crop_to_aspect_ratio or pad_to_aspect_ratio):
            raise ConfigurationError(
                "the first transform brings images to their size itself: leave out crop_to_aspect_ratio and"
                " pad_to_aspect_ratio"
            )
        if crop_to_aspect_ratio and pad_to_aspect_ratio:
            raise ConfigurationError(
                "crop_to_aspect_ratio=True and pad_to_aspect_ratio=True exclude each other: pass one of them"
            )
        if crop_to_aspect_ratio:
            return cls.CROP
        if framed:
            return cls.FRAMED
        return cls.PAD if pad_to_aspect_ratio else cls.STRETCH


def size_of(argument: str, value: Any) -> Size:
    """Read (height, width), whole numbers of pixels, at least 1; ConfigurationError if it is none."""
    try:
        height, width = value
    except (TypeError, ValueError):
        raise ConfigurationError(f"{argument} must be (height, width), got {value!r}") from None
    return pixels(f"height of {argument}", height), pixels(f"width of {argument}", width)


PIXELS_VERSION = 2
"""Raised whenever some file becomes other pixels than before: caches on disks then begin anew."""


DECODED_DTYPES = ("uint8", "uint16", "int16")
"""What a decoder can leave in an array; ``float32`` is made later, by the transforms."""

_CHANNELS = {
    ColorMode.GRAYSCALE: 1,
    ColorMode.RGB: 3,
    ColorMode.RGBA: 4,
    ColorMode.HOUNSFIELD: 1,
    ColorMode.CLASSES: 1,
}


def channels_of(color_mode: Mode) -> int:
    """How many channels an image has: 1 to 4."""
    if isinstance(color_mode, MaskValues):
        return 1
    if isinstance(color_mode, CTWindows):
        return len(color_mode.windows)
    return _CHANNELS[ColorMode(color_mode)]


def decoded_dtype(color_mode: Mode, dtype: str) -> str:
    """Name what a job of `dtype` decodes to: Hounsfield units to int16, deep files to uint16, else uint8.

    Raises
    ------
    ConfigurationError
        If `dtype` does not hold what `color_mode` makes.
    """
    if color_mode == ColorMode.HOUNSFIELD:
        if dtype not in {"int16", "float32"}:
            raise ConfigurationError(f"Hounsfield units need dtype='int16' or 'float32', got {dtype!r}")
        return "int16"
    if dtype == "int16":
        raise ConfigurationError("dtype='int16' is for Hounsfield units: pass color_mode='hounsfield', too")
    return "uint16" if dtype == "uint16" else "uint8"


def class_number(argument: str, value: Any, dtype: str) -> int:
    """Read a class number that a mask of `dtype` holds; ConfigurationError if it is none."""
    number, highest = whole(argument, value, at_least=0), 65535 if dtype == "uint16" else 255
    if number > highest:
        raise ConfigurationError(
            f"{argument} must be a class number of at most {highest}, which {dtype} masks hold, got {value!r}"
        )
    return number


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """One image of a sample once it is decoded and fitted: shape (height, width, channels).

    Attributes
    ----------
    height, width : int
        Pixels, at least 1.
    color_mode : str, CTWindows or MaskValues
        A `ColorMode`: ``"grayscale"``, ``"rgb"``, ``"rgba"`` or ``"hounsfield"``; or windows of a CT. Masks
        alone have ``"classes"``, or the classes of their values.
    interpolation : str
        An `Interpolation`, for the resize.
    fit : str
        A `Fit`: ``"stretch"``, ``"crop"``, ``"pad"`` or ``"framed"``.
    dtype : str
        ``"uint8"``; ``"uint16"`` to keep the depth of 16-bit files; ``"int16"`` for Hounsfield units, and
        only for them. A job that wants ``float32`` decodes to one of these and converts in its transforms.
    jpeg_scaling : bool
        Decode a JPEG at 1/2, 1/4 or 1/8 of its size where that still has as many pixels as are asked for.
        Faster; the pixels differ from those of a full decode.
    slices : int
        Files that make one image, each the neighbour of the last, at least 1. All channels of the first
        come first, then those of the second ...
    dicom : DicomReading
        What is known of DICOM files beside their headers.
    fill : int
        Of a mask: the class of what lies beyond its edges.

    Raises
    ------
    ConfigurationError
        If a value cannot work; quotes it.
    """

    height: int
    width: int
    color_mode: Mode = ColorMode.RGB
    interpolation: str = Interpolation.BILINEAR
    fit: str = Fit.STRETCH
    dtype: str = "uint8"
    jpeg_scaling: bool = False
    slices: int = 1
    dicom: DicomReading = AS_STORED
    fill: int = 0

    def __post_init__(self) -> None:
        """Bring every value into one form, or refuse it."""
        for side in ("height", "width", "slices"):
            object.__setattr__(self, side, pixels(side, getattr(self, side)))
        for argument, names in (("interpolation", Interpolation), ("fit", Fit)):
            object.__setattr__(self, argument, one_of(names, argument, getattr(self, argument)))
        if not isinstance(self.color_mode, CTWindows | MaskValues):
            object.__setattr__(self, "color_mode", one_of(ColorMode, "color_mode", self.color_mode))
        object.__setattr__(self, "dtype", dtype_name(self.dtype))
        self._check_dtype()
        object.__setattr__(self, "jpeg_scaling", yes_or_no("jpeg_scaling", self.jpeg_scaling))
        object.__setattr__(self, "fill", class_number("mask_fill", self.fill, self.dtype))

    def _check_dtype(self) -> None:
        if self.dtype not in DECODED_DTYPES:
            raise ConfigurationError(
                f"an image is decoded to one of {DECODED_DTYPES}, got dtype={self.dtype!r}: "
                "floats are made from uint8 by the transforms"
            )
        if (self.color_mode == ColorMode.HOUNSFIELD) != (self.dtype == "int16"):
            raise ConfigurationError(
                f"Hounsfield units, and nothing else, are int16: got color_mode={str(self.color_mode)!r}"
                f" with dtype={self.dtype!r}"
            )
        if isinstance(self.color_mode, CTWindows) and self.dtype != "uint8":
            raise ConfigurationError(f"CTWindows make uint8 channels, got dtype={self.dtype!r}")

    @property
    def background(self) -> tuple[float, ...] | None:
        """What lies around an image, one number for each channel: air, a class; None is said of pictures."""
        if isinstance(self.color_mode, CTWindows):
            return self.color_mode.air
        if self.is_mask:
            return (self.fill,)
        return (AIR,) if self.color_mode == ColorMode.HOUNSFIELD else None

    @property
    def is_mask(self) -> bool:
        """Whether its values are classes."""
        return self.color_mode == ColorMode.CLASSES or isinstance(self.color_mode, MaskValues)

    @property
    def has_colors(self) -> bool:
        """Whether its channels are red, green, blue and perhaps alpha."""
        return self.color_mode in {ColorMode.RGB, ColorMode.RGBA}

    @property
    def one_slice(self) -> ImageSpec:
        """What each file of a stack is decoded to."""
        return self if self.slices == 1 else replace(self, slices=1)

    @property
    def channels(self) -> int:
        """Of all slices: 1 to 4 times `slices`."""
        return channels_of(self.color_mode) * self.slices

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.height, self.width

    def size_for(self, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) that an image of `size` has when the transforms get it."""
        return size if self.fit == Fit.FRAMED else self.size

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        return self.height, self.width, self.channels

    def to_wire(self) -> list[Any]:
        """Plain values for msgpack."""
        return [
            self.height,
            self.width,
            str(self.color_mode) if isinstance(self.color_mode, str) else self.color_mode.to_wire(),
            str(self.interpolation),
            str(self.fit),
            self.dtype,
            self.jpeg_scaling,
            self.slices,
            self.dicom.to_wire(),
            self.fill,
        ]

    @classmethod
    def from_wire(cls, wire: list[Any]) -> ImageSpec:
        """Undo `to_wire`.

        Raises
        ------
        RemoteProtocolError
            If the values are not those of an image.
        """
        try:
            height, width, color_mode, interpolation, fit, dtype, jpeg_scaling, slices, dicom, fill = wire
            mode = _mode_from_wire(color_mode)
            reading = DicomReading.from_wire(dicom)
            return cls(height, width, mode, interpolation, fit, dtype, jpeg_scaling, slices, reading, fill)
        except (TypeError, ValueError) as error:
            raise RemoteProtocolError(
                f"expected the ten values of an image, got {wire!r}: {error}"
            ) from error


def _mode_from_wire(wire: Any) -> Mode:
    if isinstance(wire, dict):
        return MaskValues.from_wire(wire)
    mode: str | CTWindows = CTWindows(wire) if isinstance(wire, list | tuple) else wire
    return mode
