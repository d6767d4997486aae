"""The data of a PNG, inflated by libdeflate: the larger half of the time that decoding one takes.

Optional: `deflate` comes with the extra ``fast``. What it inflated is wrapped into a zlib stream without
compression (RFC 1950; stored blocks, RFC 1951 section 3.2.4), for a decoder that only undoes PNG's filters.
"""

from __future__ import annotations

from collections.abc import Iterator

try:
    from deflate import DeflateError, zlib_decompress
except ImportError:
    AVAILABLE = False
else:
    AVAILABLE = True

_MAX_BLOCK_BYTES = 0xFFFF
_CHECKSUM = b"\0\0\0\0"
"""In the place of Adler-32, for a decoder that is told not to look: libdeflate has."""


def stored(stream: bytes, num_bytes: int) -> bytes | None:
    """Write a zlib stream again without compression. To be called if libdeflate is `AVAILABLE`.

    Parameters
    ----------
    stream : bytes
        A zlib stream. How far back it says that matches go is not looked at.
    num_bytes : int
        That it inflates to.

    Returns
    -------
    bytes or None
        A zlib stream of stored blocks without its checksum; None if `stream` is damaged or of another length.
    """
    try:
        data = zlib_decompress(stream, num_bytes)
    except DeflateError:
        return None
    if len(data) != num_bytes:
        return None
    return b"".join((b"\x78\x01", *_blocks(memoryview(data)), _CHECKSUM))


def _blocks(data: memoryview) -> Iterator[bytes | memoryview]:
    """Header and content of each block; the last one says so."""
    for start in range(0, len(data), _MAX_BLOCK_BYTES):
        block = data[start : start + _MAX_BLOCK_BYTES]
        is_last = start + len(block) == len(data)
        length = len(block)
        yield bytes([is_last]) + length.to_bytes(2, "little") + (length ^ 0xFFFF).to_bytes(2, "little")
        yield block
