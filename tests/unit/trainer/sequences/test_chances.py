"""What could be changed about a sequence, by its options and its files."""

from __future__ import annotations

from dataclasses import fields
from inspect import signature
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from feedline import BatchSequence, ImageDataset
from feedline.trainer.sequences.chances import chances
from feedline.trainer.sequences.options import SequenceOptions
from feedline.trainer.sequences.service import Service
from feedline.trainer.verdict.remedies import Possible

EMBEDDED, ELSEWHERE = SimpleNamespace(embedded=True), SimpleNamespace(embedded=False)


def found(data: ImageDataset, pool: Any = EMBEDDED, **options: Any) -> Possible:
    defaults = {name: one.default for name, one in signature(BatchSequence.__init__).parameters.items()}
    chosen = defaults | {"dataset": data, "image_size": (32, 40)} | options
    own = {field.name: chosen[field.name] for field in fields(SequenceOptions)}
    service = Service(None, None, None, chosen["max_queue_size"], 1.0)
    return chances(SequenceOptions(**own), service, pool)


def files(folder: Path, extension: str, height: int = 64, width: int = 80) -> ImageDataset:
    names = [f"{nth}.{extension}" for nth in range(4)]
    for name in names:
        assert cv2.imwrite(str(folder / name), np.zeros((height, width, 3), np.uint8))
    return ImageDataset.from_lists(names, directory=folder)


@pytest.mark.parametrize(
    ("extension", "size", "options", "helps"),
    [
        ("jpg", (64, 80), {}, True),
        ("jpg", (63, 80), {}, False),
        ("jpg", (64, 80), {"jpeg_scaling": True}, False),
        ("png", (64, 80), {}, False),
        ("jpg", (64, 80), {"image_size": None, "image_sizes": [(16, 16), (40, 40)]}, False),
    ],
)
def test_jpeg_scaling_is_for_jpeg_files_twice_as_large_and_only_if_it_is_off(
    tmp_path: Path, extension: str, size: tuple[int, int], options: dict[str, Any], helps: bool
) -> None:
    assert found(files(tmp_path, extension, *size), **options).jpeg_scaling is helps


def test_a_cache_is_possible_where_all_samples_fit(tmp_path: Path) -> None:
    possible = found(files(tmp_path, "png"))
    # 32 x 40 x 3 bytes and 8 for the size, rounded up to multiples of 64.
    assert (possible.cache, possible.cache_bytes) == ("memory", 4 * 3904)


def test_a_cache_of_many_terabytes_does_not_fit(tmp_path: Path) -> None:
    data = files(tmp_path, "png").subset([0] * 1000)
    assert found(data, image_size=(40_000, 40_000)).cache == ""


@pytest.mark.parametrize(
    "options", [{"cache": "disk"}, {"image_size": None, "image_sizes": [(8, 8), (16, 16)]}]
)
def test_no_cache_is_named_where_there_is_one_or_can_be_none(tmp_path: Path, options: dict[str, Any]) -> None:
    assert found(files(tmp_path, "png"), **options).cache == ""


def test_what_fits_on_other_machines_is_not_known(tmp_path: Path) -> None:
    assert found(files(tmp_path, "png"), ELSEWHERE).cache == ""


def test_files_that_cannot_be_read_here_say_nothing(tmp_path: Path) -> None:
    data = files(tmp_path, "jpg")
    for file in tmp_path.iterdir():
        file.unlink()
    assert not found(data, ELSEWHERE).jpeg_scaling


def test_a_queue_that_sizes_itself_is_not_to_be_changed(tmp_path: Path) -> None:
    data = files(tmp_path, "png")
    assert found(data).longer_queue
    assert not found(data, max_queue_size="auto").longer_queue
