"""What users copy from pages and examples uses the public names alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").glob("*.*")])
DEMO_PHOTOS = "from feedline.trainer.demo.photos import"
"""The real photographs of the demo, which an example borrows."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_and_no_example_imports_from_a_room(page: Path) -> None:
    imports = re.findall(
        r"^\W*(?:from|import) (?:feedline\.)?(?:common|producer|trainer)\b.*", page.read_text(), re.MULTILINE
    )
    assert [line for line in imports if not line.startswith(DEMO_PHOTOS)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_runs_a_module_by_its_old_name(page: Path) -> None:
    assert re.findall(r"-m (?:producer|trainer)\b", page.read_text()) == []
