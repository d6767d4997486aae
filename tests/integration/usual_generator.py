"""The class that old scripts define: each image read by matplotlib, in the process that trains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from matplotlib.image import imread


class DataGenerator(keras.utils.Sequence):  # type: ignore[misc]  # Keras has no types
    """As `feedline.legacy.DataGenerator`, as far as old scripts go; its last batch is padded with NaN.

    Theirs is padded with whatever was in memory.
    """

    def __init__(
        self,
        list_IDs: Sequence[str],  # noqa: N803
        labels: Any,
        batch_size: int = 1,
        img_size: tuple[int, int] = (512, 512),
        img_dir: str = "./",
        ext: str = ".png",
        n_channels: int = 1,
        shuffle: bool = True,
    ) -> None:
        super().__init__()
        self.list_IDs, self.labels = list(list_IDs), labels
        self.batch_size, self.shape = batch_size, (*img_size, n_channels)
        self.img_dir, self.ext, self.shuffle = img_dir, ext, shuffle
        self.on_epoch_end()

    def __len__(self) -> int:
        """Batches of an epoch."""
        return int(np.ceil(len(self.list_IDs) / self.batch_size))

    def __getitem__(self, index: int) -> Any:
        """Read a batch."""
        places = self.indexes[index * self.batch_size : (index + 1) * self.batch_size]
        return self.__data_generation([self.list_IDs[place] for place in places])

    def on_epoch_end(self) -> None:
        """Draw the order of the next epoch."""
        self.indexes = np.arange(len(self.list_IDs))
        if self.shuffle:
            np.random.shuffle(self.indexes)  # noqa: NPY002 - as they do

    def __data_generation(self, ids: Sequence[str]) -> Any:
        x = np.full((self.batch_size, *self.shape), np.nan)
        for place, name in enumerate(ids):
            x[place] = imread(self.img_dir + name + self.ext).reshape(self.shape)
        if self.labels is None:
            return x
        y = np.full((self.batch_size, self.labels.shape[1]), np.nan, np.float32)
        for place, name in enumerate(ids):
            y[place] = self.labels.loc[name].values
        return x, y
