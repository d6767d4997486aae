"""A declaration enters itself under its name, with one example, and is then public without being listed."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import mypy.api
import pytest

import feedline.transforms
from feedline.common.declarations import DECLARATIONS
from feedline.common.declarations.base import Transform, declaration
from feedline.errors import ConfigurationError
from feedline.transforms import FillMode, FlipMode, Interpolation

FOLDER = Path(feedline.transforms.__file__).parent


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what a test declares."""
    for name in ("Fade", "RandomFlip"):
        monkeypatch.setitem(DECLARATIONS, name, DECLARATIONS.get(name, Transform))
    monkeypatch.delitem(DECLARATIONS, "Fade")


def test_a_decorated_class_is_one_of_all_and_has_an_example() -> None:
    @declaration
    class Fade(Transform):
        factor: float

        _EXAMPLE: ClassVar[Mapping[str, Any]] = {"factor": 0.5}

    assert DECLARATIONS["Fade"] is Fade
    assert Fade.example() == Fade(0.5)
    assert not hasattr(Fade(0.5), "__dict__")


def test_a_declaration_without_an_example_of_its_own_is_refused() -> None:
    with pytest.raises(TypeError, match="Fade needs an _EXAMPLE"):

        @declaration
        class Fade(DECLARATIONS["RandomFlip"]):  # type: ignore[misc]
            pass

    assert "Fade" not in DECLARATIONS


def test_a_declaration_whose_example_cannot_work_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"factor of Fade.*17"):

        @declaration
        class Fade(Transform):
            factor: float

            _EXAMPLE: ClassVar[Mapping[str, Any]] = {"factor": 17}

    assert "Fade" not in DECLARATIONS


def test_a_name_that_is_taken_is_refused() -> None:
    with pytest.raises(TypeError, match="two declarations of the name RandomFlip"):

        @declaration
        class RandomFlip(Transform):
            _EXAMPLE: ClassVar[Mapping[str, Any]] = {}


def test_what_is_public_is_every_declaration_what_it_is_made_of_and_nothing_else() -> None:
    shared = {kind.__name__ for kind in (FillMode, FlipMode, Interpolation, Transform)}
    assert {*feedline.transforms.__all__} == {*DECLARATIONS, *shared}
    for name, kind in DECLARATIONS.items():
        assert getattr(feedline.transforms, name) is kind


def test_a_type_checker_is_shown_every_file_of_declarations() -> None:
    tree = ast.parse((FOLDER / "transforms.py").read_text())
    starred = {
        node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and [name.name for name in node.names] == ["*"]
    }
    missing = {kind.__module__ for kind in DECLARATIONS.values()} - starred
    assert not missing, f"add `from ... import *` of {missing} under TYPE_CHECKING in feedline/transforms.py"


def test_every_file_of_declarations_is_imported_by_their_package() -> None:
    files = (FOLDER / "common" / "declarations").glob("*.py")
    written = {file.stem for file in files if "\n@declaration\n" in file.read_text()}
    missing = written - {kind.__module__.rpartition(".")[2] for kind in DECLARATIONS.values()}
    assert not missing, f"add {missing} to the imports of common/declarations/__init__.py"


@pytest.mark.all_kinds
def test_a_strict_type_checker_knows_every_public_name_and_its_arguments(tmp_path: Path) -> None:
    names = ", ".join(feedline.transforms.__all__)
    script = tmp_path / "script.py"
    script.write_text(f"from feedline.transforms import {names}\nRandomCrop(3, 'four')\n")
    told, complaint, _ = mypy.api.run(["--strict", "--config-file=", "--follow-imports=silent", str(script)])
    assert 'Argument 2 to "RandomCrop" has incompatible type "str"; expected "int"' in told, complaint
    assert "Found 1 error" in told, told
