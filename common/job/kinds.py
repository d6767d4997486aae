"""The kinds of jobs there are, by the name that travels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, Self

from feedline.common.batch.layout import BatchLayout
from feedline.common.errors import FeedlineError, RemoteProtocolError
from feedline.common.job.images import Job
from feedline.common.job.sequences import SequenceJob, SurveyJob
from feedline.common.job.sizes import SizesJob


class AnyJob(Protocol):
    """What the machinery between a sequence and its batches needs to know of a job."""

    @property
    def job_id(self) -> int:
        """Unique within the pool."""

    @property
    def seed(self) -> int:
        """Seed of all random draws."""

    @property
    def num_sources(self) -> int:
        """Samples of a ticket for each of the batch: more than one are mixed."""

    @property
    def slot_bytes(self) -> int:
        """Bytes of the largest batch."""

    def renumbered(self, job_id: int) -> Self:
        """The same under another number."""

    def layout(self, num_samples: int) -> BatchLayout:
        """Where the arrays of a batch lie."""

    def to_wire(self) -> dict[str, Any]:
        """Plain values for msgpack."""


JOB_KINDS: dict[str, Any] = {
    "images": Job,
    "sizes": SizesJob,
    "survey": SurveyJob,
    "sequence": SequenceJob,
}
"""A producer has a builder for each: `feedline.producer.building.builders`."""

_NAMES = {kind: name for name, kind in JOB_KINDS.items()}


def job_to_wire(job: AnyJob) -> dict[str, Any]:
    """Plain values for msgpack, with the name of the kind."""
    return {"kind": _NAMES[type(job)], **job.to_wire()}


STRANGE = (ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError, ValueError)
"""What a description raises that no trainer sends."""


def job_from_wire(wire: Mapping[str, Any]) -> AnyJob:
    """Undo `job_to_wire`.

    Raises
    ------
    RemoteProtocolError
        The kind is unknown here, or a field has a value that no job can have.
    """
    rest = dict(wire)
    name = rest.pop("kind", None)
    kind = JOB_KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise RemoteProtocolError(f"not a job this version can build: no kind {name!r:.80}")
    try:
        job: AnyJob = kind.from_wire(rest)
    except RemoteProtocolError:
        raise
    except (*STRANGE, FeedlineError) as error:
        raise RemoteProtocolError(f"not a job this version can build: {error}") from error
    return job
