"""Which class a value of a mask's file is, where the file does not hold class numbers: 255, or a colour."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from feedline.common.arguments import whole
from feedline.common.errors import ConfigurationError, RemoteProtocolError

Value = int | tuple[int, int, int]
"""A number as the file stores it, or red, green and blue, each 0..255."""

_BLACK: Value = (0, 0, 0)
_MOST_CLASS = 65535


@dataclass(frozen=True, slots=True)
class MaskValues:
    """The classes of the values that occur in masks; 0, or black, is class 0 unless it is named, too.

    Attributes
    ----------
    classes : tuple of (value, int)
        Each value and its class, in the order of the values.

    Raises
    ------
    ConfigurationError
        If a value cannot work; quotes it.
    """

    classes: tuple[tuple[Value, int], ...]

    def __post_init__(self) -> None:
        """Check and sort them."""
        classes: dict[Any, int] = {}
        for key, number in self.classes:
            value = _checked(key)
            if classes.setdefault(value, whole("a class of mask_values", number, at_least=0)) != number:
                raise ConfigurationError(f"mask_values names {value} twice, for different classes")
            if number > _MOST_CLASS:
                raise ConfigurationError(f"mask_values: a class is at most {_MOST_CLASS}, got {number}")
        if not classes:
            raise ConfigurationError("mask_values is empty: expected such as {255: 1}")
        if len({isinstance(value, tuple) for value in classes}) > 1:
            raise ConfigurationError(
                f"mask_values must be all numbers or all colours (red, green, blue), got {list(classes)}"
            )
        nothing: Any = _BLACK if isinstance(next(iter(classes)), tuple) else 0
        classes.setdefault(nothing, 0)
        object.__setattr__(self, "classes", tuple(sorted(classes.items())))

    @classmethod
    def of(cls, declared: Mapping[Any, int]) -> MaskValues:
        """As a user declares them: ``{255: 1}``, or ``{(128, 0, 0): 1}``."""
        if not isinstance(declared, Mapping):
            raise ConfigurationError(f"mask_values must be a dict such as {{255: 1}}, got {declared!r}")
        return cls(tuple(declared.items()))

    @property
    def are_colours(self) -> bool:
        """Whether pixels are looked up by their colour."""
        return isinstance(self.classes[0][0], tuple)

    def __str__(self) -> str:
        """As it was declared."""
        return str(dict(self.classes))

    def to_wire(self) -> dict[str, Any]:
        """Plain values for msgpack."""
        return {"values": [[list(v) if isinstance(v, tuple) else v, c] for v, c in self.classes]}

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> MaskValues:
        """Undo `to_wire`.

        Raises
        ------
        RemoteProtocolError
            If these are not the values of masks.
        """
        try:
            return cls(tuple((tuple(v) if isinstance(v, list | tuple) else v, c) for v, c in wire["values"]))
        except (KeyError, TypeError, ValueError) as error:
            raise RemoteProtocolError(f"expected the values of masks, got {wire!r}: {error}") from error


def _checked(value: Any) -> Value:
    """A number or a colour, made of Python's own integers."""
    if isinstance(value, Iterable) and not isinstance(value, str):
        colour = tuple(whole("a colour of mask_values", part) for part in value)
        if len(colour) != 3 or max(colour) > 255:
            raise ConfigurationError(
                f"a colour of mask_values is red, green and blue, each 0 to 255, got {value!r}"
            )
        return colour[0], colour[1], colour[2]
    return whole("a value of mask_values", value, at_least=-(1 << 31))
