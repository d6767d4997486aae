"""Transforms that are code from elsewhere: found, called, and what they return checked."""

from __future__ import annotations

import importlib
import inspect
import os
import random
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from feedline.common.declarations.plugins import Albumentations, PythonTransform
from feedline.common.draws import generator_of
from feedline.common.errors import UserCodeError
from feedline.producer.plugins import Plugins
from feedline.producer.transforms.forms import Function
from feedline.producer.transforms.registry import call_of


@call_of(PythonTransform)
def python_function(transform: PythonTransform, plugins: Plugins) -> Function:
    """Find a function of the user's. Raises what `Plugins.load` does, and UserCodeError if it takes less."""
    function = plugins.load(transform.function)
    _check_takes_call(function, transform)
    return lambda image, rng: function(image, rng, **transform.kwargs)


def _check_takes_call(function: Callable[..., Any], transform: PythonTransform) -> None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # of code that is not Python's
        return
    try:
        signature.bind(None, None, **transform.kwargs)
    except TypeError as error:
        given = ", ".join(("image", "rng", *(f"{name}=..." for name in transform.kwargs)))
        raise UserCodeError(
            f"{transform.function}{signature} cannot be called as ({given}), the image and a"
            f" numpy.random.Generator for what it leaves to chance: {error}"
        ) from None  # its text says all: a traceback would be none of the user's code


@call_of(Albumentations)
def albumentations_pipeline(transform: Albumentations, _: Plugins) -> Function:
    """Make a pipeline, with albumentations imported here and not before: that takes seconds.

    Its own ``set_random_seed`` would give every transform of the pipeline the same draws; one generator for
    all gives each its own.

    Raises
    ------
    UserCodeError
        It is not installed, or does not know the pipeline.
    """
    # It would ask the network for its newest version, and import torch wherever that is installed.
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
    sys.modules.setdefault("albumentations.pytorch", None)  # type: ignore[arg-type]  # None: not to be imported
    try:
        pipeline = importlib.import_module("albumentations").from_dict(transform.config)
    except ImportError as error:
        raise UserCodeError(
            "producers need albumentations for this job: pip install 'feedline[albumentations]' there"
        ) from error
    except Exception as error:
        raise UserCodeError(f"not a pipeline of albumentations: {type(error).__name__}: {error}") from error

    def apply(image: npt.NDArray[Any], rng: np.random.Generator) -> Any:
        seed = int(rng.integers(1 << 63))
        pipeline.set_random_state(rng, random.Random(seed))  # noqa: S311 - pixels, not secrets
        return pipeline(image=image)["image"]

    return apply


def call(
    function: Function,
    name: str,
    pixels: npt.NDArray[Any],
    draws: npt.NDArray[np.float64],
    size: tuple[int, int],
    dtype: str | None = None,
) -> npt.NDArray[Any]:
    """Call a function with a copy of `pixels`, and check what comes back.

    Parameters
    ----------
    function, name : Function, str
        What to call, and what it is called in errors.
    pixels : ndarray
        As OpenCV has them: (height, width), or (height, width, channels).
    draws : ndarray of shape (2,)
        Key of its random generator.
    size : (int, int)
        Height and width that it has to return.
    dtype : str, optional
        What comes out; the function may return pixels of it, or of the dtype that it got.

    Raises
    ------
    UserCodeError
        It raised, or returned something else.
    """
    # A copy, because the function may write: the pixels may lie in a cache that others read.
    image = np.array(pixels, order="C").reshape(*pixels.shape[:2], -1)
    expected, own = (*size, image.shape[2]), image.dtype
    wanted = np.dtype(dtype or own)
    try:
        result = function(image, generator_of(*draws))
    except Exception as error:
        raise UserCodeError(f"{name} raised {type(error).__name__}: {error}") from error
    if not _is_one(result, own, wanted) or result.shape != expected:
        raise UserCodeError(
            f"{name} returned {_in_words(result)}, expected an array of {wanted}, shape {expected}. Other"
            " heights and widths are declared with image_size=(height, width), floats with dtype='float32'"
        )
    return np.ascontiguousarray(result[:, :, 0] if expected[2] == 1 else result, wanted)


def _is_one(result: Any, own: np.dtype[Any], wanted: np.dtype[Any]) -> bool:
    """Whether it is an array of pixels as they were, or as wanted; of floats any size will do."""
    return isinstance(result, np.ndarray) and (
        result.dtype in {own, wanted} or (result.dtype.kind == wanted.kind == "f" and own != wanted)
    )


def _in_words(result: Any) -> str:
    if isinstance(result, np.ndarray):
        return f"an array of {result.dtype}, shape {result.shape}"
    return f"a {type(result).__name__}"
