"""Datasets as commands are told of them: a folder, a table, annotations, by what they look like."""

from __future__ import annotations

import argparse
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feedline.common.errors import ConfigurationError, DatasetError

if TYPE_CHECKING:
    import pandas as pd

    from feedline.trainer.datasets.dataset import ImageDataset

FORMATS = ("folder", "csv", "coco", "voc", "yolo", "yolo3")

NAMING = ("csv", "coco", "yolo3")
"""Formats of files that name images, relative to --directory."""


def add_source_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that say what a dataset is."""
    parser.add_argument("--format", choices=FORMATS, help="of a dataset (default: what it looks like)")
    parser.add_argument("--directory", metavar="DIR", type=Path, help="what file names are relative to")
    parser.add_argument(
        "--column",
        metavar="NAME",
        action="append",
        help="of a CSV file: the column of file names (default: filename); may be repeated",
    )


def dataset_of(path: Path, args: argparse.Namespace) -> ImageDataset:
    """Read one of the datasets; what its tables say of files is not believed.

    Raises
    ------
    DatasetError, ConfigurationError
        If that cannot be done.
    """
    from feedline.trainer.datasets.dataset import ImageDataset

    refuse_if_missing(path)
    lenient: dict[str, Any] = {"validate_filenames": False, "on_bad_row": "drop"}
    match args.format or format_of(path):
        case "csv":
            return _of_csv(path, args)
        case "coco":
            return ImageDataset.from_coco(path, args.directory, **lenient)
        case "voc":
            return ImageDataset.from_voc(path, None, class_names=_voc_classes(path), **lenient)
        case "yolo":
            return ImageDataset.from_yolo_txt(path / "images", on_bad_row="drop")
        case "yolo3":
            return ImageDataset.from_yolo3_annotations(path, args.directory, **lenient)
        case _:
            return _of_folder(path)


def refuse_if_missing(path: Path) -> None:
    """Say so before anything is said of what would be in it.

    Raises
    ------
    DatasetError
        There is no such file or folder.
    """
    if not path.exists():
        raise DatasetError(f"there is no file or folder {str(path)!r}")


def refuse_if_none_exists(data: ImageDataset, path: Path, args: argparse.Namespace) -> None:
    """Say once, and not of each image, that --directory was forgotten or is another.

    Raises
    ------
    DatasetError
        None of the images that a file names exists.
    """
    from feedline.trainer.datasets.listing.files import existing
    from feedline.trainer.datasets.listing.missing import none_exists

    if (args.format or format_of(path)) in NAMING and not existing(data.paths, data.directory).any():
        raise DatasetError(
            f"{none_exists(data.paths, data.directory, repr(str(path)))}. Say with --directory what the names"
            " are relative to"
        )


def format_of(path: Path) -> str:
    """What a dataset looks like.

    Raises
    ------
    ConfigurationError
        It looks like nothing that is known.
    """
    if path.is_dir():
        if (path / "Annotations").is_dir():
            return "voc"
        return "yolo" if (path / "images").is_dir() and (path / "labels").is_dir() else "folder"
    by_suffix = {".csv": "csv", ".json": "coco", ".txt": "yolo3"}
    if path.suffix.lower() not in by_suffix:
        raise ConfigurationError(
            f"{str(path)!r} is neither a folder nor a .csv, .json or .txt file: say with --format what it is"
        )
    return by_suffix[path.suffix.lower()]


def _of_folder(path: Path) -> ImageDataset:
    from feedline.trainer.datasets.dataset import ImageDataset
    from feedline.trainer.datasets.listing.walk import IMAGE_SUFFIXES, OTHER_SUFFIXES, Walk

    names = Walk(str(path), follow_links=True, suffixes=(*IMAGE_SUFFIXES, *OTHER_SUFFIXES)).images_under("")
    if not names:
        raise DatasetError(f"there is no image in the folder {str(path)!r}")
    return ImageDataset.from_lists(sorted(names), directory=path)


def frame_of(path: Path) -> pd.DataFrame:
    """Read a table, its cells as texts.

    Raises
    ------
    DatasetError
        If that cannot be done.
    """
    import pandas as pd

    try:
        return pd.read_csv(path, dtype=object)
    except (OSError, ValueError) as error:  # what pandas raises of tables is a ValueError
        raise DatasetError(f"cannot read {str(path)!r}: {error}") from error


def _of_csv(path: Path, args: argparse.Namespace) -> ImageDataset:
    from feedline.trainer.datasets.dataset import ImageDataset

    return ImageDataset.from_dataframe(
        frame_of(path),
        args.directory,
        x_col=args.column or "filename",
        class_mode=None,
        validate_filenames=False,
        on_bad_row="drop",
    )


def _voc_classes(path: Path) -> list[str]:
    """All names that objects have: it is images that are checked here."""
    from feedline.trainer.datasets.annotations.xml_files import XmlFile

    names: set[str] = set()
    for file in (path / "Annotations").glob("*.xml"):
        with suppress(DatasetError):
            objects = XmlFile(file, "the annotation").root.iterfind("object/name")
            names |= {name.text.strip() for name in objects if name.text}
    return sorted(names - {""}) or ["none"]
