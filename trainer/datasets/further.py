"""Images that a sample has beside its first: further inputs, images to predict, masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from feedline.common.errors import ConfigurationError
from feedline.common.sample.companions import Companion, Role
from feedline.common.sample.mask_values import MaskValues


@dataclass(frozen=True, slots=True)
class FurtherImages:
    """One further image for each sample.

    Attributes
    ----------
    role : Role
        What they are for.
    paths : sequence of str
        One file per sample, named as those of the dataset are.
    values : MaskValues or None
        Of masks: the classes of their values, if those are not the values themselves.
    """

    role: Role
    paths: Sequence[str]
    values: MaskValues | None = None

    def subset(self, rows: Any) -> Self:
        """Those of some samples."""
        return replace(self, paths=[self.paths[row] for row in rows.tolist()])


def with_mask_values(
    further: Sequence[FurtherImages], mask_values: Mapping[Any, int] | None
) -> tuple[FurtherImages, ...]:
    """The same images, of whose masks it is said what they hold; ConfigurationError if there are none."""
    if mask_values is None:
        return tuple(further)
    if not any(images.role is Role.MASK for images in further):
        raise ConfigurationError("mask_values says what masks hold, and there are no masks: leave it out")
    values = MaskValues.of(mask_values)
    return tuple(replace(one, values=values) if one.role is Role.MASK else one for one in further)


def companions_of(further: Sequence[FurtherImages]) -> tuple[Companion, ...]:
    """What producers are told of them: ``x1`` and so on, ``target0``, ``mask0``."""
    counts = {Role.INPUT: 1, Role.TARGET: 0, Role.MASK: 0}
    companions = []
    for images in further:
        name = "x" if images.role is Role.INPUT else images.role
        companions.append(Companion(f"{name}{counts[images.role]}", images.role, images.values))
        counts[images.role] += 1
    return tuple(companions)
