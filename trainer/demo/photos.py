"""Real photographs, cut once into JPEG tiles.

The photographs come inside the scikit-image and scikit-learn wheels: nothing is downloaded. Each is
divided into square blocks, and a tile lies within one block. Every fifth block, spread as a knight
moves, is for validation: no validation tile shares a pixel with a training tile.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from feedline.common.errors import ConfigurationError
from feedline.trainer.console.progress import Bar

Pixels = npt.NDArray[np.uint8]

VALIDATION = "validation"
TRAIN = "train"


@dataclass(frozen=True, slots=True)
class Photo:
    """A photograph that an installed wheel carries.

    Attributes
    ----------
    label : str
        What its tiles are called.
    name : str
        A function of `skimage.data`, or, if it ends in .jpg, a sample image of scikit-learn.
    kept : float
        Share of its height and width that is used, around the middle.
    """

    label: str
    name: str
    kept: float = 1.0

    def load(self) -> Pixels:
        """Read it: (height, width, 3), RGB."""
        image = _from_sklearn(self.name) if self.name.endswith(".jpg") else _from_skimage(self.name)
        if image.ndim == 2:
            image = np.repeat(image[:, :, None], 3, axis=2)
        margins = [round(side * (1 - self.kept) / 2) for side in image.shape[:2]]
        top, left = margins
        return image[top : image.shape[0] - top, left : image.shape[1] - left]


PHOTOS = (
    Photo("astronaut", "astronaut"),
    Photo("brick", "brick"),
    Photo("cat", "chelsea"),
    Photo("coffee", "coffee"),
    Photo("coins", "coins"),
    Photo("flower", "flower.jpg"),
    Photo("galaxies", "hubble_deep_field"),
    Photo("grass", "grass"),
    Photo("gravel", "gravel"),
    Photo("moon", "moon"),
    Photo("motorcycle", "stereo_motorcycle"),
    Photo("pagoda", "china.jpg"),
    # Round on black: the corners show nothing.
    Photo("retina", "retina", kept=0.7),
    Photo("rocket", "rocket"),
    Photo("tissue", "immunohistochemistry"),
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How photographs become tiles; all lengths in pixels.

    Attributes
    ----------
    photos : tuple of Photo
        One class each.
    short_side : int
        Photographs are resized so that their shorter side has this length.
    block : int
        Side of the squares that belong to training or to validation as a whole.
    tile : int
        Side of a tile.
    stride : int
        Distance of neighbouring tiles within a block.
    quality : int
        Of the JPEG files, 0 to 100.
    version : int
        Raised when the code cuts other tiles from the same numbers.
    """

    photos: tuple[Photo, ...] = PHOTOS
    short_side: int = 480
    block: int = 96
    tile: int = 80
    stride: int = 8
    quality: int = 90
    version: int = 1

    @property
    def folder_name(self) -> str:
        """A name that no other recipe has."""
        return f"tiles-{hashlib.sha256(repr(self).encode()).hexdigest()[:12]}"


def tiles_folder(cache_dir: Path, recipe: Recipe = Recipe()) -> Path:
    """Cut the tiles, unless that was done before.

    Parameters
    ----------
    cache_dir : Path
        Made if it is missing.
    recipe : Recipe
        Another recipe gets another folder.

    Returns
    -------
    Path
        Holds ``LABEL/train-….jpg`` and ``LABEL/validation-….jpg``. It is there whole or not at all.

    Raises
    ------
    ConfigurationError
        If nothing can be written to `cache_dir`.
    """
    folder = cache_dir / recipe.folder_name
    if not folder.is_dir():
        try:
            _cut_aside(folder, recipe)
        except OSError as error:
            raise ConfigurationError(
                f"cannot keep the demo's tiles in {str(cache_dir)!r}: {error}. Choose another --cache-dir"
            ) from error
    return folder


def _cut_aside(folder: Path, recipe: Recipe) -> None:
    """Cut into a folder beside it that gets its name when it is complete."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".cutting-", dir=folder.parent) as aside:
        cut = Path(aside, folder.name)
        for photo in Bar(recipe.photos, desc="cutting photographs into tiles", unit="photo"):
            _write_tiles(photo, recipe, cut / photo.label)
        try:
            cut.rename(folder)
        except OSError:
            # Another run may have been faster; its tiles are the same.
            if not folder.is_dir():
                raise


def _write_tiles(photo: Photo, recipe: Recipe, folder: Path) -> None:
    folder.mkdir(parents=True)
    for name, pixels in tiles_of(photo, recipe):
        _, encoded = cv2.imencode(
            ".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, recipe.quality]
        )
        (folder / f"{name}.jpg").write_bytes(encoded.tobytes())


def tiles_of(photo: Photo, recipe: Recipe) -> Iterator[tuple[str, Pixels]]:
    """Cut one photograph.

    Yields
    ------
    name : str
        ``train-0-2-08-00`` or ``validation-…``: row and column of the block, then y and x of the
        tile in it.
    pixels : ndarray of uint8
        Shape (tile, tile, 3), RGB.
    """
    image = resized(photo.load(), recipe.short_side)
    places = range(0, recipe.block - recipe.tile + 1, recipe.stride)
    for row, column in np.ndindex(image.shape[0] // recipe.block, image.shape[1] // recipe.block):
        part = VALIDATION if (row + 2 * column) % 5 == 0 else TRAIN
        for y, x in ((y, x) for y in places for x in places):
            top, left = row * recipe.block + y, column * recipe.block + x
            name = f"{part}-{row}-{column}-{y:02d}-{x:02d}"
            yield name, image[top : top + recipe.tile, left : left + recipe.tile]


def resized(image: Pixels, short_side: int) -> Pixels:
    """Scale an image of (height, width, 3) so that its shorter side has so many pixels."""
    scale = short_side / min(image.shape[:2])
    height, width = (round(side * scale) for side in image.shape[:2])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (width, height), interpolation=method), np.uint8)


def _from_skimage(name: str) -> Pixels:
    import skimage.data  # noqa: PLC0415 - only needed when tiles are cut

    loaded: Any = getattr(skimage.data, name)()
    # The two views of a stereo pair come together: one is enough.
    return np.asarray(loaded[0] if isinstance(loaded, tuple) else loaded, np.uint8)


def _from_sklearn(name: str) -> Pixels:
    from sklearn.datasets import load_sample_image  # noqa: PLC0415 - only needed when tiles are cut

    return np.asarray(load_sample_image(name), np.uint8)
