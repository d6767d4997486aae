"""`RemoteSequence`: someone else's Sequence, run by producers."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy.typing as npt

from feedline.common.arguments import whole
from feedline.common.batch.packed import arrays_in, unpack
from feedline.common.errors import BatchError
from feedline.common.job.sequences import MAX_OUTLINE_CHARS, SequenceJob, Subject, Survey, SurveyJob
from feedline.common.signatures import suggests
from feedline.common.user_code import Arguments
from feedline.common.wire.names import one_line
from feedline.trainer.dispatch.slots import MIN_SLOTS
from feedline.trainer.plan.epochs import EpochPlan, StepKey
from feedline.trainer.pool.job_source import JobSource
from feedline.trainer.pool.producer_pool import ProducerPool
from feedline.trainer.pool.settings import WorkersArgument
from feedline.trainer.sequences.fingerprint import Fields, brief, digest
from feedline.trainer.sequences.resumable import ResumableSequence
from feedline.trainer.sequences.service import QueueSizeArgument, Service
from feedline.trainer.verdict.remedies import Possible

logger = logging.getLogger(__name__)

ROOM_BYTES = 64
"""A batch that was not looked at may need a few more bytes to say what is in it."""


class RemoteSequence(ResumableSequence):
    """The batches of a Sequence that runs inside producer processes, and is not imported here.

    Anything with ``__len__`` and ``__getitem__``, and perhaps ``on_epoch_end``, will do. Each epoch delivers
    each of its batches exactly once, and the same ones whichever producers make them: before every call
    Python's and NumPy's global generators are seeded, and before epoch e an instance has had
    ``on_epoch_end`` e times. Two instances are compared first.

    Parameters
    ----------
    reference : str
        ``"module:name"`` of the class, or of a function that makes one. Embedded producers look for the
        module where this process would; others have to be started with ``--allow module``.
    kwargs : mapping, optional
        What it is made with: numbers, texts, lists, tuples, dicts and arrays of numbers.
    shuffle : bool
        A new order of the batches each epoch, whatever ``fit`` is told. With False, tell ``fit`` so too: it
        shuffles batches by default, and prefetch cannot know how. What the Sequence itself shuffles is left
        to it either way.
    seed : int
        Of the order and of the global generators.
    batch_bytes : int, optional
        What the largest batch takes; by default, what the largest of the first, middle and last ones takes.
    workers, pool, max_queue_size, memory_budget, timeout_s, use_multiprocessing, monitor
        See `BatchSequence`.

    Raises
    ------
    ConfigurationError
        An argument that cannot work, quoted.
    BatchError
        The Sequence cannot be used: it may not be imported, fails, or does not do the same twice.
    StarvedError, ClosedError, InterruptedWaitError
        See `ProducerPool.fetch`: a producer is waited for until it has looked at the Sequence.

    Notes
    -----
    Arrays are what the Sequence returned, with its dtypes; lists of them become tuples, as Keras wants them.
    They may be kept as long as you like. Called from any thread; close it, or use ``with``.

    Examples
    --------
    >>> sequence = RemoteSequence("my_module:DataGenerator", {"batch_size": 8}, workers=4)  # doctest: +SKIP
    >>> model.fit(sequence, shuffle=False)  # doctest: +SKIP
    """

    @suggests(
        args="arguments of your Sequence go into kwargs, by their names",
        batch_size="arguments of your Sequence go into kwargs={...}",
        on_error="it is for files that Feedline reads: your Sequence deals with its own",
    )
    def __init__(
        self,
        reference: str,
        kwargs: Mapping[str, Any] | None = None,
        *,
        shuffle: bool = False,
        seed: int = 0,
        batch_bytes: int | None = None,
        workers: WorkersArgument = None,
        pool: ProducerPool | None = None,
        max_queue_size: QueueSizeArgument | None = None,
        memory_budget: int | None = None,
        timeout_s: float = 600,
        use_multiprocessing: bool | None = None,
        monitor: str | None = None,
    ) -> None:
        subject = Subject(reference, Arguments.of(f"kwargs of {reference!r}", kwargs or {}), seed)
        service = Service(pool, workers, memory_budget, max_queue_size, timeout_s, monitor)
        if batch_bytes is not None:
            batch_bytes = whole("batch_bytes", batch_bytes, at_least=1, unit=" of bytes")
        if use_multiprocessing:
            logger.info("use_multiprocessing is ignored: Feedline's producers are processes anyway")

        def source_of(pool: ProducerPool) -> JobSource:
            found = self._survey = _survey(pool, subject, service.timeout_s)
            largest = batch_bytes or found.batch_bytes + ROOM_BYTES
            job = SequenceJob(pool.new_job_id(), subject, found.num_steps, largest, found.digest)
            plan = EpochPlan(found.num_steps, 1, shuffle, seed)
            names = Places(reference, found.num_steps)
            return JobSource(
                f"sequence {job.job_id} ({reference}, {plan.num_steps} batches)",
                job,
                plan,
                names,
                (),
                service.max_slots,
                usual_s=found.batch_s,
                first_slots=service.first_slots,
            )

        self._reference, self._subject = reference, subject
        possible = Possible(longer_queue=service.first_slots is None)
        super().__init__(service, source_of, chances=lambda _: possible)

    def __repr__(self) -> str:
        state = "" if self._end.alive else ", closed"
        return f"RemoteSequence({self._reference!r}, {len(self)} batches, {self._survey.outline}{state})"

    def _decisive(self) -> Fields:
        return {
            "reference": brief(self._reference),
            "kwargs": digest(self._subject.kwargs),
            "batches": len(self),
            "shuffle": self._plan.shuffle,
            "content": digest(self._survey.digest),
        }

    def _unpack(self, arrays: dict[str, npt.NDArray[Any]]) -> tuple[Any, int]:
        batch = unpack(arrays["x"][0])
        first = next(arrays_in(batch))
        return batch, len(first) if first.ndim else 1


@dataclass(frozen=True, slots=True)
class Places(Sequence[str]):
    """What the batches of a Sequence are called in errors: ``module:name[index]``.

    Attributes
    ----------
    reference : str
        The Sequence.
    num : int
        How many it has. A producer says so, and nothing is made for each of them.
    """

    reference: str
    num: int

    def __len__(self) -> int:
        return self.num

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        chosen = range(self.num)[index]
        if isinstance(chosen, range):
            return [f"{self.reference}[{place}]" for place in chosen]
        return f"{self.reference}[{chosen}]"


def _survey(pool: ProducerPool, subject: Subject, timeout_s: float) -> Survey:
    """Have a producer look at the Sequence, as the one batch of a job of its own."""
    job = SurveyJob(pool.new_job_id(), subject)
    plan = EpochPlan(num_samples=1, batch_size=1)
    name = f"survey {job.job_id} of {subject.reference}"
    pool.open_job(JobSource(name, job, plan, [subject.reference], (), MIN_SLOTS, prefetches=False))
    try:
        found: Survey = pool.fetch(
            job.job_id, StepKey(0, 0), timeout_s, lambda arrays: Survey.read(arrays["x"][0])
        )
    except BatchError as error:
        raise BatchError(f"{subject.reference} cannot be served: {error}") from error
    finally:
        pool.close_job(job.job_id)
    return replace(found, outline=one_line(found.outline, MAX_OUTLINE_CHARS))
