"""The table of samples. It holds no pixels and opens no image: producers do that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt

from feedline.common.errors import DatasetError
from feedline.common.sample.companions import Role
from feedline.common.sample.dicom import AS_STORED, DicomReading
from feedline.trainer.datasets.bad_rows import DroppedRow
from feedline.trainer.datasets.boxes import checked_boxes
from feedline.trainer.datasets.columns import Array, Parts, check_lengths, check_targets, row_numbers
from feedline.trainer.datasets.further import AnyFurther
from feedline.trainer.datasets.listing.files import absolute
from feedline.trainer.datasets.stacks import Stacks
from feedline.trainer.datasets.unchanging import unchanging


@unchanging
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SampleTable:
    """What a dataset holds: one entry per sample in each of its parts. It knows none of its constructors.

    Attributes
    ----------
    paths : sequence of str
        One file per sample: relative to `directory` where there is one, else as given.
    directory : str or None
        What the paths are relative to, as it was given; None: the current directory.
    root : str
        The same, absolute: found when the table is made, so that a later ``os.chdir`` changes nothing.
    targets : tuple of ndarray
        Each (num_samples, ...), of a dtype in `feedline.common.batch.layout.DTYPES`; several for
        "multi_output".
    weights : ndarray of float32 or None
        Shape (num_samples,), one sample weight each.
    class_names : list of str or None
        In the order of their indices.
    columns : dict of object to ndarray
        The frame's columns by their names, each of shape (num_samples,), to split by.
    target_is_input : bool
        The target is the image itself, as for an autoencoder.
    further : tuple of FurtherImages and DrawnMasks
        Images of each sample beside that in `paths`: inputs, images to predict, masks.
    boxes : sequence of ndarray or None
        One for each sample, float32 of shape (num_boxes, 5): x1, y1, x2, y2 in pixels of the file's image,
        as edges (the first pixel covers 0 to 1), and the index of the class.
    stacks : Stacks or None
        The files of each sample where it has several: see `with_dicom_index`.
    dicom : DicomReading
        What is known of DICOM files beside their headers: see `with_dicom_reading`.
    input_columns, output_columns : tuple
        The frame's columns that each input, and each of several outputs, was made of, in their order; empty
        where there was no frame.
    dropped_rows : tuple of DroppedRow
        What ``on_bad_row="drop"`` has left out, in the order in which it was met.
    """

    paths: Sequence[str]
    directory: str | None = None
    targets: tuple[Array, ...] = ()
    weights: npt.NDArray[np.float32] | None = None
    class_names: list[str] | None = None
    columns: dict[Any, Array] = field(default_factory=dict)
    target_is_input: bool = False
    further: tuple[AnyFurther, ...] = ()
    boxes: Sequence[Array] | None = None
    stacks: Stacks | None = None
    dicom: DicomReading = AS_STORED
    root: str = ""
    input_columns: tuple[Any, ...] = ()
    output_columns: tuple[Any, ...] = ()
    dropped_rows: tuple[DroppedRow, ...] = ()

    def __post_init__(self) -> None:
        """Check that there is one of everything per sample."""
        object.__setattr__(self, "paths", tuple(self.paths))
        object.__setattr__(self, "root", self.root or absolute(self.directory))
        if not self.paths:
            raise DatasetError("a dataset needs at least one sample, got none")
        check_targets(self.targets, len(self))
        weights = {} if self.weights is None else {"weights": self.weights}
        further = {f"the {images.role} images": images for images in self.further}
        stacks = {} if self.stacks is None else {"stacks": self.stacks.numbers}
        check_lengths(len(self), {**weights, **stacks, **self.columns, **further})
        if self.boxes is not None:
            object.__setattr__(self, "boxes", checked_boxes(self.boxes, len(self), self.class_names))

    @classmethod
    def of_parts(cls, parts: Parts) -> Self:
        """Make one of what a constructor has read."""
        return cls(**{name: getattr(parts, name) for name in Parts.__dataclass_fields__})

    def __len__(self) -> int:
        """Count the samples."""
        return len(self.paths)

    def __repr__(self) -> str:
        """Say how many samples and classes there are, and what the targets look like."""
        parts = [f"{len(self):,} samples"]
        if self.class_names is not None:
            parts.append(f"{len(self.class_names):,} classes")
        shapes = ", ".join(f"{target.shape[1:]} {target.dtype}" for target in self.targets)
        parts += [f"{images.role} images" for images in self.further]
        parts.append("targets=the image" if self.target_is_input else f"targets=[{shapes}]")
        if self.weights is not None:
            parts.append("weighted")
        if self.boxes is not None:
            parts.append(f"{sum(map(len, self.boxes)):,} boxes")
        if self.directory is not None:
            parts.append(f"directory={self.directory!r}")
        return f"{type(self).__name__}({', '.join(parts)})"

    @property
    def num_slices(self) -> int:
        """Files of a sample's image: 1 unless they are stacks."""
        return 1 if self.stacks is None else self.stacks.num_slices

    @property
    def filenames(self) -> Sequence[str]:
        """`paths` under Keras' name, in dataset order."""
        return self.paths

    @property
    def labels(self) -> Array | tuple[Array, ...] | None:
        """The targets, shape (num_samples, ...); a tuple of them if there are several, None if none."""
        if len(self.targets) > 1:
            return self.targets
        return self.targets[0] if self.targets else None

    @property
    def has_targets(self) -> bool:
        """Whether there is anything to predict."""
        outputs = [images for images in self.further if images.role is not Role.INPUT]
        return bool(self.targets or self.target_is_input or outputs or self.boxes is not None)

    @property
    def class_indices(self) -> dict[str, int] | None:
        """The index of each class name."""
        if self.class_names is None:
            return None
        return dict(zip(self.class_names, range(len(self.class_names)), strict=True))

    def subset(self, rows: Any) -> Self:
        """Take some samples; classes keep their indices.

        Parameters
        ----------
        rows : array-like
            Row numbers, in any order and possibly repeated, or a mask of shape (num_samples,).

        Raises
        ------
        DatasetError
            If a row does not exist, or none is taken.
        """
        taken = row_numbers(rows, len(self))
        return replace(
            self,
            paths=[self.paths[row] for row in taken.tolist()],
            targets=tuple(target[taken] for target in self.targets),
            weights=None if self.weights is None else self.weights[taken],
            columns={name: column[taken] for name, column in self.columns.items()},
            further=tuple(images.subset(taken) for images in self.further),
            boxes=None if self.boxes is None else [self.boxes[row] for row in taken.tolist()],
            stacks=None if self.stacks is None else self.stacks.subset(taken),
        )


D = TypeVar("D", bound=SampleTable)
"""The class of a table: what a constructor is asked for with, and what comes of splits and subsets."""
