"""Pascal VOC: a folder with Annotations, ImageSets and JPEGImages.

Everingham et al., "The PASCAL visual object classes challenge 2012 development kit". Its coordinates count
pixels from 1 and name the first and the last one inside; ours are edges that count from 0.
"""

from __future__ import annotations

import math
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from xml.etree.ElementTree import Element

from feedline.common.errors import DatasetError
from feedline.common.sample.image import Size
from feedline.trainer.datasets.annotations.gathering import Gathering, Wanted
from feedline.trainer.datasets.annotations.texts import lines_of, numbers_in
from feedline.trainer.datasets.annotations.xml_files import XmlFile
from feedline.trainer.datasets.bad_rows import BadRows
from feedline.trainer.datasets.columns import Parts
from feedline.trainer.datasets.listing.files import entries

VOC_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip

_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_YES = ("1", "true")
"""What marks an object as difficult. Tools write much else for "no", such as nothing or "Unspecified"."""


def read_voc(
    directory: str | os.PathLike[str],
    image_set: str | None = "trainval",
    *,
    class_names: Sequence[str] = VOC_CLASSES,
    difficult: bool = False,
    validate_filenames: bool = True,
    on_bad_row: str = "raise",
) -> Parts:
    """The boxes of a folder of XML files; see `ImageDataset.from_voc`."""
    root = Path(directory)
    images = _Images(root / "JPEGImages")
    source = root / ("Annotations" if image_set is None else f"ImageSets/Main/{image_set}.txt")
    gathering = Gathering(source, class_names, first_pixel=1, bad_rows=BadRows.of(on_bad_row))
    for name in _names(root, image_set):
        path = root / "Annotations" / f"{name}.xml"
        with gathering.bad_rows.tolerated(str(path)):
            _add_image(gathering, images, XmlFile(path, "the annotation"), difficult=difficult)
    gathering.refuse_fractions()
    return gathering.parts(str(root), Wanted(), validate_filenames=validate_filenames)


def _names(root: Path, image_set: str | None) -> Iterator[str]:
    if image_set is None:
        yield from sorted(file.stem for file in (root / "Annotations").glob("*.xml"))
        return
    seen: dict[str, str] = {}
    for where, line in lines_of(root / "ImageSets" / "Main" / f"{image_set}.txt", "the image set"):
        # Sets of one class have a second column, which says whether the class is in the image.
        name = line.split()[0]
        if name in seen:
            raise DatasetError(
                f"{where}: {name!r} is listed a second time, after {seen[name]}: leave one out"
            )
        seen[name] = where
        yield name


class _Images:
    """The images' folder, listed once: tools write their names with other folders, or without an ending."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names = {entry.name for entry in entries(folder)}
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        for name in self._names:
            self._by_stem[PurePosixPath(name).stem].append(name)

    def named(self, written: str) -> str:
        """The file that is meant, relative to the folder; as it is written if there is none."""
        name = written.replace("\\", "/")
        bare = PurePosixPath(name).name
        if name in self._names or ("/" in name and (self._folder / name).is_file()):
            return name
        if bare in self._names:
            return bare
        alike = self._by_stem[bare]
        return alike[0] if len(alike) == 1 else name


def _size_in(file: XmlFile) -> Size | None:
    """(height, width) as the file says them; tools that do not know them write 0 or leave them out."""
    sides = [file.text(file.root, f"size/{side}", "") or "0" for side in ("height", "width")]
    height, width = numbers_in(sides, str(file.path), "numbers in <size>")
    return (int(height), int(width)) if 0 < height < math.inf and 0 < width < math.inf else None


def _add_image(gathering: Gathering, images: _Images, file: XmlFile, *, difficult: bool) -> None:
    """Take an image and its objects."""
    if file.root.tag != "annotation":
        raise DatasetError(f"{file.where(file.root)}: expected <annotation>, got <{file.root.tag}>")
    image = images.named(file.text(file.root, "filename", "") or file.path.stem)
    gathering.begin_image(f"JPEGImages/{image}", str(file.path), _size_in(file))
    for thing in file.root.iter("object"):
        if difficult or file.text(thing, "difficult", "").lower() not in _YES:
            with gathering.bad_rows.tolerated(file.where(thing)):
                _add(gathering, file, thing)


def _add(gathering: Gathering, file: XmlFile, thing: Element) -> None:
    """Take the box of an object."""
    where = file.where(thing)
    name = file.text(thing, "name")
    names = gathering.class_names or []
    if name not in names:
        raise DatasetError(f"{where}: expected one of class_names={names}, got {name!r}")
    corners = [file.text(thing, f"bndbox/{tag}") for tag in _CORNERS]
    x1, y1, x2, y2 = numbers_in(corners, where, "numbers in <bndbox>")
    gathering.add((x1, y1, x2, y2), names.index(name), where)
