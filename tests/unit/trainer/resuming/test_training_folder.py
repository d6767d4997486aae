"""A training lies in one file: whole, whatever happened while it was written, or said to be damaged."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from feedline.errors import ConfigurationError
from feedline.trainer.resuming.folder import Kept, TrainingFolder

WRITER = Path(__file__).with_name("keeps_writing.py")


def numbered(number: int) -> Kept:
    """A training whose parts all say which it is."""
    return Kept({"number": number}, {"a/0": np.full((50, 7), number, np.float32), "b": np.array(number)})


def number_of(kept: Kept | None) -> int:
    """Which it is; all its parts must say so."""
    assert kept is not None
    number: int = kept.plain["number"]
    assert (kept.arrays["a/0"] == number).all()
    assert kept.arrays["b"] == number
    return number


def test_what_was_written_last_is_read(tmp_path: Path) -> None:
    folder = TrainingFolder(tmp_path / "new" / "run")
    folder.prepare()
    assert folder.read() is None
    for number in (1, 2):
        folder.write(numbered(number))
        assert number_of(folder.read()) == number
    assert sorted(path.name for path in folder.path.iterdir()) == ["lock", "training.npz"]
    folder.release()


@pytest.mark.parametrize("step", [61, pytest.param(1, marks=pytest.mark.exhaustive)])
def test_every_damage_is_told_or_does_no_harm(step: int, tmp_path: Path) -> None:
    folder = TrainingFolder(tmp_path)
    folder.write(numbered(5))
    whole = folder.file.read_bytes()
    for place in range(0, len(whole), step):
        for damaged in (whole[:place], whole[:place] + bytes([whole[place] ^ 0x21]) + whole[place + 1 :]):
            folder.file.write_bytes(damaged)
            try:
                kept = folder.read()
            except ConfigurationError as error:
                assert f"{folder.file} is damaged (" in str(error)  # noqa: PT017 - either is right
                assert "delete it to begin anew" in str(error)  # noqa: PT017
            else:
                assert number_of(kept) == 5


def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    folder = TrainingFolder(tmp_path)
    folder.write(Kept({"version": 99}, {}))
    with pytest.raises(ConfigurationError, match="has version 99, and this Feedline reads 1"):
        folder.read()


@pytest.mark.parametrize("place", ["/proc/feedline", "file/run"])
def test_a_folder_that_cannot_be_written_to_is_told_at_once(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    with pytest.raises(ConfigurationError, match=f"the training cannot be kept in {place}: "):
        TrainingFolder(place).prepare()


@pytest.fixture
def nobody() -> Iterator[None]:
    """Be a user who may not write anywhere, if this one may."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield
    os.seteuid(user)


@pytest.mark.usefixtures("nobody")
def test_a_read_only_folder_is_told_at_once() -> None:
    with pytest.raises(ConfigurationError, match=r"cannot be kept in .*Permission denied"):
        TrainingFolder("/usr/share/feedline-run").prepare()


def test_a_disk_that_is_full_leaves_the_file_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = TrainingFolder(tmp_path)
    folder.write(numbered(1))

    def fail(_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        folder.write(numbered(2))
    assert number_of(folder.read()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["training.npz"]


def writer(path: Path) -> subprocess.Popen[str]:
    """Another process, which writes one training after the other, and says so when the first is there."""
    process = subprocess.Popen([sys.executable, str(WRITER), str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    return process


def test_two_processes_do_not_train_in_one_folder(tmp_path: Path) -> None:
    with writer(tmp_path) as process:
        with pytest.raises(ConfigurationError, match="another process is training in"):
            TrainingFolder(tmp_path).prepare()
        process.kill()
    folder = TrainingFolder(tmp_path)
    folder.prepare()
    folder.release()


@pytest.mark.parametrize("num_kills", [2, pytest.param(60, marks=pytest.mark.exhaustive)])
def test_whoever_is_killed_while_writing_leaves_a_whole_file(num_kills: int, tmp_path: Path) -> None:
    rng, folder, last = random.Random(0), TrainingFolder(tmp_path), 0
    num_unfinished = 0
    for _ in range(num_kills):
        with writer(tmp_path) as process:
            time.sleep(rng.uniform(0, 0.05))
            process.kill()
        num_unfinished += len(list(tmp_path.glob(".training-*")))
        found = number_of(folder.read())
        assert found > last
        last = found
    assert num_unfinished or num_kills < 10, "no kill fell into the writing of a file"
    folder.prepare()
    assert not list(tmp_path.glob(".training-*"))
    folder.release()
