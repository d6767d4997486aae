"""What decides which bytes a sequence delivers, in short: for a later run to tell whether it is the same.

What may differ between two runs is not in it: producers, hosts, transports, caches, limits, and where the
data set's folder lies. What a function of the user's does, and what a file holds, is not looked at.
"""

from __future__ import annotations

import hashlib
import json
import os.path
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, Protocol, TypeAlias

import numpy as np

from feedline.trainer.datasets.further import FurtherImages
from feedline.trainer.datasets.table import SampleTable
from feedline.trainer.plan.epochs import EpochPlan

DIGEST_CHARS = 8
"""Hexadecimal digits of a digest: two values share theirs once in four billion times."""

DIGEST_SIGN = "#"
"""What a digest begins with, and no text of an option does."""

MAX_PLAIN_CHARS = 12
"""A value that takes more as JSON is told by its digest."""

MAY_DIFFER = frozenset({"cache", "cache_bytes", "shard_index", "max_bad_share"})
"""Options of a sequence that change no byte of what is delivered, or that differ between ranks."""

APART = frozenset({"dataset", "sampler", "batch_size", "shard_count", "seed"})
"""Options that are looked at in a way of their own, here or in `SequenceState`."""

Fields: TypeAlias = dict[str, Any]
"""A plain value or a digest for each thing that decides."""


class Digest(Protocol):
    """What `hashlib` makes."""

    def update(self, data: bytes, /) -> None:
        """Take in more."""


def fields_of(options: Any, plan: EpochPlan) -> Fields:
    """The fields of a `BatchSequence`.

    Parameters
    ----------
    options : SequenceOptions
        Each of them decides, unless it is in `MAY_DIFFER`.
    plan : EpochPlan
        Asked which rows a sampler draws: that is all that a sampler of somebody's can be known by.
    """
    named = [field.name for field in fields(options) if field.name not in MAY_DIFFER | APART]
    own = {name: brief(getattr(options, name)) for name in named}
    drawn = None if plan.drawing is None else plan.drawing.rows(plan.seed, 0)
    return _fields_of_dataset(options.dataset) | own | {"sampler": brief(drawn)}


def _fields_of_dataset(data: SampleTable) -> Fields:
    files = [one for one in data.further if isinstance(one, FurtherImages)]
    drawn = [one.regions for one in data.further if not isinstance(one, FurtherImages)]
    stacks = None if data.stacks is None else (below_one_folder(data.stacks.files), data.stacks.numbers)
    further = [(one.role, below_one_folder(one.paths), one.values) for one in files]
    return {
        "samples": len(data),
        "files": brief(below_one_folder(data.paths)),
        "labels": brief((data.targets, data.target_is_input)),
        "weights": brief(data.weights),
        "further images": brief((further, drawn)),
        "boxes": brief(data.boxes),
        "stacks": brief((stacks, data.dicom)),
    }


def below_one_folder(paths: Sequence[str]) -> Sequence[str]:
    """The paths without the folder that all of them share, if they are absolute: it may lie elsewhere."""
    if not all(path.startswith("/") for path in paths):
        return paths
    above = os.path.commonpath([path.rpartition("/")[0] or "/" for path in paths])
    return [path[len(above) :].lstrip("/") for path in paths]


def brief(value: Any) -> Any:
    """A value as JSON has it, or its digest where that is shorter."""
    plain = list(value) if isinstance(value, tuple) else value
    try:
        written = json.dumps(plain)
    except (TypeError, ValueError):
        return digest(value)
    if len(written) > MAX_PLAIN_CHARS or DIGEST_SIGN in written:
        return digest(value)
    return json.loads(written)


def digest(value: Any) -> str:
    """A digest that is the same in every process: of arrays, tables and declarations in any depth."""
    found = hashlib.sha256()
    _feed(found, value)
    return DIGEST_SIGN + found.hexdigest()[:DIGEST_CHARS]


def _feed(found: Digest, value: Any) -> None:
    match value:
        case None | bool() | int() | float() | str() | bytes():
            kind = "" if isinstance(value, Enum) else type(value).__name__
            text = f"{value!s}".encode("utf-8", "surrogateescape")
            found.update(f"{kind} {len(text)} ".encode() + text)
        case np.ndarray() if value.dtype != object:
            found.update(f"{value.dtype.str} {value.shape} ".encode())
            found.update(np.ascontiguousarray(value).tobytes())
        case np.generic():
            _feed(found, value.item())
        case np.ndarray() | list() | tuple() | range():
            _feed_all(found, "list", value)
        case set() | frozenset():
            _feed_all(found, "set", sorted(value, key=repr))
        case Mapping():
            _feed_all(found, "dict", sorted(value.items(), key=repr))
        case _:
            _feed_object(found, value)


def _feed_all(found: Digest, kind: str, values: Iterable[Any]) -> None:
    listed = list(values)
    found.update(f"{kind} {len(listed)} ".encode())
    if all(type(value) is str for value in listed):
        # A million names: a zero is in none of them.
        found.update("\0".join(listed).encode("utf-8", "surrogateescape"))
        return
    for value in listed:
        _feed(found, value)


def _feed_object(found: Digest, value: Any) -> None:
    """A declaration by its class and values; a function or class by its name; of others only the class."""
    named = value if hasattr(value, "__qualname__") else type(value)
    found.update(f"{named.__module__}.{named.__qualname__} ".encode())
    if is_dataclass(value) and not isinstance(value, type):
        _feed_all(found, "values", [getattr(value, field.name) for field in fields(value)])


def differences(before: Fields, now: Fields) -> list[str]:
    """What differs, in words."""
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    return [_difference(name, before.get(name), now.get(name)) for name in names]


def _difference(name: str, before: Any, now: Any) -> str:
    if any(isinstance(value, str) and value.startswith(DIGEST_SIGN) for value in (before, now)):
        return f"{name} changed"
    return f"{name} was {before!r} and is {now!r}"
