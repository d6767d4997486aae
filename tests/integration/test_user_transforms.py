"""Functions of users and pipelines of albumentations in producers: the same bytes, and whose fault it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import albumentations as A  # noqa: N812 - as everybody calls it
import numpy as np
import pytest
from children import PATIENCE_S, pool_of, producer, producers_elsewhere
from images import numbered, rows_in, write_photos

from feedline import BatchSequence, ImageDataset, ProducerPool
from feedline.common.batch.layout import digest
from feedline.errors import BatchError
from feedline.transforms import (
    Albumentations,
    GaussianNoise,
    PythonTransform,
    RandomBrightness,
    RandomFlip,
    Rescaling,
    Transform,
)

TESTS = str(Path(__file__).parent.parent)
NUM_ROWS = 21
INVERT = PythonTransform("user_code:invert", {"dots": 9})
NOISE = A.Compose([A.Rotate(30, p=1), A.RandomCrop(24, 40), A.GaussNoise(p=1), A.CoarseDropout(p=0.5)])
RANDOM = [RandomFlip("horizontal"), INVERT, Albumentations(A.to_dict(NOISE), image_size=(24, 40))]


def photos(folder: Path) -> ImageDataset:
    return ImageDataset.from_lists(write_photos(folder, NUM_ROWS), np.arange(NUM_ROWS), directory=folder)


def two_epochs(data: ImageDataset, pool: ProducerPool, transforms: list[Transform]) -> list[str]:
    """SHA-256 of each batch."""
    with BatchSequence(
        data, batch_size=4, image_size=(48, 64), transforms=transforms, pool=pool, timeout_s=PATIENCE_S
    ) as sequence:
        return [digest({"x": x, "y": y}) for _ in range(2) for x, y in sequence]


def test_any_number_of_producers_makes_the_same_bytes(tmp_path: Path) -> None:
    data = photos(tmp_path)
    with pool_of(1) as pool:
        expected = two_epochs(data, pool, RANDOM)
    with pool_of(3) as pool:
        assert two_epochs(data, pool, RANDOM) == expected
    assert len(set(expected)) == len(expected) == 12


def test_a_function_that_the_operator_allowed_runs_elsewhere_and_changes_every_image(tmp_path: Path) -> None:
    data = numbered(tmp_path, NUM_ROWS)
    allowed = ("--allow", "user_code", "--import-path", TESTS)
    with ProducerPool("tcp://127.0.0.1:*") as pool:
        command = producer(pool.endpoint, tmp_path, "elsewhere", workers=2)
        options: dict[str, Any] = {"pool": pool, "image_size": (24, 32), "timeout_s": PATIENCE_S}
        transforms = [PythonTransform("user_code:invert")]
        with (
            producers_elsewhere(*command, *allowed),
            BatchSequence(data, transforms=transforms, **options) as sequence,
        ):
            for x, y in sequence:
                assert rows_in(255 - x) == y.tolist()


def test_a_function_that_he_did_not_allow_is_refused_with_his_flag(tmp_path: Path) -> None:
    data = numbered(tmp_path, NUM_ROWS)
    with ProducerPool("tcp://127.0.0.1:*") as pool:
        command = producer(pool.endpoint, tmp_path, "strict")
        with (
            producers_elsewhere(*command, "--import-path", TESTS),
            BatchSequence(data, transforms=[INVERT], pool=pool, timeout_s=PATIENCE_S) as sequence,
            pytest.raises(BatchError, match=r"--allow user_code \(producer strict/0\)"),
        ):
            sequence[0]


def test_a_function_that_fails_names_itself_the_file_and_the_producer_with_its_traceback(
    tmp_path: Path,
) -> None:
    data = numbered(tmp_path, 1)
    transforms = [PythonTransform("user_code:fail")]
    expected = r"(?s)0000\.png: user_code:fail raised ValueError: no such luck \(producer .*\).*in fail"
    with (
        BatchSequence(data, transforms=transforms, workers=1) as sequence,
        pytest.raises(BatchError, match=expected),
    ):
        sequence[0]


def test_a_function_that_crashes_the_process_is_named_by_the_last_words(tmp_path: Path) -> None:
    data = numbered(tmp_path, 1)
    expected = (
        r"(?s)0000\.png: kills who uses it: 3 times, a process that was transforming it was ended by SIGSEGV"
        r".*Segmentation fault.*user_code\.py\", line \d+ in crash"
    )
    with (
        BatchSequence(data, transforms=[PythonTransform("user_code:crash")], workers=1) as sequence,
        pytest.raises(BatchError, match=expected),
    ):
        sequence[0]


def test_transforms_that_are_told_another_range_than_their_pixels_have_are_warned_of_where_they_are_declared(
    tmp_path: Path,
) -> None:
    data = numbered(tmp_path, 1)
    for transforms in ([RandomBrightness(0.1, (0, 1))], [Rescaling(1 / 255), GaussianNoise(0.1)]):
        with (
            pytest.warns(UserWarning, match="gets pixels from 0 to .* say value_range=") as warned,
            BatchSequence(data, transforms=transforms, workers=1),
        ):
            pass
        assert [warning.filename for warning in warned] == [__file__]
