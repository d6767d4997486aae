"""Text files of Darknet and Ultralytics: a folder of images and one of labels; see `yolo_lines`.

Fractions become pixels here, from the sizes in the images' headers, so that boxes mean the same in every
dataset: whoever splits, draws or encodes them need not ask which kind they are. It costs one open of each
labelled image.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from pathlib import Path

from feedline.common.errors import DatasetError
from feedline.common.formats.images import size_of as size_of_image
from feedline.common.formats.names import format_of
from feedline.common.notices import warn
from feedline.common.regular import open_regular
from feedline.common.sample.image import Size
from feedline.trainer.datasets.annotations.gathering import Gathering, Wanted
from feedline.trainer.datasets.annotations.yolo_lines import KeypointsWatch, YoloLine, yolo_lines
from feedline.trainer.datasets.bad_rows import BadRows
from feedline.trainer.datasets.columns import Parts
from feedline.trainer.datasets.folders import check_directory
from feedline.trainer.datasets.listing.walk import DECODED_SUFFIXES, Walk

_NO_LABELS = "classes.txt"
"""A list of class names that labelling tools write beside the labels."""


def read_yolo_txt(
    images: str | os.PathLike[str],
    labels: str | os.PathLike[str] | None = None,
    *,
    class_names: Sequence[str] | None = None,
    wanted: Wanted,
    on_bad_row: str = "raise",
) -> Parts:
    """The boxes and masks of a folder of text files; see `ImageDataset.from_yolo_txt`."""
    folder = os.fspath(images)
    check_directory(folder)
    below = Path(_labels_of(folder) if labels is None else labels)
    if not below.is_dir():
        raise DatasetError(f"there is no folder {str(below)!r} with a text file for each image: pass labels=")
    gathering = Gathering(folder, class_names, bad_rows=BadRows.of(on_bad_row))
    watch = KeypointsWatch()
    for name, file in _label_files(folder, below).items():
        with gathering.bad_rows.tolerated(str(file)):
            _add_image(gathering, watch, Path(folder, name), name, file, wanted)
    watch.refuse()
    return gathering.parts(folder, wanted, validate_filenames=False)


def _add_image(
    gathering: Gathering, watch: KeypointsWatch, image: Path, name: str, file: Path, wanted: Wanted
) -> None:
    """Take an image and its lines."""
    lines = list(yolo_lines(file, gathering.bad_rows)) if file.is_file() else []
    # Of what has no labels the size is asked for a mask of that size alone.
    size = size_of(image) if lines or wanted.masks else None
    gathering.begin_image(name, str(file), size)
    if size is None:
        return
    for line in lines:
        watch.see(line)
        with gathering.bad_rows.tolerated(line.where):
            _add(gathering, line, size, wanted)


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
    walk = Walk(folder, follow_links=True, suffixes=DECODED_SUFFIXES)
    files = {name: (below / name).with_suffix(".txt") for name in walk.images_under("")}
    walk.left_out.report(folder)
    there = {file for file in below.rglob("*.txt") if file.name != _NO_LABELS}
    alone = sorted(map(str, there - set(files.values())))
    if alone:
        warn(f"{len(alone):,} text files are of no image in {folder!r}, the first is {alone[0]!r}")
    if files and not there & set(files.values()):
        warn(f"none of the {len(files):,} images in {folder!r} has a text file in {str(below)!r}: no boxes")
    return files


def _add(gathering: Gathering, line: YoloLine, size: Size, wanted: Wanted) -> None:
    if wanted.masks and not line.is_polygon:
        raise DatasetError(
            f"{line.where}: a box alone, of which no mask can be drawn: expected class x1 y1 x2 y2 x3 y3 ..."
        )
    if wanted.masks:
        gathering.draw(line.outline(size), line.category, line.where)
    if wanted.boxes:
        gathering.add(line.corners(size), line.category, line.where)


def size_of(image: Path) -> tuple[int, int]:
    """(height, width) in pixels of an image as it is seen, from its header; DatasetError if it has none."""
    try:
        with (
            os.fdopen(open_regular(image), "rb") as opened,
            mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data,
        ):
            size = size_of_image(data)
            name = format_of(data)
    except (OSError, ValueError) as error:  # ValueError: an empty file cannot be mapped
        raise DatasetError(f"cannot read the size of {str(image)!r}: {error}") from error
    if size is None:
        kind = "no image that is known" if name is None else f"no {name} file with a size"
        raise DatasetError(f"cannot read the size of {str(image)!r}: it is {kind}")
    return size
