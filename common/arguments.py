"""Checks of arguments: each returns the value in one form, or says what was expected and what came."""

from __future__ import annotations

import contextlib
import math
import operator
from enum import StrEnum
from numbers import Real
from typing import Any, TypeVar

import numpy as np

from feedline.common.errors import ConfigurationError

_Name = TypeVar("_Name", bound=StrEnum)

Pair = tuple[float, float]
"""(lower, upper)."""

_SEEDS = range(-(1 << 63), 1 << 64)
"""What msgpack can carry."""

_LARGEST = 1 << 63
"""So large a number is carried, too, and there is room to count on from it, as epochs do."""


def one_of(names: type[_Name], argument: str, value: object, *allowed: _Name) -> _Name:
    """Find the member of `names` that `value` spells.

    Parameters
    ----------
    names : type
        The enumeration.
    argument : str
        What the user calls the value, for the message.
    value : object
        What came; a member is fine, too.
    *allowed
        The members to choose from; all of them if there are none.

    Raises
    ------
    ConfigurationError
        If `value` spells none of them; quotes it and the list.
    """
    choices = allowed or tuple(names)
    for choice in choices:
        if value == choice.value:
            return choice
    raise ConfigurationError(f"{argument} must be one of {[str(c) for c in choices]}, got {value!r}")


def pixels(argument: str, value: Any) -> int:
    """Read a whole number of pixels, at least 1; ConfigurationError if it is none."""
    return whole(argument, value, at_least=1, unit=" of pixels")


def whole(
    argument: str, value: Any, *, at_least: int | None = None, at_most: int | None = _LARGEST, unit: str = ""
) -> int:
    """Read a whole number; ConfigurationError if it is none, too small or too large.

    Parameters
    ----------
    argument : str
        What the user calls the value, for the message.
    value : object
        What came; NumPy's are fine, True and False are not.
    at_least, at_most : int or None
        The smallest and the largest that will do; by default what a message can carry; None for no end.
    unit : str
        What it counts, for the message, such as ``" of bytes"``.
    """
    known = operator.index(value) if hasattr(value, "__index__") and not isinstance(value, bool) else None
    if known is None or (at_least is not None and known < at_least):
        lowest = "" if at_least is None else f", at least {at_least}"
        raise ConfigurationError(f"{argument} must be a whole number{unit}{lowest}, got {value!r}")
    if at_most is not None and known > at_most:
        raise ConfigurationError(f"{argument} must be at most {at_most:,}, got {value!r}")
    return known


def check_seed(value: Any) -> int:
    """Read a seed, a whole number of 64 bits; ConfigurationError if it is none."""
    seed = whole("seed", value, at_most=None)
    if seed not in _SEEDS:
        raise ConfigurationError(f"seed must be a number of 64 bits, got {seed}")
    return seed


def yes_or_no(argument: str, value: Any) -> bool:
    """Read True or False, NumPy's as well; ConfigurationError for all else, which `if` would take for one."""
    if not isinstance(value, bool | np.bool_):
        raise ConfigurationError(f"{argument} must be True or False, got {value!r}")
    return bool(value)


def number(argument: str, value: Any) -> float:
    """Read a finite number; ConfigurationError if it is none."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real) or not math.isfinite(value):
        raise ConfigurationError(f"{argument} must be a finite number, got {value!r}")
    return float(value)


def number_in(argument: str, value: Any, lowest: float, highest: float) -> float:
    """Read one number in [`lowest`, `highest`]; ConfigurationError, with the bounds, if it is none."""
    known = number(argument, value)
    if not lowest <= known <= highest:
        raise ConfigurationError(f"{argument} must be a number in [{lowest:g}, {highest:g}], got {value!r}")
    return known


def dtype_name(value: Any) -> Any:
    """The name of a dtype of NumPy, or of a library that names them alike; anything else as it came."""
    if isinstance(value, str | np.dtype) or (isinstance(value, type) and issubclass(value, np.generic)):
        with contextlib.suppress(TypeError):
            return np.dtype(value).name
    name = getattr(value, "name", None)
    return name if isinstance(name, str) else value


def numbers(argument: str, value: Any) -> float | tuple[float, ...]:
    """Read one finite number, or one for each channel; ConfigurationError if it is neither.

    Parameters
    ----------
    argument : str
        What the user calls the value, for the message.
    value : object
        A number, or a tuple, list or array of them with one axis.
    """
    plain = value.tolist() if isinstance(value, np.ndarray) else value
    if not isinstance(plain, tuple | list):
        return number(argument, plain)
    if not plain:
        raise ConfigurationError(f"{argument} must be a number, or one for each channel, got {value!r}")
    return tuple(number(argument, item) for item in plain)


def pair(argument: str, value: Any) -> Pair:
    """Read a (lower, upper) pair of finite numbers; ConfigurationError if it is none."""
    plain = value.tolist() if isinstance(value, np.ndarray) else value
    if not isinstance(plain, tuple | list) or len(plain) != 2:
        raise ConfigurationError(f"{argument} must be a (lower, upper) pair, got {value!r}")
    return number(argument, plain[0]), number(argument, plain[1])


def factor(argument: str, value: Any, lowest: float, highest: float) -> float | Pair:
    """Read one number, or a pair of numbers, in [`lowest`, `highest`].

    Raises
    ------
    ConfigurationError
        If it is neither, or beyond the bounds; quotes it and them.
    """
    several = isinstance(value, tuple | list | np.ndarray)
    known = pair(argument, value) if several else number(argument, value)
    for bound in known if isinstance(known, tuple) else (known,):
        if not lowest <= bound <= highest:
            raise ConfigurationError(
                f"{argument} must be a number or a (lower, upper) pair "
                f"in [{lowest:g}, {highest:g}], got {value!r}"
            )
    return known
