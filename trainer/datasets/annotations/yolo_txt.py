"""Text files of Darknet and Ultralytics: a folder of images and one of labels, ``class x y width height``.

The four numbers are the centre and the sides as fractions of the image. They become pixels here, from the
sizes in the images' headers, so that boxes mean the same in every dataset: whoever splits, draws or encodes
them need not ask which kind they are. It costs one open of each labelled image.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from feedline.common.errors import DatasetError
from feedline.common.notices import warn
from feedline.trainer.datasets.annotations.gathering import Corners, Gathering
from feedline.trainer.datasets.annotations.texts import class_in, lines_of, numbers_in
from feedline.trainer.datasets.boxes import ROUNDING
from feedline.trainer.datasets.columns import Parts
from feedline.trainer.datasets.folders import check_directory
from feedline.trainer.datasets.walk import IMAGE_SUFFIXES, Walk

SUFFIXES = (
    *IMAGE_SUFFIXES,
    ".apng", ".avif", ".jfif", ".jp2", ".jpe", ".pbm", ".pgm", ".pnm", ".ppm", ".tif", ".tiff", ".webp",
)  # fmt: skip
"""File names that count as images here: all formats that producers decode and whose header is read here."""

_NO_LABELS = "classes.txt"
"""A list of class names that labelling tools write beside the labels."""

_ORIENTATION_TAG = 0x0112
"""Exif's; from 5 on rows are columns (CIPA DC-008-2019, 4.6.4)."""


def read_yolo_txt(
    images: str | os.PathLike[str],
    labels: str | os.PathLike[str] | None = None,
    *,
    class_names: Sequence[str] | None = None,
) -> Parts:
    """The boxes of a folder of text files; see `ImageDataset.from_yolo_txt`."""
    folder = os.fspath(images)
    check_directory(folder)
    below = Path(_labels_of(folder) if labels is None else labels)
    if not below.is_dir():
        raise DatasetError(f"there is no folder {str(below)!r} with a text file for each image: pass labels=")
    gathering = Gathering(folder, class_names)
    for name, file in _label_files(folder, below).items():
        gathering.begin_image(name, str(file))
        _add_file(gathering, file, Path(folder, name))
    return gathering.parts(folder, validate_filenames=False)


def _labels_of(images: str) -> str:
    """Ultralytics' rule: ``.../images/train`` has its labels in ``.../labels/train``."""
    parts = Path(images).absolute().parts
    places = [place for place, part in enumerate(parts) if part == "images"]
    if not places:
        raise DatasetError(
            f"no folder in {images!r} is called 'images': pass labels=, the folder of text files"
        )
    return str(Path(*parts[: places[-1]], "labels", *parts[places[-1] + 1 :]))


def _label_files(folder: str, below: Path) -> dict[str, Path]:
    """Where the labels of each image would be; warns of images and labels that have no other half."""
    walk = Walk(folder, follow_links=True, suffixes=SUFFIXES)
    files = {name: (below / name).with_suffix(".txt") for name in walk.images_under("")}
    walk.left_out.report(folder)
    there = {file for file in below.rglob("*.txt") if file.name != _NO_LABELS}
    alone = sorted(map(str, there - set(files.values())))
    if alone:
        warn(f"{len(alone):,} text files are of no image in {folder!r}, the first is {alone[0]!r}")
    if files and not there & set(files.values()):
        warn(f"none of the {len(files):,} images in {folder!r} has a text file in {str(below)!r}: no boxes")
    return files


def _add_file(gathering: Gathering, file: Path, image: Path) -> None:
    boxes = list(_boxes(file)) if file.is_file() else []
    if not boxes:
        return
    height, width = size_of(image)
    for where, category, (x1, y1, x2, y2) in boxes:
        gathering.add((x1 * width, y1 * height, x2 * width, y2 * height), category, where)


def _boxes(file: Path) -> Iterator[tuple[str, int, Corners]]:
    """Where a box stands, its class, and its corners as fractions of the image."""
    expected = "class x y width height"
    for where, line in lines_of(file, "the label file"):
        values = numbers_in(line.split(), where, expected)
        if len(values) != 5:
            raise DatasetError(f"{where}: expected {expected}, got {line!r}")
        x, y, width, height = _fractions(values[1:], where, line)
        corners = x - width / 2, y - height / 2, x + width / 2, y + height / 2
        yield where, class_in(values[0], where), corners


def _fractions(values: Sequence[float], where: str, line: str) -> list[float]:
    """Numbers from 0 to 1, as exporters round them."""
    if not all(-ROUNDING <= value <= 1 + ROUNDING for value in values):
        raise DatasetError(f"{where}: expected fractions of the image, from 0 to 1, got {line!r}")
    return [min(max(value, 0.0), 1.0) for value in values]


def size_of(image: Path) -> tuple[int, int]:
    """(height, width) in pixels of an image as it is seen, from its header; DatasetError if it has none."""
    from PIL import Image  # noqa: PLC0415 - other datasets need none

    try:
        with Image.open(image) as opened:
            width, height = opened.size
            turned = opened.getexif().get(_ORIENTATION_TAG, 1)
    except OSError as error:
        raise DatasetError(f"cannot read the size of {str(image)!r}: {error}") from error
    return (width, height) if turned >= 5 else (height, width)
