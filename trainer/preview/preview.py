"""`BatchSequence.preview`: fetches a few samples twice, as they are on disk and as they are delivered."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from feedline.common.arguments import whole
from feedline.common.errors import ConfigurationError
from feedline.common.extras import what_is_missing
from feedline.common.sample.ct import CTWindows
from feedline.trainer.datasets.table import SampleTable
from feedline.trainer.preview.samples import Kinds, Named, Shown, caption_of, panels_of
from feedline.trainer.preview.shades import Shades

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_SAMPLES = 400


class Previewed(Protocol):
    """What is asked of a `BatchSequence`."""

    @property
    def dataset(self) -> SampleTable:
        """What it delivers."""

    @property
    def filenames(self) -> list[str]:
        """The files of the present epoch, in the order of delivery."""

    @property
    def color_mode(self) -> str | CTWindows:
        """What the channels are."""

    def named_batches(self, **changes: Any) -> Iterator[dict[str, npt.NDArray[Any]]]:
        """The batches of the present epoch, their arrays by name, with other options."""


def preview(sequence: Previewed, path: str | Path | None, num_samples: int) -> Figure:
    """See `BatchSequence.preview`."""
    try:
        from feedline.trainer.preview.picture import draw, save  # noqa: PLC0415 - needs Matplotlib
    except ModuleNotFoundError as error:
        raise ConfigurationError(what_is_missing(error.name) or str(error)) from error

    wanted = whole("num_samples", num_samples, at_least=1, at_most=MOST_SAMPLES)
    delivered = _samples(sequence.named_batches(), wanted)
    plain = _samples(sequence.named_batches(transforms=(), targets=None), wanted)
    kinds = _kinds(sequence)
    shown = _shown(sequence.filenames, plain, delivered, kinds)
    figure = draw(shown, _heading(sequence, delivered, kinds), kinds.class_names)
    if path is not None:
        save(figure, path)
    return figure


def _samples(batches: Iterator[dict[str, npt.NDArray[Any]]], num_samples: int) -> list[Named]:
    """The first samples, each with its own arrays."""
    each = (
        {name: np.array(array[row]) for name, array in batch.items()}
        for batch in batches
        for row in range(len(batch["x"]))
    )
    return list(itertools.islice(each, num_samples))


def _shown(names: Sequence[str], plain: list[Named], delivered: list[Named], kinds: Kinds) -> list[Shown]:
    """Both side by side; only one of them where they are the same."""
    alike = all(
        before.keys() == after.keys() and all(np.array_equal(before[key], after[key]) for key in before)
        for before, after in zip(plain, delivered, strict=True)
    )
    before_shades, after_shades = _shades(plain, kinds), _shades(delivered, kinds)
    return [
        Shown(
            caption_of(name, after, kinds),
            (
                *([] if alike else panels_of(before, "on disk", before_shades, kinds)),
                *panels_of(after, "delivered", after_shades, kinds),
            ),
        )
        for name, before, after in zip(names, plain, delivered, strict=False)
    ]


def _shades(samples: list[Named], kinds: Kinds) -> dict[str, Shades]:
    """One choice for each array of images."""
    first = samples[0]
    images = [name for name, array in first.items() if array.ndim == 3 and not name.startswith(("mask", "y"))]
    return {
        name: Shades.of([sample[name] for sample in samples], hounsfield=kinds.hounsfield and name == "x")
        for name in images
    }


def _kinds(sequence: Previewed) -> Kinds:
    mode = sequence.color_mode
    windows = mode.windows if isinstance(mode, CTWindows) else ()
    names = [f"level {level:g}, width {width:g}" for level, width in windows]
    in_colour = mode in ("rgb", "rgba") and sequence.dataset.num_slices == 1
    return Kinds(in_colour, mode == "hounsfield", names, sequence.dataset.class_names)


def _heading(sequence: Previewed, delivered: list[Named], kinds: Kinds) -> str:
    """How many samples of what, and how values became shades."""
    x = delivered[0]["x"]
    shades = _shades(delivered, kinds)["x"].in_words
    size = " x ".join(map(str, x.shape))
    parts = [f"{len(delivered)} of {len(sequence.dataset):,} samples", f"{size} {x.dtype}", shades]
    return ", ".join(filter(None, parts))
