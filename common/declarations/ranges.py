"""Whether transforms are made for the range of the pixels that they get: else they wreck images silently."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from feedline.common.arguments import Pair
from feedline.common.declarations.base import DEEP_RANGES, Transform
from feedline.common.declarations.color import Normalization, Rescaling
from feedline.common.declarations.compound import Choice, Pipeline

FAR_NARROWER, FAR_WIDER = 100.0, 20.0
"""Of so many times the width a range is a mistake; files of 16 bits with 10 or 12 used ones are none."""

FLAT = 0.05
"""Whatever pixels are scaled to, nobody means to have them all within so little."""


def range_of(dtype: str) -> Pair:
    """(lowest, highest) value of decoded pixels of a dtype."""
    lowest, highest = DEEP_RANGES.get(dtype, (0, 255))
    return float(lowest), float(highest)


def misjudged(transforms: Iterable[Transform], pixels: Pair) -> Iterator[str]:
    """Say of each transform that is made for other pixels than it gets what comes of it, and what helps.

    Parameters
    ----------
    transforms : iterable of Transform
        In their order.
    pixels : (float, float)
        Lowest and highest value of a pixel that comes in.
    """
    for transform in transforms:
        yield from _misjudged_inside(transform, pixels)
        if pixels[0] < pixels[1]:
            what = f"{transform} gets pixels from {pixels[0]:g} to {pixels[1]:g}"
            if (told := getattr(transform, "value_range", None)) is not None:
                yield from _misled(what, told, pixels)
            if isinstance(transform, Rescaling | Normalization):
                yield from _misscaled(what, transform, pixels)
        pixels = transform.output_range(pixels)


def _misled(what: str, told: Pair, pixels: Pair) -> Iterator[str]:
    """Say what comes of a ``value_range`` that is far from that of the pixels."""
    remedy = "say value_range=, or put it before what changes the range"
    times = _width(told) / _width(pixels)
    if times * FAR_NARROWER <= 1:
        yield f"{what}, of which nearly all are cut off to {told[0]:g} or {told[1]:g}: {remedy}"
    elif times >= FAR_WIDER:
        yield f"{what}, and does {times:.0f} times as much to them as it is meant to: {remedy}"


def _misscaled(what: str, transform: Rescaling | Normalization, pixels: Pair) -> Iterator[str]:
    """Say what comes of numbers that are for pixels of another range."""
    after = transform.output_range(pixels)
    if _width(after) <= FLAT:
        yield (
            f"{what}, and makes them nearly alike, {after[0]:.3g} to {after[1]:.3g}: they were scaled before,"
            " so leave one of both out"
        )
    elif isinstance(transform, Normalization) and transform.reach * FAR_NARROWER <= max(map(abs, pixels)):
        yield (
            f"{what}, but its mean and variance are those of pixels up to {transform.reach:.2g}:"
            " put a Rescaling before it"
        )


def _width(ends: Pair) -> float:
    return ends[1] - ends[0]


def _misjudged_inside(transform: Transform, pixels: Pair) -> Iterator[str]:
    if isinstance(transform, Choice):
        for branch in transform.inside:
            yield from misjudged(branch.inside, pixels)
    elif isinstance(transform, Pipeline):
        yield from misjudged(transform.inside, pixels)
