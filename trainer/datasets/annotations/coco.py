"""COCO's instances file: one JSON object with images, annotations and categories.

A box is x, y, width, height in pixels, from the corner of the image.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from feedline.common.errors import ConfigurationError, DatasetError
from feedline.common.sample.image import Size
from feedline.trainer.datasets.annotations.coco_file import CocoFile, Record
from feedline.trainer.datasets.annotations.gathering import Gathering, Wanted
from feedline.trainer.datasets.annotations.outlines import Corners, segmentation_in
from feedline.trainer.datasets.bad_rows import BadRows
from feedline.trainer.datasets.columns import Parts

_CROWD = {None: False, 0: False, 1: True, "0": False, "1": True}
"""What ``iscrowd`` may be; true and false are 1 and 0."""

OF_SEGMENTATION = "segmentation"


@dataclass(frozen=True, slots=True)
class CocoRequest:
    """The arguments of ``from_coco``, checked.

    Attributes
    ----------
    boxes : bool or str
        Whether boxes are wanted; `OF_SEGMENTATION`: those around it, whatever ``bbox`` says.
    masks, crowds, ignore_keypoints : bool
        See `ImageDataset.from_coco`.
    """

    boxes: bool | str
    masks: bool
    crowds: bool
    ignore_keypoints: bool

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if not isinstance(self.boxes, bool) and self.boxes != OF_SEGMENTATION:
            raise ConfigurationError(f'boxes must be True, False or "segmentation", got {self.boxes!r}')

    @property
    def wanted(self) -> Wanted:
        """What annotations are to become."""
        return Wanted(self.boxes is not False, self.masks)


def read_coco(
    path: str | os.PathLike[str],
    directory: str | os.PathLike[str] | None,
    request: CocoRequest,
    *,
    validate_filenames: bool,
    on_bad_row: str = "raise",
) -> Parts:
    """What an instances file says; see `ImageDataset.from_coco`."""
    directory = None if directory is None else os.fspath(directory)
    file = CocoFile.read(path)
    categories = sorted(file.categories, key=lambda category: category["id"])
    places = {category["id"]: place for place, category in enumerate(categories)}
    reader = _Reader(file, request, places)
    names = [category["name"] for category in categories]
    gathering = Gathering(file.path, names, bad_rows=BadRows.of(on_bad_row))
    by_image = file.by_image(gathering.bad_rows)
    for image in file.images:
        size = file.size_of(image)
        gathering.begin_image(image["file_name"], file.place_of(image), size)
        for annotation in by_image[image["id"]]:
            reader.refuse_keypoints(annotation)
            with gathering.bad_rows.tolerated(file.where(annotation)):
                reader.add(gathering, annotation, size)
    gathering.refuse_fractions()
    return gathering.parts(directory, request.wanted, validate_filenames=validate_filenames)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads annotations.

    Attributes
    ----------
    file : CocoFile
        Where they stand.
    request : CocoRequest
        What is made of them.
    places : mapping
        The class of each category's id.
    """

    file: CocoFile
    request: CocoRequest
    places: Mapping[Any, int]

    def add(self, gathering: Gathering, annotation: Record, size: Size | None) -> None:
        """Take one annotation, unless it is of a crowd and those are not wanted."""
        where = self.file.where(annotation)
        if self._is_crowd(annotation, where) and not self.request.crowds:
            return
        category = annotation.get("category_id")
        self.file.refuse_unknown(annotation, "category", category, self.places)
        if self.request.masks:
            outline = segmentation_in(annotation.get("segmentation"), size, where)
            gathering.draw(outline, self.places[category], where)
        if self.request.boxes:
            gathering.add(self._corners(annotation, size, where), self.places[category], where)

    def _corners(self, annotation: Record, size: Size | None, where: str) -> Corners:
        """The box as it is given, or around the segmentation."""
        outline = annotation.get("segmentation")
        if self.request.boxes == OF_SEGMENTATION or (outline and annotation.get("bbox") is None):
            return segmentation_in(outline, size, where).corners
        return _corners_of(annotation.get("bbox"), where)

    def refuse_keypoints(self, annotation: Record) -> None:
        """Raise a DatasetError if an annotation has keypoints, unless they are to be ignored."""
        if annotation.get("keypoints") and not self.request.ignore_keypoints:
            raise DatasetError(
                f"{self.file.where(annotation)} has keypoints, which cannot be delivered: pass"
                " ignore_keypoints=True for boxes and masks alone"
            )

    @staticmethod
    def _is_crowd(annotation: Record, where: str) -> bool:
        given = annotation.get("iscrowd")
        if not isinstance(given, int | str | None) or given not in _CROWD:
            raise DatasetError(f"{where}: expected iscrowd to be 0 or 1, got {given!r}")
        return _CROWD[given]


def _corners_of(box: Any, where: str) -> Corners:
    try:
        x, y, width, height = map(float, box)
    except (TypeError, ValueError):
        raise DatasetError(f"{where}: expected bbox=[x, y, width, height], got {box!r}") from None
    return x, y, x + width, y + height
