"""`ImageDataset`: a table of samples. It holds no pixels and opens no image: producers do that."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from common.companions import Role
from common.errors import DatasetError
from trainer import dicom_join, folders, frames, hold_out, splits
from trainer.annotations import coco, voc, yolo3, yolo_txt
from trainer.boxes import checked_boxes
from trainer.columns import Array, Table, check_lengths, check_targets
from trainer.further import FurtherImages
from trainer.lists import read_lists
from trainer.rsna_csv import from_rsna_csv
from trainer.stacks import Stacks

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ImageDataset:
    """Samples that a `BatchSequence` delivers; made by one of the ``from_`` constructors.

    Attributes
    ----------
    paths : sequence of str
        One file per sample: relative to `directory` where there is one, else as given.
    directory : str or None
        What the paths are relative to.
    targets : tuple of ndarray
        Each (num_samples, ...), of a dtype in `common.batch.DTYPES`; several for "multi_output".
    weights : ndarray of float32 or None
        Shape (num_samples,), one sample weight each.
    class_names : list of str or None
        In the order of their indices.
    columns : dict of str to ndarray
        The frame's columns, each of shape (num_samples,), to split by.
    target_is_input : bool
        The target is the image itself, as for an autoencoder.
    further : tuple of FurtherImages
        Images of each sample beside that in `paths`: inputs, images to predict, masks.
    boxes : sequence of ndarray or None
        One for each sample, float32 of shape (num_boxes, 5): x1, y1, x2, y2 in pixels of the file's image,
        as edges (the first pixel covers 0 to 1), and the index of the class.
    stacks : Stacks or None
        The files of each sample where it has several: see `with_dicom_index`.

    Examples
    --------
    >>> ImageDataset.from_lists(["a.png", "b.png", "c.png"], labels=[0, 1, 0])
    ImageDataset(3 samples, targets=[() int64])
    """

    paths: Sequence[str]
    directory: str | None = None
    targets: tuple[Array, ...] = ()
    weights: npt.NDArray[np.float32] | None = None
    class_names: list[str] | None = None
    columns: dict[str, Array] = field(default_factory=dict)
    target_is_input: bool = False
    further: tuple[FurtherImages, ...] = ()
    boxes: Sequence[Array] | None = None
    stacks: Stacks | None = None

    def __post_init__(self) -> None:
        """Check that there is one of everything per sample."""
        object.__setattr__(self, "paths", tuple(self.paths))
        if not self.paths:
            raise DatasetError("a dataset needs at least one sample, got none")
        check_targets(self.targets, len(self))
        weights = {} if self.weights is None else {"weights": self.weights}
        further = {f"the {images.role} files": images.paths for images in self.further}
        stacks = {} if self.stacks is None else {"stacks": self.stacks.numbers}
        check_lengths(len(self), {**weights, **stacks, **self.columns, **further})
        if self.boxes is not None:
            object.__setattr__(self, "boxes", checked_boxes(self.boxes, len(self), self.class_names))

    @classmethod
    def from_dataframe(
        cls,
        frame: pd.DataFrame,
        directory: str | os.PathLike[str] | None = None,
        x_col: str | Sequence[str] = "filename",
        y_col: str | Sequence[str] = "class",
        *,
        class_mode: str | None = "categorical",
        weight_col: str | None = None,
        classes: Sequence[str] | None = None,
        validate_filenames: bool = True,
    ) -> ImageDataset:
        """Make a dataset of a frame's rows, with the arguments of Keras' ``flow_from_dataframe``.

        Parameters
        ----------
        frame : pandas.DataFrame
            One row per sample.
        directory : path, optional
            What the file names are relative to.
        x_col : str or sequence of str
            Column of file names; several for models of several inputs.
        y_col : str or sequence of str
            Column of labels; several for "raw" and "multi_output", and of file names for "mask" and "image".
            Not read by "input" and None.
        class_mode : str or None
            "categorical", "binary", "sparse", "raw", "multi_output", "mask", "image", "input", None: see the
            table in `trainer.labels`.
        weight_col : str, optional
            Column of sample weights, 0 or more.
        classes : sequence of str, optional
            Classes in the order of their indices; rows of others are left out. Default: those found, sorted.
        validate_filenames : bool
            Leave out rows without a file, with one warning. False: only producers see the images.

        Raises
        ------
        DatasetError, ConfigurationError
            If a column or a cell cannot be used or no file exists; if the arguments do not go together.

        Examples
        --------
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"filename": ["a.png", "b.png"], "class": ["cat", "dog"]})
        >>> ImageDataset.from_dataframe(frame, "images", validate_filenames=False)
        ImageDataset(2 samples, 2 classes, targets=[(2,) float32], directory='images')
        """
        directory = None if directory is None else os.fspath(directory)
        request = frames.FrameRequest(directory, x_col, y_col, weight_col, class_mode, classes)
        table = frames.read_frame(frame, request, validate_filenames=validate_filenames)
        return replace(cls._of(table, directory), target_is_input=class_mode == "input")

    @classmethod
    def from_lists(
        cls,
        paths: Sequence[str],
        labels: Any = None,
        *,
        weights: Any = None,
        inputs: Sequence[Sequence[str]] = (),
        target_images: Sequence[str] | None = None,
        masks: Sequence[str] | None = None,
        boxes: Sequence[Any] | None = None,
        directory: str | os.PathLike[str] | None = None,
    ) -> ImageDataset:
        """Make a dataset of file names, labels and boxes as they are.

        Parameters
        ----------
        paths : sequence of str
            File names; whether they exist is not asked.
        labels : array-like, optional
            Shape (N,) or (N, K), numbers.
        weights : array-like, optional
            Shape (N,), 0 or more.
        inputs : sequence of sequences of str
            File names of further inputs, each one for each path.
        target_images, masks : sequence of str, optional
            File names of images to predict, and of images whose pixels are class numbers.
        boxes : sequence of array-like, optional
            One for each path, of shape (num_boxes, 5) as in the attribute; ``[]`` where there is none.
        directory : path, optional
            What the file names are relative to.

        Raises
        ------
        DatasetError
            If lengths differ, or a cell cannot be used.

        Examples
        --------
        >>> ImageDataset.from_lists(["a.png", "b.png"], labels=[[0.0, 1.0], [1.0, 0.0]])
        ImageDataset(2 samples, targets=[(2,) float64])
        """
        directory = None if directory is None else os.fspath(directory)
        if isinstance(inputs, str) or not isinstance(inputs, Iterable) or any(one is None for one in inputs):
            raise DatasetError(f"inputs must be a list of lists of file names, got {inputs!r}")
        given = [*((Role.INPUT, names) for names in inputs), (Role.TARGET, target_images), (Role.MASK, masks)]
        table = read_lists(paths, labels, weights, given, directory)
        return cls._of(replace(table, boxes=boxes), directory)

    from_directory = classmethod(folders.from_directory)
    from_coco = classmethod(coco.from_coco)
    from_voc = classmethod(voc.from_voc)
    from_yolo3_annotations = classmethod(yolo3.from_yolo3_annotations)
    from_yolo_txt = classmethod(yolo_txt.from_yolo_txt)
    from_rsna_csv = classmethod(from_rsna_csv)

    @classmethod
    def _of(cls, table: Table, directory: str | None) -> ImageDataset:
        parts = {name: getattr(table, name) for name in Table.__dataclass_fields__}
        return cls(directory=directory, **parts)

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

    def subset(self, rows: Any) -> ImageDataset:
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
        taken = splits.row_numbers(rows, len(self))
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

    split = hold_out.split
    with_dicom_index = dicom_join.with_dicom_index
