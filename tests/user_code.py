"""Code of users, as producers find it: Sequences of all sorts, and functions on images."""

from __future__ import annotations

import ctypes
import os
import random
import sys
import time
from os import system  # noqa: F401 - to be refused: it is not defined here
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


class DataGenerator:
    """The classic, as it has been copied from blog to blog: shuffles from NumPy's global state."""

    def __init__(
        self,
        list_IDs: list[str],  # noqa: N803 - as it is copied
        labels: dict[str, int],
        batch_size: int = 32,
        dim: tuple[int, ...] = (4, 4),
        n_channels: int = 1,
        shuffle: bool = True,
    ) -> None:
        self.dim = dim
        self.batch_size = batch_size
        self.labels = labels
        self.list_IDs = list_IDs
        self.n_channels = n_channels
        self.shuffle = shuffle
        self.on_epoch_end()

    def __len__(self) -> int:
        return int(np.floor(len(self.list_IDs) / self.batch_size))

    def __getitem__(self, index: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        indexes = self.indexes[index * self.batch_size : (index + 1) * self.batch_size]
        chosen = [self.list_IDs[k] for k in indexes]
        x = np.empty((self.batch_size, *self.dim, self.n_channels))
        y = np.empty((self.batch_size), dtype=int)
        for i, name in enumerate(chosen):
            x[i,] = float(name.removeprefix("id-"))
            y[i] = self.labels[name]
        return x, y

    def on_epoch_end(self) -> None:
        """Updates indexes after each epoch."""
        self.indexes = np.arange(len(self.list_IDs))
        if self.shuffle:
            np.random.shuffle(self.indexes)  # noqa: NPY002


class Rows:
    """Batches of rows in an order that a subclass shuffles; the last one is short."""

    def __init__(self, num_rows: int = 50, batch_size: int = 4) -> None:
        self.batch_size = batch_size
        self.order = list(range(num_rows))
        self.on_epoch_end()

    def __len__(self) -> int:
        return (len(self.order) + self.batch_size - 1) // self.batch_size

    def __getitem__(self, index: int) -> Any:
        rows = np.array(self.order[index * self.batch_size : (index + 1) * self.batch_size])
        return np.broadcast_to(rows.astype(np.float32)[:, None, None], (len(rows), 64, 96)), rows

    def on_epoch_end(self) -> None:
        """Shuffle, or do not."""


class OwnState(Rows):
    """Shuffles with a generator of its own that has a fixed seed and goes on from epoch to epoch."""

    def __init__(self, **arguments: Any) -> None:
        self.rng = np.random.RandomState(3)
        super().__init__(**arguments)

    def on_epoch_end(self) -> None:
        """Shuffle."""
        self.rng.shuffle(self.order)


class Slow(Rows):
    """Takes long for each batch, as those that read from far away do."""

    SECONDS = 0.3

    def __getitem__(self, index: int) -> Any:
        """Make a batch, after a while."""
        time.sleep(self.SECONDS)
        return super().__getitem__(index)


class SlowToMake(Rows):
    """Reads much before it can give a batch."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        time.sleep(seconds)


class Augmenting(Rows):
    """Shuffles with `random`, and adds noise from both global generators to each batch."""

    def on_epoch_end(self) -> None:
        """Shuffle."""
        random.shuffle(self.order)

    def __getitem__(self, index: int) -> Any:
        x, rows = super().__getitem__(index)
        return {"image": x, "noise": np.random.random(len(rows))}, (rows, random.random() * rows)  # noqa: NPY002


class FromTheSystem(Rows):
    """Shuffles by entropy that nobody can give it again."""

    def on_epoch_end(self) -> None:
        """Shuffle."""
        self.order.sort(key=lambda _: os.urandom(8))


class FromTheSystemLater(Rows):
    """... but not before the first epoch has ended."""

    def __init__(self, **arguments: Any) -> None:
        self.begun = False
        super().__init__(**arguments)

    def on_epoch_end(self) -> None:
        """Shuffle."""
        if self.begun:
            self.order.sort(key=lambda _: os.urandom(8))
        self.begun = True


class GoesOnInGetitem(Rows):
    """Its batches depend on how often it was asked."""

    def __init__(self, **arguments: Any) -> None:
        self.rng = np.random.RandomState(3)
        super().__init__(**arguments)

    def __getitem__(self, index: int) -> Any:
        x, rows = super().__getitem__(index)
        return x + self.rng.random(), rows


class Breaks(Rows):
    """One of its batches cannot be had."""

    def __getitem__(self, index: int) -> Any:
        if index == 5:
            raise ValueError("row 20 is broken")
        return super().__getitem__(index)


class OwnArrays(Rows):
    """Hands out parts of what it shuffles, and one array for all of its batches."""

    def __init__(self, num_rows: int = 50, batch_size: int = 4) -> None:
        self.labels = np.arange(num_rows)
        self.x = np.zeros((batch_size, 64, 96), np.float32)
        super().__init__(num_rows, batch_size)

    def __getitem__(self, index: int) -> Any:
        rows = self.labels[index * self.batch_size : (index + 1) * self.batch_size]
        self.x[: len(rows)] = rows[:, None, None]
        return self.x[: len(rows)], rows

    def on_epoch_end(self) -> None:
        """Shuffle in place."""
        np.random.shuffle(self.labels)  # noqa: NPY002


class Exits(Rows):
    """Ends the program, as scripts do that read a command line."""

    def __getitem__(self, index: int) -> Any:
        if index == 5:
            sys.exit("no such option")
        return super().__getitem__(index)


class Grows(Rows):
    """A batch that nobody looked at is larger than all others."""

    def __getitem__(self, index: int) -> Any:
        x, rows = super().__getitem__(index)
        return (np.repeat(x, 9, axis=1), rows) if index == 2 else (x, rows)


class Kills(Rows):
    """Ends its process where the file says, once."""

    def __init__(self, flag: str, **arguments: Any) -> None:
        self.flag = flag
        super().__init__(**arguments)

    def __getitem__(self, index: int) -> Any:
        if index == 7 and Path(self.flag).exists():
            Path(self.flag).unlink()
            os._exit(3)
        return super().__getitem__(index)


class Counted(Rows):
    """Counts how many of it were made."""

    num_made = 0

    def __init__(self, **arguments: Any) -> None:
        type(self).num_made += 1
        super().__init__(**arguments)


class NoSequence:
    """Neither a length nor batches."""


class Length(Rows):
    """With a length that is given; a text is raised."""

    def __init__(self, length: Any = 0) -> None:
        self.length = length
        super().__init__()

    def __len__(self) -> int:
        if isinstance(self.length, str):
            raise FileNotFoundError(self.length)
        return self.length  # type: ignore[no-any-return]


def invert(image: npt.NDArray[Any], rng: np.random.Generator, dots: int = 0) -> npt.NDArray[Any]:
    """Turn dark into light, in place, and leave some random dots."""
    image[:] = 255 - image
    for y, x in rng.integers(0, image.shape[:2], (dots, 2)):
        image[y, x] = 77
    return image


def nap(image: npt.NDArray[Any], _: np.random.Generator, seconds: float) -> npt.NDArray[Any]:
    """A slow transform that needs no core, so that several producers are several times as fast."""
    time.sleep(seconds)
    return image


def takes_no_generator(image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Is written as if the image were all it gets."""
    return image


def crash(image: npt.NDArray[Any], _: np.random.Generator) -> npt.NDArray[Any]:
    """Read where nothing is, as a library with a fault does."""
    ctypes.string_at(1)
    return image


def halve(image: npt.NDArray[Any], _: np.random.Generator) -> npt.NDArray[Any]:
    """Take every second pixel."""
    return image[::2, ::2]


def as_floats(image: npt.NDArray[Any], _: np.random.Generator) -> npt.NDArray[Any]:
    """Forget the dtype."""
    return image / 255


def refuse_light(image: npt.NDArray[Any], _: np.random.Generator) -> npt.NDArray[Any]:
    """Take dark images only."""
    if image.mean() > 100:
        raise ValueError("too light")
    return image


def fail(_image: npt.NDArray[Any], _rng: np.random.Generator) -> None:
    """Raise."""
    raise ValueError("no such luck")
