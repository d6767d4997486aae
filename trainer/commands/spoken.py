"""Transforms as they are written on a command line: the text of a call, of which nothing is run."""

from __future__ import annotations

import ast
import difflib
import inspect
from typing import Any

from feedline.common.declarations import DECLARATIONS
from feedline.common.declarations.base import Transform
from feedline.common.errors import ConfigurationError

EXAMPLE = 'RandomFlip("horizontal")'


def transform_of(text: str) -> Transform:
    """Make the transform that a text such as ``RandomRotation(0.1)`` declares.

    Parameters
    ----------
    text : str
        The name of a class of `feedline.transforms`, called with constants, lists of them, or further such
        calls. No other code is run.

    Raises
    ------
    ConfigurationError
        It is something else, or the transform refuses its arguments.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ConfigurationError(f"expected a transform such as {EXAMPLE}, got {text!r}: {error}") from error
    made = _made(tree, text)
    if not isinstance(made, Transform):
        raise ConfigurationError(f"expected a transform such as {EXAMPLE}, got {text!r}")
    return made


def _made(node: ast.expr, text: str) -> Any:
    """The value of a part of it."""
    match node:
        case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords) if all(k.arg for k in keywords):
            values = {str(keyword.arg): _made(keyword.value, text) for keyword in keywords}
            return _called(name, [_made(arg, text) for arg in args], values)
        case ast.Name(id=name):
            return _called(name, [], {})
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            listed = [_made(part, text) for part in parts]
            return tuple(listed) if isinstance(node, ast.Tuple) else listed
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError) as error:
        raise ConfigurationError(
            f"{ast.unparse(node)!r} in {text!r} is no constant: write numbers, texts and lists out"
        ) from error


def _called(name: str, args: list[Any], values: dict[str, Any]) -> Any:
    declaration = _class_named(name)
    try:
        return declaration(*args, **values)
    except TypeError as error:
        names = ", ".join(inspect.signature(declaration).parameters)
        raise ConfigurationError(f"{error}: write it as {name}({names})") from error


def _class_named(name: str) -> Any:
    if name not in DECLARATIONS:
        close = difflib.get_close_matches(name, DECLARATIONS, n=1)
        meant = f": did you mean {close[0]}?" if close else "; docs/transforms.md has all of them"
        raise ConfigurationError(f"there is no transform {name!r}{meant}")
    return DECLARATIONS[name]
