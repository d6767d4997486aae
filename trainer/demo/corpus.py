"""What the demo trains on: the tiles of photographs, or a folder of the user's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from feedline.common.errors import ConfigurationError
from feedline.trainer.datasets.dataset import ImageDataset
from feedline.trainer.datasets.listing.walk import DECODED_SUFFIXES, Walk
from feedline.trainer.demo.photos import TRAIN, VALIDATION, tiles_folder

VALIDATION_SPLIT = 0.2
MIN_CLASSES, MIN_IMAGES = 2, 10


@dataclass(frozen=True, slots=True)
class Corpus:
    """Samples to train on and samples to judge by.

    Attributes
    ----------
    train, validation : ImageDataset
        One whole number per sample as label; both number the classes alike.
    """

    train: ImageDataset
    validation: ImageDataset

    @property
    def class_names(self) -> list[str]:
        """In the order of the labels."""
        return self.train.class_names or []


def photo_tiles(cache_dir: Path) -> Corpus:
    """Tiles of photographs; the photograph is the label.

    Paths are relative to `cache_dir`, so that this is the data root of producers elsewhere, whatever
    the folder of tiles in it is called.
    """
    import pandas as pd  # noqa: PLC0415 - `feedline --help` need not wait for it

    tiles = sorted(tiles_folder(cache_dir).glob("*/*.jpg"))
    frame = pd.DataFrame(
        {
            "filename": [str(tile.relative_to(cache_dir)) for tile in tiles],
            "photo": [tile.parent.name for tile in tiles],
            "part": [tile.name.partition("-")[0] for tile in tiles],
        }
    )
    data = ImageDataset.from_dataframe(frame, cache_dir, y_col="photo", class_mode="sparse")
    part = data.columns["part"]
    return Corpus(data.subset(part == TRAIN), data.subset(part == VALIDATION))


def class_folders(directory: Path, seed: int) -> Corpus:
    """Images in one folder per class, a fifth of each class held out for validation.

    Raises
    ------
    ConfigurationError
        There are no two folders of images, or too few images to hold some out.
    """
    if not directory.is_dir():
        raise ConfigurationError(f"--directory {str(directory)!r} is no folder")
    folders = sorted(entry.name for entry in directory.iterdir() if entry.is_dir() and entry.name[0] != ".")
    if len(folders) < MIN_CLASSES:
        raise ConfigurationError(
            f"--directory needs a folder of images for each of {MIN_CLASSES} classes or more; in"
            f" {str(directory)!r} there is {', '.join(folders) or 'none'}"
        )
    images = _images_in(directory, folders)
    if len(images) < MIN_IMAGES:
        raise ConfigurationError(
            f"--directory needs {MIN_IMAGES} images or more, so that some can be held out; in"
            f" {str(directory)!r} there are {len(images)}"
        )
    kinds = [image.partition("/")[0] for image in images]
    data = ImageDataset.from_lists(images, kinds, directory=directory, class_names=folders)
    return Corpus(*data.split(VALIDATION_SPLIT, seed, stratify=True))


def _images_in(directory: Path, folders: list[str]) -> list[str]:
    """Images of every format that producers decode, relative to `directory`; warns of all others."""
    walk = Walk(str(directory), follow_links=False, suffixes=DECODED_SUFFIXES)
    images = [image for folder in folders for image in walk.images_under(folder)]
    walk.left_out.report(str(directory), remedy="")
    return images
