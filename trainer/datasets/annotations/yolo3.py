"""Annotation files of the Keras YOLOv3: ``path x1,y1,x2,y2,class x1,y1,x2,y2,class ...``, one line an image.

The original splits lines at every space. Here the path may have spaces, too: it ends where an ending of an
image's name is followed by nothing but boxes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from feedline.common.errors import DatasetError
from feedline.trainer.datasets.annotations.gathering import Gathering, Wanted
from feedline.trainer.datasets.annotations.texts import class_in, lines_of, numbers_in
from feedline.trainer.datasets.bad_rows import BadRows
from feedline.trainer.datasets.columns import Parts

_PATH_ENDS = re.compile(r"\.(?:bmp|gif|jpe?g|jp2|png|tiff?|webp)(?=\s|$)", re.IGNORECASE)
_BOXES = re.compile(r"(?:\s+[-+\d.eE]+(?:,[-+\d.eE]+)+)*\s*$")


def read_yolo3(
    path: str | os.PathLike[str],
    directory: str | os.PathLike[str] | None = None,
    *,
    class_names: Sequence[str] | None = None,
    validate_filenames: bool = True,
    on_bad_row: str = "raise",
) -> Parts:
    """The boxes of an annotation file; see `ImageDataset.from_yolo3_annotations`."""
    directory = None if directory is None else os.fspath(directory)
    gathering = Gathering(path, class_names, bad_rows=BadRows.of(on_bad_row))
    for where, line in lines_of(path, "the annotation file"):
        image, boxes = _split(line)
        gathering.begin_image(image, where)
        for box in boxes:
            with gathering.bad_rows.tolerated(where):
                _add(gathering, box, where)
    gathering.refuse_fractions()
    return gathering.parts(directory, Wanted(), validate_filenames=validate_filenames)


def _add(gathering: Gathering, box: str, where: str) -> None:
    expected = "a box x1,y1,x2,y2,class"
    values = numbers_in(box.split(","), where, expected)
    if len(values) != 5:
        raise DatasetError(f"{where}: expected {expected}, got {box!r}")
    x1, y1, x2, y2, category = values
    gathering.add((x1, y1, x2, y2), class_in(category, where), where)


def _split(line: str) -> tuple[str, list[str]]:
    """The path and the boxes of a line, which may be none yet: what follows an image's name must be some."""
    ends = [match.end() for match in _PATH_ENDS.finditer(line)]
    end = ends[-1] if ends else _BOXES.search(line).start()  # type: ignore[union-attr]  # it may match nothing
    return line[:end], line[end:].split()
