"""What TensorFlow notes while it is imported, past Python, stays off the terminal unless it is asked for."""

from __future__ import annotations

import os

import pytest

from feedline.trainer.console.quiet import LEVEL, STDERR, quiet_import


def note() -> None:
    """Write as a library in C++ does."""
    os.write(STDERR, b"a note\n")


def import_in_vain() -> None:
    """Import a library that is not whole."""
    with quiet_import():
        note()
        raise ImportError("no such library")


def without_level(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin without a level, and end as before."""
    monkeypatch.setenv(LEVEL, "")
    monkeypatch.delenv(LEVEL)


@pytest.mark.parametrize("level", [None, "3"])
def test_notes_are_kept_back_also_by_a_process_whose_parent_asked_for_quiet(
    level: str | None, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    without_level(monkeypatch)
    if level is not None:
        monkeypatch.setenv(LEVEL, level)
    with quiet_import():
        note()
    assert os.environ[LEVEL] == "3"
    assert capfd.readouterr().err == ""
    note()
    assert capfd.readouterr().err == "a note\n"


def test_a_user_who_asks_for_notes_sees_them(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(LEVEL, "0")
    with quiet_import():
        note()
    assert capfd.readouterr().err == "a note\n"


def test_notes_of_an_import_that_fails_are_shown(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    without_level(monkeypatch)
    with pytest.raises(ImportError):
        import_in_vain()
    assert capfd.readouterr().err == "a note\n"
