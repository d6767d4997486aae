"""The label file of the RSNA intracranial haemorrhage competition in, a dataset with six labels out.

The file has one row per image and subtype, ``ID_<hex>_<subtype>,<0 or 1>``. Seen as three fields between
underscores it has few different values in the first and the last, so that pandas' C reader, which numbers
different values, has 4.5 million rows in seconds and in little memory.
"""

from __future__ import annotations

import csv
import logging
import os
import re
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from string import hexdigits
from typing import IO, TYPE_CHECKING, Any, NoReturn

import numpy as np
import numpy.typing as npt

from feedline.common.errors import ConfigurationError, DatasetError
from feedline.trainer.datasets import frames
from feedline.trainer.datasets.bad_rows import BadRows
from feedline.trainer.datasets.columns import Parts

if TYPE_CHECKING:
    import pandas as pd


logger = logging.getLogger(__name__)

SUBTYPES = ("epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural", "any")
"""The six labels, in the order of the competition's files and of our columns."""

HEADER = "ID,Label"
IMAGE_ID = "ID_[0-9a-fA-F]+"
"""Pattern of what names an image."""

EXTENSIONS = ("dcm", "png")

_CELLS = {f"{subtype},{label}": (code, label) for code, subtype in enumerate(SUBTYPES) for label in (0, 1)}
"""What may follow the last underscore of a row, and what it means: (place in `SUBTYPES`, label)."""

_FIELDS: dict[str, Any] = {"prefix": "category", "image": object, "cell": "category"}
"""What a row has between underscores. The many images are numbered later, by what need not sort them."""

_ROW = re.compile(rf"{IMAGE_ID}_([^,_]*),(.*)")


def read_rsna_csv(
    csv: str | os.PathLike[str],
    directory: str | os.PathLike[str],
    extension: str = "dcm",
    *,
    validate_filenames: bool = True,
    on_bad_row: str = "raise",
) -> Parts:
    """The labels of the competition; see `ImageDataset.from_rsna_csv`."""
    directory = os.fspath(directory)
    bad_rows = BadRows.of(on_bad_row)
    frame = read_labels(os.fspath(csv), extension, bad_rows)
    request = frames.FrameRequest(directory, "filename", SUBTYPES, None, "raw", None)
    table = frames.read_frame(frame, request, validate_filenames=validate_filenames, bad_rows=bad_rows)
    return replace(table, class_names=list(SUBTYPES))


@dataclass(frozen=True, slots=True)
class _Rows:
    """All rows of a label file, as numbers.

    Attributes
    ----------
    images : list of str
        Different image IDs, in the order in which they come.
    places : ndarray of int
        Shape (num_rows,): which cell of the table (image, subtype) each row fills, counted row by row.
    labels : ndarray of int8
        Shape (num_rows,), 0 or 1.
    """

    images: list[str]
    places: npt.NDArray[np.intp]
    labels: npt.NDArray[np.int8]


def read_labels(path: str, extension: str, bad_rows: BadRows) -> pd.DataFrame:
    """Read a label file into one row per image: "image", "filename" and the subtypes as float32."""
    import pandas as pd  # noqa: PLC0415 - datasets of lists and folders need none

    if extension not in EXTENSIONS:
        raise ConfigurationError(f"extension must be one of {EXTENSIONS}, got {extension!r}")
    _check_header(path)
    try:
        rows = _read_rows(path, path)
    except DatasetError:
        if not bad_rows.drops:
            raise
        rows = _read_rows(path, _without_bad_rows(path, bad_rows))
    if bad_rows.drops:
        rows = _without_bad_images(rows, path, bad_rows)
    labels = _pivot(rows, path).astype(np.float32)
    names = [f"{image}.{extension}" for image in rows.images]
    columns = dict(zip(SUBTYPES, labels.T, strict=True))
    return pd.DataFrame({"image": rows.images, "filename": names, **columns})


def _lines_of(path: str) -> IO[str]:
    """The file as text, with or without a spreadsheet's byte order mark; what is no text is to be quoted."""
    return Path(path).open(encoding="utf-8-sig", errors="replace")


def _check_header(path: str) -> None:
    try:
        with _lines_of(path) as lines:
            header = lines.readline().rstrip("\r\n")
    except OSError as error:
        raise DatasetError(f"cannot read {path!r}: {error.strerror}") from error
    if header != HEADER:
        raise DatasetError(f"{path!r} must begin with the header {HEADER!r}, its first line is {header!r}")


def _without_bad_rows(path: str, bad_rows: BadRows) -> IO[str]:
    """The file with those rows alone that are as they must be."""
    kept = StringIO()
    with _lines_of(path) as lines:
        for number, line in enumerate(lines, 1):
            text = line.rstrip("\r\n")
            reason = _fault(text) if number > 1 and text else ""
            if reason:
                bad_rows.add(f"line {number} of {path!r}", f"is {text!r}: {reason}")
            elif text:
                kept.write(f"{text}\n")
    kept.seek(0)
    return kept


def _without_bad_images(rows: _Rows, path: str, bad_rows: BadRows) -> _Rows:
    """Without the images that lack a label, or have two that contradict each other."""
    num_labels = len(SUBTYPES)
    lowest, highest = (np.full(len(rows.images) * num_labels, start, np.int8) for start in (2, -1))
    np.minimum.at(lowest, rows.places, rows.labels)
    np.maximum.at(highest, rows.places, rows.labels)
    good = np.ones(len(rows.images), np.bool_)
    for place in np.flatnonzero(lowest != highest).tolist():
        image = place // num_labels
        if good[image]:
            what = "is missing" if highest[place] < 0 else "is both 0 and 1"
            bad_rows.add(f"image {rows.images[image]} of {path!r}", f"{_name(rows, place)!r} {what}")
        good[image] = False
    if good.all() or not good.any():
        return rows
    keep = good[rows.places // num_labels]
    renumbered = np.cumsum(good) - 1
    places = rows.places[keep]
    places = renumbered[places // num_labels] * num_labels + places % num_labels
    images = [image for image, is_good in zip(rows.images, good.tolist(), strict=True) if is_good]
    return _Rows(images, places, rows.labels[keep])


def _read_rows(path: str, source: str | IO[str]) -> _Rows:
    """Read what follows the header; which row is not as it must be is looked for only if one is not."""
    import pandas as pd  # noqa: PLC0415 - as above

    fields = _read_fields(path, source)
    codes, images = pd.factorize(fields["image"].to_numpy())
    prefixes, cells = (fields[name].cat.categories.tolist() for name in ("prefix", "cell"))
    is_hex = "" not in images and set(hexdigits).issuperset("".join(images))
    if prefixes != ["ID"] or not is_hex or not _CELLS.keys() >= set(cells):
        _refuse_rows(path)
    meanings = np.array([_CELLS[cell] for cell in cells])[fields["cell"].cat.codes]
    places = codes * len(SUBTYPES) + meanings[:, 0]
    return _Rows([f"ID_{image}" for image in images], places, meanings[:, 1].astype(np.int8))


def _read_fields(path: str, source: str | IO[str]) -> pd.DataFrame:
    """Read what is before, between and after the underscores of all rows."""
    import pandas as pd  # noqa: PLC0415 - as above

    try:
        fields = pd.read_csv(
            source,
            sep="_",
            names=list(_FIELDS),
            skiprows=1,
            dtype=_FIELDS,
            quoting=csv.QUOTE_NONE,
            keep_default_na=False,
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError):
        _refuse_rows(path)
    has_surplus = not isinstance(fields.index, pd.RangeIndex)  # pandas makes an index of a fourth field
    if has_surplus or fields.empty or fields.isna().to_numpy().any():
        _refuse_rows(path)
    return fields


def _pivot(rows: _Rows, path: str) -> npt.NDArray[np.int8]:
    """Labels of shape (num_images, 6); DatasetError if a cell has two of them or none."""
    labels = np.full(len(rows.images) * len(SUBTYPES), -1, np.int8)
    labels[rows.places] = rows.labels
    differing = rows.places[labels[rows.places] != rows.labels]
    if differing.size:
        raise DatasetError(
            f"{path!r} says both 0 and 1 for {_name(rows, differing[0])!r}, and contradicts itself in "
            f"{len(np.unique(differing)):,} labels: correct it or leave those images out"
        )
    missing = np.flatnonzero(labels < 0)
    if missing.size:
        raise DatasetError(
            f"{path!r} has no row {_name(rows, missing[0])!r}, and lacks {len(missing):,} labels in all: "
            f"every image needs the {len(SUBTYPES)} of {', '.join(SUBTYPES)}"
        )
    num_repeated = len(rows.places) - len(labels)
    if num_repeated:
        logger.info(f"{path!r}: dropped {num_repeated:,} rows that repeat an earlier one")
    return labels.reshape(-1, len(SUBTYPES))


def _name(rows: _Rows, place: int) -> str:
    image, subtype = divmod(int(place), len(SUBTYPES))
    return f"{rows.images[image]}_{SUBTYPES[subtype]}"


def _refuse_rows(path: str) -> NoReturn:
    """Name the first row that is not as it must be, going through the file line by line."""
    with _lines_of(path) as lines:
        for number, line in enumerate(lines, 1):
            text = line.rstrip("\r\n")
            if number > 1 and text and (reason := _fault(text)):
                raise DatasetError(f"line {number} of {path!r} is {text!r}: {reason}")
    raise DatasetError(f"{path!r} has no rows that can be read")


def _fault(row: str) -> str:
    """Say what is wrong with a row; empty if nothing is."""
    match = _ROW.fullmatch(row)
    if match is None:
        return "expected ID_<hex>_<subtype>,<0 or 1>, such as ID_12cadc6af_any,0"
    subtype, label = match.groups()
    if subtype not in SUBTYPES:
        return f"there is no subtype {subtype!r}, only {', '.join(SUBTYPES)}"
    if label not in {"0", "1"}:
        return (
            f"the label must be 0 or 1, not {label!r}. A sample submission has no labels: make the dataset "
            "of the images to predict from their folder"
        )
    return ""
