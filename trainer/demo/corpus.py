"""What the demo trains on: the tiles of photographs, or a folder of the user's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from feedline.trainer.datasets.dataset import ImageDataset
from feedline.trainer.demo.photos import TRAIN, VALIDATION, tiles_folder

VALIDATION_SPLIT = 0.2


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
    """Images in one folder per class, a fifth of each class held out for validation."""
    data = ImageDataset.from_directory(directory)
    return Corpus(*data.split(VALIDATION_SPLIT, seed, stratify=True))
