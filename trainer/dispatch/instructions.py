"""What the dispatcher tells the pool to do. Values only; the pool acts on them in order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from feedline.common.errors import FeedlineError
from feedline.trainer.dispatch.slots import SlotId
from feedline.trainer.plan.epochs import StepKey
from feedline.trainer.plan.lineups import Lineup


@dataclass(frozen=True, slots=True)
class SendJob:
    """Tell a producer what the tickets of a job will need."""

    producer_id: bytes
    job_id: int


@dataclass(frozen=True, slots=True)
class SendCloseJob:
    """Tell a producer that it can forget a job."""

    producer_id: bytes
    job_id: int


@dataclass(frozen=True, slots=True)
class DropSlots:
    """Slots of a producer for a job are gone, and nobody uses them: give their memory back."""

    producer_id: bytes
    job_id: int
    indices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RestJob:
    """A job has no slots any more: give up what was handed over and nobody has taken."""

    job_id: int


@dataclass(frozen=True, slots=True)
class ForgetJob:
    """Producers were told to forget a job: so should whoever shares memory with them for it."""

    job_id: int


@dataclass(frozen=True, slots=True)
class SendTicket:
    """Ask for a batch to be built into a slot; the slot says by whom.

    `careful`: a producer died when it built that.
    """

    lease_id: int
    key: StepKey
    slot: SlotId
    careful: bool = False


@dataclass(frozen=True, slots=True)
class SendCancel:
    """Tell a producer not to begin with a lease."""

    producer_id: bytes
    lease_id: int


@dataclass(frozen=True, slots=True)
class Keep:
    """The batch that just came is wanted: keep its bytes under this slot.

    It came `answer_s` seconds after its ticket was sent, and has the samples of `lineup`.
    """

    slot: SlotId
    answer_s: float = field(default=0.0, compare=False)
    lineup: Lineup | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Discard:
    """The bytes kept under this slot are not wanted any more."""

    slot: SlotId


@dataclass(frozen=True, slots=True)
class Deliver:
    """Hand the bytes under a slot to whoever waits for the step, or will ask for it next.

    With `copy`, the slot is to be released as soon as its bytes are copied; else when the last
    array that reads them is gone.
    """

    job_id: int
    key: StepKey
    slot: SlotId
    copy: bool


@dataclass(frozen=True, slots=True)
class Reject:
    """Raise `error` in whoever waits for the step."""

    job_id: int
    key: StepKey
    error: FeedlineError


@dataclass(frozen=True, slots=True)
class Report:
    """Tell the sequence of a job that more of its samples are bad."""

    job_id: int


@dataclass(frozen=True, slots=True)
class Note:
    """Log a line; `level` is one of `logging`'s numbers."""

    level: int
    text: str


Sending: TypeAlias = SendJob | SendCloseJob | SendTicket | SendCancel | DropSlots
Instruction: TypeAlias = Sending | RestJob | ForgetJob | Keep | Discard | Deliver | Reject | Report | Note
