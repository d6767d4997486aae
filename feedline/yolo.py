"""YOLOv3 detection: what a training script needs beside `BatchSequence`; see docs/yolo.md."""

from feedline.trainer.targets.yolo import STRIDES
from feedline.trainer.yolo import (
    TINY_YOLO_ANCHORS,
    YOLO_ANCHORS,
    Letterbox,
    YoloAugment,
    YoloTargets,
    encode_yolo_targets,
    yolo_sequences,
)

__all__ = [
    "STRIDES",
    "TINY_YOLO_ANCHORS",
    "YOLO_ANCHORS",
    "Letterbox",
    "YoloAugment",
    "YoloTargets",
    "encode_yolo_targets",
    "yolo_sequences",
]
