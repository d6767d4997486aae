"""What stands in front of the scan of a JPEG (ITU-T T.81, annex B)."""

from __future__ import annotations

from collections.abc import Iterator

from feedline.common.formats.data import Data, big, has

Size = tuple[int, int]

END = b"\xff\xd9"

_APP1 = 0xE1
_FRAMES = frozenset({*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC})
"""Start-of-frame markers, that of JPEG-LS (T.87) too; the three in between are tables and an extension."""

_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})
"""Markers without content: TEM, and those of restarts."""

_ENDS = frozenset({0x00, 0xD8, 0xD9, 0xDA})
"""None at all, another image, the end, and the scan."""

_RESTART_INTERVAL = 0xDD
_EXIF = b"Exif\0\0"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"


def stored_size(data: Data) -> Size | None:
    """(height, width) in pixels as they are stored; None if no frame begins."""
    for marker, start, end in _segments(data):
        if marker in _FRAMES and end - start >= 5:
            return big(data, start + 1, 2), big(data, start + 3, 2)
    return None


def metadata(data: Data) -> tuple[bytes, bytes]:
    """Exif and XMP of the file, empty where there is none; the first of each."""
    parts = [(start, end) for marker, start, end in _segments(data) if marker == _APP1]

    def first(name: bytes) -> bytes:
        return next((data[a + len(name) : b] for a, b in parts if has(data, name, a)), b"")

    return first(_EXIF), first(_XMP)


def lacks_end(data: Data) -> bool:
    """Whether nothing marks the end of the image: the file may be cut off.

    Thumbnails have end marks of their own, but lie in front of the scan: a file that ends in one has no
    scan, and is refused by the decoder.
    """
    return data[-2:] != END and data.rfind(END, _start_of_scan(data)) < 0


def has_restarts(data: Data) -> bool:
    """Whether the scan is cut into intervals."""
    return any(
        marker == _RESTART_INTERVAL and big(data, start, 2) > 0 for marker, start, _ in _segments(data)
    )


def last_restart(data: Data) -> int | None:
    """The number, 0 to 7, of the last restart mark in the last scan; None if there is none."""
    start = data.rfind(b"\xff\xda")
    places = [(data.rfind(bytes([0xFF, 0xD0 + nth]), start), nth) for nth in range(8)]
    place, nth = max(places)
    return nth if place >= 0 else None


def scans_are_whole(data: Data) -> bool:
    """Whether every coefficient of every component has come, to its last bit, of a progressive JPEG.

    Said of the headers of its scans alone: T.81, G.1.1.1. Of other kinds nothing is asked.
    """
    frame = next((at for at in _frames(data) if data[at - 3] == 0xC2), None)
    if frame is None:
        return True
    components = data[frame + 6 : frame + 6 + 3 * big(data, frame + 5, 1) : 3]
    missing = {(component, nth) for component in components for nth in range(64)}
    at = data.find(b"\xff\xda", frame)
    while at >= 0:
        num = big(data, at + 4, 1)
        first, last, bits = data[at + 5 + 2 * num : at + 8 + 2 * num].ljust(3, b"\1")
        if bits & 0xF == 0:
            named = data[at + 5 : at + 5 + 2 * num : 2]
            missing -= {(component, nth) for component in named for nth in range(first, last + 1)}
        at = data.find(b"\xff\xda", at + 2)
    return not missing


def _frames(data: Data) -> Iterator[int]:
    return (start for marker, start, _ in _segments(data) if marker in _FRAMES)


def _start_of_scan(data: Data) -> int:
    return max((end for _, _, end in _segments(data)), default=2)


def _segments(data: Data) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each segment's content in front of the scan of a JPEG."""
    position = 2
    while has(data, b"\xff", position):
        # Any number of bytes 255 may stand in front of a marker (B.1.1.2), and some markers stand alone.
        while has(data, b"\xff", position + 1):
            position += 1
        marker = big(data, position + 1, 1)
        if marker in _ALONE:
            position += 2
            continue
        if marker in _ENDS or position + 4 > len(data):
            return
        end = position + 2 + big(data, position + 2, 2)
        yield marker, position + 4, end
        position = end
