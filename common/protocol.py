"""Every message between a trainer and its producers: who says it, what it carries, how it is encoded.

The trainer binds a ROUTER, each producer connects a DEALER to it. A conversation::

    producer                                trainer
    Hello                 ->                          I am ..., I speak version ...
                          <-  Welcome | Refuse        you are in | go away, because ...
                          <-  OpenJob                 what the tickets of a job will need
                          <-  Ticket                  build this batch into that slot
    ArenaOffer            ->                          here is memory that we may share
                          <-  ArenaAnswer             we do | we do not
    Batch | Failure | Cancelled | JobUnknown ->       exactly one answer to each ticket
                          <-  Cancel                  never mind that ticket
                          <-  CloseJob                forget the job
    Heartbeat            <->  Heartbeat               every second; a producer's lists its leases
    Goodbye              <->  Goodbye                 I leave; my leases are void

A message is a list of frames. The first is the header, msgpack of ``[type, producer_id, pool_id,
fields]``; the rest are raw buffers, for the two messages that have any: the targets of a `Ticket`
and the bytes of a `Batch`. Ids are 16 random bytes, so a message of an earlier run is known as
such by whoever receives it. Of all this only `Hello` and `Refuse` must stay readable for ever.

What breaks these rules raises `RemoteProtocolError` at `decode` and changes nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any, ClassVar, NamedTuple, TypeAlias

import msgpack

from common.errors import LocalProtocolError, RemoteProtocolError

VERSION = 1
"""Raised whenever a message changes; both sides must have the same."""

HEARTBEAT_S = 1.0
"""Seconds between two heartbeats, either way."""

LOST_AFTER_S = 10.0
"""Seconds of silence after which the other side counts as gone."""

ID_BYTES = 16
MAX_HEADER_BYTES = 8 << 20
MAX_FRAMES = 34
MAX_TEXT_CHARS = 100_000

_ODD_NAMES = "surrogateescape"
"""File names that are not UTF-8 travel as Python itself reads them from a folder."""

Buffer: TypeAlias = Any
"""Whatever has the buffer protocol: bytes, memoryview, ndarray, zmq.Frame.buffer."""


def new_id() -> bytes:
    """Make a `producer_id` or `pool_id`."""
    return secrets.token_bytes(ID_BYTES)


class Refusal(Enum):
    """Why a trainer refuses a producer."""

    VERSION = "version"
    UNKNOWN_PEER = "unknown-peer"
    MIXED_VERSIONS = "mixed-versions"
    BROKEN_MESSAGE = "broken-message"


class FailureKind(Enum):
    """What went wrong with a ticket: it decides whether another producer is tried."""

    READ = "read"
    DECODE = "decode"
    BUILD = "build"


class Sample(NamedTuple):
    """One sample of a ticket. A tuple, because thousands are made in a second.

    Attributes
    ----------
    paths : tuple of str
        Its files, relative to a data root (absolute only to embedded producers).
    row : int
        Its row in the dataset, a key of its random draws.
    occurrence : int
        How often the row came before in this epoch, the other key.
    """

    paths: tuple[str, ...]
    row: int
    occurrence: int = 0


# --- what a producer says ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hello:
    """First message of a session: who is there and what it runs on."""

    tag: ClassVar[str] = "hello"
    version: int
    name: str
    host: str
    pid: int
    libraries: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Batch:
    """Answer to a ticket: the batch is in its shared slot, or is `data`.

    `stages_us` is `common.stages.Stages`, in its order; nothing else depends on it.
    """

    tag: ClassVar[str] = "batch"
    job_id: int
    lease_id: int
    build_us: int
    data: Buffer | None
    stages_us: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ArenaOffer:
    """An arena was made for a job; see `common.arena`."""

    tag: ClassVar[str] = "arena"
    job_id: int
    name: str
    nonce: bytes
    slot_bytes: int
    num_slots: int


@dataclass(frozen=True, slots=True)
class Failure:
    """Answer to a ticket: the batch cannot be built, because of the sample at `path`."""

    tag: ClassVar[str] = "failure"
    job_id: int
    lease_id: int
    kind: FailureKind
    path: str
    text: str
    traceback: str


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Answer to a ticket or a `Cancel`: the lease is void and nobody writes to its slot."""

    tag: ClassVar[str] = "cancelled"
    lease_id: int


@dataclass(frozen=True, slots=True)
class JobUnknown:
    """Answer to a ticket whose job this producer was never told, or has forgotten."""

    tag: ClassVar[str] = "job-unknown"
    job_id: int
    lease_id: int


# --- what a trainer says ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Welcome:
    """Answer to `Hello`; its `pool_id` belongs in everything said from now on."""

    tag: ClassVar[str] = "welcome"


@dataclass(frozen=True, slots=True)
class Refuse:
    """The producer is not, or no longer, one of this pool's."""

    tag: ClassVar[str] = "refuse"
    reason: Refusal
    text: str


@dataclass(frozen=True, slots=True)
class OpenJob:
    """A job that tickets will name; `job` is `common.job.Job.to_wire()`.

    No ticket names a slot from `num_slots` on.
    """

    tag: ClassVar[str] = "job"
    job: Mapping[str, Any]
    num_slots: int


@dataclass(frozen=True, slots=True)
class ArenaAnswer:
    """Whether the arena of a job is memory that both see: then batches may be left in it."""

    tag: ClassVar[str] = "arena-answer"
    job_id: int
    attached: bool


@dataclass(frozen=True, slots=True)
class CloseJob:
    """A job that no ticket will name again."""

    tag: ClassVar[str] = "job-closed"
    job_id: int


@dataclass(frozen=True, slots=True)
class Ticket:
    """Build the batch (epoch, step) of a job into a slot.

    `targets` has one buffer for each `Job.targets`: the values for all samples, C order.
    """

    tag: ClassVar[str] = "ticket"
    job_id: int
    epoch: int
    step: int
    lease_id: int
    slot: int
    samples: tuple[Sample, ...]
    targets: tuple[Buffer, ...]


@dataclass(frozen=True, slots=True)
class Cancel:
    """Never mind this lease. It is answered all the same, as soon as its slot is left alone."""

    tag: ClassVar[str] = "cancel"
    lease_id: int


# --- what both say ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """I live. A producer lists the leases it holds, a trainer lists none."""

    tag: ClassVar[str] = "heartbeat"
    leases: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Goodbye:
    """I leave. Nothing more comes from me, and all leases are void."""

    tag: ClassVar[str] = "goodbye"
    text: str = ""


FromProducer: TypeAlias = Hello | ArenaOffer | Batch | Failure | Cancelled | JobUnknown | Heartbeat | Goodbye
FromTrainer: TypeAlias = (
    Welcome | Refuse | OpenJob | ArenaAnswer | CloseJob | Ticket | Cancel | Heartbeat | Goodbye
)
Message: TypeAlias = FromProducer | FromTrainer


@dataclass(frozen=True, slots=True)
class Session:
    """The two ids that every message carries; `pool_id` is empty until a `Welcome`."""

    producer_id: bytes
    pool_id: bytes = b""


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
    return tuple(_int(item) for item in _list(value))


def _samples(value: Any) -> tuple[Sample, ...]:
    return tuple([
        Sample(tuple(map(_str, _list(paths))), _int(row), _int(nth))
        for paths, row, nth in map(_list, _list(value))
    ])  # fmt: skip


def _plain_samples(samples: Any) -> list[Any]:
    return [(tuple(map(_str, s.paths)), _int(s.row), _int(s.occurrence)) for s in samples]


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
    "Refusal": Refusal,
    "FailureKind": FailureKind,
}
"""How a field is read, by its annotation."""

_WRITERS: dict[str, Callable[[Any], Any]] = _READERS | {
    "tuple[Sample, ...]": _plain_samples,
    "Refusal": _enum_value,
    "FailureKind": _enum_value,
}
"""How a field is written: what its reader would refuse is refused here, too."""

_KINDS: dict[str, type[Message]] = {
    kind.tag: kind
    for kind in (
        Hello, Welcome, Refuse, ArenaOffer, ArenaAnswer, OpenJob, CloseJob, JobUnknown, Ticket,
        Cancel, Cancelled, Batch, Failure, Heartbeat, Goodbye,
    )
}  # fmt: skip

_FIELDS: dict[type[Message], tuple[tuple[str, str], ...]] = {
    kind: tuple((field.name, str(field.type)) for field in fields(kind)) for kind in _KINDS.values()
}
"""Names and annotations of every message's fields, looked up once: `fields` takes microseconds."""
