"""Every message between a trainer and its producers: who says it, and what it carries.

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
                          <-  ForgetSlots             their memory is gone: reserve it anew
                          <-  CloseJob                forget the job
    Heartbeat            <->  Heartbeat               every second; a producer's lists its leases
    Goodbye              <->  Goodbye                 I leave; my leases are void

A message is a list of frames. The first is the header, msgpack of ``[type, producer_id, pool_id,
fields]``; the rest are raw buffers, for the two messages that have any: the targets of a `Ticket`
and the bytes of a `Batch`. Ids are 16 random bytes, so a message of an earlier run is known as
such by whoever receives it. Of all this only `Hello` and `Refuse` must stay readable for ever.

`feedline.common.wire.encoding` turns messages into frames and back. What breaks these rules raises
`RemoteProtocolError` there, and changes nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any, ClassVar, NamedTuple, TypeAlias

VERSION = 7
"""Raised whenever a message changes; both sides must have the same."""

HEARTBEAT_S = 1.0
"""Seconds between two heartbeats, either way."""

LOST_AFTER_S = 10.0
"""Seconds of silence after which the other side counts as gone."""

ID_BYTES = 16
MAX_HEADER_BYTES = 8 << 20
MAX_FRAMES = 34
MAX_TEXT_CHARS = 100_000

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


as_sample: Callable[[Iterable[Any]], Sample] = partial(tuple.__new__, Sample)
"""`Sample._make`, several times as fast."""


class BadFile(NamedTuple):
    """A file of a ticket that cannot be used, which makes its sample bad.

    Attributes
    ----------
    sample : int
        Its sample's place in `Ticket.samples`.
    file : int
        Its place in `Sample.paths`.
    kind : FailureKind
        READ or DECODE.
    reason : str
        Why, in a clause that can follow a colon.
    """

    sample: int
    file: int
    kind: FailureKind
    reason: str


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

    `stages_us` is `feedline.common.stages.Stages`, in its order; nothing else depends on it. `checksum` is
    `feedline.common.wire.checksums.checksum` of `data`, if the `Welcome` asked for it; else empty.
    """

    tag: ClassVar[str] = "batch"
    job_id: int
    lease_id: int
    build_us: int
    data: Buffer | None
    stages_us: tuple[int, ...] = ()
    checksum: bytes = b""


@dataclass(frozen=True, slots=True)
class ArenaOffer:
    """An arena was made for a job; see `feedline.common.memory.arena`."""

    tag: ClassVar[str] = "arena"
    job_id: int
    name: str
    nonce: bytes
    slot_bytes: int
    num_slots: int


@dataclass(frozen=True, slots=True)
class Failure:
    """Answer to a ticket: the batch cannot be built, because of the sample at `path`.

    `bad_files` are all files of the ticket that cannot be used, where it is files that are to blame.
    """

    tag: ClassVar[str] = "failure"
    job_id: int
    lease_id: int
    kind: FailureKind
    path: str
    text: str
    traceback: str
    bad_files: tuple[BadFile, ...] = ()


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Answer to a ticket or a `Cancel`: the lease is void and nobody writes to its slot."""

    tag: ClassVar[str] = "cancelled"
    lease_id: int


@dataclass(frozen=True, slots=True)
class Notice:
    """A warning that the trainer's log should have, too, since it may be the only one that is read.

    `topic` is equal for all of one kind of one job, whatever their texts: one of them is a warning. Where it
    is empty, those of the same text are of one kind.
    """

    tag: ClassVar[str] = "notice"
    text: str
    topic: str = ""


@dataclass(frozen=True, slots=True)
class JobUnknown:
    """Answer to a ticket whose job this producer was never told, or has forgotten."""

    tag: ClassVar[str] = "job-unknown"
    job_id: int
    lease_id: int


# --- what a trainer says ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Welcome:
    """Answer to `Hello`; its `pool_id` belongs in everything said from now on.

    With `checksums`, each batch that comes with its bytes has their sum, too.
    """

    tag: ClassVar[str] = "welcome"
    checksums: bool = False


@dataclass(frozen=True, slots=True)
class Refuse:
    """The producer is not, or no longer, one of this pool's."""

    tag: ClassVar[str] = "refuse"
    reason: Refusal
    text: str


@dataclass(frozen=True, slots=True)
class OpenJob:
    """A job that tickets will name; `job` is `feedline.common.job.kinds.job_to_wire()`.

    No ticket names a slot from `num_slots` on.
    """

    tag: ClassVar[str] = "job"
    job: Mapping[str, Any]
    num_slots: int


@dataclass(frozen=True, slots=True)
class ArenaAnswer:
    """Whether the arena of a job is memory that both see: then batches may be left in it.

    `nonce` says which: a job that was forgotten and told again has another one.
    """

    tag: ClassVar[str] = "arena-answer"
    job_id: int
    nonce: bytes
    attached: bool


@dataclass(frozen=True, slots=True)
class CloseJob:
    """A job that no ticket will name again."""

    tag: ClassVar[str] = "job-closed"
    job_id: int


@dataclass(frozen=True, slots=True)
class ForgetSlots:
    """The memory of these slots of a job was given back; a ticket may name them again."""

    tag: ClassVar[str] = "slots-gone"
    job_id: int
    slots: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Ticket:
    """Build the batch (epoch, step) of a job into a slot.

    `targets` has one buffer for each `Job.targets`: the values for all samples, C order; then, if the job has
    boxes, the two of `feedline.common.sample.boxes.pack`; then, for each companion that is drawn, the two of
    `feedline.common.sample.regions.pack`. `samples` are those of the batch, `Job.num_sources`
    for each; of one without paths the place is left all zero. A producer died when it built this: `careful`
    has it tried in a process of its own first.
    """

    tag: ClassVar[str] = "ticket"
    job_id: int
    epoch: int
    step: int
    lease_id: int
    slot: int
    samples: tuple[Sample, ...]
    targets: tuple[Buffer, ...]
    careful: bool = False


@dataclass(frozen=True, slots=True)
class Cancel:
    """Never mind this lease. It is answered all the same, as soon as its slot is left alone."""

    tag: ClassVar[str] = "cancel"
    lease_id: int


# --- what both say ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """I live. A producer lists the leases it holds, and says what it is at; a trainer lists none."""

    tag: ClassVar[str] = "heartbeat"
    leases: tuple[int, ...] = ()
    doing: str = ""


@dataclass(frozen=True, slots=True)
class Goodbye:
    """I leave. Nothing more comes from me, and all leases are void."""

    tag: ClassVar[str] = "goodbye"
    text: str = ""


FromProducer: TypeAlias = (
    Hello | ArenaOffer | Batch | Failure | Cancelled | Notice | JobUnknown | Heartbeat | Goodbye
)
FromTrainer: TypeAlias = (
    Welcome | Refuse | OpenJob | ArenaAnswer | ForgetSlots | CloseJob | Ticket | Cancel | Heartbeat | Goodbye
)
Message: TypeAlias = FromProducer | FromTrainer


@dataclass(frozen=True, slots=True)
class Session:
    """The two ids that every message carries; `pool_id` is empty until a `Welcome`."""

    producer_id: bytes
    pool_id: bytes = b""
