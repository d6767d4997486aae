"""What a producer must know of a job to build any of its batches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from common.arguments import check_seed, whole
from common.batch import ArraySpec, BatchLayout
from common.caching import CacheSpec
from common.errors import ConfigurationError, FeedlineError, RemoteProtocolError
from common.image import ImageSpec
from common.transforms import Transform, from_wire, output_dtype, output_size, to_wire


@dataclass(frozen=True, slots=True)
class Job:
    """One `BatchSequence`, as its producers see it.

    Attributes
    ----------
    job_id : int
        Unique within the pool.
    seed : int
        Seed of all random draws.
    batch_size : int
        Samples of a full batch, at least 1; slots are sized for it.
    image : ImageSpec
        What a file is decoded and resized to.
    transforms : tuple of Transform
        Applied in this order.
    dtype : str
        What the user asked for; `x` says what comes out.
    targets : tuple of ArraySpec
        Labels and weights. Their values travel in tickets and are copied into the batch.
    cache : CacheSpec or None
        Whether, and where, decoded samples are kept for the next epoch.

    Raises
    ------
    ConfigurationError
        A value that no job can have, quoted.
    """

    job_id: int
    seed: int
    batch_size: int
    image: ImageSpec
    transforms: tuple[Transform, ...]
    dtype: str
    targets: tuple[ArraySpec, ...]
    cache: CacheSpec | None = None

    def __post_init__(self) -> None:
        """Bring every value into one form, or refuse it."""
        for name in ("job_id", "seed", "batch_size"):
            object.__setattr__(self, name, whole(name, getattr(self, name)))
        if self.batch_size < 1:
            raise ConfigurationError(f"batch_size must be at least 1, got {self.batch_size}")
        check_seed(self.seed)
        names = [spec.name for spec in (self.x, *self.targets)]
        if len(set(names)) < len(names):
            raise ConfigurationError(f"the arrays of a batch need names of their own, got {names}")

    @property
    def x(self) -> ArraySpec:
        """The images of a batch: shape (height, width, channels) per sample, after all transforms."""
        height, width = output_size(self.transforms, (self.image.height, self.image.width))
        return ArraySpec("x", (height, width, self.image.channels), output_dtype(self.transforms, self.dtype))

    def layout(self, num_samples: int) -> BatchLayout:
        """Where the arrays of a batch of `num_samples` samples lie."""
        return BatchLayout((self.x, *self.targets), num_samples)

    @property
    def slot_bytes(self) -> int:
        """Bytes of a full batch."""
        return self.layout(self.batch_size).num_bytes

    def to_wire(self) -> dict[str, Any]:
        """Plain values for msgpack."""
        return {
            "job_id": self.job_id,
            "seed": self.seed,
            "batch_size": self.batch_size,
            "image": self.image.to_wire(),
            "transforms": to_wire(self.transforms),
            "dtype": self.dtype,
            "targets": [spec.to_wire() for spec in self.targets],
            "cache": None if self.cache is None else self.cache.to_wire(),
        }

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Job:
        """Undo `to_wire`.

        Raises
        ------
        RemoteProtocolError
            A field is missing, unknown or has a value that no job can have.
        """
        try:
            unknown = set(wire) - {field.name for field in fields(cls)}
            if unknown:
                raise ConfigurationError(f"unknown fields {sorted(map(str, unknown))}")
            return cls(
                job_id=wire["job_id"],
                seed=wire["seed"],
                batch_size=wire["batch_size"],
                image=ImageSpec.from_wire(wire["image"]),
                transforms=tuple(from_wire(wire["transforms"])),
                dtype=wire["dtype"],
                targets=tuple(ArraySpec.from_wire(spec) for spec in wire["targets"]),
                cache=None if wire["cache"] is None else CacheSpec.from_wire(wire["cache"]),
            )
        except (KeyError, TypeError, ValueError, FeedlineError) as error:
            raise RemoteProtocolError(f"not a job this version can build: {error}") from error
