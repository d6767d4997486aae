"""How a user's own code is named and called: references and arguments, as they travel.

Code itself never travels. A reference says where a producer finds it, ``"module:name"``, and whether it may
is for `feedline.producer.plugins` to say.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgpack
import numpy as np

from feedline.common.errors import ConfigurationError

MAX_ARGUMENT_BYTES = 4 << 20
"""What arguments may take: they travel in the header of a message, which has its limit, too."""

_TUPLE, _ARRAY = 1, 2
"""Types that msgpack does not know by itself."""

_KINDS_OF_NUMBERS = "biuf"


def check_reference(label: str, value: Any) -> str:
    """Read ``"module:name"``, the module possibly dotted; ConfigurationError if it is none.

    The script that runs has no name that others could import it by, so it is refused, too.
    """
    module, colon, name = value.partition(":") if isinstance(value, str) else ("", "", "")
    parts = (*module.split("."), name)
    if not colon or not all(part.isidentifier() for part in parts):
        raise ConfigurationError(f'{label} must be "module:name", such as "my_module:my_name"; got {value!r}')
    if module == "__main__":
        raise ConfigurationError(
            f"{label}={value!r} lies in the script that is run, which no other process can import: move"
            f" {name} to a file of its own, my_module.py, and write 'my_module:{name}'"
        )
    special = next((part for part in parts if part.startswith("__") and part.endswith("__")), None)
    if special is not None:
        # A package's __main__ would run as it is imported; a module's __getattr__ gives what it imports.
        raise ConfigurationError(
            f"{label}={value!r} names {special}, which is Python's own: name a function or class of yours"
        )
    return value  # type: ignore[no-any-return]  # mypy: it was a str all along


@dataclass(frozen=True, slots=True, repr=False)
class Arguments:
    """What user code is called with, packed where it was declared: the same values wherever it is unpacked.

    None, bool, numbers, str, bytes, lists, tuples, dicts, NumPy numbers and arrays of numbers.

    Attributes
    ----------
    packed : bytes
        As they travel.
    """

    packed: bytes

    @classmethod
    def of(cls, label: str, values: Any) -> Arguments:
        """Pack arguments by name, or take packed ones as they are.

        Raises
        ------
        ConfigurationError
            A value that cannot travel, or too many of them; names `label`.
        """
        if isinstance(values, Arguments):
            return values
        if isinstance(values, bytes):
            return cls._received(label, values)
        if not isinstance(values, Mapping) or not all(isinstance(name, str) for name in values):
            raise ConfigurationError(f"{label} must be a dict of arguments by name, got {values!r:.200}")
        try:
            packed = msgpack.packb(dict(values), default=_pack_odd, strict_types=True)
        except (TypeError, ValueError, OverflowError) as error:
            raise ConfigurationError(f"{label} cannot travel to a producer: {error}") from None
        return cls(_bounded(label, packed))

    @classmethod
    def _received(cls, label: str, packed: bytes) -> Arguments:
        """Check what came over the wire before it is used."""
        arguments = cls(_bounded(label, packed))
        try:
            arguments.unpack()
        except (TypeError, ValueError, msgpack.UnpackException) as error:
            raise ConfigurationError(f"{label} cannot be read: {error}") from None
        return arguments

    def unpack(self) -> dict[str, Any]:
        """The arguments by name, fresh each time: whoever gets them may change them."""
        values: dict[str, Any] = msgpack.unpackb(self.packed, ext_hook=_unpack_odd, strict_map_key=False)
        return values

    def __repr__(self) -> str:
        return repr(self.unpack())


def _bounded(label: str, packed: bytes) -> bytes:
    if len(packed) > MAX_ARGUMENT_BYTES:
        raise ConfigurationError(
            f"{label} takes {len(packed):,} bytes, at most {MAX_ARGUMENT_BYTES:,} travel: write it to a file"
            " that the producers can read, and pass the path"
        )
    return packed


def _pack_odd(value: Any) -> Any:
    """Give a type that msgpack does not know, or would turn into another one, a form that travels."""
    match value:
        case tuple():
            return msgpack.ExtType(_TUPLE, msgpack.packb(list(value), default=_pack_odd, strict_types=True))
        case np.ndarray() if value.dtype.kind in _KINDS_OF_NUMBERS:
            plain = [value.dtype.str, list(value.shape), value.tobytes()]
            return msgpack.ExtType(_ARRAY, msgpack.packb(plain))
        case np.generic() if value.dtype.kind in _KINDS_OF_NUMBERS:
            return value.item()
        case os.PathLike() | str():
            return str.__str__(os.fsdecode(value))
        case dict():
            return {**value}
        case list():
            return [*value]
    raise TypeError(
        f"{type(value).__name__!r} is none of None, bool, numbers, str, bytes, lists, tuples, dicts and"
        " arrays of numbers; write it to a file, and pass the path"
    )


def _unpack_odd(code: int, data: bytes) -> Any:
    if code == _TUPLE:
        return tuple(msgpack.unpackb(data, ext_hook=_unpack_odd, strict_map_key=False))
    if code == _ARRAY:
        dtype, shape, values = msgpack.unpackb(data)
        return np.frombuffer(values, np.dtype(dtype)).reshape(shape).copy()
    raise ValueError(f"no type has the code {code}")
