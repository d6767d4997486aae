"""Images that a sample has beside its first: further inputs, images to predict, masks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from feedline.common.errors import ConfigurationError
from feedline.common.sample.companions import AS_X, ROLES, Companion, ImageOptions, Role


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


OwnOptions = Mapping[Role, ImageOptions | Sequence[ImageOptions] | None]
"""In what the images of each role differ from ``x``: all alike, or each by itself."""


def companions_of(further: Sequence[FurtherImages], own: OwnOptions) -> tuple[Companion, ...]:
    """What producers are told of them: ``x1`` and so on, ``target0``, ``mask0``.

    Raises
    ------
    ConfigurationError
        If `own` is of images that there are not.
    """
    numbers: dict[str, int] = Counter(images.role for images in further)
    options = {role: _one_each(role, own.get(role), numbers.get(role, 0)) for role in ROLES}
    first = {Role.INPUT: 1, Role.TARGET: 0, Role.MASK: 0}
    seen: dict[Role, int] = Counter()
    companions = []
    for images in further:
        name = "x" if images.role is Role.INPUT else images.role
        number = seen[images.role]
        companions.append(
            Companion(f"{name}{first[images.role] + number}", images.role, options[images.role][number])
        )
        seen[images.role] += 1
    return tuple(companions)


def _one_each(
    role: Role, options: ImageOptions | Sequence[ImageOptions] | None, number: int
) -> Sequence[ImageOptions]:
    if options is None:
        return [AS_X] * number
    if isinstance(options, ImageOptions) and number:
        return [options] * number
    listed: list[Any] = list(options) if isinstance(options, list | tuple) else [options]
    if len(listed) != number or not all(isinstance(one, ImageOptions) for one in listed):
        raise ConfigurationError(
            f"{ARGUMENTS[role]} must be ImageOptions(...), or a list of one for each of the {number} {role}"
            f" images that a sample of the dataset has; got {options!r}"
        )
    return listed


ARGUMENTS = {Role.INPUT: "inputs", Role.TARGET: "target_images", Role.MASK: "masks"}
"""What the images of a role are called by those who give them."""
