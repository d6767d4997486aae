"""What lies beyond the edge of an image, and so what a `fill_value` that is left out stands for.

One rule for all that adds pixels (padding, a constant fill, a canvas, a blur at the edge):

- a `fill_value` that is given is taken, in images;
- else what surrounds the scan, in a CT: air, -1000 Hounsfield units, or what a window makes of it;
- else, in pictures, what the layer of Keras has, 0, and YOLO, 128;
- in masks always the `mask_fill` of the job.

Air stays air where a `Rescaling` or a `Normalization` stands before.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from feedline.common.declarations.base import Transform
from feedline.common.declarations.compound import Compound
from feedline.common.sample.companions import Role
from feedline.common.sample.image import ImageSpec


def settled(
    transforms: Iterable[Transform], image: ImageSpec, role: Role = Role.INPUT
) -> tuple[Transform, ...]:
    """The same with numbers in place of each `fill_value` that was left out, for the images of one kind.

    Parameters
    ----------
    transforms : iterable of Transform
        In their order.
    image : ImageSpec
        What they are applied to.
    role : Role
        Images to predict keep their colours where a transform changes places and colours.
    """
    return _Settling(role, given_counts=not image.is_mask).of(transforms, image.background)


@dataclass(frozen=True, slots=True)
class _Settling:
    """How each list is settled, those inside of others, too."""

    role: Role
    given_counts: bool

    def of(self, transforms: Iterable[Transform], around: tuple[float, ...] | None) -> tuple[Transform, ...]:
        """Settle a list, and the lists inside of it, where `around` lies around what comes in."""
        result = []
        for declared in transforms:
            transform = declared if self.role is Role.INPUT else declared.without_colors
            if isinstance(transform, Compound):
                transform = transform.with_lists(partial(self.of, around=around))
            result.append(_filled(transform, around, given_counts=self.given_counts))
            around = around and transform.fill_after(around)
        return tuple(result)


def _filled(transform: Any, around: tuple[float, ...] | None, *, given_counts: bool) -> Transform:
    if not transform.has_edge or (given_counts and transform.fill_value is not None):
        own: Transform = transform
        return own
    known = (transform.usual_fill,) if around is None else around
    filled: Transform = replace(transform, fill_value=known if len(known) > 1 else known[0])
    return filled
