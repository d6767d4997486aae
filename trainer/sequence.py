"""`BatchSequence`: what Keras sees."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from common.batch import ArraySpec
from common.boxes import BoxSpec
from common.caching import CacheSpec
from common.errors import ConfigurationError
from common.image import Fit, ImageSpec
from common.job import Job
from common.transforms import Transform, is_framed, num_sources, output_size
from common.yolo import YoloTargets
from trainer.box_targets import check_targets, put_targets
from trainer.dataset import ImageDataset
from trainer.further import companions_of
from trainer.jobs import JobSource, ticket_paths
from trainer.plan import EpochPlan
from trainer.pool import ProducerPool
from trainer.served import ServedSequence, Service

logger = logging.getLogger(__name__)


class BatchSequence(ServedSequence):
    """Batches of an `ImageDataset`, decoded and augmented by producer processes.

    A `keras.utils.Sequence` for ``fit``, ``evaluate`` and ``predict``, or to index and iterate by
    hand. Each epoch delivers every sample exactly once, in an order and with random draws that
    depend on `seed` and the epoch alone.

    Parameters
    ----------
    dataset : ImageDataset
        What to deliver.
    batch_size : int
        Samples of a batch; the last of an epoch has what is left.
    image_size : (int, int)
        Height and width that images are resized to, before `transforms`.
    color_mode : {"grayscale", "rgb", "rgba"}
        Channels, in this order; 1, 3 or 4 of them.
    interpolation : {"nearest", "bilinear", "bicubic", "area"}
        Of the resize.
    crop_to_aspect_ratio, pad_to_aspect_ratio : bool
        Keep the ratio of the sides, by cropping the centre or adding zeros; else stretch.
    jpeg_scaling : bool
        Decode JPEG files at 1/2, 1/4 or 1/8 of their size, the smallest that is not below `image_size`, and
        resize from there: faster for large photographs, and other pixels than without.
    transforms : sequence of Transform
        From `common.transforms`, applied in this order.
    dtype : {"uint8", "uint16", "float32"}
        Of the images; values stay 0..255 (0..65535) unless a `Rescaling` says otherwise, which makes
        float32.
    shuffle : bool
        A new order each epoch, whatever ``fit`` is told. With False, tell ``fit`` so too: it shuffles
        batches by default, and prefetch cannot know how.
    seed : int
        Of orders and random draws.
    max_boxes : int, optional
        Rows that the array of boxes has for each image; by default enough for every image.
    min_box_side : float
        Boxes of which less than so many pixels of the width or the height are left in the image are dropped.
    targets : YoloTargets, optional
        From `trainer.yolo`: deliver what boxes are encoded to in their place.
    drop_remainder : bool
        Leave out a short last batch.
    workers : int, optional
        Embedded producer processes, shared with other sequences of this process; by default the
        usable cores. Not together with `pool`.
    pool : ProducerPool, optional
        Use its producers.
    max_queue_size : int
        Batches that one producer may have in hand, at least 2.
    memory_budget : int, optional
        Bytes that all batches in hand may take; by default 1 GiB. With `pool`, the pool has it.
    timeout_s : float
        Longest wait for one batch.
    cache : {"memory", "disk"}, optional
        Keep decoded samples for the next epoch: in shared memory while producers run, or in a file
        that serves the next run, too. The same batches come with and without it.
    cache_bytes : int, optional
        What all caches of this kind on a host may take together; by default half of what is free. If
        not all samples fit, those that came first are kept.
    use_multiprocessing : bool, optional
        Accepted for scripts that have it, and ignored: producers are processes anyway.
    shard_index, shard_count : int
        Deliver every `shard_count`-th sample of each epoch's order, from `shard_index` on.

    Raises
    ------
    ConfigurationError
        An argument that cannot work, quoted.

    Notes
    -----
    ``x`` is an array (batch, height, width, channels); a batch is ``x``, ``(x, y)`` or
    ``(x, y, weights)`` as the dataset has labels and weights. Several inputs are a tuple, and so are several
    outputs: labels first, then images and masks, then boxes, (batch, max_boxes, 5) as in `common.boxes`.
    Arrays may be kept as long as you like. Called from any thread; close it, or use ``with``.
    """

    def __init__(
        self,
        dataset: ImageDataset,
        *,
        batch_size: int = 32,
        image_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        jpeg_scaling: bool = False,
        transforms: Sequence[Transform] = (),
        dtype: str = "uint8",
        shuffle: bool = True,
        seed: int = 0,
        max_boxes: int | None = None,
        min_box_side: float = 1.0,
        targets: YoloTargets | None = None,
        drop_remainder: bool = False,
        workers: int | None = None,
        pool: ProducerPool | None = None,
        max_queue_size: int = 10,
        memory_budget: int | None = None,
        timeout_s: float = 600,
        cache: str | None = None,
        cache_bytes: int | None = None,
        use_multiprocessing: bool | None = None,
        shard_index: int = 0,
        shard_count: int = 1,
    ) -> None:
        _check(dataset)
        service = Service(pool, workers, memory_budget, max_queue_size, timeout_s)
        if use_multiprocessing:
            logger.info("use_multiprocessing is ignored: Feedline's producers are processes anyway")
        self.dataset = dataset
        self._targets = targets
        plan = EpochPlan(len(dataset), batch_size, shuffle, seed, drop_remainder, shard_index, shard_count)
        transforms = tuple(transforms)
        fit = Fit.of(
            crop_to_aspect_ratio=crop_to_aspect_ratio,
            pad_to_aspect_ratio=pad_to_aspect_ratio,
            framed=is_framed(transforms),
        )
        height, width = _size(image_size)
        depth = "uint16" if dtype == "uint16" else "uint8"
        image = ImageSpec(height, width, color_mode, interpolation, fit, depth, jpeg_scaling)
        cached = CacheSpec.of(cache, cache_bytes, len(dataset))
        arrays = _target_arrays(dataset)
        specs = tuple(ArraySpec(name, a.shape[1:], a.dtype.name) for name, a in arrays.items())
        companions = companions_of(dataset.further, image.color_mode)
        boxes = _box_spec(dataset, max_boxes, min_box_side, num_sources(transforms))
        if targets is not None:
            check_targets(targets, dataset, output_size(transforms, image.size))

        def source_of(pool: ProducerPool) -> JobSource:
            job_id = pool.new_job_id()
            job = Job(job_id, seed, batch_size, image, transforms, dtype, specs, cached, companions, boxes)
            paths, *further = (
                ticket_paths(names, dataset.directory, embedded=pool.embedded)
                for names in (dataset.paths, *(images.paths for images in dataset.further))
            )
            return JobSource(
                f"sequence {job_id}",
                job,
                plan,
                paths,
                tuple(arrays.values()),
                max_queue_size,
                tuple(further),
                dataset.boxes,
            )

        super().__init__(service, source_of)

    @property
    def filenames(self) -> list[str]:
        """The files of the present epoch, in the order of delivery."""
        return [self.dataset.filenames[row] for row in self._plan.order(self._binding.epoch)]

    @property
    def labels(self) -> Any:
        """The labels of the present epoch, in the order of delivery; as in the dataset, or None."""
        order = self._plan.order(self._binding.epoch)
        labels = self.dataset.labels
        if labels is None:
            return None
        return tuple(a[order] for a in labels) if isinstance(labels, tuple) else labels[order]

    def __repr__(self) -> str:
        state = "" if self._end.alive else ", closed"
        return f"BatchSequence({len(self)} batches of {self._plan.batch_size}, {self.dataset!r}{state})"

    def _unpack(self, arrays: dict[str, npt.NDArray[Any]]) -> tuple[Any, int]:
        """Pack the arrays as Keras wants them: absent parts left out, several of a kind in a tuple."""
        num_samples = len(arrays["x"])
        weights = arrays.pop("weight", None)
        inputs = [arrays.pop(name) for name in [*arrays] if name.startswith("x")]
        if self._targets is not None:
            put_targets(self._targets, inputs, arrays)
        x = _one_or_tuple(inputs)
        y = x if self.dataset.target_is_input else _one_or_tuple(arrays.values())
        if y is None:
            return x, num_samples
        return ((x, y) if weights is None else (x, y, weights)), num_samples


def _one_or_tuple(arrays: Iterable[npt.NDArray[Any]]) -> Any:
    """None of none, one as it is, several as a tuple: a list of targets Keras takes for one of them."""
    several = tuple(arrays)
    return several if len(several) > 1 else next(iter(several), None)


def _box_spec(
    dataset: ImageDataset, max_boxes: int | None, min_side: float, num_sources: int
) -> BoxSpec | None:
    """Room for the boxes of every image, of which several may become one."""
    if dataset.boxes is None:
        if max_boxes is not None:
            raise ConfigurationError(f"max_boxes={max_boxes} needs a dataset with boxes; this one has none")
        return None
    most = max(1, max(map(len, dataset.boxes)) * num_sources)
    return BoxSpec(most if max_boxes is None else max_boxes, min_side)


def _check(dataset: ImageDataset) -> None:
    if not isinstance(dataset, ImageDataset):
        raise ConfigurationError(
            "a BatchSequence needs an ImageDataset, such as ImageDataset.from_dataframe(...) makes;"
            f" got {type(dataset).__name__}"
        )
    if dataset.weights is not None and not dataset.has_targets:
        raise ConfigurationError("Keras takes sample weights only together with labels; the dataset has none")


def _size(image_size: tuple[int, int]) -> tuple[int, int]:
    try:
        height, width = image_size
    except (TypeError, ValueError):
        raise ConfigurationError(f"image_size must be (height, width), got {image_size!r}") from None
    return height, width


def _target_arrays(dataset: ImageDataset) -> dict[str, npt.NDArray[Any]]:
    """Everything that travels with the images, by its name in the batch."""
    names = ["y"] if len(dataset.targets) == 1 else [f"y{i}" for i in range(len(dataset.targets))]
    arrays = dict(zip(names, dataset.targets, strict=True))
    if dataset.weights is not None:
        arrays["weight"] = np.asarray(dataset.weights, np.float32)
    return arrays
