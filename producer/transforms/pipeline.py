"""All transforms of a job, made ready for one size of image: each step writes where the next one reads.

Neighbouring declarations that look pixels up, and agree on what lies beyond the edge, become one
`Warp`; a crop is a view and costs nothing; the last step writes into the batch.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from common.errors import ConfigurationError
from common.transforms import RandomFlip, Transform, num_draws, output_dtype, output_size
from producer.plugins import NO_PLUGINS, Plugins
from producer.transforms.calls import call
from producer.transforms.color import apply_line, channel_means, no_means, prepare_line
from producer.transforms.geometry import Action, Sampler, mirror
from producer.transforms.registry import CALLS, LINES, MAPPINGS, NEED_MEANS, WINDOWS, Draws

Pixels = npt.NDArray[Any]
"""Shape (height, width) for one channel, as OpenCV has it, else (height, width, channels)."""


Size = tuple[int, int]


class Step(Protocol):
    """What a run of declarations came to."""

    transforms: tuple[Transform, ...]

    def prepare(self, draws: Draws, size: Size) -> Action:
        """Settle all that does not depend on pixels, for images of `size`."""


class Warp:
    """Flips, rotations, translations and zooms, in one look-up."""

    def __init__(self, transforms: tuple[Transform, ...]) -> None:
        self.transforms = transforms
        self._sampler = Sampler(next((t for t in transforms if not isinstance(t, RandomFlip)), transforms[0]))

    def prepare(self, draws: Draws, size: Size) -> Action:
        """See `Step`."""
        matrix, start = np.eye(3), 0
        for transform in self.transforms:
            own_draws = draws[start : start + transform.num_draws]
            matrix = matrix @ MAPPINGS[type(transform)](transform, own_draws, size)
            start += transform.num_draws
        return self._sampler.prepare(matrix, size)


class Mirror:
    """Flips alone."""

    def __init__(self, transforms: tuple[Transform, ...]) -> None:
        self.transforms = transforms
        self._flips = [transform for transform in transforms if isinstance(transform, RandomFlip)]

    def prepare(self, draws: Draws, _: Size) -> Action:
        """See `Step`."""
        return mirror(self._flips, draws)


class Cut:
    """A crop."""

    def __init__(self, transform: Transform) -> None:
        self.transforms: tuple[Transform, ...] = (transform,)

    def prepare(self, draws: Draws, size: Size) -> Action:
        """See `Step`."""
        (transform,) = self.transforms
        top, left = WINDOWS[type(transform)](transform, draws, size)
        height, width = transform.output_size(size)
        return lambda pixels, _: pixels[top : top + height, left : left + width]


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


class Call:
    """Code from elsewhere."""

    def __init__(self, transform: Any, plugins: Plugins) -> None:
        self.transforms: tuple[Transform, ...] = (transform,)
        self._name = transform.name
        self._function = CALLS[type(transform)](transform, plugins)

    def prepare(self, draws: Draws, size: Size) -> Action:
        """See `Step`."""
        size = output_size(self.transforms, size)
        return lambda pixels, _: call(self._function, self._name, pixels, draws, size)


class Pipeline:
    """Applies the transforms of a job to one image at a time.

    It owns the scratch memory between steps: use one per thread.

    Parameters
    ----------
    transforms : iterable of Transform
        Applied in this order.
    size : (int, int)
        (height, width) of the images that come in, in pixels.
    channels : int
        1, 3 or 4.
    in_dtype, out_dtype : str
        ``uint8`` or ``uint16`` comes in; the same goes out, or ``float32``, in the same range of
        values unless a `Rescaling` changes it.
    plugins : Plugins
        Which functions of the user's may be called.

    Raises
    ------
    ConfigurationError
        If a crop does not fit, or the dtypes do not go together.
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
        plugins: Plugins = NO_PLUGINS,
    ) -> None:
        self._transforms = tuple(transforms)
        self.num_draws = num_draws(self._transforms)
        self.output_shape = (*output_size(self._transforms, size), channels)
        _check_dtypes(self._transforms, in_dtype, out_dtype)
        self._plan = _plan(_steps(self._transforms, plugins), (*size, channels), in_dtype, out_dtype)

    def apply(self, image: npt.NDArray[Any], draws: Draws, out: npt.NDArray[Any]) -> None:
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
        actions, start = [], 0
        for step, count, size, _ in self._plan:
            actions.append(step.prepare(draws[start : start + count], size))
            start += count
        return actions

    def run(self, actions: Iterable[Action], image: npt.NDArray[Any], out: npt.NDArray[Any]) -> None:
        """The second half of `apply`: do what `prepare` came to, to one image."""
        pixels, result = _as_opencv(image), _as_opencv(out)
        for action, (_, _, _, scratch) in zip(actions, self._plan, strict=True):
            pixels = action(pixels, result if scratch is None else scratch)
        if pixels is not result:
            np.copyto(result, pixels)


def _check_dtypes(transforms: tuple[Transform, ...], in_dtype: str, out_dtype: str) -> None:
    if in_dtype not in {"uint8", "uint16"} or output_dtype(transforms, out_dtype) != out_dtype:
        raise ConfigurationError(f"transforms cannot make {out_dtype} of {in_dtype}: {transforms}")
    if out_dtype not in {in_dtype, "float32"}:
        raise ConfigurationError(f"expected out_dtype {in_dtype!r} or 'float32', got {out_dtype!r}")


def _steps(transforms: tuple[Transform, ...], plugins: Plugins) -> list[Step]:
    steps: list[Step] = []
    for transform in transforms:
        last = steps[-1] if steps else None
        if type(transform) in WINDOWS:
            steps.append(Cut(transform))
        elif type(transform) in LINES:
            steps.append(Tone(transform))
        elif type(transform) in CALLS:
            steps.append(Call(transform, plugins))
        elif isinstance(last, Warp) and _sample_alike(*last.transforms, transform):
            steps[-1] = Warp((*last.transforms, transform))
        else:
            steps.append(Warp((transform,)))
    return [Mirror(step.transforms) if _only_flips(step) else step for step in steps]


def _only_flips(step: Step) -> bool:
    return all(isinstance(transform, RandomFlip) for transform in step.transforms)


def _sample_alike(*transforms: Any) -> bool:
    # A flip needs neither an edge nor values between pixels: it goes with anything.
    sampled = [t for t in transforms if not isinstance(t, RandomFlip)]
    return len({(t.fill_mode, t.fill_value, t.interpolation) for t in sampled}) <= 1


def _plan(
    steps: list[Step], shape: tuple[int, int, int], in_dtype: str, out_dtype: str
) -> list[tuple[Step, int, Size, Pixels | None]]:
    """Give each step its number of draws, the size that comes in, and its place to write to.

    None is the batch, or no matter.
    """
    plan: list[tuple[Step, int, Size, Pixels | None]] = []
    dtype = in_dtype
    for step in steps:
        # The first tone curve makes floats, where floats are wanted: what comes after is then not rounded.
        dtype = out_dtype if isinstance(step, Tone) else dtype
        size = shape[:2]
        shape = (*output_size(step.transforms, size), shape[2])
        needs_none = isinstance(step, Cut | Call) or (step is steps[-1] and dtype == out_dtype)
        scratch = None if needs_none else _as_opencv(np.empty(shape, dtype))
        plan.append((step, num_draws(step.transforms), size, scratch))
    return plan


def _as_opencv(image: npt.NDArray[Any]) -> Pixels:
    return image[:, :, 0] if image.shape[2] == 1 else image
