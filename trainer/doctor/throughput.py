"""How many images a second producers on this machine make of a folder, for a few seconds."""

from __future__ import annotations

import shlex
import time
from pathlib import Path

from feedline.common.errors import BatchError
from feedline.trainer.datasets.dataset import ImageDataset
from feedline.trainer.doctor.findings import Finding
from feedline.trainer.sequences.batch_sequence import BatchSequence

BATCH_SIZE = 32


def estimate(
    folder: Path, images: list[Path], size: tuple[int, int], workers: int, seconds: float
) -> Finding:
    """Deliver batches of the images as fast as they come, and count; or say which cannot be used.

    Raises
    ------
    FeedlineError
        Producers cannot be started, or deliver nothing.
    """
    try:
        rate = _images_per_s(folder, images, size, workers, seconds)
    except BatchError as error:
        return Finding.bad(
            f"data {folder}",
            f"not all of its images can be used: {str(error).splitlines()[0]}",
            f"feedline check {shlex.quote(str(folder))} lists them all: mend or remove them, then try again",
        )
    return Finding(
        "throughput",
        f"{rate:,.0f} images/s of {size[0]} x {size[1]} by {workers} producers, {rate / workers:,.0f} each,"
        " without augmentation",
    )


def _images_per_s(
    folder: Path, images: list[Path], size: tuple[int, int], workers: int, seconds: float
) -> float:
    names = [str(image.relative_to(folder)) for image in images]
    data = ImageDataset.from_lists(names, directory=folder)
    with BatchSequence(
        data, batch_size=min(BATCH_SIZE, len(names)), image_size=size, workers=workers
    ) as sequence:
        _ = sequence[0]
        began, num_images = time.perf_counter(), 0
        while time.perf_counter() - began < seconds:
            for batch in sequence:
                num_images += len(batch)
                if time.perf_counter() - began >= seconds:
                    break
        return num_images / (time.perf_counter() - began)
