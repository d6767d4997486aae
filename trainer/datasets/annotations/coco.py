"""COCO's instances file: one JSON object with images, annotations and categories.

See "Data format" on cocodataset.org. A box is x, y, width, height in pixels, from the corner of the image.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from typing import Any

from feedline.common.errors import DatasetError
from feedline.trainer.datasets.annotations.gathering import Gathering, text_of
from feedline.trainer.datasets.columns import Parts

Record = dict[str, Any]


def read_coco(
    path: str | os.PathLike[str],
    directory: str | os.PathLike[str] | None = None,
    *,
    crowds: bool = False,
) -> Parts:
    """The boxes of an instances file; see `ImageDataset.from_coco`."""
    directory = None if directory is None else os.fspath(directory)
    file = os.fspath(path)
    content = _content(file)
    categories = sorted(content["categories"], key=lambda category: category["id"])
    places = {category["id"]: place for place, category in enumerate(categories)}
    by_image = _by_image(file, content)
    gathering = Gathering([str(category["name"]) for category in categories])
    for image in content["images"]:
        gathering.begin_image(image["file_name"])
        for annotation in by_image[image["id"]]:
            if crowds or not annotation.get("iscrowd"):
                _add(gathering, annotation, places, _where(file, annotation))
    return gathering.parts(directory)


_NEEDED = {"images": ("id", "file_name"), "annotations": ("id", "image_id"), "categories": ("id", "name")}
"""What each list of the file holds, as far as it is read here."""


def _content(file: str) -> Record:
    try:
        content = json.loads(text_of(file, "the annotation file"))
    except json.JSONDecodeError as error:
        raise DatasetError(f"{file}, line {error.lineno}: not JSON: {error.msg}") from error
    for name, keys in _NEEDED.items():
        records = content.get(name) if isinstance(content, dict) else None
        if not isinstance(records, list):
            raise DatasetError(
                f"{file}: expected an object with a list of {name}, as COCO's instances files have"
            )
        for place, record in enumerate(records):
            if not isinstance(record, dict) or not all(key in record for key in keys):
                raise DatasetError(
                    f"{file}: entry {place} of {name} must have {', '.join(keys)}, got {record!r:.200}"
                )
    return dict(content)


def _by_image(file: str, content: Record) -> dict[Any, list[Record]]:
    """The annotations of each image."""
    known = {image["id"] for image in content["images"]}
    found: dict[Any, list[Record]] = defaultdict(list)
    for annotation in content["annotations"]:
        if annotation["image_id"] not in known:
            raise DatasetError(
                f"{_where(file, annotation)} is of image {annotation['image_id']!r}, which is not in images"
            )
        found[annotation["image_id"]].append(annotation)
    return found


def _add(gathering: Gathering, annotation: Record, places: dict[Any, int], where: str) -> None:
    category = annotation.get("category_id")
    if category not in places:
        raise DatasetError(f"{where} is of category {category!r}, which is not in categories")
    try:
        x, y, width, height = map(float, annotation.get("bbox", ()))
    except (TypeError, ValueError):
        raise DatasetError(
            f"{where}: expected bbox=[x, y, width, height], got {annotation.get('bbox')!r}"
        ) from None
    gathering.add((x, y, x + width, y + height), places[category], where)


def _where(file: str, annotation: Record) -> str:
    return f"{file}, annotation {annotation['id']}"
