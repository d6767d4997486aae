"""All transforms of a job, those that mix samples included: several images in, one out.

A list with mixings in it is a tree. ``[flip, mosaic, rotation, mixup, blur]`` makes one image of eight::

    4 x flip → mosaic → rotation ┐
    4 x flip → mosaic → rotation ┴ mixup → blur

Each place in the tree has draws of its own, in the order in which it is worked off.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from feedline.common.declarations.base import Transform
from feedline.common.declarations.catalogue import output_size
from feedline.common.declarations.mixing import Mixing
from feedline.common.sample.boxes import Boxes
from feedline.common.sample.companions import Role
from feedline.common.sample.image import Size
from feedline.producer.arrays import Draws, Pixels
from feedline.producer.plugins import NO_PLUGINS, Plugins
from feedline.producer.transforms.forms import Action, Mix
from feedline.producer.transforms.pipeline import Pipeline
from feedline.producer.transforms.registry import MIXINGS, changes_values

Annotated: TypeAlias = tuple[Boxes, Size]
"""The boxes of an image, and its (height, width) before the transforms."""


class Composition(Protocol):
    """A list of transforms, made ready."""

    num_draws: int
    num_sources: int

    def prepare(self, draws: Draws) -> Any:
        """Settle all that does not depend on pixels; the result is for `run`."""

    def run(self, recipe: Any, images: Iterator[Pixels], out: Pixels) -> None:
        """Make one image of the next `num_sources`; each is used before the next one is asked for."""

    def move(self, draws: Draws, annotated: Iterator[Annotated]) -> Boxes:
        """The boxes of that image."""

    def shares(self, draws: Draws) -> npt.NDArray[np.float64]:
        """How much of each source its labels get, shape (num_sources,)."""


class Single:
    """No mixing: one image makes one."""

    num_sources = 1

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self.num_draws = pipeline.num_draws

    def prepare(self, draws: Draws) -> list[Action]:
        """See `Composition`."""
        return self._pipeline.prepare(draws)

    def run(self, recipe: list[Action], images: Iterator[Pixels], out: Pixels) -> None:
        """See `Composition`."""
        self._pipeline.run(recipe, next(images), out)

    def move(self, draws: Draws, annotated: Iterator[Annotated]) -> Boxes:
        """See `Composition`."""
        boxes, size = next(annotated)
        return self._pipeline.move(boxes, draws, size)

    def shares(self, _: Draws) -> npt.NDArray[np.float64]:
        """See `Composition`."""
        return np.ones(1)


@dataclass(frozen=True, slots=True)
class MixedRecipe:
    """What `Mixed.prepare` came to."""

    parts: list[Any]
    mix: Mix
    actions: list[Action]


class Mixed:
    """A mixing: what its `part` makes several times becomes one, and goes through a pipeline.

    Parameters
    ----------
    part : Composition
        Makes the images that are mixed.
    mixing : Mixing
        How.
    pipeline : Pipeline
        What is done to the result.
    shape : tuple of int
        (height, width, channels) of the images that are mixed.
    dtype : str
        Theirs.
    """

    def __init__(
        self, part: Composition, mixing: Mixing, pipeline: Pipeline, shape: tuple[int, int, int], dtype: str
    ) -> None:
        self._part, self._mixing, self._pipeline = part, mixing, pipeline
        self._size = shape[:2]
        self._num_parts = mixing.num_samples
        self._scratch = [np.empty(shape, dtype) for _ in range(self._num_parts + 1)]
        self._own_draws = slice(self._num_parts * part.num_draws, None)
        self.num_sources = self._num_parts * part.num_sources
        self.num_draws = self._num_parts * part.num_draws + mixing.num_draws + pipeline.num_draws

    def prepare(self, draws: Draws) -> MixedRecipe:
        """See `Composition`."""
        parts = [self._part.prepare(own) for own in self._draws_of_parts(draws)]
        return MixedRecipe(parts, self._mix(draws), self._pipeline.prepare(self._draws_after(draws)))

    def run(self, recipe: MixedRecipe, images: Iterator[Pixels], out: Pixels) -> None:
        """See `Composition`."""
        *parts, mixed = self._scratch
        for part_recipe, part in zip(recipe.parts, parts, strict=True):
            self._part.run(part_recipe, images, part)
        recipe.mix.write_image(parts, mixed)
        self._pipeline.run(recipe.actions, mixed, out)

    def move(self, draws: Draws, annotated: Iterator[Annotated]) -> Boxes:
        """See `Composition`."""
        parts = [self._part.move(own, annotated) for own in self._draws_of_parts(draws)]
        mixed = self._mix(draws).boxes(parts)
        return self._pipeline.move(mixed, self._draws_after(draws), self._size)

    def shares(self, draws: Draws) -> npt.NDArray[np.float64]:
        """See `Composition`."""
        parts = [self._part.shares(own) for own in self._draws_of_parts(draws)]
        return np.concatenate([
            share * part for share, part in zip(self._mix(draws).shares, parts, strict=True)
        ])  # fmt: skip

    def _mix(self, draws: Draws) -> Mix:
        own = draws[self._own_draws][: self._mixing.num_draws]
        return MIXINGS[type(self._mixing)](self._mixing, own, self._size)

    def _draws_of_parts(self, draws: Draws) -> Iterator[Draws]:
        yield from draws[: self._own_draws.start].reshape(self._num_parts, self._part.num_draws)

    def _draws_after(self, draws: Draws) -> Draws:
        return draws[self._own_draws][self._mixing.num_draws :]


def compose(
    transforms: Sequence[Transform],
    size: Size,
    channels: int,
    in_dtype: str,
    out_dtype: str,
    role: Role = Role.INPUT,
    plugins: Plugins = NO_PLUGINS,
) -> Composition:
    """Make a list of transforms ready; the arguments are those of `Pipeline`."""
    mixings = [(i, transform) for i, transform in enumerate(transforms) if isinstance(transform, Mixing)]
    if not mixings:
        return Single(Pipeline(transforms, size, channels, in_dtype, out_dtype, role, plugins))
    last, mixing = mixings[-1]
    before, after = transforms[:last], transforms[last + 1 :]
    dtype = out_dtype if changes_values(before) else in_dtype
    part = compose(before, size, channels, in_dtype, dtype, role, plugins)
    mixed_size = output_size(before, size)
    pipeline = Pipeline(after, mixed_size, channels, dtype, out_dtype, role, plugins)
    return Mixed(part, mixing, pipeline, (*mixed_size, channels), dtype)
