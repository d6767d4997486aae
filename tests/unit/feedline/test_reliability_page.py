"""The page on reliability names tests that there are, and all tests of faults."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/reliability.md").read_text()
NAMED = set(re.findall(r"`(test_\w+)`", PAGE))
DEFINED = {
    name: path
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^def (test_\w+)\(", path.read_text(), re.MULTILINE)
}
OF_THE_TESTS_THEMSELVES = {
    "test_nothing_that_serves_batches_looks_at_a_clock_that_people_may_set",
    "test_the_library_really_sets_the_clock_back",
}
"""They cause no fault."""


def test_every_test_that_the_page_names_is_there() -> None:
    assert len(NAMED) > 25
    assert NAMED - DEFINED.keys() == set()


def test_every_line_of_its_table_names_a_test() -> None:
    table = [line for line in PAGE.splitlines() if line.startswith("| ")][1:]
    assert [line for line in table if not line.startswith("| ---") and "`test_" not in line] == []


def test_every_test_that_causes_a_fault_is_on_the_page() -> None:
    causes = {name for name, path in DEFINED.items() if path.name.startswith("test_faults_")}
    assert causes - NAMED == OF_THE_TESTS_THEMSELVES


def test_what_is_too_long_for_make_test_is_marked_on_the_page() -> None:
    """In italics; all other lines are run by `make test`, or marked as run by Docker."""
    italic = set(re.findall(r"\*`(test_\w+)`\*", PAGE))
    for name in NAMED:
        functions = ast.parse(DEFINED[name].read_text()).body
        (found,) = [one for one in functions if isinstance(one, ast.FunctionDef) and one.name == name]
        is_long = any("exhaustive" in ast.unparse(decorator) for decorator in found.decorator_list)
        assert is_long == (name in italic), name
