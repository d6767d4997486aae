"""Kinds of jobs that every invariant is tested with: one more row, and a test of all kinds has it, too.

The labels of a kind are its rows, so that what came can be told from the labels; that an image belongs to its
label is seen by comparing bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from children import PATIENCE_S
from dicom_files import dicom_bytes
from images import write_photos

from feedline import BatchSequence, ImageDataset, ImageOptions, ProducerPool, build_index
from feedline.common.declarations.catalogue import is_framed
from feedline.common.sample.ct import CTWindows
from feedline.transforms import (
    GaussianNoise,
    RandomBrightness,
    RandomColorJitter,
    RandomContrast,
    RandomCrop,
    RandomErasing,
    RandomFlip,
    RandomGaussianBlur,
    RandomGrayscale,
    RandomRotation,
    RandomShear,
    RandomTranslation,
    RandomZoom,
)
from feedline.yolo import YoloAugment, YoloTargets

NUM_ROWS = 101
BATCH_SIZE = 4
NUM_BATCHES = 26  # the last one of 1
GEOMETRY = [
    RandomFlip("horizontal_and_vertical"),
    RandomRotation(0.1),
    RandomTranslation(0.1, 0.1),
    RandomZoom(0.2),
    RandomShear(0.1, 0.1),
    RandomCrop(40, 56),
]
EVERYTHING_RANDOM = [
    *GEOMETRY,
    RandomBrightness(0.2),
    RandomContrast(0.2),
    RandomColorJitter((0, 255), 0.2, 0.2, (0.3, 0.7), 0.2),
    RandomGrayscale(0.1),
    RandomGaussianBlur(),
    GaussianNoise(0.02),
    RandomErasing(),
]
"""Every batch depends on random draws."""

SLICES_OF_A_SERIES = 10


@dataclass(frozen=True)
class JobKind:
    """How a sequence of a kind is made.

    Attributes
    ----------
    data : callable
        Writes `NUM_ROWS` samples into a folder; returns their dataset, labelled by row.
    options : dict
        What its `BatchSequence` is told beside dataset, pool and seed.
    make : callable
        The sequence's class.
    """

    data: Callable[[Path], Any]
    options: dict[str, Any] = field(default_factory=dict)
    make: Callable[..., Any] = BatchSequence

    @property
    def is_cached(self) -> bool:
        """Whether its samples may be kept: those are of one size before any transform."""
        return not is_framed(self.options["transforms"])

    def sequence(self, data: Any, pool: ProducerPool, **options: Any) -> Any:
        """A sequence of the kind; `options` go before its own."""
        usual = {"batch_size": BATCH_SIZE, "seed": 3, "timeout_s": PATIENCE_S}
        return self.make(data, pool=pool, **usual | self.options | options)


def photos(folder: Path) -> ImageDataset:
    """JPEG files full of detail, with labels and weights."""
    rows = np.arange(NUM_ROWS)
    names = write_photos(folder, NUM_ROWS)
    return ImageDataset.from_lists(names, rows, weights=rows.astype(np.float32), directory=folder)


def detection(folder: Path) -> ImageDataset:
    """Photographs with a label and two boxes each, all of which are the row."""
    boxes = [[[0, 0, 64, 48, row], [10, 10, 50, 40, row]] for row in range(NUM_ROWS)]
    names = write_photos(folder, NUM_ROWS)
    return ImageDataset.from_lists(names, range(NUM_ROWS), boxes=boxes, directory=folder)


def segmentation(folder: Path) -> ImageDataset:
    """Photographs with a label, a box and a polygon each, of which the mask is drawn."""
    names = write_photos(folder, NUM_ROWS)
    (folder / "labels").mkdir()
    for row, name in enumerate(names):
        text = f"{row} 0.1 0.2 0.9 {0.1 + row / 200} 0.5 0.95\n"
        (folder / "labels" / name).with_suffix(".txt").write_text(text)
    data = ImageDataset.from_yolo_txt(folder, folder / "labels", masks=True)
    return replace(data, targets=(np.arange(NUM_ROWS),))


def depths(folder: Path) -> ImageDataset:
    """Photographs with a label, and a depth map of 16 bits and half the size each."""
    names, rng = write_photos(folder, NUM_ROWS), np.random.default_rng(1)
    for row in range(NUM_ROWS):
        depth = rng.integers(0, 1 << 16, (24, 32), np.uint16)
        assert cv2.imwrite(str(folder / f"{row}-depth.png"), depth)
    files = [f"{row}-depth.png" for row in range(NUM_ROWS)]
    return ImageDataset.from_lists(names, range(NUM_ROWS), target_images=files, directory=folder)


def slices(folder: Path) -> ImageDataset:
    """DICOM files of a CT, with labels; the series are written from top to bottom, other than their names."""
    names = [f"{row:04}.dcm" for row in range(NUM_ROWS)]
    rng = np.random.default_rng(0)
    for row, name in enumerate(names):
        coarse = rng.uniform(900, 1200, (6, 8)).astype(np.float32)
        stored = cv2.resize(coarse, (64, 48), interpolation=cv2.INTER_CUBIC).astype(np.uint16)
        series, place = divmod(row, SLICES_OF_A_SERIES)
        (folder / name).write_bytes(
            dicom_bytes(
                stored,
                PatientID=f"patient {series}",
                SeriesInstanceUID=f"1.2.{series}",
                ImagePositionPatient=[0, 0, -5 * place],
            )
        )
    return ImageDataset.from_lists(names, np.arange(NUM_ROWS), directory=folder)


def stacks(folder: Path) -> ImageDataset:
    """Slices with their neighbours."""
    data = slices(folder)
    index = build_index(folder, cache=folder / "index.csv")
    return data.with_dicom_index(index, neighbours=1)


_PHOTOS = {"image_size": (48, 64), "transforms": EVERYTHING_RANDOM}
_WITHOUT_COLORS = [transform for transform in EVERYTHING_RANDOM if not transform.of_colors]
_HEADS = {
    "image_size": (48, 64),
    "transforms": _WITHOUT_COLORS,
    "color_mode": CTWindows(["brain", "subdural", "soft"]),
}
_UNITS = {**_PHOTOS, "transforms": GEOMETRY, "color_mode": "hounsfield", "dtype": "int16"}
_DEPTHS = {
    "image_size": (48, 64),
    "transforms": [*GEOMETRY[:-1], RandomBrightness(0.2)],
    "target_images": ImageOptions(color_mode="grayscale", dtype="uint16", image_size=(24, 32)),
}
_YOLO = {"transforms": [YoloAugment()]}

JOB_KINDS = {
    "photos": JobKind(photos, _PHOTOS),
    "dicom": JobKind(slices, _HEADS),
    "dicom-stacks": JobKind(stacks, _HEADS),
    "hounsfield": JobKind(slices, _UNITS),
    "boxes": JobKind(detection, _PHOTOS),
    "drawn-masks": JobKind(segmentation, _PHOTOS),
    "depths": JobKind(depths, _DEPTHS),
    "yolo-targets": JobKind(detection, {**_YOLO, "image_size": (64, 96), "targets": YoloTargets(NUM_ROWS)}),
    "several-sizes": JobKind(detection, {**_YOLO, "image_sizes": [(64, 64), (64, 96), (96, 128)]}),
}
"""Every kind by its name."""

CACHED_KINDS = {name: kind for name, kind in JOB_KINDS.items() if kind.is_cached}
