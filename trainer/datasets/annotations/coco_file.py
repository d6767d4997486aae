"""COCO's instances file as it is written, checked: records that can be told apart, of the expected form.

See "Data format" on cocodataset.org.
"""

from __future__ import annotations

import json
import math
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

from feedline.common.errors import DatasetError
from feedline.common.sample.image import Size
from feedline.trainer.datasets.annotations.texts import text_of
from feedline.trainer.datasets.bad_rows import BadRows

Record = dict[str, Any]

_NEEDED = {"images": ("id", "file_name"), "annotations": ("id", "image_id"), "categories": ("id", "name")}
"""What each list of the file holds, as far as it is read here."""

_NAMES = {"images": "file_name", "categories": "name"}
"""What must be a text that no other record of the list has."""


@dataclass(frozen=True, slots=True)
class CocoFile:
    """The content of an instances file.

    Attributes
    ----------
    path : str
        Of the file, for errors.
    images, annotations, categories : list of dict
        Ids of images and of categories are different, and of one type; so are their names.
    """

    path: str
    images: list[Record]
    annotations: list[Record]
    categories: list[Record]

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """Read a file.

        Raises
        ------
        DatasetError
            If it is of another form; names the file and the entry.
        """
        file = os.fspath(path)
        content = _content(file)
        for name, records in content.items():
            _check_needed(file, name, records)
        for name, key in _NAMES.items():
            _check_ids(file, name, content[name])
            _check_names(file, name, key, content[name])
        return cls(file, **content)

    def by_image(self, bad_rows: BadRows) -> dict[Any, list[Record]]:
        """The annotations of each image, by its id, in their order."""
        known = {image["id"] for image in self.images}
        found: dict[Any, list[Record]] = defaultdict(list)
        for annotation in self.annotations:
            with bad_rows.tolerated(self.where(annotation)):
                self.refuse_unknown(annotation, "image", annotation["image_id"], known)
                found[annotation["image_id"]].append(annotation)
        return found

    def refuse_unknown(self, annotation: Record, what: str, given: Any, known: Any) -> None:
        """Raise a DatasetError unless an annotation's `given` is the id of one of the file's."""
        if _is_id(given) and given in known:
            return
        alike = next((one for one in known if str(one) == str(given)), None)
        hint = "" if alike is None else f"; {alike!r} is: write all ids as numbers, or all as texts"
        plural = {"image": "images", "category": "categories"}[what]
        raise DatasetError(f"{self.where(annotation)} is of {what} {given!r}, which is not in {plural}{hint}")

    def where(self, annotation: Record) -> str:
        """File and annotation, for an error."""
        return f"{self.path}, annotation {annotation['id']}"

    def place_of(self, image: Record) -> str:
        """File and image, for an error."""
        return f"{self.path}, image {image['id']}"

    def size_of(self, image: Record) -> Size | None:
        """(height, width) of an image as the file says them, or None."""
        sides: list[Any] = [image.get(side) for side in ("height", "width")]
        if None in sides:
            return None
        if not all(_is_number(side) and 0 <= side < math.inf for side in sides):
            raise DatasetError(
                f"{self.place_of(image)}: expected height and width in pixels, or neither, got {sides}"
            )
        height, width = map(int, sides)
        return (height, width) if height and width else None


def _content(file: str) -> dict[str, list[Record]]:
    try:
        content = json.loads(text_of(file, "the annotation file"))
    except json.JSONDecodeError as error:
        raise DatasetError(f"{file}, line {error.lineno}: not JSON: {error.msg}") from error
    for name in _NEEDED:
        if not isinstance(content, dict) or not isinstance(content.get(name), list):
            raise DatasetError(
                f"{file}: expected an object with a list of {name}, as COCO's instances files have"
            )
    return {name: content[name] for name in _NEEDED}


def _check_needed(file: str, name: str, records: list[Any]) -> None:
    for place, record in enumerate(records):
        if not isinstance(record, dict) or not all(key in record for key in _NEEDED[name]):
            raise DatasetError(
                f"{file}: entry {place} of {name} must have {', '.join(_NEEDED[name])}, got {record!r:.200}"
            )


def _check_ids(file: str, name: str, records: list[Record]) -> None:
    for where, record in _entries(file, name, records):
        if not _is_id(record["id"]):
            raise DatasetError(f"{where} must have a number or a text as its id, got {record!r:.200}")
    odd = next(
        (one for one in records if isinstance(one["id"], str) != isinstance(records[0]["id"], str)), None
    )
    if odd is not None:
        raise DatasetError(
            f"{file}: the ids of {name} are numbers as well as texts, such as {records[0]['id']!r} and"
            f" {odd['id']!r}: write all of them as numbers, or all as texts"
        )
    _refuse_repeated(file, name, "id", records)


def _check_names(file: str, name: str, key: str, records: list[Record]) -> None:
    for where, record in _entries(file, name, records):
        if not isinstance(record[key], str) or not record[key]:
            raise DatasetError(f"{where} must have a text as its {key}, got {record!r:.200}")
    _refuse_repeated(file, name, key, records)


def _refuse_repeated(file: str, name: str, key: str, records: list[Record]) -> None:
    """Annotations of the one would go to the other, too."""
    first: dict[Any, int] = {}
    for place, record in enumerate(records):
        if record[key] in first:
            raise DatasetError(
                f"{file}: entries {first[record[key]]} and {place} of {name} have the same {key},"
                f" {record[key]!r}: give each its own, or leave one out"
            )
        first[record[key]] = place


def _entries(file: str, name: str, records: list[Record]) -> Iterator[tuple[str, Record]]:
    for place, record in enumerate(records):
        yield f"{file}: entry {place} of {name}", record


def _is_id(value: Any) -> bool:
    return isinstance(value, str) or (_is_number(value) and float(value).is_integer())


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
