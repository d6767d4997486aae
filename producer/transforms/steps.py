"""Steps of a pipeline: what a run of neighbouring declarations comes to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Protocol, runtime_checkable

import numpy as np

from feedline.common.declarations.base import Transform
from feedline.common.declarations.framing import Resizing
from feedline.common.declarations.geometry import RandomFlip
from feedline.common.sample.image import Size
from feedline.producer.arrays import Draws, Matrix, Pixels
from feedline.producer.plugins import Plugins
from feedline.producer.transforms.boxes import Field, Motion
from feedline.producer.transforms.calls import call
from feedline.producer.transforms.choosing import Blending, Choosing, Nest, flat
from feedline.producer.transforms.filters import unchanged
from feedline.producer.transforms.forms import Action
from feedline.producer.transforms.functions.color import apply_line, channel_means, no_means, prepare_line
from feedline.producer.transforms.functions.geometry import (
    Sampler,
    look_up_classes,
    lookup_of,
    mirror,
    motion_of,
)
from feedline.producer.transforms.registry import (
    BLENDS,
    CALLS,
    CHOICES,
    FIELDS,
    FILTERS,
    FRAMINGS,
    LINES,
    MAPPINGS,
    NEED_MEANS,
    WINDOWS,
    Family,
)


class Step(Protocol):
    """What a run of declarations came to."""

    transforms: tuple[Transform, ...]

    def prepare(self, draws: Draws, size: Size) -> Action:
        """Settle all that does not depend on pixels, for images of `size`."""


@runtime_checkable
class MovingStep(Step, Protocol):
    """A step after which pixels are in other places: boxes and masks follow it."""

    def motion(self, draws: Draws, size: Size) -> Motion:
        """Where points of an image of `size` go; pixels end at whole numbers."""

    def for_masks(self) -> Step:
        """The same for an image whose values are classes: none is computed."""


class Warp:
    """Flips, rotations, translations, zooms, shears and perspectives, in one look-up."""

    def __init__(self, transforms: tuple[Transform, ...], *, of_classes: bool = False) -> None:
        self.transforms = transforms
        declaration = next((t for t in transforms if not isinstance(t, RandomFlip)), transforms[0])
        self._sampler = Sampler(declaration, of_classes=of_classes)

    def prepare(self, draws: Draws, size: Size) -> Action:
        """See `Step`."""
        return self._sampler.prepare(self._lookup(draws, size), size)

    def motion(self, draws: Draws, size: Size) -> Motion:
        """See `MovingStep`."""
        return motion_of(self._lookup(draws, size), size)

    def for_masks(self) -> Step:
        """See `MovingStep`."""
        return Warp(self.transforms, of_classes=True)

    def _lookup(self, draws: Draws, size: Size) -> Matrix:
        """Where each pixel of the result is looked up."""
        matrix, start = np.eye(3), 0
        for transform in self.transforms:
            own_draws = draws[start : start + transform.num_draws]
            matrix = matrix @ MAPPINGS[type(transform)](transform, own_draws, size)
            start += transform.num_draws
        return matrix


class Mirror(Warp):
    """Flips alone: no matrix is needed."""

    def prepare(self, draws: Draws, _: Size) -> Action:
        """See `Step`."""
        return mirror(
            [transform for transform in self.transforms if isinstance(transform, RandomFlip)], draws
        )

    def for_masks(self) -> Step:
        """See `MovingStep`."""
        return self


class Displacement:
    """Each pixel is looked up in a place of its own."""

    def __init__(self, transform: Transform, *, of_classes: bool = False) -> None:
        self.transforms: tuple[Transform, ...] = (transform,)
        self._sampler = Sampler(transform, of_classes=of_classes)

    def prepare(self, draws: Draws, size: Size) -> Action:
        """See `Step`."""
        field = self._field(draws, size)
        return unchanged if field is None else self._sampler.prepare_field(field)

    def motion(self, draws: Draws, size: Size) -> Motion:
        """See `MovingStep`."""
        field = self._field(draws, size)
        return np.eye(3) if field is None else field

    def for_masks(self) -> Step:
        """See `MovingStep`."""
        return Displacement(self.transforms[0], of_classes=True)

    def _field(self, draws: Draws, size: Size) -> Field | None:
        (transform,) = self.transforms
        return FIELDS[type(transform)](transform, draws, size)


class Cut:
    """A crop."""

    def __init__(self, transform: Transform) -> None:
        self.transforms: tuple[Transform, ...] = (transform,)

    def prepare(self, draws: Draws, size: Size) -> Action:
        """See `Step`."""
        top, left = self._corner(draws, size)
        height, width = self.transforms[0].output_size(size)
        return lambda pixels, _: pixels[top : top + height, left : left + width]

    def motion(self, draws: Draws, size: Size) -> Matrix:
        """See `MovingStep`."""
        top, left = self._corner(draws, size)
        return np.array([[1.0, 0.0, -left], [0.0, 1.0, -top], [0.0, 0.0, 1.0]])

    def for_masks(self) -> Step:
        """See `MovingStep`."""
        return self

    def _corner(self, draws: Draws, size: Size) -> tuple[int, int]:
        (transform,) = self.transforms
        return WINDOWS[type(transform)](transform, draws, size)


class Frame:
    """A framing: a file of any size comes in, an image of `size` goes out."""

    def __init__(self, transform: Transform, size: Size) -> None:
        self.transforms: tuple[Transform, ...] = (transform,)
        self._size = size

    def prepare(self, draws: Draws, _: Size) -> Action:
        """See `Step`; the size of what comes in is seen when it comes."""
        return lambda pixels, out: self._settle(draws, pixels.shape[:2])[0](pixels, out)

    def motion(self, draws: Draws, size: Size) -> Matrix:
        """See `MovingStep`; `size` is that of the file's image."""
        return self._settle(draws, size)[1]

    def for_masks(self) -> Step:
        """See `MovingStep`."""
        return FrameOfClasses(self, self._size)

    def _settle(self, draws: Draws, size: Size) -> tuple[Action, Matrix]:
        (transform,) = self.transforms
        return FRAMINGS[type(transform)](transform, draws, size, self._size)


class Resize(Frame):
    """A resize."""

    def __init__(self, transform: Resizing) -> None:
        super().__init__(transform, (transform.height, transform.width))
        self._resizing = transform

    def for_masks(self) -> Step:
        """See `MovingStep`."""
        return Resize(self._resizing.of_classes)


class FrameOfClasses:
    """A framing of a mask: its pixels are looked up where the framing took those of the image from."""

    def __init__(self, frame: Frame, size: Size) -> None:
        self.transforms = frame.transforms
        self._frame = frame
        self._size = size

    def prepare(self, draws: Draws, _: Size) -> Action:
        """See `Step`."""
        return partial(self._run, draws)

    def _run(self, draws: Draws, pixels: Pixels, out: Pixels) -> Pixels:
        lookup = lookup_of(self._frame.motion(draws, pixels.shape[:2]))
        fill = getattr(self.transforms[0], "fill_value", None)
        return look_up_classes(pixels, lookup, self._size, fill or 0.0, out)


class Tone:
    """A straight tone curve."""

    def __init__(self, transform: Transform) -> None:
        self.transforms: tuple[Transform, ...] = (transform,)

    def prepare(self, draws: Draws, _: Size) -> Action:
        """See `Step`."""
        (transform,) = self.transforms
        line = LINES[type(transform)]
        if type(transform) in NEED_MEANS:
            return lambda pixels, out: apply_line(
                line(transform, draws, lambda: channel_means(pixels)), pixels, out
            )
        return prepare_line(line(transform, draws, no_means))


class Filter:
    """What else makes pixels of pixels."""

    def __init__(self, transform: Transform) -> None:
        self.transforms: tuple[Transform, ...] = (transform,)

    def prepare(self, draws: Draws, size: Size) -> Action:
        """See `Step`."""
        (transform,) = self.transforms
        return FILTERS[type(transform)](transform, draws, size)


class Call:
    """Code from elsewhere."""

    def __init__(self, transform: Any, plugins: Plugins) -> None:
        self.transforms: tuple[Transform, ...] = (transform,)
        self._name = transform.name
        self._function = CALLS[type(transform)](transform, plugins)

    def prepare(self, draws: Draws, size: Size) -> Action:
        """See `Step`."""
        (transform,) = self.transforms
        size = transform.output_size(size)
        return lambda pixels, _: call(
            self._function, self._name, pixels, draws, size, transform.output_dtype(str(pixels.dtype))
        )


def steps_of(transforms: Iterable[Transform], size: Size, plugins: Plugins) -> list[Step | Nest]:
    """Turn declarations into steps; neighbours that look pixels up alike become one.

    Parameters
    ----------
    transforms : iterable of Transform
        In their order; none of them mixes samples.
    size : (int, int)
        (height, width) of what a framing makes.
    plugins : Plugins
        Which functions of the user's may be called.
    """
    steps: list[Step | Nest] = []
    for transform in flat(transforms):
        last = steps[-1] if steps else None
        if type(transform) not in MAPPINGS:
            steps.append(_step_of(transform, size, plugins))
        elif isinstance(last, Warp) and _sample_alike(*last.transforms, transform):
            steps[-1] = Warp((*last.transforms, transform))
        else:
            steps.append(Warp((transform,)))
    return [Mirror(step.transforms) if _only_flips(step) else step for step in steps]


_MAKERS: tuple[tuple[Family[Any], Callable[[Any, Size, Plugins], Step | Nest]], ...] = (
    (FRAMINGS, lambda one, size, _: Resize(one) if isinstance(one, Resizing) else Frame(one, size)),
    (FIELDS, lambda one, *_: Displacement(one)),
    (WINDOWS, lambda one, *_: Cut(one)),
    (LINES, lambda one, *_: Tone(one)),
    (FILTERS, lambda one, *_: Filter(one)),
    (CALLS, lambda one, _, plugins: Call(one, plugins)),
    (CHOICES, lambda one, *_: Nest(one, Choosing)),
    (BLENDS, lambda one, *_: Nest(one, Blending)),
)
"""What a declaration of each family becomes, where it does not become one with its neighbours."""


def _step_of(transform: Transform, size: Size, plugins: Plugins) -> Step | Nest:
    make = next(make for family, make in _MAKERS if type(transform) in family)
    return make(transform, size, plugins)


def _only_flips(step: Step | Nest) -> bool:
    return all(isinstance(transform, RandomFlip) for transform in step.transforms)


def _sample_alike(*transforms: Any) -> bool:
    # A flip needs neither an edge nor values between pixels: it goes with anything.
    sampled = [t for t in transforms if not isinstance(t, RandomFlip)]
    return len({(t.fill_mode, t.fill_value, t.interpolation) for t in sampled}) <= 1
