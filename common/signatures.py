"""What every public call is checked for: arguments that it does not have, and switches that are none."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import ParamSpec, TypeVar

from feedline.common.arguments import yes_or_no
from feedline.common.errors import ArgumentNameError

P = ParamSpec("P")
T = TypeVar("T")

_NO_HINTS: Mapping[str, str] = {}

IGNORED = "use_multiprocessing"
"""Accepted from old scripts in whatever form, as nothing is made of it."""


def suggests(**hints: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Decorate a public call: an unknown keyword argument is refused with the nearest that there is.

    What is declared as a ``bool`` must be one: ``recursive="no"`` would count as True. The signature stays as
    it is, for people, editors and `inspect`.

    Parameters
    ----------
    **hints : str
        For names that users bring from elsewhere: what to write instead, such as ``"say image_size="``.
    """

    def decorate(call: Callable[P, T]) -> Callable[P, T]:
        parameters = inspect.signature(call).parameters.values()
        names = [one.name for one in parameters if one.kind in {one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY}]
        takes_any = any(one.kind is one.VAR_KEYWORD for one in parameters)
        switches = {one.name for one in parameters if one.annotation in {bool, "bool"}} - {IGNORED}
        owner = call.__qualname__.removesuffix(".__init__")

        @functools.wraps(call)
        def checked(*args: P.args, **kwargs: P.kwargs) -> T:
            refuse_unknown(owner, () if takes_any else kwargs, names, hints)
            given = {**dict(zip(names, args, strict=False)), **kwargs}
            for name in switches & given.keys():
                yes_or_no(name, given[name])
            return call(*args, **kwargs)

        return checked

    return decorate


def constructor_suggests(**hints: str) -> Callable[[type[T]], type[T]]:
    """Decorate a public class whose constructor is written for it, as that of a dataclass: see `suggests`."""

    def decorate(cls: type[T]) -> type[T]:
        cls.__init__ = suggests(**hints)(cls.__init__)  # type: ignore[method-assign]
        return cls

    return decorate


def refuse_unknown(
    owner: str, given: Iterable[str], known: Collection[str], hints: Mapping[str, str] = _NO_HINTS
) -> None:
    """Raise an `ArgumentNameError` for the first name that is not `known`.

    Parameters
    ----------
    owner : str
        What was called, for the message.
    given : iterable of str
        The names that came.
    known : collection of str
        Those that there are.
    hints : mapping of str to str
        What to write instead of others, in a clause that can follow a colon.
    """
    for name in given:
        if name not in known:
            raise ArgumentNameError(f"{owner} has no argument {name!r}{_instead(name, known, hints)}")


def _instead(name: str, known: Collection[str], hints: Mapping[str, str]) -> str:
    if name in hints:
        return f": {hints[name]}"
    public = [one for one in known if one not in {"self", "cls"} and not one.startswith("_")]
    longer = [one for one in public if one.startswith(name.lower())]
    close = longer or difflib.get_close_matches(name.lower(), public, n=1)
    if close:
        return f". Did you mean {close[0]!r}?"
    return f"; it has {', '.join(public)}"
