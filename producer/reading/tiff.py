"""TIFF by OpenCV, for the kinds of file of which it makes the right pixels; all others are refused by name.

Its reader answers some kinds with wrong pixels and no word. So the directory of a file is looked at first,
and edited where that makes it right: see `_edits`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from feedline.common.formats.directory import Directory, Tag, read_directory
from feedline.common.formats.images import too_large
from feedline.common.sample.image import ColorMode
from feedline.producer.arrays import Pixels
from feedline.producer.reading.opencv import UndecodableError, as_stored, in_mode


class Photometric(IntEnum):
    """What numbers mean."""

    WHITE_IS_ZERO = 0
    BLACK_IS_ZERO = 1
    RGB = 2
    PALETTE = 3
    CMYK = 5
    YCBCR = 6


class Alpha(IntEnum):
    """What a channel beyond the colours is."""

    NONE = 0
    ASSOCIATED = 1
    """Colours are multiplied by it."""

    UNASSOCIATED = 2


_COMPRESSIONS = {1: "none", 2: "CCITT RLE", 3: "CCITT G3", 4: "CCITT G4", 5: "LZW", 7: "JPEG", 8: "Deflate"}
_COMPRESSIONS |= {32773: "PackBits", 32946: "Deflate"}
_OTHERS = {6: "old JPEG", 33003: "JPEG 2000", 33005: "JPEG 2000", 34712: "JPEG 2000", 34887: "LERC"}
_OTHERS |= {34925: "LZMA", 34933: "PNG", 34934: "JPEG XR", 50000: "Zstandard", 50001: "WebP"}
_OTHERS |= {50002: "JPEG XL", 52546: "JPEG XL"}
_JPEG = 7

_KINDS = {
    # Colours: (channels of them, bits a channel)
    Photometric.WHITE_IS_ZERO: (1, {1, 8, 16}),
    Photometric.BLACK_IS_ZERO: (1, {1, 8, 16}),
    Photometric.RGB: (3, {8, 16}),
    Photometric.PALETTE: (1, {4, 8}),
    Photometric.CMYK: (4, {8}),
    Photometric.YCBCR: (3, {8}),
}

_SAMPLE_FORMATS = {2: "signed whole numbers", 3: "floating-point numbers", 5: "complex whole numbers"}
_SAMPLE_FORMATS |= {6: "complex numbers"}

_DEPTHS_OF_MASKS = {1, 8, 16, 32, 64}

_MOST_CHANNELS = 16
"""Beyond colours that are told apart: all such files are refused."""

_SEPARATE = 2
"""Of `Tag.PLANAR`: the planes of colours lie one after another."""


@dataclass(frozen=True, slots=True)
class Tiff:
    """What the first picture of a file is.

    Attributes
    ----------
    photometric : int
        A `Photometric`, or another number.
    bits : tuple of int
        Of each channel.
    sample_format : int
        1 for whole numbers from 0 on.
    compression, planar : int
        As the file has them.
    samples : int
        Channels.
    extra : tuple of int
        What those are that are no colours: `Alpha`.
    """

    photometric: int
    bits: tuple[int, ...]
    sample_format: int
    compression: int
    planar: int
    samples: int
    extra: tuple[int, ...]

    @classmethod
    def of(cls, directory: Directory) -> Tiff:
        """Read it from the file's directory."""
        samples = directory.value(Tag.SAMPLES, 1)
        photometric = directory.value(Tag.PHOTOMETRIC, Photometric.BLACK_IS_ZERO)
        extra = directory.values(Tag.EXTRA_SAMPLES, -1)
        colours = _KINDS[Photometric(photometric)][0] if photometric in _KINDS else samples
        return cls(
            photometric,
            directory.values(Tag.BITS, 1),
            directory.value(Tag.SAMPLE_FORMAT, 1),
            directory.value(Tag.COMPRESSION, 1),
            directory.value(Tag.PLANAR, 1),
            samples,
            extra if extra != (-1,) else (Alpha.NONE,) * min(max(0, samples - colours), _MOST_CHANNELS),
        )

    def check(self, color_mode: str) -> None:
        """Refuse what would not come out right: UndecodableError, which says what the file has."""
        refusal = self._refused_numbers() or self._refused_storage() or self._refused_colours(color_mode)
        self._refuse(refusal, "8 or 16 bits, grey or RGB")

    def check_as_mask(self) -> None:
        """Refuse what has no numbers that could be classes; of grey, any kind of numbers is let through."""
        refusal = self._refused_storage()
        if self.samples > 1 or self.photometric == Photometric.PALETTE:
            refusal = refusal or self._refused_numbers() or self._refused_colours(ColorMode.RGB)
        elif self.photometric == Photometric.WHITE_IS_ZERO and self.bits[0] > 1:
            refusal = refusal or "whose white is 0, so that its numbers are not those that are seen"
        elif self.photometric > Photometric.BLACK_IS_ZERO:
            refusal = refusal or "of colours"
        elif self.bits[0] not in _DEPTHS_OF_MASKS:
            refusal = refusal or f"with {self.bits[0]} bits a channel"
        self._refuse(refusal, "grey of 8 or 16 bits")

    def _refuse(self, refusal: str | None, remedy: str) -> None:
        if refusal is not None:
            raise UndecodableError(
                f"is a TIFF file {refusal}: save it as {remedy}, uncompressed or with Deflate"
            )

    def _refused_numbers(self) -> str | None:
        if self.sample_format not in {1, 4}:
            kind = _SAMPLE_FORMATS.get(self.sample_format, f"format {self.sample_format}")
            return f"of {kind}, and only whole numbers from 0 on can be used"
        return None

    def _refused_storage(self) -> str | None:
        if self.compression not in _COMPRESSIONS:
            return (
                f"compressed as {_OTHERS.get(self.compression, self.compression)}, which is not decoded here"
            )
        if len(set(self.bits)) > 1:
            return f"with channels of {', '.join(map(str, self.bits))} bits"
        return None

    def _refused_colours(self, color_mode: str) -> str | None:
        if self.photometric not in _KINDS:
            return (
                f"of a colour space that is not decoded here (photometric interpretation {self.photometric})"
            )
        colours, depths = _KINDS[Photometric(self.photometric)]
        if self.bits[0] not in depths:
            return f"with {self.bits[0]} bits a channel"
        num_alphas = self.samples - colours
        if num_alphas not in {0, 1} or (num_alphas and self.photometric > Photometric.RGB):
            return f"with {self.samples} channels"
        if self.bits[0] == 16 and self.planar == _SEPARATE and self.samples > 1:
            return "with 16 bits a channel in separate planes"
        if self.photometric == Photometric.YCBCR and self.compression != _JPEG:
            return "of luma and chroma that is not compressed as JPEG"
        return self._refused_grey(color_mode) if num_alphas and colours == 1 else None

    def _refused_grey(self, color_mode: str) -> str | None:
        # OpenCV leaves out what follows the grey, and of 16 bits the lower 8, too.
        if self.bits[0] != 8:
            return f"of grey and alpha with {self.bits[0]} bits a channel"
        if self.extra[0] == Alpha.ASSOCIATED:
            return "of grey that is multiplied by its alpha"
        if color_mode == ColorMode.RGBA and self.extra[0] == Alpha.UNASSOCIATED:
            return "of grey and alpha, whose alpha is not decoded here"
        return None


def possible_directory(data: bytes) -> Directory | None:
    """The first directory; None if there is none, or a field of it says that it has more than the file.

    libtiff makes room for the values of a field before it looks for them, and OpenCV for a whole tile.

    Raises
    ------
    UndecodableError
        A tile has more pixels than an image may have.
    """
    directory = read_directory(data)
    if directory is None or not directory.is_possible:
        return None
    refusal = too_large((directory.value(Tag.TILE_HEIGHT, 1), directory.value(Tag.TILE_WIDTH, 1)))
    if refusal is not None:
        raise UndecodableError(f"is a TIFF file whose tiles are no smaller than an image: one {refusal}")
    return directory


def decode_tiff(data: bytes, color_mode: str, dtype: str, _: int = 1) -> Pixels | None:
    """Decode the first picture of a TIFF file."""
    directory = possible_directory(data)
    if directory is None:
        return None
    tiff = Tiff.of(directory)
    tiff.check(color_mode)
    return in_mode(_colours(as_stored(directory.edited(data, _edits(directory))), tiff), color_mode, dtype)


def _edits(directory: Directory) -> dict[int, int]:
    """What OpenCV shall read in the place of some fields.

    It turns a picture whatever it is told, which is done for all formats alike; and it multiplies colours by
    an alpha, unless that is said to have been done.
    """
    wanted = {Tag.ORIENTATION: 1, Tag.EXTRA_SAMPLES: int(Alpha.ASSOCIATED)}
    return {tag: value for tag, value in wanted.items() if tag in directory.fields}


def _colours(stored: Pixels | None, tiff: Tiff) -> Pixels | None:
    """Undo what was done to the colours of the file."""
    if stored is None:
        return None
    if tiff.photometric == Photometric.WHITE_IS_ZERO and stored.dtype == np.uint16:
        return np.iinfo(np.uint16).max - stored
    if stored.ndim < 3 or stored.shape[2] < 4 or tiff.photometric != Photometric.RGB:
        return stored
    match tiff.extra[0]:
        case Alpha.ASSOCIATED:
            return _divided(stored)
        case Alpha.UNASSOCIATED:
            return stored
    return np.ascontiguousarray(stored[:, :, :3])


def _divided(pixels: Pixels) -> Pixels:
    """Colours before they were multiplied by their alpha; where that is 0 nothing is known of them."""
    most = np.iinfo(pixels.dtype).max
    alpha = pixels[:, :, 3:].astype(np.uint32)
    colours = np.minimum(pixels[:, :, :3].astype(np.uint32) * most // np.maximum(alpha, 1), most)
    return np.dstack([np.where(alpha == 0, pixels[:, :, :3], colours), alpha]).astype(pixels.dtype)
