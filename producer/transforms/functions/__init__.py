"""What each declaration does to pixels, one file a family: functions that enter themselves into `registry`.

All files are imported here.
"""

from feedline.producer.transforms.functions import (
    color,
    crop,
    detail,
    elastic,
    framing,
    geometry,
    histogram,
    hue,
    mixing,
    policies,
    tiles,
    yolo,
)

__all__ = [
    "color",
    "crop",
    "detail",
    "elastic",
    "framing",
    "geometry",
    "histogram",
    "hue",
    "mixing",
    "policies",
    "tiles",
    "yolo",
]
