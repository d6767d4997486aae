"""`BatchSequence`: what Keras sees."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from feedline.common.arguments import whole, yes_or_no
from feedline.common.batch.layout import zero_buffer
from feedline.common.declarations.base import Transform
from feedline.common.errors import ConfigurationError
from feedline.common.job.kinds import AnyJob
from feedline.common.job.sizes import SizesJob, peeked_sizes
from feedline.common.sample.companions import ImageOptions
from feedline.common.sample.ct import CTWindows
from feedline.common.signatures import suggests
from feedline.trainer.datasets.dataset import ImageDataset
from feedline.trainer.plan.drawings import Rows
from feedline.trainer.plan.samplers import Sampler
from feedline.trainer.pool.producer_pool import ProducerPool
from feedline.trainer.pool.settings import WorkersArgument
from feedline.trainer.preview.preview import preview
from feedline.trainer.sequences.chances import chances
from feedline.trainer.sequences.exports import as_tf_dataset, as_torch_dataset
from feedline.trainer.sequences.failures import FailuresCsv, Kin, frame_of
from feedline.trainer.sequences.fingerprint import Fields, fields_of
from feedline.trainer.sequences.options import SequenceOptions
from feedline.trainer.sequences.packing import ByName, Packing
from feedline.trainer.sequences.resumable import ResumableSequence
from feedline.trainer.sequences.service import QueueSizeArgument, Service
from feedline.trainer.targets.yolo import YoloTargets

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

logger = logging.getLogger(__name__)


_HINTS = {
    "augment": "say with transforms=[RandomFlip(), ...] how",
    "data_augmentation": "say with transforms=[RandomFlip(), ...] how",
    "rescale": "add Rescaling(...) to transforms",
    "target_size": "it is called image_size, (height, width)",
    "dim": "it is called image_size, (height, width)",
    "img_size": "it is called image_size, (height, width)",
    "n_channels": 'color_mode="grayscale", "rgb" or "rgba" says so',
    "class_mode": "it belongs to ImageDataset.from_dataframe",
    "directory": "it belongs to the ImageDataset",
    "pickle_safe": "leave it out, producers are processes anyway",
    "nb_worker": "it is called workers",
    "max_q_size": "it is called max_queue_size",
    "normalization": "add Normalization(...) to transforms",
}
"""Names from Keras' generators and from old scripts."""


class BatchSequence(ResumableSequence):
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
    image_sizes : sequence of (int, int), optional
        Instead of `image_size`: each batch has one of these, drawn by `seed`, its epoch and its place in it.
        For models that take any size.
    color_mode : {"grayscale", "rgb", "rgba", "hounsfield"} or CTWindows
        Channels, in this order; 1, 3 or 4 of them. For DICOM files of a CT: one channel for each of the
        windows, or one of Hounsfield units, with `dtype` "int16" or "float32". Of a stack of slices
        (`ImageDataset.with_dicom_index`) so many for each slice.
    interpolation : {"nearest", "bilinear", "bicubic", "area"}
        Of the resize.
    crop_to_aspect_ratio, pad_to_aspect_ratio : bool
        Keep the ratio of the sides, by cropping the centre or adding black (air in a CT); else stretch.
    jpeg_scaling : bool
        Decode JPEG files at 1/2, 1/4 or 1/8 of their size, the smallest that is not below `image_size`, and
        resize from there: faster for large photographs, and other pixels than without.
    transforms : sequence of Transform
        From `feedline.transforms`, applied in this order.
    dtype : {"uint8", "uint16", "int16", "float32"}
        Of the images; values stay 0..255 (0..65535, Hounsfield units) unless a `Rescaling` says otherwise,
        which makes float32.
    shuffle : bool
        A new order each epoch, whatever ``fit`` is told. With False, tell ``fit`` so too: it shuffles
        batches by default, and prefetch cannot know how.
    seed : int
        Of orders and random draws.
    mask_fill : int
        Class of what lies beyond the edges of masks: padding, corners that are turned in. Such as 255, which
        many losses leave out as their ``ignore_class``.
    max_boxes : int, optional
        Rows that the array of boxes has for each image; by default enough for every image.
    min_box_side : float
        Boxes of which less than so many pixels of the width or the height are left in the image are dropped.
    targets : YoloTargets, optional
        From `feedline.yolo`: deliver what boxes are encoded to in their place.
    drop_remainder : bool
        Leave out a short last batch.
    workers : int, "auto" or (min, max), optional
        Embedded producer processes, shared with other sequences of this process; by default the
        usable cores. ``"auto"`` finds their number while the trainer runs, from 1 to four for each core,
        and (min, max) between these. Not together with `pool`.
    pool : ProducerPool, optional
        Use its producers.
    max_queue_size : int or "auto", optional
        Batches that one producer may have in hand, at least 2; by default 10, and ``"auto"`` where `workers`,
        or those of `pool`, are no fixed number. ``"auto"`` begins with 10 and adds what a trainer missed
        whose batches came to lie ready and then did not suffice, as far as `memory_budget` goes: see
        `feedline.trainer.dispatch.queue_size`.
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
        Deliver every `shard_count`-th sample of each epoch's order, from `shard_index` on. All shards have as
        many batches, and as many samples in each.
    shard_remainder : {"pad", "drop"}
        Where samples cannot be divided evenly: let some shards have one of the first samples of the epoch's
        order once more, or leave the last samples of the order out.
    sampler : Sampler, optional
        Which samples an epoch has, drawn anew for each from `feedline.samplers`; by default each once. With
        `shuffle` in random order, else in that of the dataset.
    inputs, target_images, masks : ImageOptions or sequence of ImageOptions, optional
        In what the further inputs, the images to predict and the masks of the dataset differ from ``x``:
        all of a kind alike, or one for each.
    initial_epoch : int
        The epoch of the first sweep, with its order and its draws. ``fit`` does not hand on its own: pass it
        here, too, or use `feedline.callbacks.SetEpoch`.
    input_names, output_names : sequence of str, optional
        For models whose inputs or outputs have names: deliver dicts with these, one for each input (output)
        in the order of the dataset. Without, Keras pairs several by place, and sorts the model's names first.
    on_error : {"raise", "replace", "skip"}
        What happens where a file cannot be used. "replace": another sample, of the same class where each has
        one, takes its place; without `shuffle` the place is zeros, and its weight 0 where there are weights.
        "skip": the batch is shorter. Which and why is in `failures`.
    max_bad_share : float
        If a larger share of the dataset is bad, 0 to 1, the training ends with a `BadSamplesError`.
    failures_csv : path, optional
        A file that `failures` is written to as it grows. What an earlier run has written there stays.
    monitor : str, optional
        As of `ProducerPool`: where the page of the shared producers is. Not together with `pool`.

    Raises
    ------
    ConfigurationError
        An argument that cannot work, quoted.

    Notes
    -----
    ``x`` is an array (batch, height, width, channels); a batch is ``x``, ``(x, y)`` or ``(x, y, weights)`` as
    the dataset has labels and weights. Several inputs are a tuple, ``(x,)`` where there are no labels, and so
    are several outputs: labels first, then images and masks, then boxes, (batch, max_boxes, 5) as in
    `feedline.common.sample.boxes`. Arrays may be kept as long as you like. Called from any thread; close it,
    or use ``with``.
    """

    @suggests(**_HINTS)
    def __init__(
        self,
        dataset: ImageDataset,
        *,
        batch_size: int = 32,
        image_size: tuple[int, int] = (256, 256),
        image_sizes: Sequence[tuple[int, int]] | None = None,
        color_mode: str | CTWindows = "rgb",
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        jpeg_scaling: bool = False,
        transforms: Sequence[Transform] = (),
        dtype: str = "uint8",
        shuffle: bool = True,
        seed: int = 0,
        mask_fill: int = 0,
        max_boxes: int | None = None,
        min_box_side: float = 1.0,
        targets: YoloTargets | None = None,
        drop_remainder: bool = False,
        workers: WorkersArgument = None,
        pool: ProducerPool | None = None,
        max_queue_size: QueueSizeArgument | None = None,
        memory_budget: int | None = None,
        timeout_s: float = 600,
        cache: str | None = None,
        cache_bytes: int | None = None,
        use_multiprocessing: bool | None = None,
        shard_index: int = 0,
        shard_count: int = 1,
        shard_remainder: str = "pad",
        sampler: Sampler | None = None,
        inputs: ImageOptions | Sequence[ImageOptions] | None = None,
        target_images: ImageOptions | Sequence[ImageOptions] | None = None,
        masks: ImageOptions | Sequence[ImageOptions] | None = None,
        initial_epoch: int = 0,
        input_names: Sequence[str] | None = None,
        output_names: Sequence[str] | None = None,
        on_error: str = "raise",
        max_bad_share: float = 0.01,
        failures_csv: str | os.PathLike[str] | FailuresCsv | None = None,
        monitor: str | None = None,
    ) -> None:
        self._arguments = {name: value for name, value in locals().items() if name not in _NOT_ARGUMENTS}
        own = {field.name: self._arguments[field.name] for field in fields(SequenceOptions)}
        options = self._options = SequenceOptions(**own)
        service = Service(pool, workers, memory_budget, max_queue_size, timeout_s, monitor)
        if use_multiprocessing:
            logger.info("use_multiprocessing is ignored: Feedline's producers are processes anyway")
        self.dataset = dataset
        self._packing: Packing | ByName = Packing(dataset, targets, input_names, output_names)
        first_epoch = whole("initial_epoch", initial_epoch, at_least=0)
        if failures_csv is not None and not isinstance(failures_csv, FailuresCsv):
            # Sequences that are made of this one write to the same.
            failures_csv = self._arguments["failures_csv"] = FailuresCsv(failures_csv)
        source = partial(options.source, service=service, failures=failures_csv)
        super().__init__(service, source, first_epoch, partial(chances, options, service))
        self._kin = Kin(self._source.bad)

    def __setattr__(self, name: str, value: Any) -> None:
        """Refuse to change what was decided when it was made: nothing would become of it.

        Raises
        ------
        ConfigurationError
            An argument of the constructor; says what does change it.
        """
        if "_kin" in self.__dict__ and name in self._arguments and not _is_same(value, self._arguments[name]):
            how = "resize" if name in {"workers", "max_queue_size"} else "with_options"
            raise ConfigurationError(
                f"a sequence stays as it was made, so {name} = {value!r} would change nothing: use"
                f" .{how}({name}={value!r})"
            )
        super().__setattr__(name, value)

    @property
    def filenames(self) -> list[str]:
        """The files of the present epoch, in the order of delivery: those in the place of bad ones, too."""
        return [self.dataset.filenames[row] for row in self._order]

    @property
    def labels(self) -> Any:
        """The labels of the present epoch, in the order of delivery; as in the dataset, or None."""
        order = self._order
        labels = self.dataset.labels
        if labels is None:
            return None
        return tuple(a[order] for a in labels) if isinstance(labels, tuple) else labels[order]

    @property
    def failures(self) -> pd.DataFrame:
        """The files that could not be used so far, each once; empty with ``on_error="raise"``.

        Columns are ``path``, as in the dataset, ``reason``, ``producer``: who found out, ``epoch`` and
        ``step`` of the batch that it was wanted for, ``row`` of its sample in the dataset, and
        ``replaced_by``: the file of the sample that took the place, None where that was left out or filled
        with zeros. Those of sequences that `in_order` has made of this one are among them.
        """
        return frame_of(self._kin.rows)

    @property
    def bad_rows(self) -> npt.NDArray[np.intp]:
        """Rows of the dataset that are known to be bad, ascending, shape (num_bad,)."""
        return self._kin.bad_rows

    def with_options(self, **changes: Any) -> BatchSequence:
        """Make a new sequence with the constructor's arguments of this one, except for `changes`.

        The two know nothing of each other: close both. With `workers` they share producers.
        """
        return BatchSequence(**{**self._arguments, **changes})

    @property
    def is_in_order(self) -> bool:
        """Whether every sample comes once, in the order of the dataset, and nothing is left to chance."""
        asked = self._arguments
        as_it_is = not (asked["shuffle"] or asked["sampler"] or asked["drop_remainder"])
        return as_it_is and self._plain_transforms == tuple(asked["transforms"])

    def in_order(self, **changes: Any) -> BatchSequence:
        """Make a new sequence to judge a model by: every sample once, in order, and not augmented.

        Random transforms are left out; of a `RandomCrop` stays the middle, of `YoloAugment` the `Letterbox`.
        Code of your own stays as it is: it may be what prepares images. `changes` are as of `with_options`.
        """
        plain = {"shuffle": False, "sampler": None, "drop_remainder": False}
        made = self.with_options(**{**plain, "transforms": self._plain_transforms, **changes})
        self._kin.add(made, made._source.bad)  # noqa: SLF001 - another of the same class
        return made

    @property
    def on_error(self) -> str:
        """What happens where a file cannot be used, as in the constructor."""
        return str(self._source.bad.lineups.on_error)

    def preview(self, path: str | Path | None = None, num_samples: int = 16) -> Figure:
        """Draw the first samples of the present epoch as they are on disk, and as they are delivered.

        With the draws of training, labels, boxes and masks, and each window of a CT by itself. The epoch that
        is under way is not disturbed.

        Parameters
        ----------
        path : str or path, optional
            Where to write it, such as ``"batch.png"``.
        num_samples : int
            At least 1.

        Returns
        -------
        matplotlib.figure.Figure
            A notebook shows it. Needs the extra ``demo``.

        Raises
        ------
        ConfigurationError
            It cannot be written, or Matplotlib is missing.
        """
        return preview(self, path, num_samples)

    def named_batches(self, **changes: Any) -> Iterator[dict[str, npt.NDArray[Any]]]:
        """Deliver the present epoch once more, by a sequence of its own, with the constructor's `changes`.

        Yields
        ------
        dict of str to ndarray
            What producers make of each step: ``x``, further inputs ``x1`` and so on, targets ``y``, images
            and masks to predict, ``boxes``, ``weight``.
        """
        as_they_come = {"input_names": None, "output_names": None, "targets": None, "cache": None}
        now = {"initial_epoch": self._binding.epoch, "max_queue_size": 2}
        with self.with_options(**{**as_they_come, **now, **changes}) as twin:
            twin._packing = ByName()  # noqa: SLF001 - it is one of us
            yield from twin

    @property
    def color_mode(self) -> str | CTWindows:
        """The constructor's."""
        mode: str | CTWindows = self._arguments["color_mode"]
        return mode

    def as_dataset(self) -> Any:
        """Make a `tf.data.Dataset` of it: to mix with others, to map, or for ``strategy.distribute``.

        Returns
        -------
        tf.data.Dataset
            Of batches, each time it is iterated those of the next epoch, or what is left of one after
            `load_state_dict`; its cardinality is that of a whole one. Its signature leaves the number of
            samples open, and the sides of images that come in several sizes. Close the sequence after it.
        """
        return as_tf_dataset(self, self._blank_batches())

    def as_torch(self, *, channels_first: bool = False) -> Any:
        """Make a dataset of torch of it, whose tensors lie where the arrays do: nothing is copied.

        Parameters
        ----------
        channels_first : bool
            Images are (batch, channels, height, width), in memory as before, which torch calls
            ``channels_last``.

        Returns
        -------
        torch.utils.data.IterableDataset
            Of batches, each time it is iterated those of the next epoch, or what is left of one after
            `load_state_dict`; its ``len`` is that of a whole one. For loops as it is, or in
            ``DataLoader(..., batch_size=None)``, which must have no workers.
        """
        return as_torch_dataset(self, channels_first=yes_or_no("channels_first", channels_first))

    @suggests()
    def resize(
        self, workers: WorkersArgument = None, max_queue_size: QueueSizeArgument | None = None
    ) -> None:
        """See `ServedSequence.resize`; sequences that are made from this one follow."""
        super().resize(workers, max_queue_size)
        self._arguments |= {"workers": self._service.workers, "max_queue_size": self._service.max_queue_size}

    def __repr__(self) -> str:
        state = "" if self._end.alive else ", closed"
        name = type(self).__name__
        return f"{name}({len(self)} batches of {self._plan.batch_size}, {self.dataset!r}{state})"

    @property
    def _order(self) -> Rows:
        """Rows of the present epoch, in the order of delivery."""
        return self._source.bad.order(self._binding.epoch)

    @property
    def _plain_transforms(self) -> tuple[Transform, ...]:
        plain = (transform.without_chance for transform in self._arguments["transforms"])
        return tuple(transform for transform in plain if transform is not None)

    def _decisive(self) -> Fields:
        return fields_of(self._options, self._plan)

    def _blank_batches(self) -> list[Any]:
        """A batch of one sample, all zeros, of each size that shows in what batches differ."""
        job: AnyJob = self._source.job
        jobs = map(job.of_size, peeked_sizes(job.sizes)) if isinstance(job, SizesJob) else [job]
        layouts = [one.layout(1) for one in jobs]
        return [self._packing.pack(layout.views(zero_buffer(layout.num_bytes))) for layout in layouts]

    def _unpack(self, arrays: dict[str, npt.NDArray[Any]]) -> tuple[Any, int]:
        num_samples = len(arrays["x"])
        return self._packing.pack(arrays), num_samples


_NOT_ARGUMENTS = ("self", "__class__")
"""What a constructor's local names have beside its arguments."""


def _is_same(value: Any, other: Any) -> bool:
    """Whether a plain value is the same; arrays and data sets are only if they are one."""
    return value is other or (isinstance(value, bool | int | float | str | tuple) and value == other)
