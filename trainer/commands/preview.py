"""Draw samples of a dataset as they are on disk, and as a model would get them.

A DATASET is what `feedline check` takes; a folder with one folder for each class shows its classes.
Transforms are those of feedline.transforms, in the order in which they are given.

For example:
  feedline preview flowers --transform 'RandomFlip("horizontal")' --transform 'RandomRotation(0.1)'
  feedline preview train.csv --directory photos --labels cat --labels dog --out batch.png
  feedline preview train.csv --column image --masks mask
  feedline preview instances.json --directory train2017 --transform 'Mosaic()'
  feedline preview slices --windows brain,subdural,bone
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feedline.common.errors import ConfigurationError, DatasetError
from feedline.common.wire.names import printable
from feedline.trainer.commands.sources import (
    add_source_arguments,
    dataset_of,
    format_of,
    frame_of,
    refuse_if_missing,
    refuse_if_none_exists,
)

if TYPE_CHECKING:
    import pandas as pd

    from feedline.trainer.datasets.dataset import ImageDataset


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("dataset", metavar="DATASET", type=Path, help="what to draw samples of")
    add_source_arguments(parser)
    parser.add_argument(
        "--labels", metavar="NAME", action="append", help="of a CSV file: a column to show; may be repeated"
    )
    parser.add_argument("--masks", metavar="NAME", help="of a CSV file: the column of masks")
    parser.add_argument("--out", metavar="FILE", type=Path, default=Path("preview.png"), help="(preview.png)")
    parser.add_argument("--num-samples", metavar="N", type=int, default=16, help="(default: 16)")
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="of orders and draws (default: 0)")
    parser.add_argument("--in-order", action="store_true", help="the first samples, and not any")
    parser.add_argument("--workers", metavar="N", type=int, default=2, help="producers (default: 2)")
    group = parser.add_argument_group("what is made of the images")
    group.add_argument("--image-size", metavar=("H", "W"), type=int, nargs=2, default=[256, 256])
    group.add_argument("--color-mode", metavar="MODE", default="rgb", help="rgb, rgba, grayscale, hounsfield")
    group.add_argument("--windows", metavar="NAMES", help="of a CT, such as brain,bone: one channel each")
    group.add_argument("--dtype", default=None, help="uint8, uint16, int16 or float32")
    group.add_argument("--pad", action="store_true", help="keep the ratio of the sides, by padding")
    group.add_argument("--crop", action="store_true", help="keep the ratio of the sides, by cropping")
    group.add_argument(
        "--transform", metavar="CALL", action="append", default=[], help="may be repeated; see the examples"
    )


def run(args: argparse.Namespace) -> int:
    """Draw, and say where the picture is.

    Raises
    ------
    FeedlineError
        The dataset cannot be read, or has no image that exists; or an option does not go with it.
    """
    from feedline.trainer.commands.spoken import transform_of
    from feedline.trainer.console.quiet import quiet_import

    transforms = [transform_of(text) for text in args.transform]
    data = _dataset(args)
    refuse_if_none_exists(data, args.dataset, args)
    with quiet_import():
        from feedline.trainer.sequences.batch_sequence import BatchSequence

    with BatchSequence(
        data,
        batch_size=min(args.num_samples, 32),
        image_size=tuple(args.image_size),
        transforms=transforms,
        shuffle=not args.in_order,
        seed=args.seed,
        workers=args.workers,
        pad_to_aspect_ratio=args.pad,
        crop_to_aspect_ratio=args.crop,
        **_colours(args),
    ) as sequence:
        sequence.preview(args.out, args.num_samples)
    print(f"{printable(str(args.out))}: {min(args.num_samples, len(data))} of {len(data):,} samples")
    return 0


def _colours(args: argparse.Namespace) -> dict[str, Any]:
    """Channels, and the values in them."""
    from feedline.common.sample.ct import CTWindows

    mode = CTWindows(args.windows.split(",")) if args.windows else args.color_mode
    usual = "int16" if mode == "hounsfield" else "uint8"
    return {"color_mode": mode, "dtype": args.dtype or usual}


def _dataset(args: argparse.Namespace) -> ImageDataset:
    """What `feedline check` reads, with labels."""
    from feedline.trainer.datasets.dataset import ImageDataset

    path = args.dataset
    refuse_if_missing(path)
    kind = args.format or format_of(path)
    if (args.labels or args.masks) and (kind != "csv" or (args.labels and args.masks)):
        raise ConfigurationError("--labels and --masks name columns of a CSV file, the one or the other")
    if kind == "folder" and _has_classes(path):
        by_folder: ImageDataset = ImageDataset.from_directory(path)
        return by_folder
    if args.masks:
        return _of_frame(frame_of(path), args, [args.masks], "mask")
    if args.labels:
        return _labelled(path, args)
    return dataset_of(path, args)


def _has_classes(path: Path) -> bool:
    """Whether it is a folder that has folders in it, and no images beside them."""
    try:
        entries = [entry for entry in path.iterdir() if not entry.name.startswith(".")]
        return bool(entries) and all(entry.is_dir() for entry in entries)
    except OSError as error:
        raise DatasetError(f"cannot list the folder {str(path)!r}: {error.strerror}") from error


def _labelled(path: Path, args: argparse.Namespace) -> ImageDataset:
    """A table with columns that are shown: classes if they are texts, else numbers."""
    frame = frame_of(path)
    missing = [name for name in args.labels if name not in frame.columns]
    if missing:
        raise DatasetError(
            f"there is no column {missing[0]!r} in {str(path)!r}: it has {list(frame.columns)}"
        )
    numbers = frame[args.labels].apply(_numeric)
    are_numbers = not numbers.isna().any(axis=None)
    if are_numbers:
        frame[args.labels] = numbers
    elif len(args.labels) > 1:
        raise DatasetError(f"of several --labels all must be numbers, and {args.labels} are not")
    return _of_frame(frame, args, args.labels, "raw" if are_numbers else "sparse")


def _of_frame(
    frame: pd.DataFrame, args: argparse.Namespace, y_col: list[str], class_mode: str
) -> ImageDataset:
    from feedline.trainer.datasets.dataset import ImageDataset

    x_col = args.column or ["filename"]
    made: ImageDataset = ImageDataset.from_dataframe(
        frame,
        args.directory,
        x_col=x_col[0] if len(x_col) == 1 else x_col,
        y_col=y_col[0] if len(y_col) == 1 else y_col,
        class_mode=class_mode,
        validate_filenames=False,
    )
    return made


def _numeric(column: Any) -> Any:
    import pandas as pd

    return pd.to_numeric(column, errors="coerce")
