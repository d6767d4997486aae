"""What a producer must know of a job to build any of its batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

from feedline.common.arguments import check_seed, dtype_name, whole
from feedline.common.batch.layout import ArraySpec, BatchLayout
from feedline.common.declarations.base import Transform
from feedline.common.declarations.catalogue import (
    check_image,
    check_order,
    from_wire,
    is_framed,
    num_sources,
    output_dtype,
    output_size,
    to_wire,
)
from feedline.common.declarations.mixing import Mixing, MixUp
from feedline.common.declarations.plugins import Foreign
from feedline.common.errors import ConfigurationError, FeedlineError, RemoteProtocolError
from feedline.common.job.caching import CacheSpec
from feedline.common.sample.boxes import BoxSpec
from feedline.common.sample.companions import Companion, Origin, Role
from feedline.common.sample.image import Fit, ImageSpec, Interpolation, Size


class TicketParts(NamedTuple):
    """The buffers of a ticket.

    Attributes
    ----------
    targets : sequence of buffer
        One for each `Job.targets`.
    boxes : sequence of buffer
        Two, if the job has boxes.
    regions : dict of str to sequence of buffer
        Two for each companion that is drawn, by its name.
    """

    targets: Sequence[Any]
    boxes: Sequence[Any]
    regions: dict[str, Sequence[Any]]


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
        Labels and weights. Their values travel in tickets and are copied into the batch; of samples that
        are mixed, they are mixed.
    cache : CacheSpec or None
        Whether, and where, decoded samples are kept for the next epoch.
    companions : tuple of Companion
        Further images of each sample; in a ticket the paths of those in files come after that of ``x``, in
        this order.
    boxes : BoxSpec or None
        What is done with the boxes that tickets carry, if they do.

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
    companions: tuple[Companion, ...] = ()
    boxes: BoxSpec | None = None

    def __post_init__(self) -> None:
        """Bring every value into one form, or refuse it."""
        object.__setattr__(self, "job_id", whole("job_id", self.job_id))
        object.__setattr__(self, "seed", check_seed(self.seed))
        object.__setattr__(self, "batch_size", whole("batch_size", self.batch_size, at_least=1))
        object.__setattr__(self, "dtype", dtype_name(self.dtype))
        # Floats made of 16-bit pixels have their range, and are refused what those are.
        output_dtype(self.transforms, self.image.dtype)
        names = [spec.name for spec in self.arrays]
        if len(set(names)) < len(names):
            raise ConfigurationError(f"the arrays of a batch need names of their own, got {names}")
        check_order(self.transforms)
        check_image(self.transforms, self.image.one_slice, "x", Role.INPUT)
        self._check_framing()
        self._check_companions()
        self._check_mixing()
        self._check_foreign()

    def _check_framing(self) -> None:
        if is_framed(self.transforms) != (self.image.fit == Fit.FRAMED):
            raise ConfigurationError(
                f"fit={str(self.image.fit)!r} does not go with transforms={self.transforms}"
            )
        resized = [one.image(self.image) for one in self.companions if one.role != Role.MASK]
        other = {image.interpolation for image in (self.image, *resized)} - {Interpolation.BILINEAR}
        if is_framed(self.transforms) and other:
            raise ConfigurationError(
                f"interpolation={str(min(other))!r} is that of the resize, in whose place"
                f" {type(self.transforms[0]).__name__} stands: say so there, with interpolation= or resample="
            )
        if is_framed(self.transforms) and self.cache is not None:
            raise ConfigurationError(
                f"a cache holds images of one size, and {type(self.transforms[0]).__name__} begins with those"
                " of the files: leave out cache="
            )

    def _check_companions(self) -> None:
        """Images beside ``x`` must be able to go where it does."""
        for companion in self.companions:
            image = companion.image(self.image)
            check_image(self.transforms, image, companion.name, companion.treated_as)
            if image.size != self.image.size:
                self._check_size(companion.name, image.size)

    def _check_size(self, name: str, size: Size) -> None:
        """Pixels of another size stay in place if all that is done to them is told in shares of the sides."""
        (height, width), (own_height, own_width) = self.image.size, size
        if self.image.fit == Fit.FRAMED or output_size(self.transforms, self.image.size) != self.image.size:
            why = f"a transform changes sizes: {self.transforms}"
        elif self.num_sources > 1:
            why = f"samples are mixed: {self.transforms}"
        elif height * own_width != width * own_height and (self.transforms or self.image.fit != Fit.STRETCH):
            why = f"the sides of x, {self.image.size}, have another ratio"
        else:
            return
        raise ConfigurationError(f"{name} cannot have image_size={size}, for {why}: leave it out")

    def _check_foreign(self) -> None:
        """What code from elsewhere does to places is not known, so nothing can follow it."""
        follows = {str(c.role) for c in self.companions if c.treated_as is not Role.INPUT}
        follows |= set() if self.boxes is None else {"boxes"}
        for transform in self.transforms:
            if isinstance(transform, Foreign) and transform.may_move and follows:
                raise ConfigurationError(
                    f"{transform.name} may move pixels, and {' and '.join(sorted(follows))} would not follow:"
                    " leave it out, or say moves_pixels=False if it changes nothing but their values"
                )

    def _check_mixing(self) -> None:
        for mixing in (transform for transform in self.transforms if isinstance(transform, Mixing)):
            name = type(mixing).__name__
            whole = [spec.name for spec in self.targets if not spec.dtype.startswith("float")]
            if whole:
                raise ConfigurationError(
                    f"{name} mixes labels in shares, so they must be floats, such as class_mode='categorical'"
                    f" makes; {', '.join(whole)} holds whole numbers"
                )
            masks = [companion.name for companion in self.companions if companion.role is Role.MASK]
            if masks and isinstance(mixing, MixUp):
                raise ConfigurationError(
                    f"{name} cannot blend class numbers ({', '.join(masks)}): use CutMix"
                )

    @property
    def x(self) -> ArraySpec:
        """The images of a batch: shape (height, width, channels) per sample, after all transforms."""
        return self._images("x", self.image, self._dtype)

    @property
    def arrays(self) -> tuple[ArraySpec, ...]:
        """All arrays of a batch: ``x`` and further inputs, `targets`, images and masks to predict, boxes."""
        inputs = [self.companion_array(c) for c in self.companions if c.role is Role.INPUT]
        outputs = [self.companion_array(c) for c in self.companions if c.role is not Role.INPUT]
        boxes = [] if self.boxes is None else [self.boxes.array]
        return (self.x, *inputs, *self.targets, *outputs, *boxes)

    def companion_array(self, companion: Companion) -> ArraySpec:
        """The array of a companion; some keep the values of their files."""
        image = companion.image(self.image)
        match companion.treated_as:
            case Role.MASK:
                dtype = image.dtype
            case Role.VALUES:
                dtype = str(companion.own.dtype)
            case _:
                dtype = self._dtype
        return self._images(companion.name, image, dtype)

    def _images(self, name: str, image: ImageSpec, dtype: str) -> ArraySpec:
        height, width = output_size(self.transforms, image.size)
        return ArraySpec(name, (height, width, image.channels), dtype)

    @property
    def _dtype(self) -> str:
        return output_dtype(self.transforms, self.dtype)

    def parted(self, buffers: Sequence[Any]) -> TicketParts:
        """Say which of a ticket's buffers are what."""
        with_boxes = len(self.targets)
        with_regions = with_boxes + (0 if self.boxes is None else 2)
        drawn = [one.name for one in self.companions if one.origin == Origin.REGIONS]
        regions = {name: buffers[with_regions + 2 * nth :][:2] for nth, name in enumerate(drawn)}
        return TicketParts(buffers[:with_boxes], buffers[with_boxes:with_regions], regions)

    @property
    def num_sources(self) -> int:
        """How many samples of a ticket become one of the batch; they stand together in it."""
        return num_sources(self.transforms)

    def renumbered(self, job_id: int) -> Job:
        """The same under another number."""
        return replace(self, job_id=job_id)

    def layout(self, num_samples: int) -> BatchLayout:
        """Where the arrays of a batch of `num_samples` samples lie."""
        return BatchLayout(self.arrays, num_samples)

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
            "companions": [companion.to_wire() for companion in self.companions],
            "boxes": None if self.boxes is None else self.boxes.to_wire(),
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
                companions=tuple(Companion.from_wire(companion) for companion in wire["companions"]),
                boxes=None if wire["boxes"] is None else BoxSpec.from_wire(wire["boxes"]),
            )
        except (KeyError, TypeError, ValueError, FeedlineError) as error:
            raise RemoteProtocolError(f"not a job this version can build: {error}") from error
