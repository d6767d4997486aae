"""YOLOv3 detection: what a training script needs beside `BatchSequence`; see docs/yolo.md."""

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
    "TINY_YOLO_ANCHORS",
    "YOLO_ANCHORS",
    "Letterbox",
    "YoloAugment",
    "YoloTargets",
    "encode_yolo_targets",
    "yolo_sequences",
]
