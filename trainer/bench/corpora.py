"""Files to read: cut once from real photographs, and kept in the cache folder."""

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
from feedline.trainer.bench.slices import slice_bytes
from feedline.trainer.console.progress import Bar
from feedline.trainer.demo.photos import PHOTOS, resized

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class CorpusRecipe:
    """How photographs become files.

    Attributes
    ----------
    name : str
        What users call it.
    height, width : int
        Of the images, in pixels.
    grey : bool
        One channel; else three.
    suffix : {".png", ".jpg", ".dcm"}
        The format.
    quality : int
        Of JPEG files.
    version : int
        Raised when the code cuts other images from the same numbers.
    """

    name: str
    height: int
    width: int
    grey: bool
    suffix: str
    quality: int = 90
    version: int = 1

    def folder_name(self, num_images: int) -> str:
        """A name that no other recipe has."""
        digest = hashlib.sha256(f"{self}{num_images}".encode()).hexdigest()[:12]
        return f"bench-{self.name}-{digest}"

    @property
    def color_mode(self) -> str:
        """Of the job that reads it."""
        if self.suffix == ".dcm":
            return "windows"
        return "grayscale" if self.grey else "rgb"


RECIPES = {
    # CT slices are grey, smooth inside, and black around.
    "rsna": CorpusRecipe("rsna", 512, 512, grey=True, suffix=".png"),
    "dicom": CorpusRecipe("dicom", 512, 512, grey=True, suffix=".dcm"),
    "photos": CorpusRecipe("photos", 375, 500, grey=False, suffix=".jpg"),
    "large": CorpusRecipe("large", 1200, 1600, grey=False, suffix=".jpg"),
}


def corpus_folder(cache_dir: Path, recipe: CorpusRecipe, num_images: int) -> Path:
    """Make the files, unless that was done before.

    Raises
    ------
    ConfigurationError
        Nothing can be written there.
    """
    folder = cache_dir / recipe.folder_name(num_images)
    if not folder.is_dir():
        try:
            _make_aside(folder, recipe, num_images)
        except OSError as error:
            raise ConfigurationError(
                f"cannot keep the bench's images in {str(cache_dir)!r}: {error}. Choose another --cache-dir"
            ) from error
    return folder


def _make_aside(folder: Path, recipe: CorpusRecipe, num_images: int) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".cutting-", dir=folder.parent) as aside:
        made = Path(aside, folder.name)
        made.mkdir()
        images = Bar(images_of(recipe, num_images), total=num_images, desc=f"making {recipe.name}")
        for number, image in enumerate(images):
            (made / f"{number:05d}{recipe.suffix}").write_bytes(_encoded(image, recipe, number))
        made.rename(folder)


def images_of(recipe: CorpusRecipe, num_images: int) -> Iterator[Pixels]:
    """Cut, turned to no two alike; shape (height, width[, 3]), BGR as OpenCV writes it."""
    rng = np.random.default_rng(7)
    photos = [_loaded(photo.load(), recipe) for photo in PHOTOS]
    for number in range(num_images):
        image = _cut(photos[number % len(photos)], recipe, rng)
        yield _as_slice(image, rng) if recipe.grey else image


def _loaded(photo: Pixels, recipe: CorpusRecipe) -> Pixels:
    """Large enough to cut from, with a margin of a quarter."""
    image = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY if recipe.grey else cv2.COLOR_RGB2BGR)
    scale = max(1.25 * recipe.height / image.shape[0], 1.25 * recipe.width / image.shape[1])
    return resized(np.asarray(image, np.uint8), round(scale * min(image.shape[:2])))


def _cut(image: Pixels, recipe: CorpusRecipe, rng: np.random.Generator) -> Pixels:
    top = rng.integers(image.shape[0] - recipe.height + 1)
    left = rng.integers(image.shape[1] - recipe.width + 1)
    part = image[top : top + recipe.height, left : left + recipe.width]
    return np.asarray(cv2.flip(part, 1) if rng.random() < 0.5 else part.copy(), np.uint8)


def _as_slice(image: Pixels, rng: np.random.Generator) -> Pixels:
    """As a CT slice looks: an ellipse of smooth tissue with some noise, on black."""
    height, width = image.shape
    tissue = cv2.GaussianBlur(image, (0, 0), 2.0).astype(np.float32)
    tissue += rng.normal(0.0, 1.5, image.shape).astype(np.float32)
    mask: Any = np.zeros(image.shape, np.uint8)
    axes = (round(width * rng.uniform(0.32, 0.42)), round(height * rng.uniform(0.38, 0.47)))
    cv2.ellipse(mask, (width // 2, height // 2), axes, rng.uniform(-20, 20), 0, 360, 1, cv2.FILLED)
    return np.asarray(np.clip(tissue, 1, 255) * mask, np.uint8)


def _encoded(image: Pixels, recipe: CorpusRecipe, number: int) -> bytes:
    if recipe.suffix == ".dcm":
        return slice_bytes(image, number)
    options = [cv2.IMWRITE_JPEG_QUALITY, recipe.quality] if recipe.suffix == ".jpg" else []
    return bytes(cv2.imencode(recipe.suffix, image, options)[1])
