"""Arguments in one form, whatever they are written as."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from feedline.common.arguments import dtype_name


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("float32", "float32"),
        (np.float32, "float32"),
        (np.dtype("float32"), "float32"),
        (np.dtype(">u2"), "uint16"),
        (tf.uint8, "uint8"),
        (np.str_("uint8"), "uint8"),
    ],
)
def test_a_dtype_is_known_by_its_name(value: Any, name: str) -> None:
    found = dtype_name(value)
    assert (found, type(found)) == (name, str)


@pytest.mark.parametrize("value", [None, int, float, 3, "float", "no such", object()])
def test_what_is_no_dtype_is_left_to_whoever_refuses_it(value: Any) -> None:
    assert dtype_name(value) in {value, "float64"}
