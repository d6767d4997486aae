"""Transforms on a command line: what is written is made, and nothing else is run."""

from __future__ import annotations

import pytest

from feedline.errors import ConfigurationError
from feedline.trainer.commands.spoken import transform_of
from feedline.transforms import Mosaic, RandomApply, RandomFlip, RandomRotation


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('RandomFlip("horizontal")', RandomFlip("horizontal")),
        (
            " RandomRotation((-0.1, 0.2), fill_mode='constant') ",
            RandomRotation((-0.1, 0.2), fill_mode="constant"),
        ),
        ("Mosaic()", Mosaic()),
        ("Mosaic", Mosaic()),
        ("RandomApply([RandomFlip()], 0.5)", RandomApply([RandomFlip()], 0.5)),
    ],
)
def test_a_call_is_made(text: str, expected: object) -> None:
    assert transform_of(text) == expected


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("RandomFlp()", "there is no transform 'RandomFlp': did you mean RandomFlip?"),
        ("RandomFlip('sideways')", "sideways"),
        ("RandomFlip(", "expected a transform such as"),
        ("3", "expected a transform such as"),
        ("[RandomFlip()]", "expected a transform such as"),
        ("__import__('os').system('true')", "is no constant"),
        ("RandomFlip(open('x'))", "there is no transform 'open'"),
        ("RandomRotation(1 + x)", "is no constant"),
        ("RandomFlip(1, 2, 3, 4)", "RandomFlip"),
        ("RandomFlip(mod='horizontal')", "mode"),
        ("RandomRotation", r"'factor': write it as RandomRotation\(factor, fill_mode, "),
        ("RandomApply([RandomRotation])", r"write it as RandomRotation\(factor, "),
        ("RandomRotation({[]: 2})", "is no constant"),
        ("RandomRotation({[1]})", "is no constant"),
        (f"RandomRotation({'-' * 3000}1)", "expected a transform such as"),
        ("RandomFlip(**{})", "no constant|expected a transform"),
    ],
)
def test_anything_else_is_refused_in_words(text: str, match: str) -> None:
    with pytest.raises(ConfigurationError, match=match):
        transform_of(text)
