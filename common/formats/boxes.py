"""Boxes of ISO base media files, as AVIF and JPEG 2000 have them.

Sources: ISO/IEC 14496-12 (boxes), 23008-12 (items and their properties), AV1-ISOBMFF (av1C), and 15444-1,
annexes A.5 and I (JPEG 2000).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from feedline.common.formats.data import Data, big, has

Size = tuple[int, int]


def boxes(data: Data, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of the content of each box that is there whole."""
    while start + 8 <= end:
        length, head = big(data, start, 4), 8
        if length == 1:
            length, head = big(data, start + 8, 8), 16
        stop = end if length == 0 else start + length
        if (length and length < head) or stop > end:
            return
        yield data[start + 4 : start + 8], start + head, stop
        start = stop


def _inside(data: Data, path: tuple[bytes, ...], start: int, end: int) -> tuple[int, int] | None:
    """Where the content of the first box of a path stands."""
    for name in path:
        found = next(((a, b) for other, a, b in boxes(data, start, end) if other == name), None)
        if found is None:
            return None
        start, end = found
    return start, end


@dataclass(frozen=True, slots=True)
class Avif:
    """The picture that an AVIF file shows.

    Attributes
    ----------
    size : (int, int) or None
        (height, width) in pixels as they are stored.
    bits : int
        Of a channel: 8, 10 or 12.
    orientation : int
        As Exif has it, 1 to 8.
    """

    size: Size | None
    bits: int
    orientation: int


def read_avif(data: Data) -> Avif:
    """Read what the properties of an AVIF's first picture say."""
    properties = dict(_properties(data))
    size = None
    if b"ispe" in properties:
        at = properties[b"ispe"]
        size = big(data, at + 8, 4), big(data, at + 4, 4)
    bits = 8
    if b"av1C" in properties and (flags := big(data, properties[b"av1C"] + 2, 1)) & 0x40:
        bits = 12 if flags & 0x20 else 10
    turns = big(data, properties[b"irot"], 1) & 3 if b"irot" in properties else 0
    axis = big(data, properties[b"imir"], 1) & 1 if b"imir" in properties else None
    return Avif(size, bits, _ORIENTATIONS[axis][turns])


_ORIENTATIONS = {
    # By the mirror's axis; a picture is first turned against the clock, so many times by 90 degrees.
    None: (1, 8, 3, 6),
    0: (4, 5, 2, 7),
    1: (2, 7, 4, 5),
}


def _properties(data: Data) -> Iterator[tuple[bytes, int]]:
    """Name and start of each property of the primary item."""
    meta = _inside(data, (b"meta",), 0, len(data))
    if meta is None:
        return
    start, end = meta[0] + 4, meta[1]  # of a full box: version and flags come first
    primary = _inside(data, (b"pitm",), start, end)
    container = _inside(data, (b"iprp", b"ipco"), start, end)
    links = _inside(data, (b"iprp", b"ipma"), start, end)
    if primary is None or container is None or links is None:
        return
    item = big(data, primary[0] + 4, 4 if big(data, primary[0], 1) else 2)
    known = [(name, at) for name, at, _ in boxes(data, *container)]
    for nth in _linked(data, links[0], item):
        if 0 < nth <= len(known):
            yield known[nth - 1]


def _linked(data: Data, at: int, wanted: int) -> list[int]:
    """The numbers, from 1 on, of an item's properties."""
    id_bytes = 4 if big(data, at, 1) else 2
    link_bytes = 2 if big(data, at + 3, 1) & 1 else 1
    place = at + 8
    for _ in range(min(big(data, at + 4, 4), 1000)):
        item, num = big(data, place, id_bytes), big(data, place + id_bytes, 1)
        place += id_bytes + 1
        if item == wanted:
            numbers = (big(data, place + link_bytes * nth, link_bytes) for nth in range(num))
            return [number & ((1 << (8 * link_bytes - 1)) - 1) for number in numbers]
        place += link_bytes * num
    return []


@dataclass(frozen=True, slots=True)
class Jpeg2000:
    """What the main header of a JPEG 2000 codestream says, and the boxes around it.

    Attributes
    ----------
    size : (int, int)
        (height, width) in pixels.
    bits : tuple of int
        Of each channel.
    is_signed : bool
        Whether values below 0 are possible.
    is_subsampled : bool
        Whether a channel has fewer pixels than the image.
    is_plain : bool
        Whether channels are grey or red, green and blue, and numbers of a palette are not among them.
    """

    size: Size
    bits: tuple[int, ...]
    is_signed: bool
    is_subsampled: bool
    is_plain: bool


_PLAIN_COLOURS = frozenset({16, 17})
"""sRGB and grey; 18 is luma and chroma."""


def read_jpeg2000(data: Data) -> Jpeg2000 | None:
    """Read the header of a JPEG 2000 file, or of a codestream alone; None if there is none that can be."""
    stream = _inside(data, (b"jp2c",), 0, len(data)) if has(data, b"jP  ", 4) else (0, len(data))
    if stream is None or not has(data, b"\xff\x4f\xff\x51", stream[0]):
        return None
    at = stream[0] + 4  # where the length of SIZ stands
    num_channels = big(data, at + 36, 2)
    # ITU-T T.800, A.5.1: Lsiz is 38 + 3 Csiz.
    if not num_channels or big(data, at, 2) != 38 + 3 * num_channels:
        return None
    channels = data[at + 38 : at + 38 + 3 * num_channels]
    width, height = (big(data, at + 4 + 4 * nth, 4) - big(data, at + 12 + 4 * nth, 4) for nth in (0, 1))
    depths = channels[::3]
    return Jpeg2000(
        (height, width),
        tuple((depth & 0x7F) + 1 for depth in depths),
        any(depth & 0x80 for depth in depths),
        set(channels[1::3]) | set(channels[2::3]) != {1},
        _is_plain(data),
    )


def _is_plain(data: Data) -> bool:
    header = _inside(data, (b"jp2h",), 0, len(data)) if has(data, b"jP  ", 4) else None
    if header is None:
        return True
    for name, start, _ in boxes(data, *header):
        if name == b"pclr":
            return False
        if name == b"colr" and big(data, start, 1) == 1 and big(data, start + 3, 4) not in _PLAIN_COLOURS:
            return False
    return True
