"""COCO's instances file: one JSON object with images, annotations and categories.

A box is x, y, width, height in pixels, from the corner of the image.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from feedline.common.errors import DatasetError
from feedline.trainer.datasets.annotations.coco_file import CocoFile, Record
from feedline.trainer.datasets.annotations.gathering import Corners, Gathering
from feedline.trainer.datasets.columns import Parts

_CROWD = {None: False, 0: False, 1: True, "0": False, "1": True}
"""What ``iscrowd`` may be; true and false are 1 and 0."""


def read_coco(
    path: str | os.PathLike[str],
    directory: str | os.PathLike[str] | None = None,
    *,
    crowds: bool = False,
    validate_filenames: bool = True,
) -> Parts:
    """The boxes of an instances file; see `ImageDataset.from_coco`."""
    directory = None if directory is None else os.fspath(directory)
    file = CocoFile.read(path)
    categories = sorted(file.categories, key=lambda category: category["id"])
    places = {category["id"]: place for place, category in enumerate(categories)}
    by_image = file.by_image()
    gathering = Gathering(file.path, [category["name"] for category in categories])
    for image in file.images:
        gathering.begin_image(image["file_name"], file.place_of(image), file.size_of(image))
        for annotation in by_image[image["id"]]:
            if crowds or not _is_crowd(file, annotation):
                _add(gathering, annotation, places, file)
    gathering.refuse_fractions()
    return gathering.parts(directory, validate_filenames=validate_filenames)


def _is_crowd(file: CocoFile, annotation: Record) -> bool:
    given = annotation.get("iscrowd")
    if not isinstance(given, int | str | None) or given not in _CROWD:
        raise DatasetError(f"{file.where(annotation)}: expected iscrowd to be 0 or 1, got {given!r}")
    return _CROWD[given]


def _add(gathering: Gathering, annotation: Record, places: Mapping[Any, int], file: CocoFile) -> None:
    category = annotation.get("category_id")
    file.refuse_unknown(annotation, "category", category, places)
    gathering.add(_corners(annotation, file), places[category], file.where(annotation))


def _corners(annotation: Record, file: CocoFile) -> Corners:
    try:
        x, y, width, height = map(float, annotation.get("bbox", ()))
    except (TypeError, ValueError):
        raise DatasetError(
            f"{file.where(annotation)}: expected bbox=[x, y, width, height], got {annotation.get('bbox')!r}"
        ) from None
    return x, y, x + width, y + height
