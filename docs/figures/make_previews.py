"""Draw the pictures of docs/preview.md: ``python -m docs.figures.make_previews`` in the repository's root.

Of photographs that scikit-image and scikit-learn bring, and of slices of a drawn head, made in a folder that
is gone afterwards.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cv2
import numpy as np
import pandas as pd

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "examples"))

from rsna_files import make_tree
from yolo3_scenes import CLASS_NAMES, CUTOUTS, make_scenes

from feedline import BatchSequence, CTWindows, ImageDataset
from feedline.transforms import (
    Mosaic,
    RandomBrightness,
    RandomFlip,
    RandomHue,
    RandomResizedCrop,
    RandomRotation,
    RandomZoom,
)

PICTURES = ROOT / "docs" / "pictures" / "preview"
NUM_SCENES = 24
SIDE = 160


def main() -> None:
    """Make all four."""
    PICTURES.mkdir(exist_ok=True)
    with inside_a_folder():
        classes()
        annotations = make_scenes(Path("scenes"), NUM_SCENES, seed=3)
        boxes(annotations)
        masks(annotations)
        windows()


@contextmanager
def inside_a_folder() -> Iterator[None]:
    """Work in a folder of one's own."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        yield
        os.chdir(before)


def classes() -> None:
    """Parts of four photographs, one class each."""
    rng = np.random.default_rng(1)
    for name, cutout in zip(CLASS_NAMES, CUTOUTS, strict=True):
        folder = Path("classes", name)
        folder.mkdir(parents=True)
        x1, y1, x2, y2 = cutout.box
        photograph = cutout.photograph()
        for number in range(6):
            dx, dy = rng.integers(-20, 20, 2)
            part = photograph[max(y1 + dy, 0) : y2 + dy, max(x1 + dx, 0) : x2 + dx]
            cv2.imwrite(str(folder / f"{number}.jpg"), part[..., 2::-1])
    transforms = [RandomResizedCrop(scale=(0.5, 1.0)), RandomFlip("horizontal"), RandomBrightness(0.2)]
    data = ImageDataset.from_directory("classes")
    with BatchSequence(
        data, image_size=(SIDE, SIDE), transforms=[*transforms, RandomHue(0.1)], seed=4, workers=2
    ) as sequence:
        sequence.preview(PICTURES / "classes.jpg", num_samples=8)


def boxes(annotations: Path) -> None:
    """Scenes whose objects have boxes, four to a mosaic."""
    data = ImageDataset.from_yolo3_annotations(annotations, "scenes", class_names=CLASS_NAMES)
    with BatchSequence(
        data, image_size=(SIDE, SIDE), transforms=[Mosaic(), RandomFlip("horizontal")], seed=4, workers=2
    ) as sequence:
        sequence.preview(PICTURES / "boxes.jpg", num_samples=8)


def masks(annotations: Path) -> None:
    """The same scenes, each object an ellipse of its class."""
    data = ImageDataset.from_yolo3_annotations(annotations, "scenes", class_names=CLASS_NAMES)
    Path("masks").mkdir()
    rows = []
    for name, objects in zip(data.paths, data.boxes or (), strict=True):
        height, width = cv2.imread(f"scenes/{name}").shape[:2]
        mask = np.zeros((height, width), np.uint8)
        for x1, y1, x2, y2, of in objects.tolist():
            cv2.ellipse(
                mask, (((x1 + x2) / 2, (y1 + y2) / 2), (x2 - x1, y2 - y1), 0), int(of) + 1, cv2.FILLED
            )
        file = f"masks/{Path(name).stem}.png"
        cv2.imwrite(file, mask)
        rows.append((f"scenes/{name}", file))
    frame = pd.DataFrame(rows, columns=["filename", "mask"])
    segmented = ImageDataset.from_dataframe(frame, y_col="mask", class_mode="mask")
    transforms = [RandomRotation(0.08, fill_mode="constant"), RandomZoom(0.2, fill_mode="constant")]
    with BatchSequence(
        segmented, image_size=(SIDE, SIDE), transforms=transforms, seed=4, workers=2
    ) as sequence:
        sequence.preview(PICTURES / "masks.jpg", num_samples=8)


def windows() -> None:
    """Slices of a head through three windows."""
    tree = make_tree(Path("ct"), num_train=12, num_test=1)
    data = ImageDataset.from_rsna_csv(tree.labels, tree.train)
    with BatchSequence(
        data,
        image_size=(SIDE, SIDE),
        color_mode=CTWindows(["brain", "subdural", "bone"]),
        transforms=[RandomFlip("horizontal"), RandomRotation(0.05, fill_mode="constant")],
        seed=4,
        workers=2,
    ) as sequence:
        sequence.preview(PICTURES / "windows.jpg", num_samples=3)


if __name__ == "__main__":
    main()
