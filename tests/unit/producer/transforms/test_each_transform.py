"""Each declaration has all that cannot be derived from it. What fails here says what to add, and where."""

from __future__ import annotations

import re
from pathlib import Path

import keras
import pytest
from golden import all_golden
from test_golden_pixels import COMPOSED

from feedline.common.declarations import DECLARATIONS
from feedline.producer.transforms.registry import CALLS, FAMILIES
from feedline.transforms import YoloAugment

ROOT = Path(__file__).parents[4]
PAGE = (ROOT / "docs" / "transforms.md").read_text()
TESTS = "".join(file.read_text() for file in Path(__file__).parent.glob("test_*.py"))
PINNED = {type(transform) for transform, *_ in (*all_golden(), *COMPOSED)}
PINNED_OTHERWISE = {YoloAugment, *CALLS}
"""By a second implementation, in test_yolo_pixels.py; and what is code of others."""

each = pytest.mark.parametrize("name", DECLARATIONS)


@each
def test_it_has_one_function(name: str) -> None:
    count = sum(DECLARATIONS[name] in family for family in FAMILIES)
    assert count == 1, (
        f"{name} has {count} functions, and needs one: write it in producer/transforms/functions, in a file"
        f" that its __init__.py imports, under the decorator of its family, such as @filter_of({name}): see"
        " registry.py there"
    )


@each
def test_its_pixels_are_pinned(name: str) -> None:
    assert DECLARATIONS[name] in PINNED | PINNED_OTHERWISE, (
        f"the pixels of {name} are not pinned: give its test file in tests/unit/producer/transforms a list"
        f" GOLDEN: list[Golden] = [({name}(...), [draws], SMALL, SHA-256)]; see golden.py there"
    )


@pytest.mark.parametrize("name", [name for name, made in DECLARATIONS.items() if made not in CALLS])
def test_it_has_a_section_in_the_docs(name: str) -> None:
    assert re.search(rf"^##.*\b{name}\b", PAGE, re.MULTILINE), (
        f"docs/transforms.md has no section on {name}: say what it does and how it differs from Keras, and"
        " show it"
    )


@pytest.mark.parametrize("name", [name for name in DECLARATIONS if hasattr(keras.layers, name)])
def test_it_is_compared_with_the_layer_of_its_name(name: str) -> None:
    assert re.search(rf"\bkeras\.layers\.{name}\(", TESTS), (
        f"no test builds keras.layers.{name}: compare it with {name} on photographs, see like_keras.py"
    )


@pytest.mark.parametrize("picture", re.findall(r"\((pictures/transforms/\w+\.png)\)", PAGE))
def test_a_picture_that_the_docs_show_is_there(picture: str) -> None:
    assert (ROOT / "docs" / picture).is_file(), "run python -m docs.figures.make_pictures, and look at it"
