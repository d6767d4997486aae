"""What fuzzing found: each file is refused in words, at once, and without memory for what it only claims."""

from __future__ import annotations

import struct

import pytest
from picture_files import FILES

from feedline.common.formats.directory import read_directory
from feedline.errors import DecodeError
from feedline.producer.reading.decoders import decode


def with_entry(data: bytes, tag: int, kind: int, count: int, value: int) -> bytes:
    """A little-endian TIFF with another entry of a tag."""
    at = 10 + 12 * [struct.unpack_from("<H", data, 10 + 12 * nth)[0] for nth in range(40)].index(tag)
    assert struct.unpack_from("<I", data, 4) == (8,)
    return data[:at] + struct.pack("<HHII", tag, kind, count, value) + data[at + 12 :]


def png_with_a_chunk_of(num_bytes: int) -> bytes:
    data = FILES["PNG", "colour"].data
    return data[:33] + struct.pack(">I", num_bytes) + b"tEXtx" + data[33:]


def png_that_ends_before_its_pixels() -> bytes:
    """And goes on with a chunk of 2 GiB."""
    data = FILES["PNG", "colour"].data
    return data[:33] + data[-12:] + struct.pack(">I", (1 << 31) - 1) + b"tEXt" + data[33:]


BROKEN = {
    "a GIF that ends in its extension": b"GIF89a\1\0\1\0\0\0\0\x21\xf9",
    "a GIF that ends in its screen": b"GIF89a\1\0\1\0",
    "a GIF whose extension has no blocks": b"GIF89a\1\0\1\0\0\0\0\x21\xf9\0",
    "a PNG with a chunk of 2 GiB": png_with_a_chunk_of((1 << 31) - 1),
    "a PNG with a chunk of 4 GiB": png_with_a_chunk_of((1 << 32) - 1),
    "a PNG that ends before its pixels": png_that_ends_before_its_pixels(),
    "a TIFF with four thousand million channels": with_entry(
        FILES["TIFF", "grey"].data, 277, 4, 1, (1 << 32) - 1
    ),
    "a TIFF with 800 million kinds of channels": with_entry(
        FILES["TIFF", "colour and alpha"].data, 338, 3, 800_000_000, 8
    ),
    "a TIFF with a tile of 67 million rows": with_entry(
        FILES["TIFF", "colour, tiles"].data, 323, 4, 1, 1 << 26
    ),
    "a TIFF with many places of strips": with_entry(FILES["TIFF", "grey"].data, 273, 4, 1 << 30, 8),
}


@pytest.mark.parametrize("color_mode", ["grayscale", "rgb", "rgba", "classes"])
@pytest.mark.parametrize("what", BROKEN)
def test_it_is_refused(what: str, color_mode: str) -> None:
    with pytest.raises(DecodeError, match=r"^broken: "):
        decode(BROKEN[what], "broken", color_mode, "uint8")


def test_a_tiff_of_a_palette_without_its_colours_is_no_mask() -> None:
    data = FILES["TIFF", "palette"].data
    directory = read_directory(data)
    assert directory is not None
    entry = data.index(struct.pack("<HH", 320, 3))
    for broken in (
        data[:entry] + struct.pack("<H", 321) + data[entry + 2 :],
        data[: entry + 4] + struct.pack("<I", 767) + data[entry + 8 :],
    ):
        with pytest.raises(DecodeError, match=r"^broken: "):
            decode(broken, "broken", "classes", "uint8")


def test_a_chunk_behind_the_end_of_a_png_is_none_of_it() -> None:
    data = FILES["PNG", "colour"].data
    assert decode(data + struct.pack(">I", 1 << 30) + b"tEXt", "a.png", "rgb", "uint8").any()


def test_memory_that_there_is_not_is_one_samples_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(_: bytes) -> None:
        raise MemoryError

    monkeypatch.setattr("feedline.producer.reading.pictures.as_stored", none_left)
    with pytest.raises(DecodeError, match=r"a\.bmp: takes more memory to decode than there is"):
        decode(FILES["BMP", "grey"].data, "a.bmp", "rgb", "uint8")
