"""Write docs/api.md, the index of all public names: ``python -m docs.figures.make_api_index``.

Each name comes with its arguments and the first line of its docstring. A test holds the page to this.
"""

from __future__ import annotations

import inspect
from enum import Enum
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

PAGE = Path(__file__).parents[1] / "api.md"
MODULES = (
    "feedline",
    "feedline.transforms",
    "feedline.samplers",
    "feedline.callbacks",
    "feedline.yolo",
    "feedline.rsna",
    "feedline.legacy",
    "feedline.errors",
)
BOUND_TO_BE_CALLED = (
    "feedline.trainer.datasets.dataset",
    "feedline.trainer.pool.producer_pool",
    "feedline.trainer.sequences",
)
"""Classes whose methods are in the index, too, by their modules."""

HEAD = """\
# Index of names

All that a script may import, with the first line of what `help()` says of it; there are shapes, units and
errors, too. Written by `python -m docs.figures.make_api_index`.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *(_section(import_module(name)) for name in MODULES)])


def _rows(name: str, value: Any) -> list[str]:
    """The row of a name, and of a class of `feedline` itself those of its methods and properties."""
    rows = [_row(name, value)]
    if isinstance(value, type) and value.__module__.startswith(BOUND_TO_BE_CALLED):
        rows += [
            _row(f"{name}.{method}", getattr(value, method))
            for method in sorted(_own_names(value))
            if inspect.getdoc(getattr(value, method))
        ]
    return rows


def _own_names(value: type) -> set[str]:
    ours = [base for base in value.__mro__ if base.__module__.startswith("feedline.")]
    fields = getattr(value, "__dataclass_fields__", {})
    return {name for base in ours for name in vars(base) if not name.startswith("_") and name not in fields}


def _section(module: ModuleType) -> str:
    names = sorted(getattr(module, "__all__", ()), key=str.lower)
    lines = [f"## {module.__name__}\n", f"{_summary(module)}\n"]
    rows = [row for name in names if not name.startswith("__") for row in _rows(name, getattr(module, name))]
    return "\n".join([*lines, "| | |", "| --- | --- |", *rows, ""])


def _row(name: str, value: Any) -> str:
    return f"| `{name}{_arguments(value)}` | {_summary(value)} |"


def _arguments(value: Any) -> str:
    """The names of a callable's arguments, without types and defaults; nothing for errors and numbers."""
    if not callable(value) or (isinstance(value, type) and issubclass(value, Exception | Enum | Protocol)):
        return ""
    names = [_argument(one) for one in inspect.signature(value).parameters.values() if one.name != "self"]
    return f"({', '.join(name for name in names if name)})"


def _argument(parameter: inspect.Parameter) -> str:
    prefix = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
    return prefix + parameter.name


def _summary(value: Any) -> str:
    if not (callable(value) or isinstance(value, ModuleType | property)):
        return f"`{value!r}`" if len(repr(value)) < 90 else type(value).__name__
    return (inspect.getdoc(value) or "").partition("\n")[0].replace("|", "\\|")


def main() -> None:
    """Write it."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
