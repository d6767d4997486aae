"""Someone else's Sequence -> batches.

A Sequence draws from wherever it likes, and keeps state from one epoch to the next. All the same every
producer has to make the same batch of (epoch, index), also one that joins late. So Python's and NumPy's
global generators are seeded before every call, by what is called, and an instance reaches an epoch by as
many ``on_epoch_end`` as Keras would have called. Whatever else a Sequence draws from shows when two
instances are compared, before the first batch is delivered.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from feedline.common.batch.packed import PackedBatch
from feedline.common.draws import Purpose, raw
from feedline.common.errors import UserCodeError
from feedline.common.job.sequences import SequenceJob, Subject, Survey, SurveyJob
from feedline.common.stages import Stage
from feedline.common.wire.protocol import Ticket
from feedline.producer.building.batches import CancelledBuildError
from feedline.producer.building.slots import OwnSlots
from feedline.producer.building.stage_clock import StageClock
from feedline.producer.plugins import Plugins

EPOCHS_COMPARED = 2
"""A Sequence may shuffle when it is made, or at the end of an epoch, which is first seen in the next."""

REMEDY = (
    "Draw from `random` or `numpy.random` themselves, which are seeded before every call, or from a generator"
    " with a fixed seed that is used in __init__ and on_epoch_end alone; not from os.urandom, the clock,"
    " numpy.random.default_rng() without a seed, nor in __getitem__ from one generator that goes on and on"
)


class Occasion(IntEnum):
    """What the global generators are seeded for: each has draws of its own."""

    MAKING = 0
    EPOCH_END = 1
    BATCH = 2


@dataclass(frozen=True, slots=True)
class Sighting:
    """What is known of a batch after its arrays may have changed: a Sequence may use them again.

    Attributes
    ----------
    digest : str
        `PackedBatch.digest`.
    num_bytes : int
        Of the batch.
    outline : str
        `PackedBatch.outline`.
    seconds : float
        What it took to make.
    """

    digest: str
    num_bytes: int
    outline: str
    seconds: float


class Replica:
    """One instance of a Sequence, and the epoch it is in.

    Parameters
    ----------
    subject : Subject
        What it is.
    plugins : Plugins
        Say whether it may be.

    Raises
    ------
    UserCodeError
        It may not, or is no Sequence.
    """

    def __init__(self, subject: Subject, plugins: Plugins) -> None:
        make = plugins.load(subject.reference)
        self._subject = subject
        self._seed(Occasion.MAKING)
        self._sequence = make(**subject.kwargs.unpack())
        self._check_methods()
        self.epoch = 0

    def __len__(self) -> int:
        """Batches of an epoch, at least 1. Raises UserCodeError if the Sequence says something else."""
        reference = self._subject.reference
        try:
            length = self._sequence.__len__()
        except Exception as error:
            raise UserCodeError(
                f"{reference} has no length: its __len__ raised {type(error).__name__}: {error}"
            ) from error
        if not hasattr(length, "__index__"):
            raise UserCodeError(
                f"the __len__ of {reference} gives {length!r}, and a length is whole: int(...) makes it so"
            )
        if length < 1:
            raise UserCodeError(
                f"{reference} has no batches: its __len__ gives {length}. Look at what it was made with,"
                f" {_shown(self._subject)}, and whether what it reads is there for producers, too"
            )
        return int(length)

    def _check_methods(self) -> None:
        missing = [name for name in ("__len__", "__getitem__") if not hasattr(self._sequence, name)]
        if missing:
            raise UserCodeError(
                f"{self._subject.reference} makes a {type(self._sequence).__name__}, which has no"
                f" {' and no '.join(missing)}: expected a Sequence, which has __len__ and __getitem__"
            )

    def advance_to(self, epoch: int, is_cancelled: Callable[[], bool] = lambda: False) -> None:
        """End epochs until it is in `epoch`, which does not lie behind it; or until it is not wanted."""
        while self.epoch < epoch:
            if is_cancelled():
                raise CancelledBuildError
            self.epoch += 1
            self._seed(Occasion.EPOCH_END)
            getattr(self._sequence, "on_epoch_end", _nothing)()

    def see(self, index: int) -> Sighting:
        """Look at batch `index`. Raises whatever the Sequence does."""
        began = time.monotonic()
        batch = self.batch(index)
        seconds = time.monotonic() - began
        return Sighting(batch.digest, batch.num_bytes, batch.outline, seconds)

    def batch(self, index: int) -> PackedBatch:
        """Batch `index` of its epoch, good until the next call. Raises whatever the Sequence does."""
        self._seed(Occasion.BATCH, index)
        return PackedBatch.of(self._sequence[index])

    def _seed(self, occasion: Occasion, index: int = 0) -> None:
        epoch = 0 if occasion is Occasion.MAKING else self.epoch
        words = raw(Purpose.SEQUENCE, self._subject.seed, epoch, 4, row=index, occurrence=occasion)
        random.seed(int.from_bytes(words.tobytes(), "little"))
        np.random.seed(words.view(np.uint32))  # noqa: NPY002 - what old Sequences draw from


def survey(subject: Subject, plugins: Plugins) -> Survey:
    """Find out about a Sequence, and whether two of it agree.

    The twin is asked for the same batches in another order, and more often: what depends on that would
    depend on which producer got which tickets.

    Raises
    ------
    UserCodeError
        They do not, or the Sequence cannot be used; says what to do.
    """
    began = time.monotonic()
    one = Replica(subject, plugins)
    making_s = time.monotonic() - began
    twin = Replica(subject, plugins)
    num_steps = len(one)
    if len(twin) != num_steps:
        raise UserCodeError(
            f"{subject.reference} has {num_steps} batches, and {len(twin)} when made again: expected the same"
        )
    indices = sorted({0, num_steps // 2, num_steps - 1})
    seen: list[Sighting] = []
    for epoch in range(EPOCHS_COMPARED):
        one.advance_to(epoch)
        twin.advance_to(epoch)
        batches = [one.see(index) for index in indices]
        twin.batch(indices[0])
        for index, batch in reversed(list(zip(indices, batches, strict=True))):
            _compare(subject, epoch, index, batch, twin.see(index))
        seen += batches
    largest, slowest = max(batch.num_bytes for batch in seen), max(batch.seconds for batch in seen)
    # The first batch of each producer comes with making the Sequence, which may read a table for long.
    return Survey(num_steps, largest, seen[0].outline, seen[0].digest, making_s + slowest)


def _compare(subject: Subject, epoch: int, index: int, batch: Sighting, other: Sighting) -> None:
    if batch.digest != other.digest:
        raise UserCodeError(
            f"two instances of {subject.reference} with the same arguments disagree on batch {index} of epoch"
            f" {epoch}, so each producer would train on an order of its own. {REMEDY}"
        )


class Surveyor:
    """Builds the one batch of a `SurveyJob` that is asked for.

    Parameters
    ----------
    job : SurveyJob
        What to look at.
    plugins : Plugins
        What may be imported.
    clock : StageClock
        Told what the time goes into.
    """

    def __init__(self, job: SurveyJob, plugins: Plugins, clock: StageClock) -> None:
        self._job = job
        self._plugins = plugins
        self._clock = clock
        self._slots = OwnSlots(job.slot_bytes)

    def build(
        self,
        ticket: Ticket,
        is_cancelled: Callable[[], bool],
        memory: npt.NDArray[np.uint8] | None = None,
    ) -> npt.NDArray[np.uint8]:
        """See `TicketBuilder`."""
        if is_cancelled():
            raise CancelledBuildError
        slot = self._slots[ticket.slot] if memory is None else memory
        self._clock.begin(Stage.TRANSFORM, f"{self._job.subject.reference}, which is looked at first,")
        survey(self._job.subject, self._plugins).write(slot)
        self._clock.lap(Stage.TRANSFORM)
        return slot

    def forget(self, slots: Sequence[int]) -> None:
        """See `TicketBuilder`."""
        self._slots.forget(slots)

    def close(self) -> None:
        """There is nothing to give back."""


class SequenceBuilder:
    """Builds the batches of a `SequenceJob`.

    Tickets go forward, but for a step that another producer has lost: for an epoch that is over an
    instance is made anew, and kept beside the one that is ahead.

    Parameters
    ----------
    job : SequenceJob
        What to build.
    plugins : Plugins
        What may be imported.
    clock : StageClock
        Told what the time goes into.
    """

    def __init__(self, job: SequenceJob, plugins: Plugins, clock: StageClock) -> None:
        self._job = job
        self._plugins = plugins
        self._clock = clock
        self._slots = OwnSlots(job.slot_bytes)
        self._replicas: list[Replica] = []

    def build(
        self,
        ticket: Ticket,
        is_cancelled: Callable[[], bool],
        memory: npt.NDArray[np.uint8] | None = None,
    ) -> npt.NDArray[np.uint8]:
        """See `TicketBuilder`; the ticket's one sample is named by its index."""
        if is_cancelled():
            raise CancelledBuildError
        slot = self._slots[ticket.slot] if memory is None else memory
        row = ticket.samples[0].row
        self._clock.begin(Stage.TRANSFORM, f"{self._job.subject.reference}[{row}]")
        batch = self._replica_in(ticket.epoch, is_cancelled).batch(row)
        if batch.num_bytes > len(slot):
            raise UserCodeError(
                f"a batch of {batch.num_bytes:,} bytes, {batch.outline}, where the largest was thought to"
                f" have {self._job.batch_bytes:,}: pass batch_bytes={batch.num_bytes}, or more, to"
                " RemoteSequence"
            )
        batch.write(slot)
        self._clock.lap(Stage.TRANSFORM)
        return slot

    def forget(self, slots: Sequence[int]) -> None:
        """See `TicketBuilder`."""
        self._slots.forget(slots)

    def close(self) -> None:
        """There is nothing to give back."""

    def _replica_in(self, epoch: int, is_cancelled: Callable[[], bool]) -> Replica:
        """An instance that is in `epoch`."""
        ahead = max(self._replicas, key=lambda replica: replica.epoch, default=None)
        behind = [replica for replica in self._replicas if replica.epoch <= epoch]
        if not behind:
            behind = [self._checked()]
            self._replicas = behind if ahead is None else [ahead, *behind]
        replica = max(behind, key=lambda replica: replica.epoch)
        replica.advance_to(epoch, is_cancelled)
        return replica

    def _checked(self) -> Replica:
        """A new instance, if it is what the job was opened for."""
        replica = Replica(self._job.subject, self._plugins)
        here, there = len(replica), self._job.num_steps
        if here != there or replica.batch(0).digest != self._job.digest:
            raise UserCodeError(
                f"{self._job.subject.reference} is not the same here as at the producer that was asked first:"
                f" {here} batches instead of {there}, or others. All producers need the same files, the same"
                " version of its module, and no draws that differ from process to process"
            )
        return replica


def _shown(subject: Subject) -> str:
    return f"{subject.kwargs.unpack()!r:.200}"


def _nothing() -> None:
    """Stands for an ``on_epoch_end`` that there is not."""
