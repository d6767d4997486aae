"""Who removes what nobody has locked, removes that and nothing that got its name meanwhile."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from feedline.common.memory.sweeping import remove_if_unlocked


def test_a_file_goes_when_nobody_has_locked_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        assert not remove_if_unlocked(path)
        assert path.exists()
    assert remove_if_unlocked(path)
    assert not path.exists()
    assert not remove_if_unlocked(path)


def test_a_file_that_took_the_name_of_one_removed_just_now_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, lock = tmp_path / "file", fcntl.flock
    path.touch()

    def another_is_faster(fd: int, operation: int) -> None:
        path.unlink()
        path.write_text("new")
        lock(fd, operation)

    monkeypatch.setattr(fcntl, "flock", another_is_faster)
    assert not remove_if_unlocked(path)
    assert path.read_text() == "new"
