"""Declarations that have others inside: a list that is one transform, and chance that chooses among several.

The draws of a compound are its own, if it makes any, and then those of all that is inside, one after another,
whether it is done to a sample or not: so what one part draws does not depend on what became of another.
What is inside may be a compound itself. Mixings, which take several samples, and framings, which take the
place of the resize, stand in the list of the job alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from feedline.common.arguments import Pair
from feedline.common.declarations.base import (
    Check,
    Draws,
    Transform,
    declaration,
    number_from,
)
from feedline.common.declarations.color import RandomBrightness
from feedline.common.declarations.framing import Framing
from feedline.common.declarations.geometry import RandomFlip, RandomRotation
from feedline.common.declarations.mixing import Mixing
from feedline.common.errors import ConfigurationError

ChangeList: TypeAlias = Callable[[tuple[Transform, ...]], tuple[Transform, ...]]
"""Makes another list of declarations of one."""


def _transforms(label: str, value: Any) -> tuple[Transform, ...]:
    """Read a list of declarations; a list among them is a `Pipeline`."""
    if not isinstance(value, tuple | list):
        raise ConfigurationError(f"{label} must be a list of transforms, got {value!r}")
    return tuple(_inside(label, one) for one in value)


def _some_transforms(label: str, value: Any) -> tuple[Transform, ...]:
    """Read a list of declarations that has at least one."""
    known = _transforms(label, value)
    if not known:
        raise ConfigurationError(f"{label} must have at least one transform to choose from, got {value!r}")
    return known


def _inside(label: str, one: Any) -> Transform:
    if isinstance(one, tuple | list):
        return Pipeline(_transforms(label, one))
    if not isinstance(one, Transform):
        raise ConfigurationError(f"{label} must be such as feedline.transforms.RandomFlip(), got {one!r}")
    if isinstance(one, Mixing):
        raise ConfigurationError(
            f"{label} cannot have {type(one).__name__}, which makes one sample of several: put it into the"
            " list of the BatchSequence itself"
        )
    if isinstance(one, Framing):
        raise ConfigurationError(
            f"{label} cannot have {type(one).__name__}, which takes the place of the resize: put it first"
            " into the list of the BatchSequence itself"
        )
    return one


@dataclass(frozen=True, slots=True)
class Compound(Transform, ABC):
    """Has other transforms inside."""

    @property
    @abstractmethod
    def inside(self) -> tuple[Transform, ...]:
        """All of them, in the order of their draws."""

    @property
    def num_draws(self) -> int:
        """Its own, and those of all that is inside."""
        return self._NUM_DRAWS + sum(one.num_draws for one in self.inside)

    @property
    def moves(self) -> bool:
        """Whether something inside does."""
        return any(one.moves for one in self.inside)

    def with_lists(self, change: ChangeList) -> Transform:  # noqa: ARG002 - see those that are given lists
        """The same with each list of declarations inside changed, and as many draws; what has none stays."""
        return self

    def check_channels(self, channels: int) -> None:
        """Raise ConfigurationError if something inside cannot take images of so many channels."""
        for one in everything_in(self.inside):
            if isinstance(one, Compound):
                continue
            try:
                one.check_channels(channels)
            except ConfigurationError as error:
                raise ConfigurationError(f"{type(self).__name__}: {error}") from error


def everything_in(transforms: Iterable[Transform]) -> Iterator[Transform]:
    """All of them, and all that is inside of them."""
    for transform in transforms:
        yield transform
        if isinstance(transform, Compound):
            yield from everything_in(transform.inside)


@dataclass(frozen=True, slots=True)
class Series(Compound):
    """Does all that is inside, one after another."""

    _NUM_DRAWS: ClassVar[int] = 0

    def output_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) after the last."""
        for one in self.inside:
            size = one.output_size(size)
        return size

    def output_dtype(self, dtype: str) -> str:
        """That after the last."""
        dtype = Transform.output_dtype(self, dtype)
        for one in self.inside:
            dtype = one.output_dtype(dtype)
        return dtype

    def fill_after(self, fill: tuple[float, ...]) -> tuple[float, ...]:
        """That after the last."""
        for one in self.inside:
            fill = one.fill_after(fill)
        return fill

    def output_range(self, value_range: Pair) -> Pair:
        """That after the last."""
        for one in self.inside:
            value_range = one.output_range(value_range)
        return value_range


@declaration
class Pipeline(Series):
    """Do several things, one after another, as ``keras.layers.Pipeline``: a list that is one transform.

    In a list it is what its parts would be there. It is of use inside of a `RandomChoice`, where a list means
    the same.

    Parameters
    ----------
    transforms : list of transforms
        In their order.
    """

    transforms: Sequence[Transform]

    _EXAMPLE: ClassVar[Mapping[str, Any]] = {"transforms": (RandomFlip("horizontal"), RandomBrightness(0.4))}
    _CHECKS: ClassVar[Mapping[str, Check]] = {"transforms": _transforms}

    @property
    def inside(self) -> tuple[Transform, ...]:
        """See `Compound`."""
        return tuple(self.transforms)

    def with_lists(self, change: ChangeList) -> Pipeline:
        """See `Compound`."""
        return Pipeline(change(self.inside))

    @property
    def without_chance(self) -> Transform | None:
        """What is left of its parts."""
        left = tuple(one for one in (part.without_chance for part in self.transforms) if one is not None)
        return Pipeline(left) if left else None


def _as_pipeline(one: Transform | Sequence[Transform]) -> Pipeline:
    if isinstance(one, Pipeline):
        return one
    return Pipeline((one,) if isinstance(one, Transform) else one)


@dataclass(frozen=True, slots=True)
class Choice(Compound):
    """Does one of the lists that it has inside; its own draw says which. All give one size and dtype."""

    def __post_init__(self) -> None:
        """Check each argument, then that whichever is chosen, pixels have one dtype."""
        Transform.__post_init__(self)
        kinds = {branch.output_dtype("uint8"): branch for branch in self.inside}
        if len(kinds) > 1:
            raise ConfigurationError(
                f"{self} makes floats of some images and leaves others as they are: put what makes floats"
                " behind it, for all images"
            )

    @property
    @abstractmethod
    def inside(self) -> tuple[Pipeline, ...]:
        """What there is to choose from, its branches."""

    @abstractmethod
    def branch(self, draws: Draws) -> int:
        """Which of the branches is chosen."""

    @property
    def without_chance(self) -> Transform | None:
        """What changes the size, or makes floats, of its first branch, as the others do; else nothing."""
        left = tuple(_of_need(self.inside[0].transforms))
        return Pipeline(left) if left else None

    def output_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) after any branch; ConfigurationError if they differ."""
        sizes = list(dict.fromkeys(branch.output_size(size) for branch in self.inside))
        if len(sizes) > 1:
            raise ConfigurationError(
                f"{self} makes images of different sizes, {sizes[0]} and {sizes[1]} of {tuple(size)}: what is"
                " left to chance must keep the size, or all must come to the same"
            )
        return sizes[0]

    def output_dtype(self, dtype: str) -> str:
        """That after any branch."""
        return next(iter({branch.output_dtype(dtype) for branch in self.inside}))

    def fill_after(self, fill: tuple[float, ...]) -> tuple[float, ...]:
        """That of its first list; those that differ make values of which nobody can say what is air."""
        return self.inside[0].fill_after(fill)

    def output_range(self, value_range: Pair) -> Pair:
        """The lowest and the highest value after any branch."""
        lowest, highest = zip(*(branch.output_range(value_range) for branch in self.inside), strict=True)
        return min(lowest), max(highest)


def _of_need(transforms: Iterable[Transform]) -> Iterator[Transform]:
    """Of what images come to without chance, that without which their size or dtype would be another."""
    for transform in transforms:
        plain = transform.without_chance
        if isinstance(plain, Pipeline):
            yield from _of_need(plain.transforms)
        elif plain is not None and _changes_form(plain):
            yield plain


def _changes_form(transform: Transform) -> bool:
    changes_size = type(transform).output_size is not Transform.output_size
    return changes_size or transform.output_dtype("uint8") != "uint8"


@declaration
class RandomChoice(Choice):
    """Do one of several, each as likely. Keras has no such layer; torchvision has one of that name.

    Parameters
    ----------
    transforms : list of transforms
        A list among them is one: a `Pipeline`. All must give images of one size.
    """

    transforms: Sequence[Transform | Sequence[Transform]]

    _EXAMPLE: ClassVar[Mapping[str, Any]] = {
        "transforms": (RandomRotation((0.05, 0.1)), RandomBrightness((-0.4, -0.2)))
    }
    _CHECKS: ClassVar[Mapping[str, Check]] = {"transforms": _some_transforms}

    @property
    def inside(self) -> tuple[Pipeline, ...]:
        """See `Choice`."""
        return tuple(_as_pipeline(one) for one in self.transforms)

    def with_lists(self, change: ChangeList) -> RandomChoice:
        """See `Compound`."""
        return RandomChoice([one.with_lists(change) for one in self.inside])

    def branch(self, draws: Draws) -> int:
        """See `Choice`."""
        return int(draws[0] * len(self.transforms))


@declaration
class RandomApply(Choice):
    """Do a list of transforms to a share of the images, and nothing to the others.

    Keras has no such layer; torchvision has one of that name, whose `p` is `factor` here.

    Parameters
    ----------
    transforms : list of transforms
        In their order. They must keep the size.
    factor : float
        The share, in [0, 1].
    """

    transforms: Sequence[Transform]
    factor: float = 0.5

    _EXAMPLE: ClassVar[Mapping[str, Any]] = {
        "transforms": (RandomRotation((0.05, 0.1)), RandomBrightness((-0.4, -0.2))),
        "factor": 0.5,
    }
    _CHECKS: ClassVar[Mapping[str, Check]] = {"transforms": _transforms, "factor": number_from(0.0, 1.0)}

    @property
    def inside(self) -> tuple[Pipeline, ...]:
        """See `Choice`: nothing, or the list."""
        return Pipeline(()), Pipeline(self.transforms)

    def with_lists(self, change: ChangeList) -> RandomApply:
        """See `Compound`."""
        return RandomApply(change(tuple(self.transforms)), self.factor)

    def branch(self, draws: Draws) -> int:
        """See `Choice`."""
        return int(draws[0] < self.factor)
