"""Photographs become tiles: honest, labelled, whole or not there."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import cv2
import numpy as np
import pytest

from feedline.errors import ConfigurationError
from feedline.trainer.demo import photos
from feedline.trainer.demo.corpus import class_folders, photo_tiles
from feedline.trainer.demo.photos import (
    PHOTOS,
    TRAIN,
    VALIDATION,
    Photo,
    Pixels,
    Recipe,
    resized,
    tiles_folder,
    tiles_of,
)

GREY = Photo("coins", "coins")
COLOURFUL = Photo("flower", "flower.jpg")
SMALL = Recipe(photos=(GREY, COLOURFUL), stride=16)


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of tiles of two photographs, one from each wheel."""
    return tiles_folder(tmp_path_factory.mktemp("cache"), SMALL)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def read(file: Path) -> Pixels:
    return np.asarray(cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB), np.uint8)


def place_of(name: str, recipe: Recipe) -> tuple[slice, slice]:
    """Rows and columns of the resized photograph that a tile shows."""
    row, column, y, x = (int(number) for number in name.split("-")[1:])
    top, left = row * recipe.block + y, column * recipe.block + x
    return slice(top, top + recipe.tile), slice(left, left + recipe.tile)


def test_every_photograph_ships_with_its_wheel_and_gives_hundreds_of_tiles() -> None:
    sizes = []
    for photo in PHOTOS:
        image = photo.load()
        assert (image.ndim, image.shape[2], image.dtype) == (3, 3, np.uint8), photo
        parts = [name.partition("-")[0] for name, _ in tiles_of(photo, Recipe())]
        assert 0.15 < parts.count(VALIDATION) / len(parts) < 0.25, photo
        sizes.append(len(parts))

    assert len({photo.label for photo in PHOTOS}) == len(PHOTOS)
    assert 2000 < sum(sizes) < 6000
    assert max(sizes) < 2 * min(sizes)


def test_validation_tiles_share_no_pixel_with_training_tiles() -> None:
    for photo in PHOTOS:
        seen = {
            part: np.zeros(resized(photo.load(), 480).shape[:2], np.bool_) for part in (TRAIN, VALIDATION)
        }
        for name, pixels in tiles_of(photo, Recipe()):
            place = place_of(name, Recipe())
            seen[name.partition("-")[0]][place] = True
            assert pixels.shape == (80, 80, 3)
        assert seen[TRAIN].any()
        assert not (seen[TRAIN] & seen[VALIDATION]).any()


def test_a_tile_shows_the_place_of_the_photograph_that_its_name_and_folder_say(tiles: Path) -> None:
    for photo in SMALL.photos:
        image = resized(photo.load(), SMALL.short_side).astype(int)
        files = sorted((tiles / photo.label).iterdir())
        assert len(files) > 20
        for file in files:
            there = image[place_of(file.stem, SMALL)]
            # As much as JPEG at quality 90 changes it.
            assert np.abs(read(file) - there).mean() < 10, file


def test_two_caches_get_the_same_names_and_bytes(tiles: Path, tmp_path: Path) -> None:
    assert contents(tiles_folder(tmp_path, SMALL)) == contents(tiles)


def test_tiles_are_cut_once(tiles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photos, "_write_tiles", lambda *_: pytest.fail("cut again"))

    assert tiles_folder(tiles.parent, SMALL) == tiles


def test_another_recipe_gets_another_folder() -> None:
    recipes = [SMALL, Recipe(), Recipe(quality=80), Recipe(photos=PHOTOS[:3]), Recipe(version=99)]

    assert len({recipe.folder_name for recipe in recipes}) == len(recipes)
    assert Recipe().folder_name == Recipe().folder_name


@pytest.mark.parametrize("cause", [KeyboardInterrupt, MemoryError])
def test_a_cut_that_was_interrupted_leaves_nothing(
    cause: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tiles = photos._write_tiles

    def write_one_and_stop(photo: Photo, recipe: Recipe, folder: Path) -> None:
        if photo is COLOURFUL:
            raise cause
        write_tiles(photo, recipe, folder)

    monkeypatch.setattr(photos, "_write_tiles", write_one_and_stop)

    with pytest.raises(cause):
        tiles_folder(tmp_path, SMALL)
    assert list(tmp_path.iterdir()) == []


def test_of_two_runs_that_cut_at_once_the_first_to_finish_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    winner = tmp_path / SMALL.folder_name

    def write_while_another_finishes(_photo: Photo, _recipe: Recipe, folder: Path) -> None:
        folder.mkdir(parents=True)
        winner.mkdir(exist_ok=True)
        (winner / "theirs").touch()

    monkeypatch.setattr(photos, "_write_tiles", write_while_another_finishes)

    assert tiles_folder(tmp_path, SMALL) == winner
    assert list(tmp_path.rglob("*")) == [winner, winner / "theirs"]


def test_a_cache_folder_that_cannot_be_made_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ConfigurationError, match=r"cache.*Choose another --cache-dir"):
        tiles_folder(tmp_path / "file" / "cache", SMALL)


def test_the_dataset_of_tiles_names_files_below_the_cache_and_labels_them_by_photograph(
    tiles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("feedline.trainer.demo.corpus.tiles_folder", lambda _cache_dir: tiles)

    corpus = photo_tiles(tiles.parent)

    assert corpus.class_names == ["coins", "flower"]
    for data, part in ((corpus.train, TRAIN), (corpus.validation, VALIDATION)):
        assert data.directory == str(tiles.parent)
        for filename, label in zip(data.filenames, data.labels, strict=True):
            folder, photo, name = filename.split("/")
            assert (folder, photo) == (tiles.name, corpus.class_names[label])
            assert name.startswith(part)
    assert len(corpus.train) + len(corpus.validation) == len(contents(tiles))


def test_ones_own_folder_gives_a_fifth_of_each_class_for_validation(tmp_path: Path) -> None:
    for kind, number in product(("cat", "dog"), range(10)):
        (tmp_path / kind).mkdir(exist_ok=True)
        (tmp_path / kind / f"{number}.{('jpg', 'webp', 'tiff')[number % 3]}").touch()

    corpus = class_folders(tmp_path, seed=7)

    assert np.bincount(corpus.train.labels).tolist() == [8, 8]
    assert np.bincount(corpus.validation.labels).tolist() == [2, 2]
    assert corpus.class_names == ["cat", "dog"]
    for data in (corpus.train, corpus.validation):
        assert [name.split("/")[0] for name in data.filenames] == [corpus.class_names[i] for i in data.labels]


def test_what_is_left_out_of_a_folder_is_told_without_remedies_that_the_demo_has_not(
    tmp_path: Path,
) -> None:
    for kind, number in product(("cat", "dog"), range(10)):
        (tmp_path / kind).mkdir(exist_ok=True)
        (tmp_path / kind / f"{number}.jpg").touch()
    (tmp_path / "cat" / "a.heic").touch()

    with pytest.warns(UserWarning, match=r"left out of .*not taken from folders \('cat/a.heic'\)$"):
        class_folders(tmp_path, seed=7)
