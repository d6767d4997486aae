"""Image files of every kind that decoders meet, written by Pillow, OpenCV, tifffile or by hand.

`FILES` maps a format and a way to store to a file and its pixels.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import tifffile
from openjpeg.utils import encode_array
from PIL import Image

Array = npt.NDArray[Any]

HEIGHT, WIDTH = 40, 72
_Y, _X = np.mgrid[:HEIGHT, :WIDTH]
GREY: Array = ((_Y * 5 + _X * 2) % 256).astype(np.uint8)
ALPHA: Array = np.where(_X < WIDTH // 2, 100, 255).astype(np.uint8)
RGB: Array = np.dstack([np.full_like(GREY, 200), GREY, GREY[::-1] // 2])
RGBA: Array = np.dstack([RGB, ALPHA])
GREY_ALPHA: Array = np.dstack([GREY, ALPHA])
BLACK_WHITE: Array = np.where(GREY > 100, 255, 0).astype(np.uint8)
DEEP, DEEP_RGB, DEEP_RGBA = ((one.astype(np.uint16) * 200 + 7) for one in (GREY, RGB, RGBA))


@dataclass(frozen=True)
class PictureFile:
    """One file.

    Attributes
    ----------
    data : bytes
        Of the file.
    pixels : ndarray
        What it shows, as it is seen: grey, grey and alpha, RGB or RGBA; red first.
    bits : int
        Of a channel; 8 where `pixels` is uint8.
    within : int
        How far decoded values may be off: 0 where nothing is lost.
    grey : ndarray or None
        Of a JPEG, whose brightness is stored apart from its colours: that.
    """

    data: bytes
    pixels: Array
    bits: int = 8
    within: int = 0
    grey: Array | None = None


def by_pillow(pixels: Array, file_format: str, **options: Any) -> bytes:
    """Written by Pillow."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, file_format, **options)
    return buffer.getvalue()


def by_opencv(pixels: Array, extension: str, *options: int) -> bytes:
    """Written by OpenCV, of pixels with red first."""
    order = {2: None, 3: [2, 1, 0]}.get(pixels.ndim)
    if order is not None:
        pixels = np.ascontiguousarray(pixels[:, :, [*order, *range(3, pixels.shape[2])]])
    return cv2.imencode(extension, pixels, options)[1].tobytes()


def by_tifffile(pixels: Array, **options: Any) -> bytes:
    """Written by tifffile: RGB or grey, by the number of channels."""
    buffer = io.BytesIO()
    photometric = "rgb" if pixels.ndim == 3 and pixels.shape[2] > 2 else "minisblack"
    if options.get("planarconfig") == "separate":
        pixels = np.ascontiguousarray(np.moveaxis(pixels, -1, 0))
    tifffile.imwrite(buffer, pixels, **{"photometric": photometric, **options})
    return buffer.getvalue()


def tiff_of(strip: bytes, bits: tuple[int, ...], photometric: int, **fields: int) -> bytes:
    """A little-endian TIFF of one strip, by hand: `fields` are compression, sample_format, extra, planar."""
    numbers = {"compression": 259, "planar": 284, "extra": 338, "sample_format": 339}
    entries = {256: (WIDTH,), 257: (HEIGHT,), 258: bits, 259: (1,), 262: (photometric,), 277: (len(bits),)}
    entries |= {278: (HEIGHT,), 279: (len(strip),), 273: (0,)}
    entries |= {numbers[name]: (value,) for name, value in fields.items()}
    start = 8 + 2 + 12 * len(entries) + 4
    after = b""
    directory = struct.pack("<H", len(entries))
    for tag, values in sorted(entries.items()):
        inline = struct.pack("<2H", values[0], 0)
        if len(values) > 2:
            inline = struct.pack("<I", start + len(after))
            after += struct.pack(f"<{len(values)}H", *values)
        elif len(values) == 2:
            inline = struct.pack("<2H", *values)
        kind = 4 if tag in {273, 279} else 3
        if kind == 4:
            inline = struct.pack("<I", values[0])
        directory += struct.pack("<HHI", tag, kind, len(values)) + inline
    data = bytearray(b"II*\0" + struct.pack("<I", 8) + directory + bytes(4) + after + strip)
    place = data.index(struct.pack("<HHI", 273, 4, 1)) + 8
    data[place : place + 4] = struct.pack("<I", start + len(after))
    return bytes(data)


def _saved(image: Image.Image, file_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def _as_pillow_sees(data: bytes, within: int = 0) -> PictureFile:
    """A file that is lossy, or whose pixels others have chosen: as Pillow decodes it."""
    image = Image.open(io.BytesIO(data))
    mode = "RGBA" if "transparency" in image.info else _SEEN_AS.get(image.mode, image.mode)
    pixels = np.asarray(image.convert(mode))
    luma = Image.open(io.BytesIO(data))
    luma.draft("L", luma.size)
    return PictureFile(data, pixels, within=within, grey=np.asarray(luma) if luma.mode == "L" else None)


_SEEN_AS = {"1": "L", "CMYK": "RGB", "YCbCr": "RGB", "P": "RGB", "LA": "RGBA"}


def _with_offset_frame() -> bytes:
    """A GIF whose first frame is smaller than its canvas."""
    data = bytearray(_saved(PALETTE, "GIF"))
    data[6:10] = struct.pack("<HH", WIDTH + 12, HEIGHT + 8)
    return bytes(data)


def _animated(file_format: str, pixels: Array, **options: Any) -> bytes:
    others = [Image.fromarray(np.ascontiguousarray(pixels[::-1]))]
    return by_pillow(pixels, file_format, save_all=True, append_images=others, **options)


def _apng_with_default_picture() -> bytes:
    return _animated("PNG", RGB, default_image=True)


def _png16(pixels: Array) -> PictureFile:
    return PictureFile(by_opencv(pixels, ".png"), pixels, 16)


def _multiplied(pixels: Array) -> Array:
    most = np.iinfo(pixels.dtype).max
    colours = pixels[..., :3].astype(np.uint32) * pixels[..., 3:] // most
    return np.dstack([colours.astype(pixels.dtype), pixels[..., 3:]])


def _pgm(values: Array, most: int) -> bytes:
    kind = ">u2" if most > 255 else "u1"
    return f"P5\n{WIDTH} {HEIGHT}\n# a comment\n{most}\n".encode() + values.astype(kind).tobytes()


def _rows_of_bits(values: Array, bits: int) -> bytes:
    """Pack rows of small numbers, the first in the highest bits."""
    per_byte = 8 // bits
    parts = values.reshape(HEIGHT, -1, per_byte).astype(np.uint8)
    return sum(parts[:, :, nth] << (8 - bits * (nth + 1)) for nth in range(per_byte)).tobytes()


LOSSLESS = {"lossless": True, "exact": True}
FOUR = {"quality": 100, "subsampling": "4:4:4"}
JP2 = (cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000)
PALETTE = Image.fromarray(RGB).quantize(16)
PALETTE_RGB: Array = np.asarray(PALETTE.convert("RGB"))
SIXTEEN: Array = (GREY // 16).astype(np.uint8)
SIGNED: Array = DEEP.astype(np.int16)
NESTED = {
    "PNG": (34933, by_pillow(RGB, "PNG")),
    "JPEG 2000": (34712, by_pillow(RGB, "JPEG2000", no_jp2=True)),
}

_MAKERS: dict[str, dict[str, Callable[[], PictureFile]]] = {
    "JPEG": {
        "grey": lambda: _as_pillow_sees(by_pillow(GREY, "JPEG"), 1),
        "colour": lambda: _as_pillow_sees(by_pillow(RGB, "JPEG"), 2),
        "progressive": lambda: _as_pillow_sees(by_pillow(RGB, "JPEG", progressive=True), 2),
        "CMYK": lambda: _as_pillow_sees(_saved(Image.fromarray(RGB).convert("CMYK"), "JPEG"), 3),
    },
    "PNG": {
        "1 bit": lambda: PictureFile(_saved(Image.fromarray(BLACK_WHITE > 0), "PNG"), BLACK_WHITE),
        "grey": lambda: PictureFile(by_pillow(GREY, "PNG"), GREY),
        "grey, 16 bits": lambda: _png16(DEEP),
        "grey and alpha": lambda: PictureFile(by_pillow(GREY_ALPHA, "PNG"), GREY_ALPHA),
        "colour": lambda: PictureFile(by_pillow(RGB, "PNG"), RGB),
        "colour, 16 bits": lambda: _png16(DEEP_RGB),
        "colour and alpha": lambda: PictureFile(by_pillow(RGBA, "PNG"), RGBA),
        "colour and alpha, 16 bits": lambda: _png16(DEEP_RGBA),
        "palette": lambda: PictureFile(_saved(PALETTE, "PNG"), PALETTE_RGB),
        "palette of 4 bits": lambda: PictureFile(_saved(PALETTE, "PNG", bits=4), PALETTE_RGB),
        "palette, transparent": lambda: _as_pillow_sees(_saved(PALETTE, "PNG", transparency=3)),
        "grey, one of it transparent": lambda: _as_pillow_sees(by_pillow(GREY, "PNG", transparency=7)),
        "colour, one of it transparent": lambda: _as_pillow_sees(
            by_pillow(RGB, "PNG", transparency=tuple(RGB[3, 3].tolist()))
        ),
        "animation with a picture of its own": lambda: PictureFile(_apng_with_default_picture(), RGB),
        "animation": lambda: PictureFile(_animated("PNG", RGBA), RGBA),
    },
    "WebP": {
        "lossless colour": lambda: PictureFile(by_pillow(RGB, "WEBP", **LOSSLESS), RGB),
        "lossless colour and alpha": lambda: PictureFile(by_pillow(RGBA, "WEBP", **LOSSLESS), RGBA),
        "lossy": lambda: _as_pillow_sees(by_pillow(RGB, "WEBP"), 1),
        "lossy with alpha": lambda: _as_pillow_sees(by_pillow(RGBA, "WEBP"), 1),
        "animation": lambda: PictureFile(_animated("WEBP", RGBA, **LOSSLESS), RGBA),
    },
    "GIF": {
        "palette": lambda: PictureFile(_saved(PALETTE, "GIF"), PALETTE_RGB),
        "palette, transparent": lambda: _as_pillow_sees(_saved(PALETTE, "GIF", transparency=3)),
        "grey": lambda: PictureFile(by_pillow(GREY, "GIF"), GREY),
        "smaller than its canvas": lambda: _as_pillow_sees(_with_offset_frame()),
        "animation": lambda: _as_pillow_sees(_animated("GIF", RGB)),
    },
    "BMP": {
        "1 bit": lambda: PictureFile(_saved(Image.fromarray(BLACK_WHITE > 0), "BMP"), BLACK_WHITE),
        "grey": lambda: PictureFile(by_pillow(GREY, "BMP"), GREY),
        "palette": lambda: PictureFile(_saved(PALETTE, "BMP"), PALETTE_RGB),
        "colour": lambda: PictureFile(by_pillow(RGB, "BMP"), RGB),
        "colour and alpha": lambda: PictureFile(by_opencv(RGBA, ".bmp"), RGBA),
        "colour and a byte unused": lambda: PictureFile(by_pillow(RGBA, "BMP"), RGB),
    },
    "TIFF": {
        "1 bit": lambda: PictureFile(_saved(Image.fromarray(BLACK_WHITE > 0), "TIFF"), BLACK_WHITE),
        "1 bit, white is 0": lambda: PictureFile(
            tiff_of(_rows_of_bits(BLACK_WHITE == 0, 1), (1,), 0), BLACK_WHITE
        ),
        "4 bits": lambda: PictureFile(tiff_of(_rows_of_bits(SIXTEEN, 4), (4,), 1), SIXTEEN * 17),
        "2 bits": lambda: PictureFile(tiff_of(_rows_of_bits(SIXTEEN // 4, 2), (2,), 1), SIXTEEN // 4 * 85),
        "CCITT G4": lambda: PictureFile(
            _saved(Image.fromarray(BLACK_WHITE > 0), "TIFF", compression="group4"), BLACK_WHITE
        ),
        "grey": lambda: PictureFile(by_tifffile(GREY), GREY),
        "grey, white is 0": lambda: PictureFile(by_tifffile(GREY, photometric="miniswhite"), 255 - GREY),
        "grey, 16 bits": lambda: PictureFile(by_tifffile(DEEP), DEEP, 16),
        "grey, 16 bits, white is 0": lambda: PictureFile(
            by_tifffile(DEEP, photometric="miniswhite"), 65535 - DEEP, 16
        ),
        "grey, 16 bits, big-endian": lambda: PictureFile(by_tifffile(DEEP, byteorder=">"), DEEP, 16),
        "grey, 12 bits": lambda: PictureFile(
            tiff_of(bytes(HEIGHT * WIDTH * 3 // 2), (12,), 1), np.zeros_like(DEEP), 12
        ),
        "grey, 8 bits signed": lambda: PictureFile(by_tifffile(GREY.view(np.int8)), GREY.view(np.int8)),
        "grey, 16 bits signed": lambda: PictureFile(by_tifffile(SIGNED), SIGNED, 16),
        "grey, 32 bits": lambda: PictureFile(by_tifffile(DEEP.astype(np.uint32)), DEEP.astype(np.uint32)),
        "grey, 32 bits signed": lambda: PictureFile(
            by_tifffile(DEEP.astype(np.int32)), DEEP.astype(np.int32)
        ),
        "grey, float": lambda: PictureFile(by_tifffile(GREY.astype("f4")), GREY.astype("f4")),
        "grey, half float": lambda: PictureFile(by_tifffile(GREY.astype("f2")), GREY.astype("f2")),
        "grey, double": lambda: PictureFile(by_tifffile(GREY.astype("f8")), GREY.astype("f8")),
        "grey and alpha": lambda: PictureFile(by_pillow(GREY_ALPHA, "TIFF"), GREY_ALPHA),
        "grey and alpha, 16 bits": lambda: PictureFile(
            by_tifffile(DEEP_RGBA[..., 2:], planarconfig="contig", extrasamples=["unassalpha"]),
            DEEP_RGBA[..., 2:],
            16,
        ),
        "palette": lambda: PictureFile(_saved(PALETTE, "TIFF"), PALETTE_RGB),
        "colour": lambda: PictureFile(by_tifffile(RGB), RGB),
        "colour, planes": lambda: PictureFile(by_tifffile(RGB, planarconfig="separate"), RGB),
        "colour, tiles": lambda: PictureFile(by_tifffile(RGB, tile=(32, 32)), RGB),
        "colour, BigTIFF": lambda: PictureFile(by_tifffile(RGB, bigtiff=True), RGB),
        "colour, 16 bits": lambda: PictureFile(by_tifffile(DEEP_RGB), DEEP_RGB, 16),
        "colour, 16 bits, tiles": lambda: PictureFile(by_tifffile(DEEP_RGB, tile=(32, 32)), DEEP_RGB, 16),
        "colour, 16 bits, planes": lambda: PictureFile(
            by_tifffile(DEEP_RGB, planarconfig="separate"), DEEP_RGB, 16
        ),
        "colour, float": lambda: PictureFile(by_tifffile(RGB.astype("f4")), RGB.astype("f4")),
        "colour and alpha": lambda: PictureFile(by_tifffile(RGBA, extrasamples=["unassalpha"]), RGBA),
        "colour and alpha, planes": lambda: PictureFile(
            by_tifffile(RGBA, extrasamples=["unassalpha"], planarconfig="separate"), RGBA
        ),
        "colour and alpha, 16 bits": lambda: PictureFile(
            by_tifffile(DEEP_RGBA, extrasamples=["unassalpha"]), DEEP_RGBA, 16
        ),
        "colour times alpha": lambda: _as_pillow_sees(
            by_tifffile(_multiplied(RGBA), extrasamples=["assocalpha"])
        ),
        "colour times alpha, 16 bits": lambda: PictureFile(
            by_tifffile(_multiplied(DEEP_RGBA), extrasamples=["assocalpha"]), DEEP_RGBA, 16, within=4
        ),
        "colour and a channel unnamed": lambda: PictureFile(
            by_tifffile(RGBA, extrasamples=["unspecified"]), RGB
        ),
        "5 channels": lambda: PictureFile(
            by_tifffile(np.dstack([RGBA, GREY]), photometric="minisblack", planarconfig="contig"), RGB
        ),
        "CMYK": lambda: _as_pillow_sees(_saved(Image.fromarray(RGB).convert("CMYK"), "TIFF")),
        "Lab": lambda: PictureFile(by_tifffile(RGB, photometric="cielab"), RGB),
        "luma and chroma": lambda: PictureFile(by_tifffile(RGB, photometric="ycbcr"), RGB),
        "LZW": lambda: PictureFile(by_pillow(RGB, "TIFF", compression="tiff_lzw"), RGB),
        "Deflate, differences": lambda: PictureFile(by_tifffile(RGB, compression="zlib", predictor=2), RGB),
        "PackBits": lambda: PictureFile(by_pillow(RGB, "TIFF", compression="packbits"), RGB),
        "JPEG inside": lambda: _as_pillow_sees(by_pillow(RGB, "TIFF", compression="jpeg"), 2),
        "PNG inside": lambda: PictureFile(tiff_of(NESTED["PNG"][1], (8, 8, 8), 2, compression=34933), RGB),
        "JPEG 2000 inside": lambda: PictureFile(
            tiff_of(NESTED["JPEG 2000"][1], (8, 8, 8), 2, compression=34712), RGB
        ),
        "JPEG XL inside": lambda: PictureFile(
            tiff_of(b"\xff\x0a" + bytes(40), (8, 8, 8), 2, compression=50002), RGB
        ),
        "Zstandard": lambda: PictureFile(by_pillow(RGB, "TIFF", compression="zstd"), RGB),
    },
    "AVIF": {
        "grey": lambda: _as_pillow_sees(by_pillow(GREY, "AVIF", quality=100), 2),
        "colour": lambda: _as_pillow_sees(by_pillow(RGB, "AVIF", **FOUR), 2),
        "colour and alpha": lambda: _as_pillow_sees(by_pillow(RGBA, "AVIF", **FOUR), 2),
        "10 bits": lambda: _avif_of(10),
        "12 bits": lambda: _avif_of(12),
        "animation": lambda: _as_pillow_sees(_animated("AVIF", RGBA, **FOUR), 2),
    },
    "JPEG 2000": {
        "grey": lambda: PictureFile(by_pillow(GREY, "JPEG2000"), GREY),
        "grey, codestream alone": lambda: PictureFile(by_pillow(GREY, "JPEG2000", no_jp2=True), GREY),
        "grey, 12 bits": lambda: _jpeg2000_of(DEEP >> 4, bits_stored=12),
        "grey, 16 bits": lambda: PictureFile(by_opencv(DEEP, ".jp2", *JP2), DEEP, 16),
        "grey, 8 bits signed": lambda: _jpeg2000_of(GREY.view(np.int8), bits_stored=8),
        "grey and alpha": lambda: PictureFile(by_pillow(GREY_ALPHA, "JPEG2000"), GREY_ALPHA),
        "colour": lambda: PictureFile(by_pillow(RGB, "JPEG2000"), RGB),
        "colour, 16 bits": lambda: PictureFile(by_opencv(DEEP_RGB, ".jp2", *JP2), DEEP_RGB, 16),
        "colour and alpha": lambda: PictureFile(by_pillow(RGBA, "JPEG2000"), RGBA),
    },
    "PNM": {
        "PBM": lambda: PictureFile(_saved(Image.fromarray(BLACK_WHITE > 0), "PPM"), BLACK_WHITE),
        "PGM": lambda: PictureFile(_pgm(GREY, 255), GREY),
        "PGM, white is 100": lambda: PictureFile(_pgm(GREY % 101, 100), GREY % 101),
        "PGM, white is 1023": lambda: PictureFile(_pgm(DEEP >> 6, 1023), DEEP >> 6, 10),
        "PGM, 16 bits": lambda: PictureFile(_pgm(DEEP, 65535), DEEP, 16),
        "PPM": lambda: PictureFile(by_pillow(RGB, "PPM"), RGB),
        "PPM as text": lambda: PictureFile(by_opencv(RGB, ".ppm", cv2.IMWRITE_PXM_BINARY, 0), RGB),
        "PPM, 16 bits": lambda: PictureFile(by_opencv(DEEP_RGB, ".ppm"), DEEP_RGB, 16),
    },
    "others": {
        "PFM, grey": lambda: PictureFile(by_opencv(GREY.astype("f4"), ".pfm"), GREY.astype("f4")),
        "PFM, colour": lambda: PictureFile(by_opencv(RGB.astype("f4"), ".pfm"), RGB.astype("f4")),
        "PAM": lambda: PictureFile(by_opencv(RGBA, ".pam"), RGBA),
        "Radiance HDR": lambda: PictureFile(by_opencv(RGB.astype("f4"), ".hdr"), RGB.astype("f4")),
        "Sun raster": lambda: PictureFile(by_opencv(GREY, ".ras"), GREY),
        "HEIC": lambda: PictureFile(b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(40), GREY),
    },
}


def _avif_of(bits: int) -> PictureFile:
    pixels = RGB.astype(np.uint16) << (bits - 8)
    options = (cv2.IMWRITE_AVIF_QUALITY, 100, cv2.IMWRITE_AVIF_DEPTH, bits)
    return PictureFile(by_opencv(pixels, ".avif", *options), pixels, bits, 2 << (bits - 8))


def _jpeg2000_of(pixels: Array, bits_stored: int) -> PictureFile:
    data = encode_array(pixels, bits_stored=bits_stored, photometric_interpretation=2)
    return PictureFile(data, pixels, bits_stored)


FILES: dict[tuple[str, str], PictureFile] = {
    (file_format, storage): make()
    for file_format, kinds in _MAKERS.items()
    for storage, make in kinds.items()
}
"""All of them, by format and the way it stores."""


def expected(file: PictureFile, color_mode: str, dtype: str) -> Array:
    """What a decoder has to make of a file of whole numbers from 0 on: shape (height, width, channels)."""
    pixels = file.pixels if file.pixels.ndim == 3 else file.pixels[:, :, np.newaxis]
    opaque = np.full_like(pixels[:, :, :1], (1 << file.bits) - 1)
    channels = pixels.shape[2]
    alpha = pixels[:, :, -1:] if channels in {2, 4} else opaque
    colours = pixels[:, :, :3] if channels > 2 else np.repeat(pixels[:, :, :1], 3, axis=2)
    if color_mode == "grayscale" and file.grey is not None:
        made = file.grey[:, :, np.newaxis]
    elif color_mode == "grayscale":
        # ITU-R BT.601, as Pillow and OpenCV have it.
        made = colours[:, :, :1] if channels < 3 else np.rint(colours @ [[0.299], [0.587], [0.114]])
    else:
        made = colours if color_mode == "rgb" else np.dstack([colours, alpha])
    made = made.astype(pixels.dtype)
    return (made >> (file.bits - 8) if dtype == "uint8" else made).astype(dtype)


def classes(name: tuple[str, str]) -> Array | None:
    """The class numbers that a file of `FILES` has as a mask; None if it must be refused as one."""
    file, (file_format, storage) = FILES[name], name
    if "white is 0" in storage and not storage.startswith("1 bit"):
        return None
    if storage.startswith("palette") and file_format != "GIF":
        return np.asarray(PALETTE)
    if file_format in {"GIF", "others"}:
        return None
    if np.array_equal(file.pixels, BLACK_WHITE):
        return BLACK_WHITE // 255
    colours = file.pixels[:, :, :3] if file.pixels.ndim == 3 and file.pixels.shape[2] > 2 else None
    if colours is not None and not (colours == colours[:, :, :1]).all():
        return None
    return file.pixels if file.pixels.ndim == 2 else file.pixels[:, :, 0]
