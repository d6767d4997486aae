"""Keys as `feedline keygen` makes them: who may read them, and that none is ever overwritten."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from feedline.common.keys.files import Listing, ProducerKeys, TrainerKeys
from feedline.common.keys.making import make_keys
from feedline.errors import ConfigurationError
from feedline.trainer.commands.cli import main


@pytest.fixture(params=[0o022, 0o000, 0o077], ids=lambda mask: f"umask {mask:03o}")
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("umask")
def test_secrets_are_their_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    make_keys(keys)
    folders = [keys, *(path for path in keys.rglob("*") if path.is_dir())]
    assert {path.name: oct(mode(path)) for path in folders} == dict.fromkeys(
        ("keys", "trainer", "producers", "producer"), oct(0o700)
    )
    secrets = sorted(keys.rglob("*.key_secret"))
    assert [path.name for path in secrets] == ["producer.key_secret", "trainer.key_secret"]
    assert {mode(path) for path in secrets} == {0o600}


def test_each_side_finds_its_own_pair_and_the_public_key_of_the_other(tmp_path: Path) -> None:
    make_keys(tmp_path / "keys")
    for trainers, producers in (("keys", "keys"), ("keys/trainer", "keys/producer")):
        trainer, producer = TrainerKeys.read(tmp_path / trainers), ProducerKeys.read(tmp_path / producers)
        assert producer.trainer == trainer.own.public
        listing = Listing(trainer.producers)
        listing.review()
        assert listing.names == {producer.own.public: "producer"}
        assert trainer.own.secret not in b"".join(contents(producer.folder).values())


def test_no_secret_is_shown_by_a_repr(tmp_path: Path) -> None:
    make_keys(tmp_path)
    trainer, producer = TrainerKeys.read(tmp_path), ProducerKeys.read(tmp_path)
    shown = repr((trainer, producer))
    assert trainer.own.public.decode() in shown
    assert not any(keys.own.secret.decode() in shown for keys in (trainer, producer))


@pytest.mark.parametrize("name", [None, "producer", "lab"])
def test_nothing_is_overwritten(tmp_path: Path, name: str | None) -> None:
    make_keys(tmp_path, name)
    before = contents(tmp_path)
    with pytest.raises(ConfigurationError, match=r"there are keys in .* already"):
        make_keys(tmp_path, name)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize(
    ("moved", "known"), [("lab2", "trainer/producers/lab2.key"), ("trainer", "lab2/trainer.key")]
)
def test_a_pair_that_was_moved_to_its_host_is_not_made_anew(
    tmp_path: Path, moved: str, known: str, keep: bool
) -> None:
    keys = tmp_path / "keys"
    make_keys(keys, "lab2")
    (keys / moved).rename(tmp_path / "host")
    before = contents(tmp_path)
    name = "lab2" if moved == "lab2" else "lab3"
    with pytest.raises(ConfigurationError, match=rf"{known} is the public key of a pair that is not in"):
        make_keys(keys, name, keep=keep)
    assert contents(tmp_path) == before
    (keys / known).unlink()
    assert make_keys(keys, name)


def test_more_producers_get_keys_of_their_own_beside_the_one_trainer(tmp_path: Path) -> None:
    make_keys(tmp_path)
    before = contents(tmp_path)
    make_keys(tmp_path, "lab2")
    assert before.items() <= contents(tmp_path).items()
    first, second = ProducerKeys.read(tmp_path), ProducerKeys.read(tmp_path / "lab2")
    assert first.trainer == second.trainer
    assert first.own != second.own
    listing = Listing(TrainerKeys.read(tmp_path).producers)
    listing.review()
    assert sorted(listing.names.values()) == ["lab2", "producer"]


@pytest.mark.parametrize("name", ["trainer", "", "../x", "a/b", ".hidden", "x" * 65, "a b", "ä"])
def test_a_name_that_could_be_another_folder_is_refused(tmp_path: Path, name: str) -> None:
    if name:
        with pytest.raises(ConfigurationError, match="--producer takes a name"):
            make_keys(tmp_path, name)
    assert contents(tmp_path) == {}


def test_keys_that_are_missing_are_made_beside_those_that_are_there(tmp_path: Path) -> None:
    """What `docker compose up` does, every time; its folders are there already, as mounts."""
    for name in ("trainer", "producer"):
        (tmp_path / name).mkdir()
    assert make_keys(tmp_path, keep=True)
    before = contents(tmp_path)
    assert not make_keys(tmp_path, keep=True)
    assert contents(tmp_path) == before


def test_a_key_that_was_taken_off_the_list_stays_off(tmp_path: Path) -> None:
    make_keys(tmp_path)
    (tmp_path / "trainer/producers/producer.key").unlink()
    make_keys(tmp_path, keep=True)
    assert list((tmp_path / "trainer/producers").iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main(["keygen", str(tmp_path / "file" / "keys")]) == 1
    error = capsys.readouterr().err
    assert f"no keys could be written to {tmp_path}/file/keys" in error


def test_who_makes_keys_is_told_what_goes_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keygen", str(tmp_path / "my keys")]) == 0
    said = capsys.readouterr().out
    assert f"scp -r '{tmp_path}/my keys/producer' HOST:keys" in said
    assert "feedline-producer --connect tcp://TRAINER:5555 --keys keys" in said
    assert "keys=" in said
