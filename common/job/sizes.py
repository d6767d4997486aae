"""Jobs whose batches have one of several sizes, as YOLO's multi-scale training wants them.

Which size a batch has depends on the seed, its epoch and its step alone, so that all producers agree.

Keras on TensorFlow fixes the shapes of all batches by two that it looks at beforehand, and throws away. So
these two are made apart: the same samples, in the two sizes that differ most. They are told by steps from
`FIRST_PEEK` on, which no epoch reaches, so that they are never fetched ahead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from feedline.common.arguments import pixels
from feedline.common.batch.layout import BatchLayout
from feedline.common.draws import Purpose, raw
from feedline.common.errors import ConfigurationError, RemoteProtocolError
from feedline.common.job.images import Job
from feedline.common.sample.image import Size

NUM_PEEKS = 2
"""So many batches Keras looks at."""

FIRST_PEEK = 1 << 40
"""An epoch has fewer steps."""


def peek_at(step: int, place: int) -> int:
    """Name the batch that shows a step's samples in the first or the second of `peeked_sizes`."""
    return FIRST_PEEK + NUM_PEEKS * step + place


def planned_step(step: int) -> int:
    """The step of the epoch whose samples a batch has, whether it is a peek or not."""
    return step if step < FIRST_PEEK else (step - FIRST_PEEK) // NUM_PEEKS


def peeked_sizes(sizes: Sequence[Size]) -> tuple[Size, Size]:
    """Two sizes that show which sides change at all, and if several do, those farthest apart.

    If heights change and widths change there are always two sizes that differ in both.
    """

    def distance(two: tuple[Size, Size]) -> tuple[int, int]:
        (height, width), (other_height, other_width) = two
        return (height != other_height) + (width != other_width), abs(
            height * width - other_height * other_width
        )

    small, large = max(
        combinations(sorted(sizes, key=lambda size: (size[0] * size[1], size)), 2), key=distance
    )
    return small, large


@dataclass(frozen=True, slots=True)
class SizesJob:
    """A job like another, but for the size of its batches.

    Attributes
    ----------
    job : Job
        All else about it.
    sizes : tuple of (int, int)
        (height, width) that images are brought to before the transforms; different ones, at least two.

    Raises
    ------
    ConfigurationError
        If the job cannot have one of the sizes.
    """

    job: Job
    sizes: tuple[Size, ...]

    def __post_init__(self) -> None:
        """Bring the sizes into one form, or refuse them."""
        sizes = tuple((pixels("height", height), pixels("width", width)) for height, width in self.sizes)
        object.__setattr__(self, "sizes", sizes)
        if len(set(sizes)) < max(2, len(sizes)):
            raise ConfigurationError(f"image_sizes must be at least two different sizes, got {list(sizes)}")
        if self.job.cache is not None:
            raise ConfigurationError("a cache holds images of one size: leave out cache=, or image_sizes=")
        # Adding up the bytes of each asks all transforms whether they can have it.
        _ = self.slot_bytes

    @property
    def job_id(self) -> int:
        """That of the job."""
        return self.job.job_id

    @property
    def seed(self) -> int:
        """That of the job."""
        return self.job.seed

    @property
    def num_sources(self) -> int:
        """That of the job."""
        return self.job.num_sources

    @property
    def slot_bytes(self) -> int:
        """Bytes of the largest batch."""
        return self.layout(self.job.batch_size).num_bytes

    def renumbered(self, job_id: int) -> SizesJob:
        """The same under another number."""
        return replace(self, job=self.job.renumbered(job_id))

    def layout(self, num_samples: int) -> BatchLayout:
        """Where the arrays of a batch lie, for the size that takes most."""
        layouts = (self.of_size(size).layout(num_samples) for size in self.sizes)
        return max(layouts, key=lambda layout: layout.num_bytes)

    def of_step(self, epoch: int, step: int) -> Job:
        """The job that makes one batch."""
        return self.of_size(self.size_of(epoch, step))

    def size_of(self, epoch: int, step: int) -> Size:
        """(height, width) of one batch, before its transforms."""
        if step >= FIRST_PEEK:
            return peeked_sizes(self.sizes)[(step - FIRST_PEEK) % NUM_PEEKS]
        (word,) = raw(Purpose.SIZE, self.job.seed, epoch, 1, row=step).tolist()
        return self.sizes[word % len(self.sizes)]

    def of_size(self, size: Size) -> Job:
        """The job with one size."""
        height, width = size
        return replace(self.job, image=replace(self.job.image, height=height, width=width))

    def to_wire(self) -> dict[str, Any]:
        """Plain values for msgpack."""
        return {
            "job_id": self.job_id,
            "job": self.job.to_wire(),
            "sizes": [list(size) for size in self.sizes],
        }

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> SizesJob:
        """Undo `to_wire`.

        Raises
        ------
        RemoteProtocolError
            A field is missing, unknown or has a value that no job can have.
        """
        try:
            if set(wire) != {"job_id", "job", "sizes"}:
                raise ConfigurationError(f"expected job_id, job and sizes, got {sorted(map(str, wire))}")
            return cls(Job.from_wire(wire["job"]), tuple(tuple(size) for size in wire["sizes"]))
        except (TypeError, ValueError) as error:
            raise RemoteProtocolError(f"not a job this version can build: {error}") from error
