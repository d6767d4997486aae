"""Where Wuffs answers, its pixels are OpenCV's; where OpenCV refuses a file, Wuffs does not answer."""

from __future__ import annotations

import itertools
import os
import struct
import subprocess
import sys
import zlib
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import skimage.data

from feedline.common.formats.names import PNG_SIGNATURE
from feedline.errors import DecodeError
from feedline.producer.reading.decoders import DECODERS, decode, decode_png
from feedline.producer.reading.opencv import decode_with_opencv

pytest.importorskip("pywuffs", reason="Wuffs comes with the extra `fast`")
pytest.importorskip("deflate", reason="libdeflate, too")

from feedline.producer.reading import inflate, png

Array = npt.NDArray[Any]

GREY, COLOUR, PALETTE, GREY_ALPHA, COLOUR_ALPHA = 0, 2, 3, 4, 6
NUM_CHANNELS = {GREY: 1, COLOUR: 3, PALETTE: 1, GREY_ALPHA: 2, COLOUR_ALPHA: 4}
KINDS = [
    *((GREY, bits) for bits in (1, 2, 4, 8, 16)),
    *((PALETTE, bits) for bits in (1, 2, 4, 8)),
    *((kind, bits) for kind in (COLOUR, GREY_ALPHA, COLOUR_ALPHA) for bits in (8, 16)),
]
MODES = list(itertools.product(("grayscale", "rgb", "rgba"), ("uint8", "uint16")))
SIZES = [(1, 1), (1, 9), (9, 1), (8, 8), (13, 17), (40, 64)]
PASSES = {
    "plain": [(0, 0, 1, 1)],
    "interlaced": [
        (0, 0, 8, 8),
        (0, 4, 8, 8),
        (4, 0, 8, 4),
        (0, 2, 4, 4),
        (2, 0, 4, 2),
        (0, 1, 2, 2),
        (1, 0, 2, 1),
    ],
}
"""(top, left, down, right) of each pass: PNG specification, section 8.2."""

CHUNKS_WITHOUT_EFFECT = {
    b"gAMA": struct.pack(">I", 30000),
    b"sRGB": b"\0",
    b"cHRM": struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000),
    b"iCCP": b"name\0\0" + zlib.compress(bytes(200)),
    b"pHYs": struct.pack(">IIB", 1000, 2000, 1),
    b"tEXt": b"Comment\0text",
    b"zTXt": b"Comment\0\0" + zlib.compress(b"text"),
    b"iTXt": b"Comment\0\0\0\0\0text",
    b"tIME": struct.pack(">HBBBBB", 2026, 1, 2, 3, 4, 5),
}


@pytest.fixture(autouse=True, params=["with libdeflate", "Wuffs alone"])
def _inflated_by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflate, "AVAILABLE", request.param == "with libdeflate")


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def packed(samples: Array, bits: int) -> Array:
    """Rows of bytes."""
    rows = samples.reshape(len(samples), -1)
    if bits == 16:
        return rows.astype(">u2").view(np.uint8).reshape(len(rows), -1)
    if bits == 8:
        return rows.astype(np.uint8)
    ones = (rows[:, :, np.newaxis] >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(ones.reshape(len(rows), -1).astype(np.uint8), axis=1)


def filtered(samples: Array, bits: int) -> bytes:
    """Each row with one of the five filters, in turn (PNG specification, section 9)."""
    if samples.size == 0:
        return b""
    distance = max(1, samples.shape[2] * bits // 8)
    rows = np.pad(packed(samples, bits).astype(np.int32), ((1, 0), (distance, 0)))
    out = b""
    for y in range(1, len(rows)):
        left, up, corner = rows[y, :-distance], rows[y - 1, distance:], rows[y - 1, :-distance]
        to_left, to_up, to_corner = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
        is_left = (to_left <= to_up) & (to_left <= to_corner)
        paeth = np.where(is_left, left, np.where(to_up <= to_corner, up, corner))
        guess = (0 * left, left, up, (left + up) // 2, paeth)[y % 5]
        out += bytes([y % 5]) + (rows[y, distance:] - guess).astype(np.uint8).tobytes()
    return out


def png_file(
    kind: int,
    bits: int,
    size: tuple[int, int] = (13, 17),
    *,
    order: str = "plain",
    transparent: bytes = b"",
    extra: bytes = b"",
    colours: int = 256,
    idat_bytes: int = 100,
) -> bytes:
    rng = np.random.default_rng(kind * 100 + bits)
    samples = rng.integers(0, 1 << bits, (*size, NUM_CHANNELS[kind]))
    stream = zlib.compress(
        b"".join(filtered(samples[top::down, left::right], bits) for top, left, down, right in PASSES[order])
    )
    header = struct.pack(">IIBBBBB", size[1], size[0], bits, kind, 0, 0, order == "interlaced")
    palette = rng.integers(0, 256, 3 * min(colours, 1 << bits)).astype(np.uint8).tobytes()
    pieces = [stream[start : start + idat_bytes] for start in range(0, len(stream), idat_bytes)]
    return b"".join(
        (
            PNG_SIGNATURE,
            chunk(b"IHDR", header),
            extra,
            chunk(b"PLTE", palette) if kind == PALETTE else b"",
            chunk(b"tRNS", transparent) if transparent else b"",
            *(chunk(b"IDAT", piece) for piece in pieces),
            chunk(b"IEND", b""),
        )
    )


def assert_as_opencv(data: bytes) -> set[tuple[str, str]]:
    """Whatever Wuffs answers is OpenCV's; returns in which modes it does."""
    answered = set()
    for color_mode, dtype in MODES:
        result = png.decode_png(data, color_mode, dtype)
        if result is None:
            continue
        expected = decode_with_opencv(data, color_mode, dtype)
        assert expected is not None, (color_mode, dtype)
        assert result.dtype == expected.dtype
        np.testing.assert_array_equal(np.atleast_3d(result), np.atleast_3d(expected))
        answered.add((color_mode, dtype))
    return answered


@pytest.mark.parametrize(("kind", "bits"), KINDS)
@pytest.mark.parametrize("order", PASSES)
@pytest.mark.parametrize("size", SIZES)
def test_pixels_of_every_kind_are_those_of_opencv(
    kind: int, bits: int, order: str, size: tuple[int, int]
) -> None:
    for idat_bytes in (7, 1 << 20):
        assert_as_opencv(png_file(kind, bits, size, order=order, idat_bytes=idat_bytes))


@pytest.mark.parametrize(
    ("kind", "bits", "color_modes"),
    [
        (GREY, 8, {"grayscale", "rgb", "rgba"}),
        (GREY, 16, {"grayscale", "rgb", "rgba"}),
        (COLOUR, 8, {"rgb", "rgba"}),
        (PALETTE, 8, {"rgb", "rgba"}),
        (GREY_ALPHA, 8, {"grayscale", "rgb", "rgba"}),
        (COLOUR_ALPHA, 8, {"rgb", "rgba"}),
        (GREY, 1, set()),
        (PALETTE, 4, set()),
        (COLOUR, 16, set()),
    ],
)
def test_wuffs_answers_for_the_kinds_that_the_docs_name(kind: int, bits: int, color_modes: set[str]) -> None:
    answered = assert_as_opencv(png_file(kind, bits))
    assert answered == {(mode, dtype) for mode, dtype in MODES if mode in color_modes}


@pytest.mark.parametrize("name", CHUNKS_WITHOUT_EFFECT)
@pytest.mark.parametrize(("kind", "bits"), [(GREY, 8), (GREY, 16), (COLOUR, 8), (COLOUR_ALPHA, 8)])
def test_chunks_about_colour_and_text_change_no_pixel(name: bytes, kind: int, bits: int) -> None:
    plain = decode(png_file(kind, bits), "a", "rgba", "uint8")
    for content in (CHUNKS_WITHOUT_EFFECT[name], b"\1" * 3, b""):
        data = png_file(kind, bits, extra=chunk(name, content))
        assert assert_as_opencv(data)
        np.testing.assert_array_equal(decode(data, "a", "rgba", "uint8"), plain)


@pytest.mark.parametrize("alphas", [1, 2, 200, 256])
def test_palettes_with_transparent_colours_are_those_of_opencv(alphas: int) -> None:
    transparent = np.arange(alphas, dtype=np.uint8).tobytes()
    for order in PASSES:
        assert assert_as_opencv(png_file(PALETTE, 8, order=order, transparent=transparent))


@pytest.mark.parametrize(
    "data",
    [
        png_file(GREY, 8, transparent=b"\0\7"),
        png_file(COLOUR, 8, transparent=b"\0\7\0\7\0\7"),
        png_file(GREY, 8, extra=chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0")),
        png_file(GREY, 8, extra=chunk(b"acTL", struct.pack(">II", 1, 0))),
        png_file(GREY, 8, extra=chunk(b"neWc", b"what may this be")),
    ],
    ids=["transparent grey", "transparent colour", "Exif", "animation", "unknown"],
)
def test_what_may_change_pixels_is_left_to_opencv(data: bytes) -> None:
    assert assert_as_opencv(data) == set()
    assert decode(data, "a", "rgb", "uint8").shape[2] == 3


@pytest.mark.parametrize("colours", [1, 16, 255])
def test_a_palette_that_is_too_short_is_opencvs_affair(colours: int) -> None:
    assert_as_opencv(png_file(PALETTE, 8, colours=colours))
    assert_as_opencv(png_file(PALETTE, 8, colours=colours, transparent=bytes(range(200))))


@pytest.mark.parametrize(("kind", "bits"), [(GREY, 8), (GREY, 16), (COLOUR, 8), (PALETTE, 8)])
def test_a_damaged_file_is_refused_or_read_as_opencv_does(kind: int, bits: int) -> None:
    whole = png_file(kind, bits, (24, 31), extra=chunk(b"gAMA", CHUNKS_WITHOUT_EFFECT[b"gAMA"]))
    rng = np.random.default_rng(5)
    for position in rng.integers(8, len(whole), 300):
        data = bytearray(whole)
        data[position] ^= 1 << int(rng.integers(8))
        assert_as_opencv(bytes(data))
    for length in range(26, len(whole), 7):
        assert assert_as_opencv(whole[:length]) == set()


def test_a_stream_with_a_wrong_checksum_inside_a_right_one_is_refused() -> None:
    whole = png_file(GREY, 8, idat_bytes=1 << 20)
    start = whole.index(b"IDAT") + 4
    stream = bytearray(whole[start : whole.index(b"IEND") - 8])
    stream[-1] ^= 1
    data = whole[: start - 8] + chunk(b"IDAT", bytes(stream)) + chunk(b"IEND", b"")
    assert decode_with_opencv(data, "grayscale", "uint8") is None
    with pytest.raises(DecodeError):
        decode(data, "a", "grayscale", "uint8")


def with_stream(stream: bytes, pixels: Array) -> bytes:
    """A PNG of 8-bit grey whose pixel data are `stream`."""
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, GREY, 0, 0, 0)
    parts = {b"IHDR": header, b"IDAT": stream, b"IEND": b""}
    return PNG_SIGNATURE + b"".join(chunk(name, content) for name, content in parts.items())


def packed_with(window: int, data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=window)
    return packer.compress(data) + packer.flush()


def test_odd_streams_are_refused_or_read_as_opencv_does() -> None:
    pixels = np.arange(600 * 40, dtype=np.uint8).reshape(40, 600)
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    stream = zlib.compress(rows)
    assert assert_as_opencv(with_stream(stream, pixels))
    liar = bytes([0x18, 0x19]) + stream[2:]
    odd = {
        "more rows than the header says": zlib.compress(rows + rows[:601]),
        "fewer rows": zlib.compress(rows[:-601]),
        "a byte more": zlib.compress(rows + b"\0"),
        "something behind the stream": stream + b"behind",
        "a second stream": stream + stream,
        "a filter that there is not": zlib.compress(b"\5" + rows[1:]),
        "a small window": packed_with(9, rows),
        "a window smaller than its matches": liar,
        "no compression": zlib.compress(rows, 0),
        "nothing": b"",
    }
    for what, bytes_of in odd.items():
        assert assert_as_opencv(with_stream(bytes_of, pixels)) is not None, what


def test_libdeflate_does_what_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    inflated = list[bool]()

    def watched(stream: bytes, num_bytes: int) -> bytes | None:
        again = stored(stream, num_bytes)
        inflated.append(again is not None)
        return again

    stored = inflate.stored
    monkeypatch.setattr(inflate, "stored", watched)
    for kind, bits in [(GREY, 8), (GREY, 16), (COLOUR, 8), (PALETTE, 8), (GREY_ALPHA, 8), (COLOUR_ALPHA, 8)]:
        assert assert_as_opencv(png_file(kind, bits, (40, 64)))
    assert all(inflated)
    assert bool(inflated) == inflate.AVAILABLE
    del inflated[:]
    assert assert_as_opencv(png_file(GREY, 8, order="interlaced"))
    assert inflated == []


def test_photographs_are_read_by_wuffs_and_are_those_of_opencv() -> None:
    camera = skimage.data.camera()
    for pixels in (camera, camera.astype(np.uint16) * 253 + 7, skimage.data.astronaut()):
        data = cv2.imencode(".png", pixels)[1].tobytes()
        assert assert_as_opencv(data)


def test_a_result_is_an_array_of_its_own() -> None:
    data = png_file(GREY, 8)
    first, second = (png.decode_png(data, "grayscale", "uint8") for _ in range(2))
    assert first is not None
    first[:] = 0
    np.testing.assert_array_equal(second, decode_with_opencv(data, "grayscale", "uint8")[:, :, np.newaxis])


def test_it_is_used_when_it_is_installed() -> None:
    assert DECODERS["PNG"] is decode_png


def test_a_producer_does_without_where_that_is_asked_for() -> None:
    command = [sys.executable, "-c", "from feedline.producer.reading import png; print(png.AVAILABLE)"]
    answers = [
        subprocess.check_output(command, env=os.environ | {"FEEDLINE_FAST": value}, text=True).strip()
        for value in ("", "0")
    ]
    assert answers == ["True", "False"]
