"""Images that a sample has beside its first: further inputs, images to predict, masks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self, TypeAlias

from feedline.common.errors import ConfigurationError
from feedline.common.sample.companions import AS_X, ROLES, Companion, ImageOptions, Origin, Role
from feedline.common.sample.mask_values import MaskValues
from feedline.common.sample.regions import Regions


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

    def __len__(self) -> int:
        """Count the samples."""
        return len(self.paths)

    @property
    def origin(self) -> Origin:
        """Where the pixels come from."""
        return Origin.FILES

    def subset(self, rows: Any) -> Self:
        """Those of some samples."""
        return replace(self, paths=[self.paths[row] for row in rows.tolist()])


@dataclass(frozen=True, slots=True, eq=False)
class DrawnMasks:
    """One mask for each sample, which its producer draws.

    Attributes
    ----------
    regions : sequence of ndarray of int32
        One for each sample: see `feedline.common.sample.regions`.
    highest : int
        The highest value in any of them.
    """

    regions: Sequence[Regions]
    highest: int

    def __len__(self) -> int:
        """Count the samples."""
        return len(self.regions)

    @property
    def role(self) -> Role:
        """What they are for."""
        return Role.MASK

    @property
    def origin(self) -> Origin:
        """Where the pixels come from."""
        return Origin.REGIONS

    @property
    def values(self) -> MaskValues | None:
        """They are drawn as they are meant."""
        return None

    def subset(self, rows: Any) -> Self:
        """Those of some samples."""
        return replace(self, regions=[self.regions[row] for row in rows.tolist()])


AnyFurther: TypeAlias = FurtherImages | DrawnMasks
"""What a sample may have beside its image."""


def with_mask_values(
    further: Sequence[AnyFurther], mask_values: Mapping[Any, int] | None
) -> tuple[AnyFurther, ...]:
    """The same images, of whose masks it is said what they hold; ConfigurationError if there are none."""
    if mask_values is None:
        return tuple(further)
    if not any(images.role is Role.MASK for images in further):
        raise ConfigurationError("mask_values says what masks hold, and there are no masks: leave it out")
    values = MaskValues.of(mask_values)
    return tuple(
        replace(one, values=values) if isinstance(one, FurtherImages) and one.role is Role.MASK else one
        for one in further
    )


OwnOptions = Mapping[Role, ImageOptions | Sequence[ImageOptions] | None]
"""In what the images of each role differ from ``x``: all alike, or each by itself."""


def companions_of(
    further: Sequence[AnyFurther], own: OwnOptions, mask_fill: int = 0
) -> tuple[Companion, ...]:
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
        array = f"{name}{first[images.role] + number}"
        fill = mask_fill if images.role is Role.MASK else 0
        own_options = options[images.role][number]
        companions.append(Companion(array, images.role, own_options, images.values, fill, images.origin))
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
