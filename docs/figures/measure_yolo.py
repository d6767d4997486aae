"""Measure `YoloAugment` beside Pillow and matplotlib: `python -m docs.figures.measure_yolo`.

Processor time on one core, a canvas of 416 x 416, the same draws for both.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image
from sklearn.datasets import load_sample_image

from feedline.common.sample.image import ColorMode
from feedline.producer.reading.decoders import decode
from feedline.producer.transforms.functions.yolo import yolo_augment
from feedline.transforms import YoloAugment

sys.path.append(str(Path(__file__).parents[2] / "tests/unit/producer"))
import literal_yolo

Array = npt.NDArray[Any]

CANVAS = (416, 416)
SIZES = ((375, 500), (1200, 1600))
DRAWS = np.random.RandomState(0).random_sample((40, 11))


def main() -> None:
    """Measure and print."""
    cv2.setNumThreads(0)
    print(
        f"{'photograph':12} {'resample':10} {'literal ms':>10} {'ours ms':>10} {'ratio':>6} {'with JPEG':>10}"
    )
    for height, width in SIZES:
        photograph = cv2.resize(
            load_sample_image("china.jpg"), (width, height), interpolation=cv2.INTER_CUBIC
        )
        data = io.BytesIO()
        Image.fromarray(photograph).save(data, "JPEG", quality=90)
        reads = seconds(lambda _, data=data: np.array(Image.open(data)))
        decodes = seconds(lambda _, data=data: decode(data.getvalue(), "", ColorMode.RGB, "uint8"))
        literal = seconds(lambda draws, image=photograph: literal_yolo.augmented(image, CANVAS, draws))
        for resample in ("opencv", "pil"):
            ours = seconds(augment(photograph, YoloAugment(resample=resample)))
            whole = (literal + reads) / (ours + decodes)
            print(
                f"{f'{width} x {height}':12} {resample:10} {1e3 * literal:10.1f} {1e3 * ours:10.2f}"
                f" {literal / ours:6.1f} {whole:10.1f}"
            )


def augment(photograph: Array, declaration: YoloAugment) -> Callable[[Array], Any]:
    """What a producer does with a decoded photograph and the draws."""
    out = np.empty((*CANVAS, 3), np.uint8)

    def run(draws: Array) -> None:
        action, _ = yolo_augment(declaration, draws, photograph.shape[:2], CANVAS)
        action(photograph, out)

    return run


def seconds(work: Callable[[Array], Any]) -> float:
    """Mean time of `work` over all draws; the best of three rounds."""
    rounds = []
    for _ in range(3):
        began = process_time()
        for draws in DRAWS:
            work(draws)
        rounds.append((process_time() - began) / len(DRAWS))
    return min(rounds)


if __name__ == "__main__":
    main()
