"""Images that a sample has beside its first: further inputs, images to predict, masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from feedline.common.sample.companions import Companion, Role


@dataclass(frozen=True, slots=True)
class FurtherImages:
    """One further image for each sample.

    Attributes
    ----------
    role : Role
        What they are for.
    paths : sequence of str
        One file per sample, named as those of the dataset are.
    """

    role: Role
    paths: Sequence[str]

    def subset(self, rows: Any) -> Self:
        """Those of some samples."""
        return replace(self, paths=[self.paths[row] for row in rows.tolist()])


def companions_of(further: Sequence[FurtherImages], mask_fill: int = 0) -> tuple[Companion, ...]:
    """What producers are told of them: ``x1`` and so on, ``target0``, ``mask0``."""
    counts = {Role.INPUT: 1, Role.TARGET: 0, Role.MASK: 0}
    companions = []
    for images in further:
        name = "x" if images.role is Role.INPUT else images.role
        fill = mask_fill if images.role is Role.MASK else 0
        companions.append(Companion(f"{name}{counts[images.role]}", images.role, fill))
        counts[images.role] += 1
    return tuple(companions)
