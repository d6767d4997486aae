"""Files are read as they are, ahead of time, and from nowhere but the data roots."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from feedline.errors import ReadError
from feedline.producer.reading.files import FileReader
from feedline.producer.reading.roots import DataRoots


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    (folder / "train").mkdir(parents=True)
    (folder / "train" / "a.png").write_bytes(b"pixels of a")
    (folder / "train" / "b.png").write_bytes(b"pixels of b")
    (tmp_path / "secret").write_bytes(b"secret")
    return folder


@pytest.fixture
def reader(root: Path) -> FileReader:
    return FileReader(DataRoots([str(root)]))


def content(reader: FileReader, path: str) -> bytes:
    data, status = reader.read(path)
    assert stat.S_ISFIFO(status.st_mode) or status.st_size <= len(data)
    return data


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("num_expected", [0, 1, 2])
def test_the_bytes_of_a_file_are_read_as_they_are_expected_or_not(
    reader: FileReader, num_expected: int
) -> None:
    before = open_files()
    for path in ("train/a.png", "train/b.png")[:num_expected]:
        reader.expect(path)
        reader.expect(path)
    assert open_files() == before + num_expected
    for _ in range(2):
        assert content(reader, "train/a.png") == b"pixels of a"
        assert content(reader, "train/b.png") == b"pixels of b"
    assert open_files() == before


def test_what_was_expected_and_is_not_read_is_closed(reader: FileReader) -> None:
    before = open_files()
    reader.expect("train/a.png")
    reader.expect("train/b.png")
    reader.forget()
    assert open_files() == before
    assert content(reader, "train/a.png") == b"pixels of a"


def test_a_file_that_grew_after_it_was_expected_is_read_to_its_end(reader: FileReader, root: Path) -> None:
    reader.expect("train/a.png")
    with (root / "train" / "a.png").open("ab") as file:
        file.write(bytes(100_000))
    assert content(reader, "train/a.png") == b"pixels of a" + bytes(100_000)


def test_a_missing_an_empty_and_an_impossible_file_are_read_errors(reader: FileReader, root: Path) -> None:
    (root / "empty.png").touch()
    for path, reason in {
        "empty.png": r"^empty\.png: is empty \(0 bytes\)",
        "train/none.png": r"^train/none\.png: not found under the data roots",
        "train": "^train: cannot be read: it is a directory",
        "a\0b": "is not a file name",
    }.items():
        reader.expect(path)
        with pytest.raises(ReadError, match=reason):
            reader.read(path)


@pytest.mark.parametrize("made_before", [True, False])
def test_a_pipe_is_refused_at_once_and_nobody_waits_for_it(
    reader: FileReader, root: Path, made_before: bool
) -> None:
    """Neither when it is read, nor ahead of that."""
    if made_before:
        os.mkfifo(root / "1.png")
    reader.expect("1.png")
    if not made_before:
        os.mkfifo(root / "1.png")
    with pytest.raises(ReadError, match=r"1\.png: cannot be read: it is a pipe, not a file"):
        reader.read("1.png")


def test_a_pipe_that_is_looked_at_keeps_its_writer(reader: FileReader, root: Path) -> None:
    os.mkfifo(root / "1.png")
    ends = os.open(root / "1.png", os.O_RDWR)
    try:
        os.write(ends, b"for somebody else")
        reader.expect("1.png")
        with pytest.raises(ReadError):
            reader.read("1.png")
        assert os.read(ends, 100) == b"for somebody else"
    finally:
        os.close(ends)


def test_sockets_and_devices_are_no_files_either(reader: FileReader, root: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.path.relpath(root / "socket"))  # noqa: PTH111, RUF100 - the path of a socket is short
        with pytest.raises(ReadError, match="it is a socket, not a file"):
            reader.read("socket")
    with pytest.raises(ReadError, match="it is a device, not a file"):
        FileReader(DataRoots(["/dev"])).read("zero")


@pytest.mark.parametrize("name", [b"caf\xc3\xa9.png", b"caf\xe9.png"])
def test_names_are_bytes_whatever_the_locale(root: Path, name: bytes) -> None:
    """Listed, sent and read where Python takes names for ASCII, and where it takes them for Latin-1."""
    (root / os.fsdecode(name)).write_bytes(b"pixels")
    script = f"""if True:
        import os
        from feedline.common.wire.names import to_wire
        from feedline.producer.reading.files import FileReader
        from feedline.producer.reading.roots import DataRoots
        (listed,) = [name for name in os.listdir({str(root)!r}) if name.startswith("caf")]
        (sent,) = to_wire([listed])
        reader = FileReader(DataRoots([{str(root)!r}]))
        reader.expect(sent)
        assert reader.read(sent)[0] == b"pixels"
        assert os.fsencode(DataRoots([{str(root)!r}]).find(sent)).endswith({name!r})
        print(ascii(sent))
    """
    plain = {**os.environ, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    sent = set()
    for locale in ("C.UTF-8", "POSIX"):
        done = subprocess.run(
            [sys.executable, "-c", script], env={**plain, "LC_ALL": locale}, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        sent.add(done.stdout)
    assert len(sent) == 1


@pytest.mark.parametrize(
    "path", ["../secret", "train/../../secret", "{tmp}/secret", "link", "folder/secret", ""]
)
def test_nothing_is_read_outside_the_data_roots(
    reader: FileReader, root: Path, tmp_path: Path, path: str
) -> None:
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "folder").symlink_to(tmp_path)
    before = open_files()
    path = path.format(tmp=tmp_path)
    reader.expect(path)
    with pytest.raises(ReadError, match="leads out of the data roots"):
        reader.read(path)
    assert open_files() == before


def test_links_that_stay_inside_are_followed(reader: FileReader, root: Path, tmp_path: Path) -> None:
    (root / "link").symlink_to("train/a.png")
    (root / "folder").symlink_to(root / "train")
    (tmp_path / "other name").symlink_to(root)
    (root / "train" / "up").symlink_to("../train/a.png")
    for path in ("link", "folder/a.png", "./train//a.png", "train/up", "folder/up"):
        assert content(reader, path) == b"pixels of a"
    assert content(FileReader(DataRoots([str(tmp_path / "other name")])), "train/a.png") == b"pixels of a"


def test_a_file_of_more_bytes_than_may_be_read_is_refused_by_its_size(root: Path) -> None:
    reader = FileReader(DataRoots([str(root)], max_file_bytes=11))
    assert content(reader, "train/a.png") == b"pixels of a"
    with (root / "huge.png").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ReadError, match=r"huge\.png: has 1,099,511,627,776 bytes .* more than 11 is read"):
        reader.read("huge.png")


@pytest.mark.parametrize("source", ["/proc/self/maps", "train/a.png"])
def test_a_file_that_grows_while_it_is_read_is_read_no_farther_than_allowed(
    root: Path, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that says it has no size, as in /proc."""
    reader = FileReader(DataRoots(["/"], max_file_bytes=30))
    reads = []
    read = os.read

    def read_and_append(file: int, num_bytes: int) -> bytes:
        with (root / "train/a.png").open("ab") as grown:
            grown.write(bytes(20))
        reads.append(read(file, num_bytes))
        return reads[-1]

    monkeypatch.setattr(os, "read", read_and_append)
    with pytest.raises(ReadError, match="more than 30 is read here"):
        reader.read(source if source.startswith("/") else f"{root}/{source}")
    assert len(reads) <= 3


def test_roots_are_looked_through_in_order(root: Path, tmp_path: Path) -> None:
    (tmp_path / "second" / "train").mkdir(parents=True)
    (tmp_path / "second" / "train" / "a.png").write_bytes(b"second a")
    (tmp_path / "second" / "train" / "c.png").write_bytes(b"second c")
    reader = FileReader(DataRoots([str(tmp_path / "none"), str(root), str(tmp_path / "second")]))
    assert content(reader, "train/a.png") == b"pixels of a"
    assert content(reader, "train/c.png") == b"second c"
    everywhere = FileReader(DataRoots(["/"]))
    assert content(everywhere, str(root / "train" / "b.png")) == b"pixels of b"
