"""Transforms of a job, made ready for one size of image: each step writes where the next one reads.

A crop is a view and costs nothing; the last step writes into the batch. `feedline.producer.transforms.steps`
says which steps there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from feedline.common.declarations.base import Transform
from feedline.common.declarations.catalogue import check_channels, num_draws, output_dtype, output_size
from feedline.common.errors import ConfigurationError
from feedline.common.sample.boxes import Boxes
from feedline.common.sample.companions import Role
from feedline.common.sample.image import DECODED_DTYPES, Size
from feedline.producer.arrays import Draws, Pixels
from feedline.producer.plugins import NO_PLUGINS, Plugins
from feedline.producer.transforms.boxes import Move, moved_through
from feedline.producer.transforms.forms import Action
from feedline.producer.transforms.steps import Call, Cut, MovingStep, Step, steps_of

PIPELINE_DTYPES = (*DECODED_DTYPES, "float32")
"""What may come in."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A step in its place.

    Attributes
    ----------
    step : Step
        What is done.
    draws : slice
        Which of the draws are its own.
    size : (int, int)
        (height, width) of what comes in; where that is a file of any size, of what goes out.
    scratch : ndarray or None
        Where to write to; None is the batch, or no matter.
    """

    step: Step
    draws: slice
    size: Size
    scratch: Pixels | None


class Pipeline:
    """Applies transforms to one image at a time.

    It owns the scratch memory between steps: use one per thread.

    Parameters
    ----------
    transforms : iterable of Transform
        Applied in this order; none of them mixes samples.
    size : (int, int)
        (height, width) of the images that come in, in pixels; with a framing, of what it makes.
    channels : int
        1, 3 or 4.
    in_dtype, out_dtype : str
        ``uint8``, ``uint16``, ``int16`` or ``float32`` comes in; the same goes out, or ``float32``, in the
        same range of values unless a `Rescaling` or a `Normalization` changes it.
    role : Role
        What the images are for: not all go through all transforms.
    plugins : Plugins
        Which functions of the user's may be called.

    Raises
    ------
    ConfigurationError
        If a crop does not fit, a transform cannot take so many channels, or the dtypes do not go together.
    UserCodeError
        If a function of the user's may not be called, or is not there.
    """

    def __init__(
        self,
        transforms: Iterable[Transform],
        size: tuple[int, int],
        channels: int,
        in_dtype: str,
        out_dtype: str,
        role: Role = Role.INPUT,
        plugins: Plugins = NO_PLUGINS,
    ) -> None:
        transforms = tuple(transforms)
        self.num_draws = num_draws(transforms)
        self.output_size = output_size(transforms, size)
        self.output_shape = (*self.output_size, channels)
        chosen = list(_chosen(steps_of(transforms, size, plugins), role))
        used = [transform for step, _ in chosen for transform in step.transforms]
        if role is not Role.MASK:  # of which pixels are only moved
            check_channels(used, channels)
            _check_dtypes(used, in_dtype, out_dtype)
        self._plan = _plan(chosen, (*size, channels), in_dtype, out_dtype)

    def apply(self, image: Pixels, draws: Draws, out: Pixels) -> None:
        """Transform one image.

        Parameters
        ----------
        image : ndarray
            Shape (height, width, channels), dtype `in_dtype`. Only read, and not kept.
        draws : ndarray
            Uniforms in [0, 1), shape (num_draws,), float64; the same draws give the same bytes.
        out : ndarray
            Shape `output_shape`, dtype `out_dtype`, C-contiguous: usually a place in a batch.
        """
        self.run(self.prepare(draws), image, out)

    def prepare(self, draws: Draws) -> list[Action]:
        """The first half of `apply`: what does not depend on pixels.

        Done for many images in a row it takes a fifth of the time that it takes between two of them, when
        a decoder has driven it out of the processor's caches.
        """
        return [placed.step.prepare(draws[placed.draws], placed.size) for placed in self._plan]

    def run(self, actions: Iterable[Action], image: Pixels, out: Pixels) -> None:
        """The second half of `apply`: do what `prepare` came to, to one image."""
        pixels, result = _as_opencv(image), _as_opencv(out)
        for action, placed in zip(actions, self._plan, strict=True):
            pixels = action(pixels, result if placed.scratch is None else placed.scratch)
        if pixels is not result:
            np.copyto(result, pixels)

    def move(self, boxes: Boxes, draws: Draws, size: Size) -> Boxes:
        """Where the boxes of an image of `size` are when it has been transformed by `draws`."""
        moves: list[Move] = []
        for placed in self._plan:
            if isinstance(placed.step, MovingStep):
                motion = placed.step.motion(draws[placed.draws], size)
                size = output_size(placed.step.transforms, placed.size)
                moves.append((motion, (0, 0, size[1], size[0])))
        return moved_through(boxes, moves)


def _check_dtypes(transforms: list[Transform], in_dtype: str, out_dtype: str) -> None:
    if in_dtype not in PIPELINE_DTYPES or output_dtype(transforms, out_dtype) != out_dtype:
        raise ConfigurationError(f"transforms cannot make {out_dtype} of {in_dtype}: {transforms}")
    if out_dtype not in {in_dtype, "float32"}:
        raise ConfigurationError(f"expected out_dtype {in_dtype!r} or 'float32', got {out_dtype!r}")


def _plan(
    chosen: list[tuple[Step, slice]], shape: tuple[int, int, int], in_dtype: str, out_dtype: str
) -> list[Placed]:
    """Give each step the size that comes in, and its place to write to."""
    plan: list[Placed] = []
    dtype = in_dtype
    for step, draws in chosen:
        # The first change of values makes floats, where floats are wanted: what comes after is not rounded.
        # Code from elsewhere says what it returns.
        if isinstance(step, Call):
            dtype = output_dtype(step.transforms, dtype)
        elif not isinstance(step, MovingStep):
            dtype = out_dtype
        size = shape[:2]
        shape = (*output_size(step.transforms, size), shape[2])
        needs_none = isinstance(step, Cut | Call) or (step is chosen[-1][0] and dtype == out_dtype)
        scratch = None if needs_none else _as_opencv(np.empty(shape, dtype))
        plan.append(Placed(step, draws, size, scratch))
    return plan


def _chosen(steps: Iterable[Step], role: Role) -> Iterator[tuple[Step, slice]]:
    """The steps that images of a role go through, and which draws are theirs."""
    start = 0
    for step in steps:
        num = num_draws(step.transforms)
        draws, start = slice(start, start + num), start + num
        if isinstance(step, MovingStep):
            yield (step.for_masks() if role is Role.MASK else step), draws
        elif role is Role.INPUT or (role is Role.TARGET and not num):
            yield step, draws


def _as_opencv(image: Pixels) -> Pixels:
    return image[:, :, 0] if image.shape[2] == 1 else image
