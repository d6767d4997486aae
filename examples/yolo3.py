"""Train a small YOLO detector, fed by Feedline.

    python examples/yolo3.py [--out out] [--epochs 8] [--workers 2]

The photographs are real and come with Python packages; the objects in them are PASTED IN, so that their boxes
are known: see `yolo3_scenes`. Everything goes into a new folder ``yolo3`` below ``--out``: the files, and a
picture of a batch with its boxes.
"""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from yolo3_model import make_model
from yolo3_picture import draw_batch
from yolo3_scenes import CLASS_NAMES, make_scenes

from feedline import BatchSequence, ImageDataset
from feedline.yolo import YoloAugment, YoloTargets, yolo_sequences

SIZE = (256, 256)
SIZES = [(224, 224), (256, 256), (288, 288)]
TARGETS = YoloTargets(len(CLASS_NAMES))


def main() -> None:
    """Make files, look at a batch, train."""
    args = _arguments()
    folder = args.out / "yolo3"
    shutil.rmtree(folder, ignore_errors=True)
    print("making scenes: real photographs, with objects pasted in whose boxes are known")
    train, validation = (
        read_scenes(folder / name, num, seed) for name, num, seed in (("train", 96, 1), ("val", 16, 2))
    )
    print(f"train:      {train}\nvalidation: {validation}")

    options: dict[str, Any] = {"image_size": SIZE, "workers": args.workers}
    with BatchSequence(train, batch_size=8, transforms=[YoloAugment()], **options) as sequence:
        draw_batch(*sequence[0], CLASS_NAMES, folder / "batch.png")

    train_seq, validation_seq = yolo_sequences(
        train, validation, image_sizes=SIZES, batch_size=8, targets=TARGETS, seed=7, **options
    )
    with train_seq, validation_seq:
        model = make_model(TARGETS)
        history = model.fit(train_seq, validation_data=validation_seq, epochs=args.epochs, verbose=2).history
    first, last = history["val_loss"][0], history["val_loss"][-1]
    print(f"validation loss: {first:.1f} after the first epoch, {last:.1f} after the last")
    print(f"wrote {folder / 'batch.png'}")


def read_scenes(folder: Path, num_scenes: int, seed: int) -> ImageDataset:
    """Make scenes, and read their annotations."""
    annotations = make_scenes(folder, num_scenes, seed)
    return ImageDataset.from_yolo3_annotations(annotations, folder, class_names=CLASS_NAMES)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for results")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2, help="producer processes")
    return parser.parse_args()


if __name__ == "__main__":
    main()
