"""Steps that have lists of declarations inside: one of several is run, or all of them are blended.

What runs is settled for each sample when its draws are known. Each list inside is a pipeline of its own, with
scratch memory of its own; it writes where its step would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import accumulate
from typing import Any, Protocol, TypeAlias, runtime_checkable

from feedline.common.declarations.base import Transform
from feedline.common.declarations.compound import Choice, Pipeline, RandomApply, RandomChoice, Series
from feedline.common.sample.image import Size
from feedline.producer.arrays import Draws, Pixels
from feedline.producer.transforms.boxes import Move
from feedline.producer.transforms.filters import unchanged
from feedline.producer.transforms.forms import Action
from feedline.producer.transforms.registry import CHOICES, SERIES, choice_of, series_of


class Part(Protocol):
    """A list inside of another, made ready."""

    def prepare(self, draws: Draws) -> list[Action]:
        """Settle all that does not depend on pixels."""

    def through(self, actions: Iterable[Action], pixels: Pixels, out: Pixels) -> Pixels:
        """Do what `prepare` came to: an `Action`."""

    def moves(self, draws: Draws, size: Size) -> list[Move]:
        """Where points go."""


MakePart: TypeAlias = Callable[[Iterable[Transform]], Part]


@runtime_checkable
class Nest(Protocol):
    """A step that is made of parts, once it is known where it stands."""

    transforms: tuple[Transform, ...]

    def with_parts(self, make: MakePart) -> Any:
        """The same as a `Step`."""


class Choosing:
    """One of several lists, for each sample."""

    def __init__(self, transform: Any, parts: Iterable[Part] = ()) -> None:
        self.transforms: tuple[Transform, ...] = (transform,)
        self._transform = transform
        self._choose = CHOICES[type(transform)]
        self._parts = tuple(parts)
        self._draws = tuple(slices_of((branch.num_draws for branch in transform.branches), start=1))

    def with_parts(self, make: MakePart) -> Choosing:
        """See `Nest`."""
        return Choosing(self._transform, [make(branch.transforms) for branch in self._transform.branches])

    def prepare(self, draws: Draws, _: Size) -> Action:
        """See `Step`."""
        part, own = self._chosen(draws)
        actions = part.prepare(own)
        return partial(_run, part, actions) if actions else unchanged

    def moves(self, draws: Draws, size: Size) -> list[Move]:
        """See `MovingStep`."""
        part, own = self._chosen(draws)
        return part.moves(own, size)

    def _chosen(self, draws: Draws) -> tuple[Part, Draws]:
        index = self._choose(self._transform, draws)
        return self._parts[index], draws[self._draws[index]]


def _run(part: Part, actions: list[Action], pixels: Pixels, out: Pixels) -> Pixels:
    # A list that only moves pixels leaves them in their dtype, where another makes floats.
    return unchanged(part.through(actions, pixels, out), out)


@choice_of(RandomApply, RandomChoice)
def choose(declaration: Choice, draws: Draws) -> int:
    """Draw a number from 0 to that of its branches."""
    return declaration.branch(draws)


@series_of(Pipeline)
def in_order(declaration: Series) -> tuple[Transform, ...]:
    """What it has inside."""
    return declaration.inside


def flat(transforms: Iterable[Transform]) -> Iterator[Transform]:
    """The same with what stands in series in the place of the series: its draws lie there, too."""
    for transform in transforms:
        series = SERIES.get(type(transform))
        if series is None:
            yield transform
        else:
            yield from flat(series(transform))


def slices_of(lengths: Iterable[int], start: int) -> Iterator[slice]:
    """Lay parts of some lengths side by side, from `start`."""
    ends = list(accumulate(lengths, initial=start))
    return map(slice, ends, ends[1:])
