"""A small detection data set of real photographs, with objects PASTED IN where we know their boxes.

The objects are cut out of photographs of scikit-image and scikit-learn along ellipses drawn by hand, and
pasted into two other photographs in any size, mirrored or not. Annotations are written as the Keras YOLOv3
reads them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import skimage.data
from sklearn.datasets import load_sample_image

Pixels = npt.NDArray[Any]

CLASS_NAMES = ["face", "cat", "cup", "flower"]


@dataclass(frozen=True)
class Cutout:
    """An object in a photograph: the ellipse in x1, y1, x2, y2."""

    photograph: Callable[[], Pixels]
    box: tuple[int, int, int, int]

    def pixels(self) -> Pixels:
        """The object with a soft mask as its fourth channel, float32 in 0..255."""
        x1, y1, x2, y2 = self.box
        part = self.photograph()[y1:y2, x1:x2].astype(np.float32)
        mask = np.zeros(part.shape[:2], np.float32)
        height, width = mask.shape
        centre, axes = (width / 2, height / 2), (width - 6, height - 6)
        cv2.ellipse(mask, (centre, axes, 0), 255, cv2.FILLED)
        return np.dstack([part, cv2.GaussianBlur(mask, (0, 0), 2)])


CUTOUTS = [
    Cutout(skimage.data.astronaut, (158, 14, 296, 190)),
    Cutout(skimage.data.chelsea, (40, 5, 370, 285)),
    Cutout(skimage.data.coffee, (78, 18, 482, 382)),
    Cutout(lambda: load_sample_image("flower.jpg"), (171, 82, 449, 363)),
]
"""One for each of `CLASS_NAMES`."""


def make_scenes(folder: Path, num_scenes: int, seed: int) -> Path:
    """Write JPEG files and their annotation file, whose path is returned."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    grounds = [load_sample_image("china.jpg"), skimage.data.rocket()]
    cutouts = [cutout.pixels() for cutout in CUTOUTS]
    lines = []
    for number in range(num_scenes):
        scene, boxes = make_scene(grounds[rng.integers(len(grounds))], cutouts, rng)
        name = f"scene {number:03}.jpg"
        cv2.imwrite(str(folder / name), scene[:, :, ::-1])
        lines.append(" ".join([name, *(",".join(map(str, box)) for box in boxes)]))
    annotations = folder / "annotations.txt"
    annotations.write_text("\n".join(lines))
    return annotations


def make_scene(
    ground: Pixels, cutouts: list[Pixels], rng: np.random.Generator
) -> tuple[Pixels, list[tuple[int, ...]]]:
    """A part of a photograph with up to three objects side by side, and their boxes and classes."""
    height, width = rng.integers(300, 427), rng.integers(420, 640)
    top, left = rng.integers(427 - height + 1), rng.integers(640 - width + 1)
    scene = ground[top : top + height, left : left + width].astype(np.float32)
    num_objects = rng.integers(1, 4)
    boxes = []
    for place in range(num_objects):
        category = int(rng.integers(len(cutouts)))
        free = width // num_objects
        x, y, thing = fitted(cutouts[category], (height, free), rng)
        boxes.append((*paste(scene, thing, x + place * free, y), category))
    return scene.astype(np.uint8), boxes


def fitted(cutout: Pixels, room: tuple[int, int], rng: np.random.Generator) -> tuple[int, int, Pixels]:
    """Where an object is put in the room for it, x and y, and the object itself, resized."""
    scale = rng.uniform(0.35, 0.95) * min(room[0] / cutout.shape[0], room[1] / cutout.shape[1])
    thing = cv2.resize(cutout, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    thing = thing[:, ::-1] if rng.integers(2) else thing
    return int(rng.integers(room[1] - thing.shape[1])), int(rng.integers(room[0] - thing.shape[0])), thing


def paste(scene: Pixels, thing: Pixels, x: int, y: int) -> tuple[int, int, int, int]:
    """Blend an object in, and return its box."""
    height, width = thing.shape[:2]
    mask = thing[:, :, 3:] / 255.0
    part = scene[y : y + height, x : x + width]
    part[:] = mask * thing[:, :, :3] + (1 - mask) * part
    return x, y, x + width, y + height
