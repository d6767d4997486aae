"""YOLOv3 detection: what a training script needs beside `BatchSequence`; see docs/yolo.md."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from feedline.common.declarations.yolo import Letterbox, YoloAugment
from feedline.common.errors import ConfigurationError
from feedline.trainer.datasets.dataset import ImageDataset
from feedline.trainer.sequences.batch_sequence import BatchSequence
from feedline.trainer.targets.yolo import TINY_YOLO_ANCHORS, YOLO_ANCHORS, YoloTargets, encode_yolo_targets

__all__ = [
    "TINY_YOLO_ANCHORS",
    "YOLO_ANCHORS",
    "Letterbox",
    "YoloAugment",
    "YoloTargets",
    "encode_yolo_targets",
    "yolo_sequences",
]


def yolo_sequences(
    train: ImageDataset,
    validation: ImageDataset,
    *,
    augment: YoloAugment | None = None,
    image_size: tuple[int, int] = (416, 416),
    image_sizes: Sequence[tuple[int, int]] | None = None,
    **options: Any,
) -> tuple[BatchSequence, BatchSequence]:
    """Make the batches that YOLOv3 is trained with, augmented and shuffled, and those it is validated with.

    Validation images are letterboxed, in the order of their dataset: tell ``fit`` nothing about shuffling, or
    make a `BatchSequence` of your own, to have it otherwise.

    Parameters
    ----------
    train, validation : ImageDataset
        With boxes.
    augment : YoloAugment, optional
        Of the training images.
    image_size : (int, int)
        Height and width of the network's input, multiples of 32.
    image_sizes : sequence of (int, int), optional
        Sizes that training batches alternate between; validation keeps `image_size`.
    **options
        Of both sequences, as `BatchSequence` takes them, such as ``targets=YoloTargets(80)``.

    Raises
    ------
    ConfigurationError
        An argument that cannot work, quoted.
    """
    if "transforms" in options:
        raise ConfigurationError("yolo_sequences has transforms of its own: pass augment=YoloAugment(...)")
    augment = augment or YoloAugment()
    options["image_size"] = image_size
    training = BatchSequence(train, transforms=[augment], image_sizes=image_sizes, **options)
    options |= {"transforms": [Letterbox(augment.resample)], "shuffle": False}
    return training, BatchSequence(validation, **options)
