"""What assigning to an attribute of a dataset says."""

from __future__ import annotations

from typing import Any, NoReturn, TypeVar

from feedline.common.errors import ConfigurationError

T = TypeVar("T", bound=type)


def unchanging(kind: T) -> T:
    """Decorate a frozen dataclass of samples: what is refused then is refused in a sentence.

    A dataclass with slots is another class than the one whose ``__setattr__`` it was given: of a name that is
    no field Python itself would complain, of a ``super()`` that nobody wrote.
    """
    kind.__setattr__ = _refuse_to_set  # type: ignore[method-assign, assignment]
    kind.__delattr__ = _refuse_to_delete  # type: ignore[method-assign, assignment]
    return kind


def _refuse_to_set(_dataset: Any, name: str, _value: Any) -> NoReturn:
    _refuse(f"{name} cannot be set")


def _refuse_to_delete(_dataset: Any, name: str) -> NoReturn:
    _refuse(f"{name} cannot be deleted")


def _refuse(what: str) -> NoReturn:
    raise ConfigurationError(
        f"a dataset does not change, so {what}: make another, with from_dataframe() or from_lists(), or of"
        " some of its samples with subset() or split()"
    )
