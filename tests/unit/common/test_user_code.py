"""References and arguments of user code: what travels, unchanged, and what is refused where it is written."""

from __future__ import annotations

from collections import OrderedDict
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedline.common.user_code import MAX_ARGUMENT_BYTES, Arguments, check_reference
from feedline.errors import ConfigurationError

NUMBERS = st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.floats(allow_nan=False)
KEYS = st.text() | st.integers(0, 9)
PLAIN = st.recursive(
    st.none() | NUMBERS | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(KEYS, inner),
    max_leaves=10,
)


class Mode(StrEnum):
    """A name."""

    FAST = "fast"


@given(st.dictionaries(st.text(), PLAIN))
def test_plain_values_arrive_as_they_were_tuples_included(values: dict[str, Any]) -> None:
    arrived = Arguments.of("there", Arguments.of("here", values).packed).unpack()
    assert repr(arrived) == repr(values)


def test_arrays_and_numbers_of_numpy_arrive_and_the_arrays_may_be_written() -> None:
    values = {"a": np.arange(6, dtype=">i2").reshape(2, 3), "b": np.float32(0.5), "c": [np.int64(3)]}
    arrived = Arguments.of("kwargs", values).unpack()
    np.testing.assert_array_equal(arrived["a"], values["a"], strict=True)
    arrived["a"][0, 0] = 9
    assert (type(arrived["b"]), arrived["b"], arrived["c"]) == (float, 0.5, [3])


def test_paths_names_and_ordered_dicts_become_what_they_stand_for() -> None:
    values = {"path": Path("a/b"), "mode": Mode.FAST, "map": OrderedDict(z=1, a=2)}
    assert Arguments.of("kwargs", values).unpack() == {"path": "a/b", "mode": "fast", "map": {"z": 1, "a": 2}}


def test_whoever_unpacks_gets_values_of_his_own() -> None:
    arguments = Arguments.of("kwargs", {"names": ["a"]})
    arguments.unpack()["names"].append("b")
    assert arguments.unpack() == {"names": ["a"]}


@pytest.mark.parametrize(
    "value", [object(), {1, 2}, lambda: None, 1j, 1 << 70, np.array(["a"]), np.array([{}])]
)
def test_a_value_that_cannot_travel_is_refused_where_it_is_written(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="params of me cannot travel"):
        Arguments.of("params of me", {"x": [value]})


@pytest.mark.parametrize("values", [None, [1], {1: 2}])
def test_arguments_have_names(values: Any) -> None:
    with pytest.raises(ConfigurationError, match="must be a dict of arguments by name"):
        Arguments.of("kwargs", values)


def test_arguments_that_are_too_large_are_refused_with_the_remedy() -> None:
    with pytest.raises(ConfigurationError, match="write it to a file"):
        Arguments.of("kwargs", {"x": bytes(MAX_ARGUMENT_BYTES)})


@pytest.mark.parametrize("packed", [b"", b"\xc1", b"\x91", b"\xc7\x01\x07\x00"])
def test_bytes_that_are_no_arguments_are_refused(packed: bytes) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Arguments.of("kwargs", packed)


@pytest.mark.parametrize("reference", ["a:b", "a.b.c:D", "_a1:_b"])
def test_references_name_a_module_and_something_in_it(reference: str) -> None:
    assert check_reference("function", reference) == reference


@pytest.mark.parametrize(
    "reference", ["", "a", "a:", ":b", "a:b.c", "a:b:c", "a b:c", "../a:b", "a..b:c", None, len]
)
def test_anything_else_is_no_reference(reference: Any) -> None:
    with pytest.raises(ConfigurationError, match='function must be "module:name"'):
        check_reference("function", reference)


def test_the_script_itself_cannot_be_imported_by_others() -> None:
    with pytest.raises(ConfigurationError, match="file of its own"):
        check_reference("function", "__main__:blur")
