"""Memory that two processes see: proved, reserved before it is written, and never left behind."""

from __future__ import annotations

import fcntl
import gc
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from feedline.common.batch.layout import ALIGNMENT_BYTES
from feedline.common.memory.arena import (
    HEADER_BYTES,
    PAGE_BYTES,
    Arena,
    ArenaView,
    arena_name,
    whole_pages,
)
from feedline.common.memory.sweeping import sweep
from feedline.errors import LocalProtocolError, RemoteProtocolError

NAME = arena_name(b"\x01" * 16, b"\x02" * 16, 3)
SLOT_BYTES = 64 * 1024


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FEEDLINE_SHM", str(tmp_path))
    return tmp_path


def view_of(arena: Arena, **changed: object) -> ArenaView:
    offer = {"name": arena.name, "nonce": arena.nonce, "slot_bytes": arena.slot_bytes}
    return ArenaView(**{**offer, "num_slots": arena.num_slots, **changed})  # type: ignore[arg-type]  # a test


def test_what_the_maker_writes_is_what_the_other_side_reads() -> None:
    arena = Arena(NAME, SLOT_BYTES, 3)
    view = view_of(arena)
    for index in range(3):
        slot = arena.slot(index)
        assert slot is not None
        slot[:] = index + 1
    for index in range(3):
        read = np.frombuffer(view.owner(index, SLOT_BYTES), np.uint8)
        assert read.ctypes.data % ALIGNMENT_BYTES == 0
        assert (read == index + 1).all()


def test_the_file_has_no_name_once_it_is_mapped_and_the_memory_stays(folder: Path) -> None:
    arena = Arena(NAME, SLOT_BYTES, 2)
    view = view_of(arena)
    arena.unlink()
    assert list(folder.iterdir()) == []
    slot = arena.slot(1)
    assert slot is not None
    slot[:] = 7
    owner = view.owner(1, SLOT_BYTES)
    del arena, slot, view
    gc.collect()
    assert (np.frombuffer(owner, np.uint8) == 7).all()


def test_only_its_user_may_read_the_file(folder: Path) -> None:
    arena = Arena(NAME, SLOT_BYTES, 2)
    assert (folder / arena.name).stat().st_mode & 0o777 == 0o600


def test_memory_is_reserved_slot_by_slot(folder: Path) -> None:
    arena = Arena(NAME, SLOT_BYTES, 100)

    def reserved_bytes() -> int:
        return (folder / NAME).stat().st_blocks * 512

    assert reserved_bytes() < SLOT_BYTES
    arena.slot(0)
    arena.slot(50)
    assert 2 * SLOT_BYTES <= reserved_bytes() < 4 * SLOT_BYTES


@pytest.mark.parametrize("slot_bytes", [64, PAGE_BYTES, PAGE_BYTES + 64, 5 * PAGE_BYTES])
def test_memory_that_is_given_back_is_gone_and_its_neighbours_stay(folder: Path, slot_bytes: int) -> None:
    arena = Arena(NAME, slot_bytes, 3)
    view = view_of(arena)
    slots = [arena.slot(index) for index in range(3)]
    for slot in slots:
        slot[:] = 7

    def num_pages() -> int:
        return (folder / NAME).stat().st_blocks * 512 // PAGE_BYTES

    each = whole_pages(slot_bytes) // PAGE_BYTES
    assert num_pages() == 3 * each  # what is in no slot is given back when the other side has mapped it
    view.give_back([1, 99])
    arena.forget([1, 99])
    assert num_pages() == 2 * each
    assert [slot.any() for slot in slots] == [True, False, True]
    again = arena.slot(1)
    again[:] = 8
    assert num_pages() == 3 * each
    assert (np.frombuffer(view.owner(1, slot_bytes), np.uint8) == 8).all()
    assert [(slot == 7).all() for slot in (slots[0], slots[2])] == [True, True]


def test_an_arena_larger_than_any_address_space_means_frames() -> None:
    with pytest.raises(OSError, match="slots of"):
        Arena(NAME, 1 << 40, 1 << 30)


def test_without_room_for_a_slot_there_is_none_and_no_crash(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    arena = Arena(NAME, SLOT_BYTES, 4)
    assert arena.slot(0) is not None

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    assert arena.slot(1) is None
    assert arena.slot(2) is None
    assert arena.slot(0) is not None
    assert caplog.text.count("some batches go as frames") == 1


def test_a_full_tmpfs_leaves_no_file_behind(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space"):
        Arena(NAME, SLOT_BYTES, 4)
    assert list(folder.iterdir()) == []


def test_a_folder_that_is_not_there_means_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEEDLINE_SHM", "/nowhere")
    with pytest.raises(OSError, match="no folder"):
        Arena(NAME, SLOT_BYTES, 2)


def test_slots_that_would_not_be_aligned_are_our_own_fault() -> None:
    with pytest.raises(LocalProtocolError, match="100 bytes"):
        Arena(NAME, 100, 2)


def test_the_same_file_with_another_nonce_is_not_believed() -> None:
    arena = Arena(NAME, SLOT_BYTES, 2)
    with pytest.raises(RemoteProtocolError, match="not the one"):
        view_of(arena, nonce=b"x" * 16)


def test_a_file_of_another_size_is_not_mapped() -> None:
    arena = Arena(NAME, SLOT_BYTES, 2)
    with pytest.raises(RemoteProtocolError, match="no file of the"):
        view_of(arena, num_slots=3)


def test_a_file_that_is_not_here_is_an_os_error() -> None:
    with pytest.raises(FileNotFoundError):
        ArenaView(NAME, b"n" * 16, SLOT_BYTES, 2)


@pytest.mark.parametrize("name", ["../secret", "feedline-xyz", "feedline-01-02-3/../../x", ""])
def test_only_names_of_arenas_are_opened(name: str) -> None:
    with pytest.raises(RemoteProtocolError, match="no arena of ours"):
        ArenaView(name, b"n" * 16, SLOT_BYTES, 2)


def test_a_link_is_not_followed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    secret = tmp_path_factory.mktemp("elsewhere") / "secret"
    secret.write_bytes(bytes(HEADER_BYTES + 2 * SLOT_BYTES))
    (folder / NAME).symlink_to(secret)
    with pytest.raises(OSError, match="symbolic"):
        ArenaView(NAME, bytes(16), SLOT_BYTES, 2)


@pytest.mark.parametrize(("index", "num_bytes"), [(-1, 64), (2, 64), (0, SLOT_BYTES + 64)])
def test_nothing_outside_the_arena_can_be_reached(index: int, num_bytes: int) -> None:
    arena = Arena(NAME, SLOT_BYTES, 2)
    with pytest.raises(RemoteProtocolError, match="outside"):
        view_of(arena).owner(index, num_bytes)


def test_a_sweep_leaves_what_is_in_use_and_what_is_not_ours(folder: Path) -> None:
    arena = Arena(NAME, SLOT_BYTES, 2)
    (folder / "feedline-notes.txt").write_text("mine")
    sweep()
    assert sorted(path.name for path in folder.iterdir()) == sorted([arena.name, "feedline-notes.txt"])


def test_a_sweep_removes_what_a_killed_maker_left_behind(folder: Path) -> None:
    script = (
        "import os, signal; from feedline.common.memory.arena import Arena\n"
        f"arena = Arena({NAME!r}, {SLOT_BYTES}, 2); os.kill(os.getpid(), signal.SIGKILL)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])}
    done = subprocess.run([sys.executable, "-c", script], env=environment, timeout=60, check=False)
    assert done.returncode == -9
    assert [path.name for path in folder.iterdir()] == [NAME]
    sweep()
    assert list(folder.iterdir()) == []


def test_a_sweep_does_not_wait_for_a_lock(folder: Path) -> None:
    path = folder / NAME
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        sweep()
        assert path.exists()
    sweep()
    assert not path.exists()


def test_an_arena_is_not_swept_between_its_making_and_its_lock(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = fcntl.flock
    seen: list[list[str]] = []

    def sweep_and_lock(fd: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", lock)
        seen.append([path.name for path in folder.iterdir()])
        sweep()
        lock(fd, operation)

    monkeypatch.setattr(fcntl, "flock", sweep_and_lock)
    arena = Arena(NAME, SLOT_BYTES, 2)
    assert seen == [[]]
    assert view_of(arena).is_whole
    assert [path.name for path in folder.iterdir()] == [NAME]
    sweep()
    assert [path.name for path in folder.iterdir()] == [NAME]


def test_a_maker_that_is_killed_before_it_has_a_lock_leaves_nothing(folder: Path) -> None:
    script = (
        "import fcntl, os, signal; from feedline.common.memory.arena import Arena\n"
        "fcntl.flock = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"Arena({NAME!r}, {SLOT_BYTES}, 2)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])}
    done = subprocess.run([sys.executable, "-c", script], env=environment, timeout=60, check=False)
    assert done.returncode == -9
    assert list(folder.iterdir()) == []


@pytest.mark.usefixtures("folder")
def test_where_every_file_has_a_name_it_is_locked_under_that(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = os.open

    def without_nameless(path: os.PathLike[str], flags: int, mode: int = 0o777) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(95, "Operation not supported")
        return opened(path, flags, mode)

    monkeypatch.setattr(os, "open", without_nameless)
    arena = Arena(NAME, SLOT_BYTES, 2)
    sweep()
    assert view_of(arena).is_whole
    with pytest.raises(OSError, match="File exists"):
        Arena(NAME, SLOT_BYTES, 2)


@pytest.mark.usefixtures("folder")
def test_nobody_takes_the_name_of_another() -> None:
    arena = Arena(NAME, SLOT_BYTES, 2)
    with pytest.raises(OSError, match="File exists"):
        Arena(NAME, SLOT_BYTES, 2)
    assert view_of(arena).is_whole
