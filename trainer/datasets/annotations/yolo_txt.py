"""Text files of Darknet and Ultralytics: a folder of images and one of labels, ``class x y width height``.

The four numbers are the centre and the sides as fractions of the image. They become pixels here, from the
sizes in the images' headers, so that boxes mean the same in every dataset: whoever splits, draws or encodes
them need not ask which kind they are. It costs one open of each labelled image.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from feedline.common.errors import DatasetError
from feedline.common.formats.images import size_of as size_of_image
from feedline.common.formats.names import format_of
from feedline.trainer.datasets.annotations.gathering import Corners, Gathering, class_in, numbers_in, text_of
from feedline.trainer.datasets.columns import Parts
from feedline.trainer.datasets.folders import FolderRequest, read_folder

MOST = 1.01
"""Exporters round: a fraction may be so much."""


def read_yolo_txt(
    images: str | os.PathLike[str],
    labels: str | os.PathLike[str] | None = None,
    *,
    class_names: Sequence[str] | None = None,
) -> Parts:
    """The boxes of a folder of text files; see `ImageDataset.from_yolo_txt`."""
    folder = os.fspath(images)
    below = Path(_labels_of(folder) if labels is None else labels)
    if not below.is_dir():
        raise DatasetError(f"there is no folder {str(below)!r} with a text file for each image: pass labels=")
    gathering = Gathering(class_names)
    for name in read_folder(FolderRequest(folder, None, None, None, follow_links=True)).paths:
        gathering.begin_image(name)
        _add_file(gathering, (below / name).with_suffix(".txt"), Path(folder, name))
    return gathering.parts(folder)


def _labels_of(images: str) -> str:
    """Ultralytics' rule: ``.../images/train`` has its labels in ``.../labels/train``."""
    parts = Path(images).absolute().parts
    places = [place for place, part in enumerate(parts) if part == "images"]
    if not places:
        raise DatasetError(
            f"no folder in {images!r} is called 'images': pass labels=, the folder of text files"
        )
    return str(Path(*parts[: places[-1]], "labels", *parts[places[-1] + 1 :]))


def _add_file(gathering: Gathering, file: Path, image: Path) -> None:
    boxes = list(_boxes(file)) if file.is_file() else []
    if not boxes:
        return
    height, width = size_of(image)
    for where, category, (x1, y1, x2, y2) in boxes:
        gathering.add((x1 * width, y1 * height, x2 * width, y2 * height), category, where)


def _boxes(file: Path) -> Iterator[tuple[str, int, Corners]]:
    """Where a box stands, its class, and its corners as fractions of the image."""
    for number, line in enumerate(text_of(file, "the label file").splitlines(), 1):
        where, expected = f"{file}, line {number}", "class x y width height"
        values = numbers_in(line.split(), where, expected)
        if not values:
            continue
        if len(values) != 5:
            raise DatasetError(f"{where}: expected {expected}, got {line!r}")
        category, x, y, width, height = values
        if not all(0 <= value <= MOST for value in values[1:]):
            raise DatasetError(f"{where}: expected fractions of the image, from 0 to 1, got {line!r}")
        corners = x - width / 2, y - height / 2, x + width / 2, y + height / 2
        yield where, class_in(category, where), corners


def size_of(image: Path) -> tuple[int, int]:
    """(height, width) in pixels of an image as it is seen, from its header; DatasetError if it has none."""
    try:
        with image.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
            size = size_of_image(data)
            name = format_of(data)
    except (OSError, ValueError) as error:  # ValueError: an empty file cannot be mapped
        raise DatasetError(f"cannot read the size of {str(image)!r}: {error}") from error
    if size is None:
        kind = "no image that is known" if name is None else f"no {name} file with a size"
        raise DatasetError(f"cannot read the size of {str(image)!r}: it is {kind}")
    return size
