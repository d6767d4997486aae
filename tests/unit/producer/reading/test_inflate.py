"""What is inflated and stored again is the same data; what is not quite a zlib stream is left to others."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

pytest.importorskip("deflate", reason="libdeflate comes with the extra `fast`")

from feedline.producer.reading.inflate import stored

BLOCK = 0xFFFF


def data_of(num_bytes: int) -> bytes:
    return np.random.default_rng(num_bytes).integers(0, 9, num_bytes, np.uint8).tobytes()


@pytest.mark.parametrize("num_bytes", [1, 100, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 300_000])
def test_zlib_reads_the_same_from_it(num_bytes: int) -> None:
    data = data_of(num_bytes)
    again = stored(zlib.compress(data), num_bytes)
    assert again is not None
    reader = zlib.decompressobj(-15)
    assert reader.decompress(again[2:]) == data
    assert reader.eof
    assert reader.unused_data == bytes(4), "where the checksum would be"
    assert int.from_bytes(again[:2], "big") % 31 == 0, "RFC 1950: the header has a checksum of its own"


@pytest.mark.parametrize("wrong", [99, 101])
def test_another_length_than_expected_is_left_to_others(wrong: int) -> None:
    assert stored(zlib.compress(data_of(100)), wrong) is None


def test_damage_anywhere_is_left_to_others() -> None:
    stream = zlib.compress(data_of(100))
    for place in range(len(stream)):
        for bit in (1, 16, 128):
            damaged = bytearray(stream)
            damaged[place] ^= bit
            again = stored(bytes(damaged), 100)
            # Of some bits nothing depends on.
            assert again is None or again == stored(stream, 100)
    for end in range(len(stream)):
        assert stored(stream[:end], 100) is None
