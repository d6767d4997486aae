"""Steps that have lists of declarations inside: one of several is run, or all of them are blended.

What runs is settled for each sample when its draws are known. Each list inside is a pipeline of its own, with
scratch memory of its own; it writes where its step would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from feedline.common.declarations.base import Transform
from feedline.common.declarations.compound import Choice, Pipeline, RandomApply, RandomChoice
from feedline.common.sample.image import Size
from feedline.producer.arrays import Draws, Pixels, as_opencv
from feedline.producer.transforms.boxes import Move
from feedline.producer.transforms.filters import clip_to, unchanged
from feedline.producer.transforms.forms import Action
from feedline.producer.transforms.functions.color import round_into
from feedline.producer.transforms.registry import BLENDS, CHOICES, SERIES, choice_of, series_of


class Part(Protocol):
    """A list inside of another, made ready."""

    output_shape: tuple[int, int, int]

    def prepare(self, draws: Draws) -> list[Action]:
        """Settle all that does not depend on pixels."""

    def through(self, actions: Iterable[Action], pixels: Pixels, out: Pixels) -> Pixels:
        """Do what `prepare` came to: an `Action`."""

    def moves(self, draws: Draws, size: Size) -> list[Move]:
        """Where points go."""


@dataclass(frozen=True, slots=True)
class Nest:
    """A compound that is not a step yet: what its parts are made for, its place in a plan says.

    Attributes
    ----------
    compound : Compound
        Its parts are what it has inside.
    kind : type
        What it will be, of the compound and its parts: `Choosing` or `Blending`.
    """

    compound: Any
    kind: Callable[[Any, tuple[Part, ...]], Any]

    @property
    def transforms(self) -> tuple[Transform, ...]:
        """See `Step`."""
        return (self.compound,)

    def step(self, make: Callable[[Iterable[Transform]], Part]) -> Any:
        """The `Step`, of parts that `make` makes of lists."""
        return self.kind(self.compound, tuple(make(part.inside) for part in self.compound.inside))


class Choosing:
    """One of several lists, for each sample."""

    def __init__(self, choice: Any, parts: tuple[Part, ...]) -> None:
        self.transforms: tuple[Transform, ...] = (choice,)
        self._choose = partial(CHOICES[type(choice)], choice)
        self._parts = parts
        self._draws = _draws_of_parts(choice)

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
        index = self._choose(draws)
        return self._parts[index], draws[self._draws[index]]


def _run(part: Part, actions: list[Action], pixels: Pixels, out: Pixels) -> Pixels:
    # A list that only moves pixels leaves them in their dtype, where another makes floats.
    return unchanged(part.through(actions, pixels, out), out)


class Blending:
    """An image and what several lists make of it, blended."""

    def __init__(self, blend: Any, parts: tuple[Part, ...]) -> None:
        self.transforms: tuple[Transform, ...] = (blend,)
        self._shares = partial(BLENDS[type(blend)], blend)
        self._value_range = blend.value_range
        self._parts = parts
        self._draws = _draws_of_parts(blend)
        self._sum = as_opencv(np.empty(parts[0].output_shape, np.float32))

    def prepare(self, draws: Draws, _: Size) -> Action:
        """See `Step`."""
        chains = [part.prepare(draws[own]) for part, own in zip(self._parts, self._draws, strict=True)]
        return partial(self._blend, self._shares(draws), chains)

    def _blend(
        self, shares: npt.NDArray[np.float64], chains: list[list[Action]], pixels: Pixels, out: Pixels
    ) -> Pixels:
        own, *others = shares.tolist()
        np.multiply(pixels, np.float32(own), out=self._sum)
        for share, part, actions in zip(others, self._parts, chains, strict=True):
            # Each chain may write where the result will be: it is added to the sum before the next one does.
            made = part.through(actions, pixels, out)
            cv2.addWeighted(made, share, self._sum, 1.0, 0.0, dst=self._sum, dtype=cv2.CV_32F)
        return round_into(out, clip_to(self._value_range, self._sum))


@choice_of(RandomApply, RandomChoice)
def choose(declaration: Choice, draws: Draws) -> int:
    """Draw a number from 0 to that of its branches."""
    return declaration.branch(draws)


@series_of(Pipeline)
def in_order(declaration: Pipeline) -> tuple[Transform, ...]:
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


def _draws_of_parts(compound: Any) -> list[slice]:
    """Where the draws of each part of a compound lie among its draws: behind its own."""
    lengths = [part.num_draws for part in compound.inside]
    ends = list(accumulate(lengths, initial=compound.num_draws - sum(lengths)))
    return list(map(slice, ends, ends[1:]))
