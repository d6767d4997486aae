"""A folder of keys that cannot be used: the file is named, and what to do."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from feedline.common.keys.files import Listing, ProducerKeys, TrainerKeys, read_pair, read_public
from feedline.common.keys.making import make_keys
from feedline.errors import ConfigurationError

TRAINERS, PRODUCERS = "trainer/trainer.key_secret", "producer/producer.key_secret"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    make_keys(tmp_path)
    return tmp_path


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def mix_up(path: Path) -> None:
    """The public key of one pair, the secret one of another."""
    make_keys(path.parent / "others")
    other = (path.parent / "others" / TRAINERS).read_text()
    secret = re.search('secret-key = "(.*)"', other)
    assert secret
    path.write_text(re.sub('secret-key = ".*"', secret[0].replace("\\", r"\\"), path.read_text()))


FAULTS: list[tuple[str, Callable[[Path], object], str]] = [
    (TRAINERS, lambda path: path.chmod(0o640), r"mode 0640 lets others at it: chmod 600 {path}"),
    (PRODUCERS, lambda path: path.chmod(0o604), r"mode 0604 lets others at it: chmod 600 {path}"),
    (TRAINERS, cut, "{path} is damaged"),
    (TRAINERS, mix_up, "{path} is damaged"),
    (PRODUCERS, cut, "{path} is damaged"),
    (PRODUCERS, lambda path: path.write_bytes(os.urandom(300)), "{path} is damaged"),
    ("producer/trainer.key", cut, "{path} is damaged"),
    ("producer/trainer.key", lambda path: path.write_text('public-key = "' + 40 * "~" + '"'), "is damaged"),
    (TRAINERS, Path.unlink, "there is no trainer.key_secret in {folder} or {folder}/trainer"),
    (PRODUCERS, Path.unlink, r"{folder}/producer has none"),
    ("producer/trainer.key", Path.unlink, "there is no trainer.key in {folder} or {folder}/producer"),
    (
        "trainer/producers/producer.key",
        lambda path: (path.unlink(), path.parent.rmdir()),
        "producers is missing",
    ),
]


@pytest.mark.parametrize(("name", "spoil", "expected"), FAULTS)
def test_a_file_that_cannot_be_used_is_named_with_the_remedy(
    keys: Path, name: str, spoil: Callable[[Path], object], expected: str
) -> None:
    reader = TrainerKeys if name.startswith("trainer/") else ProducerKeys
    reader.read(keys)
    spoil(keys / name)
    text = re.escape(expected.format(path=keys / name, folder=keys))
    with pytest.raises(ConfigurationError, match=text):
        reader.read(keys)


def test_a_producer_does_not_choose_between_two_pairs(keys: Path) -> None:
    make_keys(keys, "lab")
    (keys / "lab/lab.key_secret").rename(keys / "producer/lab.key_secret")
    with pytest.raises(ConfigurationError, match=r"has lab\.key_secret, producer\.key_secret"):
        ProducerKeys.read(keys)


def test_the_list_is_what_the_folder_is(keys: Path) -> None:
    listing = Listing(keys / "trainer/producers")
    assert listing.review() == set()
    (producer,) = listing.names
    make_keys(keys, "lab")
    assert listing.review() == set()
    assert sorted(listing.names.values()) == ["lab", "producer"]
    (keys / "trainer/producers/producer.key").unlink()
    assert listing.review() == {producer}
    assert listing.review() == set()
    assert list(listing.names.values()) == ["lab"]


def test_a_list_that_is_gone_lets_nobody_in(keys: Path) -> None:
    listing = Listing(keys / "trainer/producers")
    listing.review()
    (keys / "trainer/producers").rename(keys / "elsewhere")
    assert len(listing.review()) == 1
    assert listing.names == {}


@pytest.mark.parametrize("name", [".#notes", "lab.key"])
def test_a_link_that_leads_nowhere_hides_no_change_of_others(keys: Path, name: str) -> None:
    place = keys / "trainer/producers"
    (place / name).symlink_to("gone")
    listing = Listing(place)
    listing.review()
    (producer,) = listing.names
    assert [name in trouble for trouble in listing.troubles] == [True] * name.endswith(".key")
    make_keys(keys, "other")
    listing.review()
    assert sorted(listing.names.values()) == ["other", "producer"]
    (place / "producer.key").unlink()
    assert listing.review() == {producer}
    assert list(listing.names.values()) == ["other"]


def test_a_listed_file_that_is_no_key_is_named_and_others_stay(keys: Path) -> None:
    listing = Listing(keys / "trainer/producers")
    (keys / "trainer/producers/broken.key").write_text("no key")
    listing.review()
    assert list(listing.names.values()) == ["producer"]
    (trouble,) = listing.troubles
    assert f"{keys}/trainer/producers/broken.key is damaged" in trouble


def test_a_key_that_is_replaced_under_its_name_is_another_key(keys: Path) -> None:
    listing = Listing(keys / "trainer/producers")
    listing.review()
    before = set(listing.names)
    make_keys(keys / "others")
    (keys / "others/producer/producer.key").replace(keys / "trainer/producers/producer.key")
    assert listing.review() == before
    assert len(listing.names) == 1


def test_however_a_file_is_damaged_it_is_read_or_said_to_be_damaged(keys: Path) -> None:
    path, chance = keys / PRODUCERS, random.Random(1)
    whole, outcomes = path.read_bytes(), set()
    for _ in range(500):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 6)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        path.write_bytes(damaged[: chance.randint(0, len(damaged))] if chance.random() < 0.3 else damaged)
        for read in (read_pair, read_public):
            try:
                read(path)
                outcomes.add("read")
            except ConfigurationError as error:
                outcomes.add("damaged" if f"{path} is damaged" in str(error) else str(error))
    assert outcomes == {"read", "damaged"}
