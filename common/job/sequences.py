"""Jobs whose batches someone else's Sequence makes: what a producer must know of them.

The trainer does not import the Sequence, so it learns from a producer how long it is and how large its
batches are. A `SurveyJob` has one step, and the batch of that step is the answer, a `Survey`; then a
`SequenceJob` is opened with what it says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

import msgpack
import numpy as np
import numpy.typing as npt

from feedline.common.arguments import check_seed, whole
from feedline.common.batch.layout import ArraySpec, BatchLayout, aligned
from feedline.common.errors import ConfigurationError, RemoteProtocolError
from feedline.common.user_code import Arguments, check_reference

SURVEY_BYTES = 1 << 16
"""What a survey may take."""

MAX_OUTLINE_CHARS = 2000
"""So much is told of the structure of a batch."""

MAX_STEPS = 1 << 32
"""So many batches an epoch may have."""

MAX_BATCH_BYTES = 1 << 46
"""More than any address space has room for two of."""

MAX_S = 1e9
"""Thirty years: no batch took longer."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A Sequence, as it is made anywhere.

    Attributes
    ----------
    reference : str
        ``"module:name"`` of its class, or of a function that makes one.
    kwargs : Arguments
        What it is made with.
    seed : int
        Of all that it draws from Python's and NumPy's global generators.
    """

    reference: str
    kwargs: Arguments
    seed: int

    def __post_init__(self) -> None:
        """Bring every value into one form, or refuse it."""
        check_reference("the Sequence", self.reference)
        object.__setattr__(self, "kwargs", Arguments.of(f"kwargs of {self.reference}", self.kwargs))
        object.__setattr__(self, "seed", check_seed(self.seed))

    def to_wire(self) -> dict[str, Any]:
        """Plain values for msgpack."""
        return {"reference": self.reference, "kwargs": self.kwargs.packed, "seed": self.seed}


@dataclass(frozen=True, slots=True)
class Survey:
    """What a producer has found out about a Sequence.

    Attributes
    ----------
    num_steps : int
        Its length.
    batch_bytes : int
        Of the largest batch that was looked at.
    outline : str
        Structure, dtypes and shapes of its first batch, for people.
    digest : str
        SHA-256 of the first batch of epoch 0: every producer makes the same.
    batch_s : float
        Seconds that making the Sequence took, and the slowest batch that was looked at: what the first batch
        of a producer may take.
    """

    num_steps: int
    batch_bytes: int
    outline: str
    digest: str
    batch_s: float = field(default=0.0, compare=False)

    def __post_init__(self) -> None:
        """Refuse what nobody can have found out."""
        for name, limit in (("num_steps", MAX_STEPS), ("batch_bytes", MAX_BATCH_BYTES)):
            object.__setattr__(self, name, whole(name, getattr(self, name), at_least=1, at_most=limit))
        for text in (self.outline, self.digest):
            if not isinstance(text, str):
                raise ConfigurationError(f"outline and digest must be texts, got {text!r:.80}")
        if not isinstance(self.batch_s, int | float) or not 0 <= self.batch_s < MAX_S:
            raise ConfigurationError(f"batch_s must be a number of seconds, got {self.batch_s!r:.80}")

    def write(self, memory: npt.NDArray[np.uint8]) -> None:
        """Leave it in a slot."""
        data = msgpack.packb({**asdict(self), "outline": self.outline[:MAX_OUTLINE_CHARS]})
        memory[:] = 0
        memory[: len(data)] = np.frombuffer(data, np.uint8)

    @classmethod
    def read(cls, memory: npt.NDArray[np.uint8]) -> Survey:
        """Undo `write`.

        Raises
        ------
        RemoteProtocolError
            There is none.
        """
        unpacker = msgpack.Unpacker()
        unpacker.feed(memory)
        try:
            found = cls(**unpacker.unpack())
        except (RecursionError, TypeError, ValueError, msgpack.UnpackException) as error:
            raise RemoteProtocolError(f"not a survey: {error}") from error
        return found


@dataclass(frozen=True, slots=True)
class SurveyJob:
    """Finds out about a Sequence: the batch of its first step is a `Survey`.

    Attributes
    ----------
    job_id : int
        Unique within the pool.
    subject : Subject
        What to look at.
    """

    job_id: int
    subject: Subject

    @property
    def seed(self) -> int:
        """That of the subject."""
        return self.subject.seed

    @property
    def num_sources(self) -> int:
        """Nothing is mixed."""
        return 1

    @property
    def slot_bytes(self) -> int:
        """Bytes of the answer."""
        return SURVEY_BYTES

    def renumbered(self, job_id: int) -> Self:
        """The same under another number."""
        return replace(self, job_id=job_id)

    def layout(self, num_samples: int) -> BatchLayout:
        """One array, x, of bytes."""
        return _bytes_layout(self.slot_bytes, num_samples)

    def to_wire(self) -> dict[str, Any]:
        """Plain values for msgpack."""
        return {"job_id": self.job_id, **self.subject.to_wire()}

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> SurveyJob:
        """Undo `to_wire`. Raises KeyError, TypeError or ConfigurationError if that cannot be done."""
        rest = dict(wire)
        return cls(rest.pop("job_id"), Subject(**rest))


@dataclass(frozen=True, slots=True)
class SequenceJob:
    """The batches of someone else's Sequence, each a `feedline.common.batch.packed.PackedBatch`.

    Attributes
    ----------
    job_id : int
        Unique within the pool.
    subject : Subject
        What makes them.
    num_steps : int
        Batches of an epoch.
    batch_bytes : int
        No batch may take more.
    digest : str
        See `Survey`.
    """

    job_id: int
    subject: Subject
    num_steps: int
    batch_bytes: int
    digest: str

    def __post_init__(self) -> None:
        """Refuse what no job can have."""
        for name in ("num_steps", "batch_bytes"):
            object.__setattr__(self, name, whole(name, getattr(self, name), at_least=1))

    @property
    def seed(self) -> int:
        """That of the subject."""
        return self.subject.seed

    @property
    def num_sources(self) -> int:
        """Nothing is mixed."""
        return 1

    @property
    def slot_bytes(self) -> int:
        """Bytes of the largest batch."""
        return aligned(self.batch_bytes)

    def renumbered(self, job_id: int) -> Self:
        """The same under another number."""
        return replace(self, job_id=job_id)

    def layout(self, num_samples: int) -> BatchLayout:
        """One array, x, of bytes: what is in them, they say themselves."""
        return _bytes_layout(self.slot_bytes, num_samples)

    def to_wire(self) -> dict[str, Any]:
        """Plain values for msgpack."""
        own = {name: getattr(self, name) for name in ("job_id", "num_steps", "batch_bytes", "digest")}
        return {**own, **self.subject.to_wire()}

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> SequenceJob:
        """Undo `to_wire`. Raises KeyError, TypeError or ConfigurationError if that cannot be done."""
        rest = dict(wire)
        own = [rest.pop(name) for name in ("num_steps", "batch_bytes", "digest")]
        return cls(rest.pop("job_id"), Subject(**rest), *own)


def _bytes_layout(num_bytes: int, num_samples: int) -> BatchLayout:
    return BatchLayout((ArraySpec("x", (num_bytes,), "uint8"),), num_samples)
