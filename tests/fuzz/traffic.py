"""Real traffic between a trainer and a producer, and what becomes of it: a pure function of a seed.

A message is a list of frames. Some are mutated byte by byte, where most break; others field by field, and are
well formed whatever they say, so that they come as far as a lie can.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import msgpack

Frames = list[bytes]

EXTREMES = (0, 1, 2, 127, 128, 255, 65_535, 2**31 - 1, 2**31, 2**32, 2**53, 2**63 - 1, 2**64 - 1, -1)
TEXTS = (
    "",
    "x",
    "../../etc/passwd",
    "/dev/zero",
    "a\x00b",
    "\x1b[2J",
    "\u202e",
    "é" * 300,
    "\n" * 50,
    "x" * 70_000,
)
STRANGE: tuple[Any, ...] = (
    None,
    True,
    1.5,
    float("nan"),
    b"\xff" * 16,
    [],
    {},
    [[]],
    {"a": {"b": []}},
    *TEXTS,
    *EXTREMES,
)
FORMAT = {"unicode_errors": "surrogateescape"}


def mutated(frames: Frames, draw: Random) -> Frames:
    """Something like a message, a little or a lot besides it."""
    if draw.random() < 0.7:
        try:
            return _field_by_field(frames, draw)
        except Exception:  # noqa: BLE001 - what was mutated before may be nothing that could be read
            pass
    return draw.choice(_BYTE_BY_BYTE)(list(frames), draw)


def noise(draw: Random) -> Frames:
    """Nothing that was ever a message."""
    return [draw.randbytes(draw.choice((0, 1, 16, 200, 2000))) for _ in range(draw.choice((1, 1, 2, 3, 40)))]


def with_ids(frames: Frames, producer_id: bytes, pool_id: bytes) -> Frames:
    """The message, as it is said in another session."""
    tag, _, _, fields = msgpack.unpackb(frames[0], **FORMAT)
    return [msgpack.packb([tag, producer_id, pool_id, fields], **FORMAT), *frames[1:]]


def with_fields(frames: Frames, **fields: Any) -> Frames:
    """The message, with what only its receiver knows: leases, slots, jobs."""
    tag, producer_id, pool_id, old = msgpack.unpackb(frames[0], **FORMAT)
    known = {name: value for name, value in fields.items() if name in old}
    return [msgpack.packb([tag, producer_id, pool_id, old | known], **FORMAT), *frames[1:]]


# --- byte by byte -------------------------------------------------------------------------------


def _flip(frames: Frames, draw: Random) -> Frames:
    at, frame = _one(frames, draw)
    parts = bytearray(frame)
    for _ in range(draw.choice((1, 2, 16))):
        if parts:
            parts[draw.randrange(len(parts))] ^= 1 << draw.randrange(8)
    frames[at] = bytes(parts)
    return frames


def _truncate(frames: Frames, draw: Random) -> Frames:
    at, frame = _one(frames, draw)
    frames[at] = frame[: draw.randrange(len(frame) + 1)]
    return frames


def _grow(frames: Frames, draw: Random) -> Frames:
    at, frame = _one(frames, draw)
    where = draw.randrange(len(frame) + 1)
    frames[at] = frame[:where] + draw.randbytes(draw.choice((1, 8, 64, 5000))) + frame[where:]
    return frames


def _drop_frame(frames: Frames, draw: Random) -> Frames:
    del frames[draw.randrange(len(frames))]
    return frames or [b""]


def _add_frame(frames: Frames, draw: Random) -> Frames:
    frames.insert(draw.randrange(len(frames) + 1), draw.randbytes(draw.choice((0, 1, 64))))
    return frames


def _swap(frames: Frames, draw: Random) -> Frames:
    draw.shuffle(frames)
    return frames


def _one(frames: Frames, draw: Random) -> tuple[int, bytes]:
    at = draw.randrange(len(frames))
    return at, frames[at]


_BYTE_BY_BYTE: tuple[Callable[[Frames, Random], Frames], ...] = (
    _flip,
    _flip,
    _truncate,
    _grow,
    _drop_frame,
    _add_frame,
    _swap,
)


# --- field by field -----------------------------------------------------------------------------


def _field_by_field(frames: Frames, draw: Random) -> Frames:
    """One value of the header is another; now and then one more field, or one fewer, or another session."""
    tag, producer_id, pool_id, fields = msgpack.unpackb(frames[0], **FORMAT)
    match draw.randrange(12):
        case 0:
            fields[draw.choice(("lease_id", "x", ""))] = draw.choice(STRANGE)
        case 1 if fields:
            del fields[draw.choice(list(fields))]
        case 2:
            producer_id = draw.choice((b"", producer_id[:-1] + b"x", draw.randbytes(16)))
        case 3:
            pool_id = draw.choice((b"", pool_id[:-1] + b"x", draw.randbytes(16)))
        case 4:
            tag = draw.choice(("hello", "batch", "ticket", "job", "goodbye", "refuse", "", "?"))
        case _ if fields:
            name = draw.choice(list(fields))
            fields[name] = _another(fields[name], draw)
        case _:
            pass
    return [msgpack.packb([tag, producer_id, pool_id, fields], **FORMAT), *frames[1:]]


def _another(value: Any, draw: Random, depth: int = 0) -> Any:
    """Something else in the place of a value, or of one deep in it."""
    if depth < 8 and value and draw.random() < 0.7:
        if isinstance(value, dict):
            return value | {(key := draw.choice(list(value))): _another(value[key], draw, depth + 1)}
        if isinstance(value, list):
            at = draw.randrange(len(value))
            return [*value[:at], _another(value[at], draw, depth + 1), *value[at + 1 :]]
    if type(value) is int and draw.random() < 0.5:
        return max(-(2**63), min(2**64 - 1, value + draw.choice((-1, 1, 1000, value))))
    if isinstance(value, list) and draw.random() < 0.5:
        return value * draw.choice((0, 2, 100))
    return draw.choice(STRANGE)
