"""What each declaration of `feedline.transforms` does to pixels. `compose` is the way in.

All files in which functions enter themselves into `registry` are imported here.
"""

from feedline.producer.transforms import (
    calls,
    color,
    crop,
    detail,
    elastic,
    framing,
    geometry,
    histogram,
    hue,
    mixing,
    tiles,
    yolo,
)
from feedline.producer.transforms.composition import Composition, compose
from feedline.producer.transforms.forms import Action
from feedline.producer.transforms.pipeline import Pipeline

__all__ = [
    "Action",
    "Composition",
    "Pipeline",
    "calls",
    "color",
    "compose",
    "crop",
    "detail",
    "elastic",
    "framing",
    "geometry",
    "histogram",
    "hue",
    "mixing",
    "tiles",
    "yolo",
]
