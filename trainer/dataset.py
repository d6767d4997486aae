"""`ImageDataset`: a table of samples. It holds no pixels and opens no image: producers do that."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from common.errors import ConfigurationError, DatasetError
from trainer import folders, frames, splits
from trainer.columns import Array, Column, Table, check_lengths, check_targets
from trainer.lists import read_lists

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

    def __post_init__(self) -> None:
        """Check that there is one of everything per sample."""
        object.__setattr__(self, "paths", tuple(self.paths))
        if not self.paths:
            raise DatasetError("a dataset needs at least one sample, got none")
        check_targets(self.targets, len(self))
        weights = {} if self.weights is None else {"weights": self.weights}
        check_lengths(len(self), {**weights, **self.columns})

    @classmethod
    def from_dataframe(
        cls,
        frame: pd.DataFrame,
        directory: str | os.PathLike[str] | None = None,
        x_col: str = "filename",
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
        x_col : str
            Column of file names.
        y_col : str or sequence of str
            Column of labels; several for "raw" and "multi_output". Not read by "input" and None.
        class_mode : {"categorical", "binary", "sparse", "raw", "multi_output", "input", None}
            What the labels become: see the table in `trainer.labels`.
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
        directory: str | os.PathLike[str] | None = None,
    ) -> ImageDataset:
        """Make a dataset of file names and labels as they are.

        Parameters
        ----------
        paths : sequence of str
            File names; whether they exist is not asked.
        labels : array-like, optional
            Shape (N,) or (N, K), numbers.
        weights : array-like, optional
            Shape (N,), 0 or more.
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
        return cls._of(read_lists(paths, labels, weights, directory), directory)

    from_directory = classmethod(folders.from_directory)

    @classmethod
    def _of(cls, table: Table, directory: str | None) -> ImageDataset:
        return cls(table.paths, directory, table.targets, table.weights, table.class_names, table.columns)

    def __len__(self) -> int:
        """Count the samples."""
        return len(self.paths)

    def __repr__(self) -> str:
        """Say how many samples and classes there are, and what the targets look like."""
        parts = [f"{len(self):,} samples"]
        if self.class_names is not None:
            parts.append(f"{len(self.class_names):,} classes")
        shapes = ", ".join(f"{target.shape[1:]} {target.dtype}" for target in self.targets)
        parts.append("targets=the image" if self.target_is_input else f"targets=[{shapes}]")
        if self.weights is not None:
            parts.append("weighted")
        if self.directory is not None:
            parts.append(f"directory={self.directory!r}")
        return f"{type(self).__name__}({', '.join(parts)})"

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
        )

    def split(
        self, validation_split: float, seed: int = 0, *, group_col: str | None = None, stratify: bool = False
    ) -> tuple[ImageDataset, ImageDataset]:
        """Hold samples out for validation.

        Every sample is in exactly one of the two, in dataset order; equal arguments split equally for ever.

        Parameters
        ----------
        validation_split : float
            Share of the samples to hold out, strictly between 0 and 1, rounded down as Keras does.
        seed : int
            Which samples are drawn.
        group_col : str, optional
            Column whose equal values (slices of one patient) stay together, and shift the share a little.
        stratify : bool
            Hold out the same share of each class. Not with `group_col`: a group may have several.

        Returns
        -------
        train, validation : ImageDataset

        Raises
        ------
        DatasetError, ConfigurationError
            If a side would be empty or there is no such column; if the arguments do not go together.

        Examples
        --------
        >>> data = ImageDataset.from_lists([f"{i}.png" for i in range(10)])
        >>> [len(side) for side in data.split(0.2, seed=7)]
        [8, 2]
        """
        if group_col is not None and stratify:
            raise ConfigurationError("group_col and stratify=True cannot be combined: choose one")
        request = splits.SplitRequest(validation_split, seed, len(self))
        if group_col is not None:
            held_out = splits.by_group(request, self._column(group_col))
        elif stratify:
            held_out = splits.by_class(request, splits.class_codes(self.targets))
        else:
            held_out = splits.by_sample(request)
        return self.subset(~held_out), self.subset(held_out)

    def _column(self, name: str) -> Column:
        if name not in self.columns:
            raise DatasetError(frames.no_such_column(name, list(self.columns), "dataset"))
        return Column.of(name, self.columns[name])
