"""A folder in, the parts of a dataset out: what Keras' ``image_dataset_from_directory`` finds.

The images and their order are Keras': class by class, within a class sorted by folder, then name.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from feedline.common.errors import ConfigurationError, DatasetError
from feedline.common.lookalikes import alike, differences
from feedline.common.notices import warn
from feedline.trainer.datasets.classes import ordered
from feedline.trainer.datasets.columns import Array, Parts
from feedline.trainer.datasets.files import entries
from feedline.trainer.datasets.labels import class_targets
from feedline.trainer.datasets.walk import IMAGE_SUFFIXES, Walk, is_hidden

_CLASS_MODES = {"int": "sparse", "categorical": "categorical", "binary": "binary"}
"""What a ``label_mode`` is called where ``class_mode`` is meant."""


@dataclass(frozen=True, slots=True)
class FolderRequest:
    """The arguments of ``from_directory``, checked.

    Attributes
    ----------
    directory : str
        Holds class folders, or images if `labels` or `label_mode` is None.
    labels : {"inferred", None}
        Whether folder names are labels.
    label_mode : {"int", "categorical", "binary", None}
        What the labels become.
    class_names : sequence of str or None
        Folders to take, in the order of their class indices.
    follow_links : bool
        Whether links to folders inside class folders are followed.
    """

    directory: str
    labels: str | None
    label_mode: str | None
    class_names: Sequence[str] | None
    follow_links: bool

    def __post_init__(self) -> None:
        """Refuse what cannot work, and arguments that do not go together."""
        if self.labels not in ("inferred", None):
            raise ConfigurationError(
                f'labels must be "inferred" or None, got {self.labels!r}; for labels of your own use '
                "from_lists(paths, labels, directory=...)"
            )
        if self.label_mode not in (*_CLASS_MODES, None):
            modes = [*_CLASS_MODES, None]
            raise ConfigurationError(f"label_mode must be one of {modes}, got {self.label_mode!r}")
        if not self.is_labelled and self.class_names is not None:
            raise ConfigurationError(
                f"class_names={self.class_names!r} needs labels, got labels={self.labels!r} and "
                f"label_mode={self.label_mode!r}"
            )
        if self.class_names is not None:
            object.__setattr__(self, "class_names", ordered("class_names", self.class_names))

    @property
    def is_labelled(self) -> bool:
        """Whether there are class folders; either argument says so, as in Keras."""
        return self.labels is not None and self.label_mode is not None


def read_folder(request: FolderRequest) -> Parts:
    """Find the images of a folder and, unless there are none, their labels."""
    check_directory(request.directory)
    names = _class_folders(request) if request.is_labelled else [""]
    walk = Walk(request.directory, request.follow_links)
    by_class = [walk.images_under(name) for name in names]
    paths = [path for paths in by_class for path in paths]
    if not paths:
        _refuse_no_images(request)
    walk.left_out.report(request.directory)
    if not request.is_labelled:
        return Parts(paths, directory=request.directory)
    _warn_of_empty(
        request.directory, [name for name, found in zip(names, by_class, strict=True) if not found]
    )
    codes = np.repeat(np.arange(len(names)), [len(found) for found in by_class])
    targets = _targets(codes, request.label_mode, names)
    return Parts(paths, targets, names, directory=request.directory)


def _class_folders(request: FolderRequest) -> list[str]:
    """Names of the class folders, hidden ones left out, in the order of their indices."""
    is_class = (entry for entry in entries(Path(request.directory)) if entry.is_dir())
    folders = sorted(entry.name for entry in is_class if not is_hidden(entry.name))
    if not folders:
        _refuse_no_folders(request.directory)
    if request.class_names is None:
        return folders
    names = list(request.class_names)
    if not names or len(set(names)) != len(names) or not set(names) <= set(folders):
        pair = alike([*folders, *names])
        hint = "" if pair is None else f": {pair[0]!r} and {pair[1]!r} differ in {differences(*pair)}"
        raise DatasetError(f"class_names must be different folders of {folders}, got {names}{hint}")
    return names


def _targets(codes: npt.NDArray[np.intp], label_mode: str | None, names: list[str]) -> tuple[Array, ...]:
    """Make targets of folder numbers; "binary" has a last axis here and none in a frame, as in Keras."""
    target = class_targets(codes, _CLASS_MODES[str(label_mode)], names)
    return (target[:, np.newaxis] if label_mode == "binary" else target,)


def check_directory(directory: str) -> None:
    """Raise a DatasetError unless it is a folder."""
    if not Path(directory).is_dir():
        what = "is not a directory" if Path(directory).exists() else "does not exist"
        raise DatasetError(f"directory {directory!r} {what} (looked from {str(Path.cwd())!r})")


def _refuse_no_folders(directory: str) -> NoReturn:
    num_images = sum(entry.name.lower().endswith(IMAGE_SUFFIXES) for entry in entries(Path(directory)))
    remedy = f"but {num_images:,} images directly inside: use labels=None" if num_images else "and no images"
    raise DatasetError(f"no class folders in {directory!r}, {remedy}")


def _refuse_no_images(request: FolderRequest) -> NoReturn:
    """Say what there is instead of images."""
    names = (name for _, _, names in os.walk(request.directory) for name in names)
    suffixes = Counter(Path(name).suffix.lower() or "without a suffix" for name in names)
    held = ", ".join(f"{num:,} files {suffix}" for suffix, num in suffixes.most_common(5)) or "no files"
    raise DatasetError(
        f"no images in {request.directory!r}: expected files ending in {', '.join(IMAGE_SUFFIXES)}, "
        f"found {held}. Files of other formats can be named with from_dataframe or from_lists"
    )


def _warn_of_empty(directory: str, names: list[str]) -> None:
    """Name class folders without images: they stay classes, so that indices do not move."""
    if names:
        warn(f"no images in the class folders {names} of {directory!r}; they stay classes")
