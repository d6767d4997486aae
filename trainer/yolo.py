"""YOLOv3 detection: what a training script needs beside `BatchSequence`; see docs/yolo.md."""

from __future__ import annotations

from common.yolo import TINY_YOLO_ANCHORS, YOLO_ANCHORS, YoloTargets, encode_yolo_targets

__all__ = ["TINY_YOLO_ANCHORS", "YOLO_ANCHORS", "YoloTargets", "encode_yolo_targets"]
