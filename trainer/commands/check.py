"""Decode every image of a dataset, and say which cannot be used and why.

A DATASET is a folder of images, a CSV file with a column of file names, or annotations: COCO's JSON file,
the text file of the Keras YOLOv3, a folder in Pascal VOC's form, or one with the folders images and labels of
YOLO. Ends with status 1 if anything is bad.

For example:
  feedline check photos
  feedline check train.csv --directory photos --column filename --csv bad.csv
  feedline check annotations/instances_train2017.json --directory train2017 --workers 8
"""

from __future__ import annotations

import argparse
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from feedline.common.errors import ConfigurationError
from feedline.common.wire.names import one_line, printable
from feedline.trainer.commands.numbers import AtLeast
from feedline.trainer.commands.sources import add_source_arguments, dataset_of, refuse_if_none_exists

if TYPE_CHECKING:
    from feedline.trainer.datasets.dataset import ImageDataset

SIZE = (32, 32)
"""Files are decoded whole whatever they are resized to."""

BATCH_SIZE = 32
BAD = 1

MOST_CHARS = 8192
"""Of a file name that is printed: more than any path has, and where in which table it stands."""


class Bad(NamedTuple):
    """One thing that cannot be used.

    Attributes
    ----------
    dataset : str
        What it is in.
    path : str
        The file, or where in a table it stands.
    reason : str
        What is wrong with it.
    """

    dataset: str
    path: str
    reason: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("datasets", metavar="DATASET", nargs="+", type=Path, help="what to check")
    add_source_arguments(parser)
    parser.add_argument(
        "--color-mode",
        metavar="MODE",
        default="rgb",
        help="what to decode to: rgb (default), rgba, grayscale or hounsfield",
    )
    parser.add_argument("--workers", metavar="N", type=AtLeast(1), help="producers (default: usable cores)")
    parser.add_argument("--csv", metavar="FILE", type=Path, help="write what is bad there, too")


def run(args: argparse.Namespace) -> int:
    """Check all of them; returns the exit status.

    Raises
    ------
    FeedlineError
        If a dataset cannot be read, or has no image that exists; or an option does not go with it.
    """
    bad: list[Bad] = []
    with _told_once():
        for path in args.datasets:
            data = dataset_of(path, args)
            refuse_if_none_exists(data, path, args)
            parts = (*_dropped(data), *_decoded(data, args))
            found = [Bad(str(path), where, reason) for where, reason in parts]
            for one in found:
                print(f"{one_line(one.path, MOST_CHARS)}: {printable(one.reason)}")
            print(_summary(path, data, len(found)))
            bad += found
    if args.csv is not None:
        _write(args.csv, bad)
    return BAD if bad else 0


@contextmanager
def _told_once() -> Iterator[None]:
    """All that is found is printed, in order: it need not be logged and warned of, too."""
    logger = logging.getLogger("feedline")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            yield
    finally:
        logger.setLevel(level)


def _dropped(data: ImageDataset) -> Iterator[tuple[str, str]]:
    """What its tables say that cannot be used."""
    for row in data.dropped_rows:
        yield row.where, row.reason


def _decoded(data: ImageDataset, args: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """Decode everything; what could not be, in the order of the dataset."""
    from feedline.trainer.console.progress import Bar
    from feedline.trainer.console.quiet import quiet_import

    with quiet_import():
        from feedline.trainer.sequences.batch_sequence import BatchSequence

    with BatchSequence(
        data,
        batch_size=BATCH_SIZE,
        image_size=SIZE,
        color_mode=args.color_mode,
        dtype="int16" if args.color_mode == "hounsfield" else "uint8",
        shuffle=False,
        workers=args.workers,
        on_error="replace",
        max_bad_share=1.0,
    ) as sequence:
        with Bar(total=len(data), unit="image") as bar:
            for index in range(len(sequence)):
                sequence[index]
                bar.update(min(BATCH_SIZE, len(data) - index * BATCH_SIZE))
        found = sequence.failures.sort_values("row", kind="stable")
    yield from zip(found["path"], found["reason"], strict=True)


def _summary(path: Path, data: ImageDataset, num_bad: int) -> str:
    where = printable(str(path))
    if num_bad:
        return f"{where}: of {len(data):,} samples, {num_bad:,} files or rows cannot be used"
    return f"{where}: all {len(data):,} samples can be used"


def _write(file: Path, bad: list[Bad]) -> None:
    import csv

    try:
        with file.open("w", encoding="utf-8", newline="") as opened:
            table = csv.writer(opened, lineterminator="\n")
            table.writerow(Bad._fields)
            table.writerows([printable(cell) for cell in one] for one in bad)
    except OSError as error:
        raise ConfigurationError(f"--csv {str(file)!r} cannot be written: {error.strerror}") from error
