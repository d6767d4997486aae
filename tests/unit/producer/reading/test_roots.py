"""A producer reads under its data roots and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from feedline.errors import ConfigurationError, ReadError
from feedline.producer.reading.files import FileReader
from feedline.producer.reading.roots import DataRoots


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """Two roots and a secret beside them."""
    for file in (
        "first/a.png",
        "first/sub/b.png",
        "second/a.png",
        "second/c.png",
        "secret.txt",
        "first-too/x",
    ):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(file)
    return tmp_path


@pytest.fixture
def roots(disk: Path) -> DataRoots:
    return DataRoots([str(disk / "first"), str(disk / "second")])


def refusal(roots: DataRoots, path: str) -> str:
    with pytest.raises(ReadError) as caught:
        roots.find(path)
    assert caught.value.path == path
    return caught.value.reason


def test_roots_are_searched_in_order(roots: DataRoots, disk: Path) -> None:
    assert roots.find("a.png") == str(disk / "first/a.png")
    assert roots.find("c.png") == str(disk / "second/c.png")
    assert roots.find("sub/b.png") == str(disk / "first/sub/b.png")


def test_a_missing_file_is_told_apart_from_one_outside(roots: DataRoots, disk: Path) -> None:
    reason = refusal(roots, "nowhere.png")
    assert "not found" in reason
    assert str(disk / "first") in reason
    assert str(disk / "second") in reason


@pytest.mark.parametrize(
    "path",
    ["../secret.txt", "sub/../../secret.txt", "../first-too/x", "..", ".", "", "../first", "sub/../.."],
)
def test_a_path_cannot_climb_out(roots: DataRoots, path: str) -> None:
    assert "leads out" in refusal(roots, path)


@pytest.mark.parametrize(
    "path", ["sub/../a.png", "../first/a.png", "{disk}/second/a.png", "/etc/passwd", "//"]
)
def test_names_go_down_from_a_root_and_nowhere_else(roots: DataRoots, disk: Path, path: str) -> None:
    """Not even where they would come back: where ``..`` leads is up to links."""
    assert "leads out" in refusal(roots, path.format(disk=disk))


def test_dots_within_names_are_no_way_up(roots: DataRoots, disk: Path) -> None:
    for name in ("a..png", "..a", "a..", "sub./..b"):
        (disk / "first" / name).parent.mkdir(exist_ok=True)
        (disk / "first" / name).write_text(name)
        assert roots.find(f"./{name}") == str(disk / "first" / name)


def test_a_symlink_may_lead_to_another_place_in_the_root_but_not_out(roots: DataRoots, disk: Path) -> None:
    (disk / "first/inside.png").symlink_to("sub/b.png")
    (disk / "first/outside.png").symlink_to(disk / "secret.txt")
    (disk / "first/folder").symlink_to(disk)
    assert roots.find("inside.png") == str(disk / "first/sub/b.png")
    assert "leads out" in refusal(roots, "outside.png")
    assert "leads out" in refusal(roots, "folder/secret.txt")


def test_a_symlink_out_of_one_root_does_not_hide_the_file_of_another(roots: DataRoots, disk: Path) -> None:
    (disk / "first/c.png").symlink_to(disk / "secret.txt")
    assert roots.find("c.png") == str(disk / "second/c.png")


def test_a_root_may_be_a_symlink_itself(disk: Path) -> None:
    (disk / "link").symlink_to(disk / "second")
    assert DataRoots([str(disk / "link")]).find("c.png") == str(disk / "second/c.png")


def test_a_symlink_in_a_circle_is_a_read_error(roots: DataRoots, disk: Path) -> None:
    (disk / "first/ring").symlink_to("ring")
    with pytest.raises(ReadError, match="symbolic links"):
        FileReader(roots).read("ring")


@pytest.mark.parametrize(
    ("name", "there", "difference"),
    [
        ("C.PNG", "c.png", "upper and lower case"),
        (" c.png", "c.png", "blanks around a name"),
        ("sub\\d.png", "sub/d.png", r"'\' where '/' is meant"),
    ],
)
def test_a_file_whose_name_looks_the_same_is_named(
    roots: DataRoots, disk: Path, name: str, there: str, difference: str
) -> None:
    (disk / "second/sub").mkdir()
    (disk / "second/sub/d.png").write_text("d")
    assert f"; {there!r} is there, and differs in {difference}" in refusal(roots, name)


def test_nothing_outside_the_roots_is_looked_for(roots: DataRoots, disk: Path) -> None:
    (disk / "Secret.txt").write_text("!")
    assert "is there" not in refusal(roots, str(disk / "SECRET.txt"))
    assert "is there" not in refusal(roots, "../SECRET.txt")
    (disk / "first/Folder").symlink_to(disk)
    assert "is there" not in refusal(roots, "folder/secret.txt")
    (disk / "first/Secret.txt").symlink_to(disk / "secret.txt")
    assert "is there" not in refusal(roots, "secret.txt")


def test_a_null_byte_is_a_read_error(roots: DataRoots) -> None:
    assert "not a file name" in refusal(roots, "a\0.png")


def test_an_endless_name_is_a_read_error(roots: DataRoots) -> None:
    assert "not found under the data roots" in refusal(roots, "x" * 5000)


def test_a_name_that_is_not_utf8_is_found(roots: DataRoots, disk: Path) -> None:
    name = b"\xe4\xff.png".decode(errors="surrogateescape")
    (disk / "second" / name).write_text("odd")
    assert roots.find(name) == str(disk / "second" / name)


def test_the_root_of_all_gives_everything(disk: Path) -> None:
    everything = DataRoots(["/"])
    assert everything.find(str(disk / "secret.txt")) == str(disk / "secret.txt")
    assert everything.find(str(disk)[1:] + "/secret.txt") == str(disk / "secret.txt")


@pytest.mark.parametrize("link", ["sub", "sub/deep"])
def test_a_root_below_another_that_is_exchanged_for_a_link_leads_nowhere_outside(
    disk: Path, link: str
) -> None:
    """Whoever may write below the outer one does not say what else may be read."""
    for file in ("outer/sub/deep/a.png", "hidden/a.png", "hidden/b.png", "hidden/deep/b.png"):
        (disk / file).parent.mkdir(parents=True, exist_ok=True)
        (disk / file).write_text(file)
    roots = DataRoots([str(disk / folder) for folder in ("outer/sub/deep", "outer/sub", "outer")])
    assert roots.find("a.png") == str(disk / "outer/sub/deep/a.png")
    (disk / "outer" / link).rename(disk / "outer/moved")
    (disk / "outer" / link).symlink_to(disk / "hidden")
    assert "leads out" in refusal(roots, "b.png")
    assert "leads out" in refusal(roots, "a.png")
    assert roots.open_at_once("b.png") is None
    (disk / "outer" / link).unlink()
    (disk / "outer/moved").rename(disk / "outer" / link)
    assert roots.find("a.png") == str(disk / "outer/sub/deep/a.png")


def test_a_root_below_another_may_be_exchanged_for_a_link_that_stays_inside(disk: Path) -> None:
    roots = DataRoots([str(disk / "first/sub"), str(disk / "first")])
    (disk / "first/sub").rename(disk / "first/moved")
    (disk / "first/sub").symlink_to("moved")
    assert roots.find("b.png") == str(disk / "first/moved/b.png")


def test_a_root_that_is_not_there_yet_is_searched_later(disk: Path) -> None:
    roots = DataRoots([str(disk / "mounted-later"), str(disk / "second")])
    assert roots.find("c.png") == str(disk / "second/c.png")
    (disk / "mounted-later").mkdir()
    (disk / "mounted-later/c.png").write_text("new")
    assert roots.find("c.png") == str(disk / "mounted-later/c.png")


def test_no_root_at_all_and_a_file_as_root_are_refused(disk: Path) -> None:
    with pytest.raises(ConfigurationError, match="at least one"):
        DataRoots([])
    with pytest.raises(ConfigurationError, match="is a file"):
        DataRoots([str(disk / "secret.txt")])
