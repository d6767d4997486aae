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
from producer.transforms.color import apply_line, channel_means
from producer.transforms.geometry import Sampler
from producer.transforms.registry import LINES, MAPPINGS, WINDOWS, Draws

Pixels = npt.NDArray[Any]
"""Shape (height, width) for one channel, as OpenCV has it, else (height, width, channels)."""


class Step(Protocol):
    """What a run of declarations came to."""

    transforms: tuple[Transform, ...]

    def apply(self, pixels: Pixels, draws: Draws, out: Pixels) -> Pixels:
        """Write the result to `out` and return it, or return (a part of) `pixels` if nothing changes."""


class Warp:
    """Flips, rotations, translations and zooms, in one look-up."""

    def __init__(self, transforms: tuple[Transform, ...]) -> None:
        self.transforms = transforms
        self._sampler = Sampler(next((t for t in transforms if not isinstance(t, RandomFlip)), transforms[0]))

    def apply(self, pixels: Pixels, draws: Draws, out: Pixels) -> Pixels:
        """See `Step`."""
        matrix, size, start = np.eye(3), pixels.shape[:2], 0
        for transform in self.transforms:
            own_draws = draws[start : start + transform.num_draws]
            matrix = matrix @ MAPPINGS[type(transform)](transform, own_draws, (size[0], size[1]))
            start += transform.num_draws
        return self._sampler.sample(pixels, matrix, out)


class Cut:
    """A crop."""

    def __init__(self, transform: Transform) -> None:
        self.transforms: tuple[Transform, ...] = (transform,)

    def apply(self, pixels: Pixels, draws: Draws, _: Pixels) -> Pixels:
        """See `Step`."""
        size = pixels.shape[0], pixels.shape[1]
        (transform,) = self.transforms
        top, left = WINDOWS[type(transform)](transform, draws, size)
        height, width = transform.output_size(size)
        return pixels[top : top + height, left : left + width]


class Tone:
    """A straight tone curve."""

    def __init__(self, transform: Transform) -> None:
        self.transforms: tuple[Transform, ...] = (transform,)

    def apply(self, pixels: Pixels, draws: Draws, out: Pixels) -> Pixels:
        """See `Step`."""
        (transform,) = self.transforms
        line = LINES[type(transform)](transform, draws, lambda: channel_means(pixels))
        return apply_line(line, pixels, out)


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

    Raises
    ------
    ConfigurationError
        If a crop does not fit, or the dtypes do not go together.
    """

    def __init__(
        self,
        transforms: Iterable[Transform],
        size: tuple[int, int],
        channels: int,
        in_dtype: str,
        out_dtype: str,
    ) -> None:
        self._transforms = tuple(transforms)
        self.num_draws = num_draws(self._transforms)
        self.output_shape = (*output_size(self._transforms, size), channels)
        _check_dtypes(self._transforms, in_dtype, out_dtype)
        self._plan = _plan(_steps(self._transforms), (*size, channels), in_dtype, out_dtype)

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
        pixels, result, start = _as_opencv(image), _as_opencv(out), 0
        for step, count, scratch in self._plan:
            own_draws = draws[start : start + count]
            pixels = step.apply(pixels, own_draws, result if scratch is None else scratch)
            start += count
        if pixels is not result:
            np.copyto(result, pixels)


def _check_dtypes(transforms: tuple[Transform, ...], in_dtype: str, out_dtype: str) -> None:
    if in_dtype not in {"uint8", "uint16"} or output_dtype(transforms, out_dtype) != out_dtype:
        raise ConfigurationError(f"transforms cannot make {out_dtype} of {in_dtype}: {transforms}")
    if out_dtype not in {in_dtype, "float32"}:
        raise ConfigurationError(f"expected out_dtype {in_dtype!r} or 'float32', got {out_dtype!r}")


def _steps(transforms: tuple[Transform, ...]) -> list[Step]:
    steps: list[Step] = []
    for transform in transforms:
        last = steps[-1] if steps else None
        if type(transform) in WINDOWS:
            steps.append(Cut(transform))
        elif type(transform) in LINES:
            steps.append(Tone(transform))
        elif isinstance(last, Warp) and _sample_alike(*last.transforms, transform):
            steps[-1] = Warp((*last.transforms, transform))
        else:
            steps.append(Warp((transform,)))
    return steps


def _sample_alike(*transforms: Any) -> bool:
    # A flip needs neither an edge nor values between pixels: it goes with anything.
    sampled = [t for t in transforms if not isinstance(t, RandomFlip)]
    return len({(t.fill_mode, t.fill_value, t.interpolation) for t in sampled}) <= 1


def _plan(
    steps: list[Step], shape: tuple[int, int, int], in_dtype: str, out_dtype: str
) -> list[tuple[Step, int, Pixels | None]]:
    """Give each step its number of draws and its place to write to; None is the batch, or no matter."""
    plan: list[tuple[Step, int, Pixels | None]] = []
    dtype = in_dtype
    for step in steps:
        # The first tone curve makes floats, where floats are wanted: what comes after is then not rounded.
        dtype = out_dtype if isinstance(step, Tone) else dtype
        shape = (*output_size(step.transforms, shape[:2]), shape[2])
        needs_none = isinstance(step, Cut) or (step is steps[-1] and dtype == out_dtype)
        scratch = None if needs_none else _as_opencv(np.empty(shape, dtype))
        plan.append((step, num_draws(step.transforms), scratch))
    return plan


def _as_opencv(image: npt.NDArray[Any]) -> Pixels:
    return image[:, :, 0] if image.shape[2] == 1 else image
