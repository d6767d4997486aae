"""Messages -> frames -> messages: the header is checked field by field, by the annotations of its message.

Both directions check the same: what the other side would refuse is not sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from enum import Enum
from itertools import chain
from typing import Any, get_args

import msgpack

from feedline.common.errors import LocalProtocolError, RemoteProtocolError
from feedline.common.wire.protocol import (
    ID_BYTES,
    MAX_FRAMES,
    MAX_HEADER_BYTES,
    MAX_TEXT_CHARS,
    VERSION,
    BadFile,
    Buffer,
    FailureKind,
    Hello,
    Message,
    Refusal,
    Sample,
    Session,
    as_sample,
)

_ODD_NAMES = "surrogateescape"
"""File names that are not UTF-8 travel as Python itself reads them from a folder."""


def encode(session: Session, message: Message) -> list[Buffer]:
    """Make the frames of a message: the header, then its buffers, which are not copied.

    Raises
    ------
    LocalProtocolError
        The other side would refuse the message: too large, or a field of the wrong type.
    """
    try:
        plain, buffers = _split(message)
        header: bytes = msgpack.packb(
            [message.tag, session.producer_id, session.pool_id, plain], unicode_errors=_ODD_NAMES
        )
    except (RemoteProtocolError, OverflowError, TypeError, ValueError) as error:
        raise LocalProtocolError(f"a {message.tag} message that cannot be sent: {error}") from error
    if len(header) > MAX_HEADER_BYTES or len(buffers) >= MAX_FRAMES:
        raise LocalProtocolError(
            f"a {message.tag} message has {len(header)} header bytes and {len(buffers)} buffers;"
            f" {MAX_HEADER_BYTES} and {MAX_FRAMES - 1} are allowed: use smaller batches or shorter paths"
        )
    return [header, *buffers]


def decode(frames: Sequence[Buffer]) -> tuple[Session, Message]:
    """Undo `encode`; buffers of the result refer to the frames.

    Raises
    ------
    RemoteProtocolError
        The frames are not a message of this protocol.
    """
    if not 1 <= len(frames) <= MAX_FRAMES:
        raise RemoteProtocolError(f"a message has 1 to {MAX_FRAMES} frames, not {len(frames)}")
    tag, producer_id, pool_id, plain = _header(frames[0])
    kind = _KINDS.get(tag)
    if kind is None:
        raise RemoteProtocolError(f"unknown message {tag!r:.80}")
    session = Session(producer_id, pool_id)
    if kind is Hello and plain.get("version") != VERSION:
        # Another version's hello may have other fields; all that matters is that it gets an answer.
        return session, Hello(_as_version(plain), "", "", 0, {})
    return session, _join(kind, plain, list(frames[1:]))


def _as_version(plain: dict[str, Any]) -> int:
    version = plain.get("version")
    return version if isinstance(version, int) and version >= 0 else 0


def _header(frame: Buffer) -> tuple[str, bytes, bytes, dict[str, Any]]:
    if memoryview(frame).nbytes > MAX_HEADER_BYTES:
        raise RemoteProtocolError(f"a header has at most {MAX_HEADER_BYTES} bytes")
    try:
        tag, producer_id, pool_id, plain = msgpack.unpackb(frame, unicode_errors=_ODD_NAMES)
    except Exception as error:
        # msgpack raises a dozen unrelated types; all of them mean the same here.
        raise RemoteProtocolError(f"the header is not ours: {error}") from error
    ids_fit = all(isinstance(i, bytes) and len(i) in {0, ID_BYTES} for i in (producer_id, pool_id))
    if not (isinstance(tag, str) and isinstance(plain, dict) and ids_fit):
        raise RemoteProtocolError("the header is not [type, producer_id, pool_id, fields]")
    return tag, producer_id, pool_id, plain


def _split(message: Message) -> tuple[dict[str, Any], list[Buffer]]:
    """Part a message into values for msgpack and raw buffers."""
    plain: dict[str, Any] = {}
    buffers: list[Buffer] = []
    for name, type_name in _FIELDS[type(message)]:
        value = getattr(message, name)
        match type_name:
            case "Buffer | None":
                buffers.extend([] if value is None else [value])
            case "tuple[Buffer, ...]":
                buffers.extend(value)
            case _:
                plain[name] = _written(type(message), type_name, name, value)
    return plain, buffers


def _join(kind: type[Message], plain: dict[str, Any], buffers: list[Buffer]) -> Message:
    """Undo `_split`, checking every field against its type; empties `plain`."""
    values: dict[str, Any] = {}
    for name, type_name in _FIELDS[kind]:
        match type_name:
            case "Buffer | None":
                values[name], buffers = (buffers[0] if buffers else None), buffers[1:]
            case "tuple[Buffer, ...]":
                values[name], buffers = tuple(buffers), []
            case _:
                values[name] = _checked(kind, type_name, name, plain)
    if plain or buffers:
        strange = f"{sorted(map(str, plain))!r:.300} and {len(buffers)} buffers"
        raise RemoteProtocolError(f"{kind.tag} has what it should not: fields {strange}")
    return kind(**values)


def _written(kind: type[Message], type_name: str, name: str, value: Any) -> Any:
    try:
        return _WRITERS[type_name](value)
    except (AttributeError, TypeError, ValueError) as error:
        raise RemoteProtocolError(f"field {name!r} of {kind.tag} is not a {type_name}: {error}") from error


def _checked(kind: type[Message], type_name: str, name: str, plain: dict[str, Any]) -> Any:
    try:
        return _READERS[type_name](plain.pop(name))
    except (KeyError, TypeError, ValueError) as error:
        raise RemoteProtocolError(f"field {name!r} of {kind.tag} is not a {type_name}: {error}") from error


def _int(value: Any) -> int:
    # A bool is an int to `isinstance`, and none of ours.
    if type(value) is not int or value < 0:
        raise ValueError(f"got {value!r:.80}")
    return value


def _str(value: Any) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT_CHARS:
        raise ValueError(f"got {value!r:.80}")
    return value


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"got {value!r:.80}")
    return value


def _bytes(value: Any) -> bytes:
    if not isinstance(value, bytes) or len(value) > ID_BYTES:
        raise ValueError(f"got {value!r:.80}")
    return value


def _dict(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"got {value!r:.80}")
    return value


def _list(value: Any) -> Sequence[Any]:
    # Lists become tuples on this side; a text or a mapping would pass for one in a loop.
    if not isinstance(value, list | tuple):
        raise TypeError(f"got {value!r:.80}")
    return value


def _texts(value: Any) -> dict[str, str]:
    return {_str(key): _str(text) for key, text in _dict(value).items()}


def _ints(value: Any) -> tuple[int, ...]:
    return _all_ints(tuple(_list(value)))


def _samples(value: Any) -> tuple[Sample, ...]:
    paths, *numbers = _columns(value, {list})
    return tuple(map(as_sample, zip(map(tuple, paths), *numbers, strict=True)))


def _plain_samples(samples: Any) -> Any:
    _columns(samples, {Sample})
    return samples


def _bad_files(value: Any) -> tuple[BadFile, ...]:
    return tuple(
        BadFile(_int(sample), _int(file), FailureKind(kind), _str(reason))
        for sample, file, kind, reason in _list(value)
    )


def _plain_bad_files(files: Any) -> list[list[Any]]:
    return [[_int(one.sample), _int(one.file), _enum_value(one.kind), _str(one.reason)] for one in files]


def _columns(samples: Any, kinds: set[type]) -> list[tuple[Any, ...]]:
    """All paths, rows and occurrences, checked together: one by one takes longer than all else does."""
    if not {*map(type, _list(samples))} <= kinds or not {*map(len, samples)} <= {len(Sample._fields)}:
        raise TypeError(f"got {samples!r:.80}")
    columns = list(zip(*samples, strict=True)) or [()] * len(Sample._fields)
    paths, rows, occurrences = columns
    if not {*map(type, paths)} <= {list, tuple}:
        raise TypeError(f"got {paths!r:.80}")
    _all_texts(tuple(chain.from_iterable(paths)))
    _all_ints(rows + occurrences)
    return columns


def _all_texts(values: tuple[Any, ...]) -> None:
    if not {*map(type, values)} <= {str} or max(map(len, values), default=0) > MAX_TEXT_CHARS:
        # Says which, or lets a subclass pass.
        for value in values:
            _str(value)


def _all_ints(values: tuple[Any, ...]) -> tuple[int, ...]:
    if not {*map(type, values)} <= {int} or min(values, default=0) < 0:
        for value in values:
            _int(value)
    return values


def _enum_value(member: Any) -> Any:
    # A bare string would pass for the member on this side, and for nothing on the other.
    if not isinstance(member, Enum):
        raise TypeError(f"got {member!r:.80}")
    return member.value


_READERS: dict[str, Callable[[Any], Any]] = {
    "int": _int,
    "bool": _bool,
    "bytes": _bytes,
    "str": _str,
    "Mapping[str, str]": _texts,
    "Mapping[str, Any]": _dict,
    "tuple[int, ...]": _ints,
    "tuple[Sample, ...]": _samples,
    "tuple[BadFile, ...]": _bad_files,
    "Refusal": Refusal,
    "FailureKind": FailureKind,
}
"""How a field is read, by its annotation."""

_WRITERS: dict[str, Callable[[Any], Any]] = _READERS | {
    "tuple[Sample, ...]": _plain_samples,
    "tuple[BadFile, ...]": _plain_bad_files,
    "Refusal": _enum_value,
    "FailureKind": _enum_value,
}
"""How a field is written: what its reader would refuse is refused here, too."""

_KINDS: dict[str, type[Message]] = {kind.tag: kind for kind in get_args(Message)}

_FIELDS: dict[type[Message], tuple[tuple[str, str], ...]] = {
    kind: tuple((field.name, str(field.type)) for field in fields(kind)) for kind in _KINDS.values()
}
"""Names and annotations of every message's fields, looked up once: `fields` takes microseconds."""
