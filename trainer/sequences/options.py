"""The arguments of a `BatchSequence`, and the job that they come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from feedline.common.arguments import dtype_name, number_in, one_of, yes_or_no
from feedline.common.batch.layout import ArraySpec
from feedline.common.declarations.base import Transform
from feedline.common.declarations.catalogue import is_framed, num_sources, output_size
from feedline.common.declarations.ranges import misjudged, range_of
from feedline.common.errors import ConfigurationError
from feedline.common.job.caching import CacheSpec
from feedline.common.job.images import Job
from feedline.common.job.sizes import NUM_PEEKS, SizesJob
from feedline.common.notices import warn
from feedline.common.sample.boxes import BoxSpec
from feedline.common.sample.companions import COLORS, Companion, ImageOptions, Role
from feedline.common.sample.ct import CTWindows
from feedline.common.sample.image import ColorMode, Fit, ImageSpec, decoded_dtype, size_of
from feedline.trainer.datasets.classes import single_classes
from feedline.trainer.datasets.dataset import ImageDataset
from feedline.trainer.datasets.further import ARGUMENTS, DrawnMasks, FurtherImages, companions_of
from feedline.trainer.dispatch.bad_samples import BadSamples
from feedline.trainer.plan.epochs import EpochPlan
from feedline.trainer.plan.lineups import Lineups, OnError
from feedline.trainer.plan.samplers import Sampler
from feedline.trainer.pool.job_source import JobSource, ticket_paths
from feedline.trainer.pool.producer_pool import ProducerPool
from feedline.trainer.sequences.failures import FailuresCsv, reporting
from feedline.trainer.sequences.service import Service
from feedline.trainer.targets.encoding import check_targets
from feedline.trainer.targets.yolo import YoloTargets


@dataclass(frozen=True)
class SequenceOptions:
    """What is delivered, in which order and how it looks; see `BatchSequence` for each attribute.

    Raises
    ------
    ConfigurationError
        When the job is made of them: an argument that cannot work, quoted.
    """

    dataset: ImageDataset
    batch_size: int
    image_size: tuple[int, int]
    image_sizes: Sequence[tuple[int, int]] | None
    color_mode: str | CTWindows
    interpolation: str
    crop_to_aspect_ratio: bool
    pad_to_aspect_ratio: bool
    jpeg_scaling: bool
    transforms: Sequence[Transform]
    dtype: str
    shuffle: bool
    seed: int
    targets: YoloTargets | None
    mask_fill: int
    max_boxes: int | None
    min_box_side: float
    drop_remainder: bool
    cache: str | None
    cache_bytes: int | None
    shard_index: int
    shard_count: int
    shard_remainder: str
    sampler: Sampler | None
    on_error: str
    max_bad_share: float
    inputs: ImageOptions | Sequence[ImageOptions] | None
    target_images: ImageOptions | Sequence[ImageOptions] | None
    masks: ImageOptions | Sequence[ImageOptions] | None

    def __post_init__(self) -> None:
        """Refuse what is no dataset, and what Keras would; bring names and switches into one form."""
        object.__setattr__(self, "dtype", dtype_name(self.dtype))
        object.__setattr__(self, "on_error", one_of(OnError, "on_error", self.on_error))
        object.__setattr__(self, "max_bad_share", number_in("max_bad_share", self.max_bad_share, 0, 1))
        for name in ("crop_to_aspect_ratio", "pad_to_aspect_ratio", "jpeg_scaling"):
            object.__setattr__(self, name, yes_or_no(name, getattr(self, name)))
        if not isinstance(self.dataset, ImageDataset):
            raise ConfigurationError(
                "a BatchSequence needs an ImageDataset, such as ImageDataset.from_dataframe(...) makes;"
                f" got {type(self.dataset).__name__}"
            )
        if self.dataset.weights is not None and not self.dataset.has_targets:
            raise ConfigurationError(
                "Keras takes sample weights only together with labels; the dataset has none"
            )
        # A class has the methods, too, but is none.
        if self.sampler is not None and (
            isinstance(self.sampler, type) or not isinstance(self.sampler, Sampler)
        ):
            raise ConfigurationError(
                f"sampler must be one such as BalancedSampler(...), got {self.sampler!r}"
            )
        if self.targets is not None and not isinstance(self.targets, YoloTargets):
            raise ConfigurationError(f"targets must be YoloTargets(num_classes, ...), got {self.targets!r}")
        if self.image_sizes is not None and (
            not isinstance(self.image_sizes, Sequence) or not len(self.image_sizes)
        ):
            raise ConfigurationError(
                f"image_sizes must be a list of (height, width), got {self.image_sizes!r}"
            )
        masks = [images for images in self.dataset.further if images.role is Role.MASK]
        if self.mask_fill != 0 and not masks:
            raise ConfigurationError(
                f"mask_fill={self.mask_fill!r} needs a dataset with masks; this one has none"
            )
        self._check_transforms()

    def _check_transforms(self) -> None:
        if not isinstance(self.transforms, Sequence):
            raise ConfigurationError(
                f"transforms must be a list of those in feedline.transforms, got {self.transforms!r}"
            )
        for transform in self.transforms:
            if not isinstance(transform, Transform):
                raise ConfigurationError(
                    f"transforms must be such as feedline.transforms.RandomFlip(), got {transform!r}: Keras"
                    " layers become some by from_keras_layers, a function of yours by PythonTransform"
                )

    def _warn_of_ranges(self) -> None:
        """Say which transforms are made for values that are not those of their pixels."""
        pixels = range_of(self.image.dtype)
        for text in misjudged(self.transforms, pixels):
            warn(text)

    @cached_property
    def plan(self) -> EpochPlan:
        """Which samples form which step."""
        return EpochPlan(
            len(self.dataset),
            self.batch_size,
            self.shuffle,
            self.seed,
            self.drop_remainder,
            self.shard_index,
            self.shard_count,
            None if self.sampler is None else self.sampler.bind(self.dataset),
            self.shard_remainder,
        )

    @cached_property
    def image(self) -> ImageSpec:
        """What files are decoded and resized to."""
        size = self.image_size if self.image_sizes is None else self.image_sizes[0]
        height, width = size_of("image_size", size)
        fit = Fit.of(
            crop_to_aspect_ratio=self.crop_to_aspect_ratio,
            pad_to_aspect_ratio=self.pad_to_aspect_ratio,
            framed=is_framed(self.transforms),
        )
        mode = self.color_mode
        if not isinstance(mode, CTWindows):
            mode = one_of(ColorMode, "color_mode", mode, *COLORS, ColorMode.HOUNSFIELD)
        return ImageSpec(
            height,
            width,
            mode,
            self.interpolation,
            fit,
            decoded_dtype(mode, self.dtype),
            self.jpeg_scaling,
            self.dataset.num_slices,
            self.dataset.dicom,
        )

    @cached_property
    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Labels and weights of all samples, by their names in a batch."""
        targets = self.dataset.targets
        names = ["y"] if len(targets) == 1 else [f"y{i}" for i in range(len(targets))]
        arrays = dict(zip(names, targets, strict=True))
        if self.dataset.weights is not None:
            arrays["weight"] = np.asarray(self.dataset.weights, np.float32)
        return arrays

    def job(self, job_id: int) -> Job | SizesJob:
        """What producers are told."""
        job = self._job_of_one_size(job_id)
        if self.image_sizes is None:
            return job
        if self.plan.num_steps < NUM_PEEKS:
            raise ConfigurationError(
                f"image_sizes= needs at least {NUM_PEEKS} batches an epoch, from which Keras learns what"
                f" changes; {self.plan.shard_samples} samples give {self.plan.num_steps}"
            )
        return SizesJob(job, tuple(size_of("image_sizes", size) for size in self.image_sizes))

    def _job_of_one_size(self, job_id: int) -> Job:
        return Job(
            job_id,
            self.seed,
            self.batch_size,
            self.image,
            tuple(self.transforms),
            self.dtype,
            tuple(ArraySpec(name, a.shape[1:], a.dtype.name) for name, a in self.arrays.items()),
            CacheSpec.of(self.cache, self.cache_bytes, len(self.dataset)),
            self.companions,
            self._boxes(),
        )

    @cached_property
    def companions(self) -> tuple[Companion, ...]:
        """Further images of each sample."""
        return self._companions()

    def _companions(self) -> tuple[Companion, ...]:
        own = {role: getattr(self, argument) for role, argument in ARGUMENTS.items()}
        companions = companions_of(self.dataset.further, own, self.mask_fill)
        if self.image_sizes is not None and any(one.own.image_size for one in companions):
            raise ConfigurationError(
                "images of a size of their own do not go with image_sizes=: leave one out"
            )
        for further, companion in zip(self.dataset.further, companions, strict=True):
            if isinstance(further, DrawnMasks):
                self._check_values(further, companion.image(self.image).dtype)
        return companions

    def _check_values(self, masks: DrawnMasks, dtype: str) -> None:
        if masks.highest > np.iinfo(dtype).max:
            raise ConfigurationError(
                f"a mask has values up to {masks.highest}, and {dtype} ends at {np.iinfo(dtype).max}: pass"
                ' masks=ImageOptions(dtype="uint16")'
            )

    def bad_samples(self, num_sources: int) -> BadSamples:
        """Nothing that is known yet, and what is done when there is."""
        classes = single_classes(self.dataset.targets, self.dataset.class_names)
        lineups = Lineups(self.plan, num_sources, OnError(self.on_error), classes)
        return BadSamples(lineups, self.max_bad_share, self._files_of, self.dataset.root)

    def _files_of(self, row: int) -> tuple[str, ...]:
        """The files of a sample, as the dataset names them, in the order of a ticket."""
        data = self.dataset
        own = (data.paths[row],) if data.stacks is None else data.stacks[row]
        return own + tuple(one.paths[row] for one in data.further if isinstance(one, FurtherImages))

    def source(self, pool: ProducerPool, service: Service, failures: FailuresCsv | None = None) -> JobSource:
        """What a pool needs to serve it."""
        job = self.job(pool.new_job_id())
        self._check_targets()
        self._warn_of_ranges()
        as_told = partial(ticket_paths, directory=self._folder_for(pool), embedded=pool.embedded)
        stacks = self.dataset.stacks
        bad = self.bad_samples(job.num_sources)
        return JobSource(
            f"sequence {job.job_id} ({self.plan.num_steps} batches of {self.plan.batch_size})",
            job,
            self.plan,
            as_told(self.dataset.paths),
            tuple(self.arrays.values()),
            service.max_slots,
            tuple(as_told(one.paths) for one in self.dataset.further if isinstance(one, FurtherImages)),
            self.dataset.boxes,
            None if stacks is None else replace(stacks, files=as_told(stacks.files)),
            tuple(one.regions for one in self.dataset.further if isinstance(one, DrawnMasks)),
            weights_at=len(self.dataset.targets) if self.dataset.weights is not None else None,
            first_slots=service.first_slots,
            bad=bad,
            report=reporting(failures, bad),
        )

    def _folder_for(self, pool: ProducerPool) -> str | None:
        """What the paths that producers are told are relative to; None if they may be absolute for nobody."""
        return self.dataset.root if pool.embedded or self.dataset.directory is not None else None

    def _check_targets(self) -> None:
        """Raise a ConfigurationError unless the boxes can be encoded, in every size."""
        if self.targets is not None:
            for size in self.image_sizes or [self.image_size]:
                check_targets(self.targets, self.dataset, output_size(self.transforms, size))

    def _boxes(self) -> BoxSpec | None:
        """Room for the boxes of every image, of which several may become one."""
        if self.dataset.boxes is None:
            if self.max_boxes is not None:
                raise ConfigurationError(
                    f"max_boxes={self.max_boxes} needs a dataset with boxes; this one has none"
                )
            return None
        most = max(1, max(map(len, self.dataset.boxes)) * num_sources(self.transforms))
        return BoxSpec(most if self.max_boxes is None else self.max_boxes, self.min_box_side)
