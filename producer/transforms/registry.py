"""Which function says what a declaration does to pixels: each enters itself here, beside its code.

Eleven families, by the form of the answer, each with the decorator of its functions:

``MAPPINGS``, ``@mapping_of(RandomRotation)``
    (declaration, draws, size) → where in the image each output pixel is looked up, as a 3 x 3 matrix.
    Neighbours in a list are multiplied into one matrix and sampled once.
``FIELDS``, ``@field_of(RandomElasticTransform)``
    (declaration, draws, size) → where each output pixel is looked up, one by one; None: where it is.
``WINDOWS``, ``@window_of(RandomCrop)``
    (declaration, draws, size) → the part of the image that is kept, as (top, left).
``LINES``, ``@line_of(RandomBrightness)``, or ``@line_by_means_of(RandomContrast)`` if it calls `means`
    (declaration, draws, means) → a straight tone curve: times, plus, and where it is clipped.
``FRAMINGS``, ``@framing_of(RandomResizedCrop)``
    (declaration, draws, size of the image, size to make) → how to make it, and as a 3 x 3 matrix where
    points of the image go. But for `Resizing`, they stand only at the beginning of a list.
``MIXINGS``, ``@mixing_of(MixUp)``
    (declaration, draws, size) → how several images become one, and their labels and boxes.
``CALLS``, ``@call_of(PythonTransform)``
    (declaration, plugins) → a function of (image, random generator): code from elsewhere.
``FILTERS``, ``@filter_of(RandomHue)``
    (declaration, draws, size) → an `Action`: what else makes pixels of pixels, each in its place.
``SERIES``, ``@series_of(RandAugment)``
    (declaration) → the declarations that it comes to, one after another. They take its place in the list.
``CHOICES``, ``@choice_of(RandomChoice)``
    (declaration, draws) → which of the declaration's branches is run.
``BLENDS``, ``@blend_of(AugMix)``
    (declaration, draws) → how much of the image and of each of the declaration's chains is in the result.

The package imports all files whose functions are here. To add a transform, see the end of
`docs/transforms.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from feedline.common.declarations.base import Transform
from feedline.common.declarations.compound import everything_in
from feedline.common.sample.image import Size
from feedline.producer.arrays import Draws, Matrix
from feedline.producer.plugins import Plugins
from feedline.producer.transforms.boxes import Field
from feedline.producer.transforms.forms import Action, Function, Line, Means, Mix

AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])


class Family(dict[type[Transform], AnyFunction]):
    """The functions of one form, by declaration."""

    def of(self, *declarations: type[Transform]) -> Callable[[AnyFunction], AnyFunction]:
        """Make the decorator that enters a function as that of `declarations`."""

        def enter(function: AnyFunction) -> AnyFunction:
            self.update(dict.fromkeys(declarations, function))
            return function

        return enter


MAPPINGS: Family[Callable[[Any, Draws, Size], Matrix]] = Family()
FIELDS: Family[Callable[[Any, Draws, Size], Field | None]] = Family()
WINDOWS: Family[Callable[[Any, Draws, Size], tuple[int, int]]] = Family()
LINES: Family[Callable[[Any, Draws, Means], Line]] = Family()
FRAMINGS: Family[Callable[[Any, Draws, Size, Size], tuple[Action, Matrix]]] = Family()
MIXINGS: Family[Callable[[Any, Draws, Size], Mix]] = Family()
CALLS: Family[Callable[[Any, Plugins], Function]] = Family()
FILTERS: Family[Callable[[Any, Draws, Size], Action]] = Family()
SERIES: Family[Callable[[Any], tuple[Transform, ...]]] = Family()
CHOICES: Family[Callable[[Any, Draws], int]] = Family()
BLENDS: Family[Callable[[Any, Draws], npt.NDArray[np.float64]]] = Family()

FAMILIES: tuple[Family[Any], ...] = (
    MAPPINGS,
    FIELDS,
    WINDOWS,
    LINES,
    FRAMINGS,
    MIXINGS,
    CALLS,
    FILTERS,
    SERIES,
    CHOICES,
    BLENDS,
)

mapping_of = MAPPINGS.of
field_of = FIELDS.of
window_of = WINDOWS.of
line_of = LINES.of
framing_of = FRAMINGS.of
mixing_of = MIXINGS.of
call_of = CALLS.of
filter_of = FILTERS.of
series_of = SERIES.of
choice_of = CHOICES.of
blend_of = BLENDS.of

NEED_MEANS: set[type[Transform]] = set()
"""Those of `LINES` that call `means`: their curve is known only when the pixels are."""

_Line: TypeAlias = Callable[[Any, Draws, Means], Line]


def line_by_means_of(*declarations: type[Transform]) -> Callable[[_Line], _Line]:
    """Make the decorator of a line that calls `means`."""
    NEED_MEANS.update(declarations)
    return line_of(*declarations)


def changes_values(transforms: Iterable[Transform]) -> bool:
    """Whether one of them, or of what is inside of them, computes new values, rather than moving them.

    Of code from elsewhere only what makes floats counts: else it returns what it got.
    """
    makers = (*LINES, *FILTERS, *BLENDS)
    return any(type(one) in makers or getattr(one, "dtype", None) for one in everything_in(transforms))
