"""What lies below a folder is opened, and nothing else, even while links and folders are exchanged."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

import pytest

from feedline.errors import ReadError
from feedline.producer.reading import beneath, roots
from feedline.producer.reading.beneath import by_hand, by_kernel, open_beneath
from feedline.producer.reading.files import FileReader
from feedline.producer.reading.roots import DataRoots


def not_there(_folder: int, _name: bytes) -> int:
    """What an old kernel, or a sandbox, says of openat2."""
    raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))


WAYS = {"kernel": by_kernel, "hand": not_there}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    if request.param == "kernel" and not works(by_kernel):
        pytest.skip("this kernel, or sandbox, has no openat2")
    return str(request.param)


def works(quick: beneath.OpenBeneath) -> bool:
    folder = os.open("/", os.O_PATH)
    try:
        os.close(quick(folder, b"proc"))
    except OSError:
        return False
    finally:
        os.close(folder)
    return True


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A root with folders and links, and secrets beside it."""
    (tmp_path / "root/a/b").mkdir(parents=True)
    (tmp_path / "root/a/b/file").write_text("inside")
    (tmp_path / "outside/b").mkdir(parents=True)
    (tmp_path / "outside/b/file").write_text("secret")
    (tmp_path / "other name").symlink_to("root")
    for name, target in LINKS.items():
        (tmp_path / "root" / name).symlink_to(target.format(disk=tmp_path))
    return tmp_path


LINKS = {
    "in": "a/b/file",
    "in-by-folder": "a",
    "in-upwards": "./a/../a/b/../../in",
    "in-absolute": "{disk}/root/a/b/file",
    "in-absolute-folder": "{disk}/root/a",
    "in-by-other-name": "{disk}/other name/a/b/file",
    "out": "../outside/b/file",
    "out-absolute": "{disk}/outside/b/file",
    "out-folder": "{disk}/outside",
    "out-and-in": "../root/a/b/file",
    "out-by-link": "out-folder/b/file",
    "ring": "ring",
    "nowhere": "a/none",
}


def text_of(disk: Path, name: str, way: str) -> str:
    folder = os.open(disk / "root", os.O_PATH)
    try:
        found = open_beneath(folder, name.encode(), WAYS[way])
    finally:
        os.close(folder)
    with open(f"/proc/self/fd/{found}") as file:  # noqa: PTH123 - no place of its own
        os.close(found)
        return file.read()


def num_open() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize(
    "name",
    [
        "a/b/file",
        "in-by-folder/b/file",
        "in-absolute-folder/b/file",
        "in",
        "in-upwards",
        "in-absolute",
        "in-by-other-name",
    ],
)
def test_files_and_links_that_stay_inside_are_opened(disk: Path, name: str, way: str) -> None:
    before = num_open()
    assert text_of(disk, name, way) == "inside"
    assert num_open() == before


@pytest.mark.parametrize(
    ("name", "number"),
    [
        *(
            (name, errno.EXDEV)
            for name in ("out", "out-absolute", "out-folder/b/file", "out-and-in", "out-by-link")
        ),
        ("../outside/b/file", errno.EXDEV),
        ("/etc/passwd", errno.ENOENT),
        ("ring", errno.ELOOP),
        ("nowhere", errno.ENOENT),
        ("a/b/file/c", errno.ENOTDIR),
    ],
)
def test_what_leads_out_is_not_opened(disk: Path, name: str, number: int, way: str) -> None:
    before = num_open()
    with pytest.raises(OSError) as caught:  # noqa: PT011 - its number says which
        text_of(disk, name, way)
    assert caught.value.errno in {number, errno.EXDEV if name.startswith("/") else number}
    assert num_open() == before


@contextmanager
def exchanging(first: Path, second: Path) -> Iterator[None]:
    """Give `first`'s name to the one and the other in turn, as fast as can be."""
    done = threading.Event()

    def exchange() -> None:
        aside = first.with_name("aside")
        for one in cycle([second, first.with_name("kept")]):
            if done.is_set():
                return
            aside.symlink_to(one)
            aside.rename(first)

    first.rename(first.with_name("kept"))
    first.symlink_to("kept")
    thread = threading.Thread(target=exchange)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_not_a_byte_from_outside_is_read_while_a_folder_is_exchanged_with_a_link(
    disk: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roots, "open_beneath", lambda folder, name: open_beneath(folder, name, WAYS[way]))
    reader, read, refused = FileReader(DataRoots([str(disk / "root")])), 0, 0
    with exchanging(disk / "root/a", disk / "outside"):
        for _ in range(100_000):
            try:
                found = reader.read("a/b/file")[0]
            except ReadError as error:
                refused += "leads out" in error.reason
            else:
                read += found == b"inside"
                assert found != b"secret"
            if min(read, refused) >= 1000:
                break
    assert min(read, refused) >= 1000


def test_a_mounted_root_is_looked_into_and_one_that_went_and_came_back(disk: Path) -> None:
    reader = FileReader(DataRoots([str(disk / "root")]))
    assert reader.read("in")[0] == b"inside"
    (disk / "root").rename(disk / "gone")
    with pytest.raises(ReadError, match="not found"):
        reader.read("in")
    (disk / "outside").rename(disk / "root")
    assert reader.read("b/file")[0] == b"secret"


def test_by_hand_and_by_the_kernel_agree_on_what_they_open(disk: Path) -> None:
    if not works(by_kernel):
        pytest.skip("this kernel, or sandbox, has no openat2")
    folder = os.open(disk / "root", os.O_PATH)
    for name in ("a", "a/b/", ".", "in", "in-upwards", "a/./b//file"):
        opened = [quick(folder, name.encode()) for quick in (by_kernel, by_hand)]
        assert os.path.sameopenfile(*opened)
        for one in opened:
            os.close(one)
    os.close(folder)
