"""Pascal VOC: a folder with Annotations, ImageSets and JPEGImages.

Everingham et al., "The PASCAL visual object classes challenge 2012 development kit". Its coordinates count
pixels from 1 and name the first and the last one inside; ours are edges that count from 0.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from feedline.common.errors import DatasetError
from feedline.trainer.datasets.annotations.gathering import Gathering, numbers_in, text_of
from feedline.trainer.datasets.columns import Parts

VOC_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip

_CORNERS = ("xmin", "ymin", "xmax", "ymax")


def read_voc(
    directory: str | os.PathLike[str],
    image_set: str | None = "trainval",
    *,
    class_names: Sequence[str] = VOC_CLASSES,
    difficult: bool = False,
) -> Parts:
    """The boxes of a folder of XML files; see `ImageDataset.from_voc`."""
    root = Path(directory)
    gathering = Gathering(class_names)
    for name in _names(root, image_set):
        annotation = _Annotation(root / "Annotations" / f"{name}.xml")
        gathering.begin_image(f"JPEGImages/{annotation.text(annotation.root, 'filename')}")
        for thing in annotation.root.iter("object"):
            if difficult or annotation.text(thing, "difficult", "0") == "0":
                annotation.add(gathering, thing)
    return gathering.parts(str(root))


def _names(root: Path, image_set: str | None) -> list[str]:
    if image_set is not None:
        listed = text_of(root / "ImageSets" / "Main" / f"{image_set}.txt", "the image set")
        # Sets of one class have a second column, which says whether the class is in the image.
        return [line.split()[0] for line in listed.splitlines() if line.strip()]
    return sorted(file.stem for file in (root / "Annotations").glob("*.xml"))


class _Annotation:
    """One XML file, which knows the line of each element."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lines: dict[Element, int] = {}
        self._builder = TreeBuilder()
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._begin
        self._parser.EndElementHandler = self._builder.end
        self._parser.CharacterDataHandler = self._builder.data
        try:
            self._parser.Parse(text_of(file, "the annotation"), True)
        except expat.ExpatError as error:
            raise DatasetError(f"{file}, line {error.lineno}: not XML: {error}") from error
        self.root = self._builder.close()

    def text(self, parent: Element, tag: str, default: str | None = None) -> str:
        """What an element inside `parent` says; DatasetError if there is none and no default."""
        found = parent.findtext(tag, default)
        if found is None:
            raise DatasetError(f"{self.where(parent)}: expected <{tag}> in <{parent.tag}>, and there is none")
        return found.strip()

    def add(self, gathering: Gathering, thing: Element) -> None:
        """Take the box of an object."""
        where = self.where(thing)
        name = self.text(thing, "name")
        names = gathering.class_names or []
        if name not in names:
            raise DatasetError(f"{where}: expected one of class_names={names}, got {name!r}")
        corners = [self.text(thing, f"bndbox/{tag}") for tag in _CORNERS]
        x1, y1, x2, y2 = numbers_in(corners, where, "numbers in <bndbox>")
        gathering.add((x1 - 1, y1 - 1, x2, y2), names.index(name), where)

    def where(self, element: Element) -> str:
        """File and line, for an error."""
        return f"{self._file}, line {self._lines[element]}"

    def _begin(self, tag: str, attributes: dict[str, str]) -> None:
        self._lines[self._builder.start(tag, attributes)] = self._parser.CurrentLineNumber
