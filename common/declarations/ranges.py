"""Whether transforms are told the range of the pixels that they get: a wrong one wrecks images silently."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from feedline.common.arguments import Pair
from feedline.common.declarations.base import DEEP_RANGES, Transform
from feedline.common.declarations.compound import Choice, Pipeline

FAR_NARROWER, FAR_WIDER = 100.0, 20.0
"""Of so many times the width a range is a mistake; files of 16 bits with 10 or 12 used ones are none."""


def range_of(dtype: str) -> Pair:
    """(lowest, highest) value of decoded pixels of a dtype."""
    lowest, highest = DEEP_RANGES.get(dtype, (0, 255))
    return float(lowest), float(highest)


def misjudged(transforms: Iterable[Transform], pixels: Pair) -> Iterator[str]:
    """Say of each transform whose ``value_range`` is far from that of the pixels that it gets what happens.

    Parameters
    ----------
    transforms : iterable of Transform
        In their order.
    pixels : (float, float)
        Lowest and highest value of a pixel that comes in.
    """
    for transform in transforms:
        yield from _misjudged_inside(transform, pixels)
        told = getattr(transform, "value_range", None)
        if told is not None and pixels[0] < pixels[1]:
            times = (told[1] - told[0]) / (pixels[1] - pixels[0])
            what = f"{transform} gets pixels from {pixels[0]:g} to {pixels[1]:g}"
            if times * FAR_NARROWER <= 1:
                yield f"{what}, of which nearly all are cut off to {told[0]:g} or {told[1]:g}"
            elif times >= FAR_WIDER:
                yield f"{what}, and does {times:.0f} times as much to them as it is meant to"
        pixels = transform.output_range(pixels)


def _misjudged_inside(transform: Transform, pixels: Pair) -> Iterator[str]:
    if isinstance(transform, Choice):
        for branch in transform.inside:
            yield from misjudged(branch.inside, pixels)
    elif isinstance(transform, Pipeline):
        yield from misjudged(transform.inside, pixels)
