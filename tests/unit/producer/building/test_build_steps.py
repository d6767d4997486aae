"""A ticket becomes a batch: the same as one made step by step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

from feedline.common.batch.layout import ArraySpec
from feedline.common.draws import Purpose, uniforms
from feedline.common.job.images import Job
from feedline.common.sample.image import ImageSpec
from feedline.common.wire.protocol import Sample, Ticket
from feedline.errors import SampleError
from feedline.producer.building.batches import NUM_READ_AHEAD, BatchBuilder, CancelledBuildError
from feedline.producer.reading.decoders import load
from feedline.producer.reading.roots import DataRoots
from feedline.producer.transforms import Pipeline
from feedline.transforms import RandomBrightness, RandomContrast, RandomCrop, RandomFlip, Rescaling, Transform

NUM_FILES = 3 * NUM_READ_AHEAD + 2


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    for number in range(NUM_FILES):
        pixels = np.roll(skimage.data.astronaut()[:90, :120], 9 * number, axis=1)
        assert cv2.imwrite(str(folder / f"{number}.{'png' if number % 2 else 'jpg'}"), pixels)
    return folder


def ticket(numbers: Sequence[int], epoch: int = 3) -> Ticket:
    samples = tuple(
        Sample((f"{number}.{'png' if number % 2 else 'jpg'}",), number, occurrence)
        for occurrence, number in enumerate(numbers)
    )
    labels = np.asarray(numbers, np.int64).tobytes()
    return Ticket(1, epoch, 0, 1, 0, samples, (labels,))


def job(transforms: Sequence[Transform], size: tuple[int, int], color_mode: str = "rgb") -> Job:
    targets = (ArraySpec("y", (), "int64"),)
    return Job(1, 7, NUM_FILES, ImageSpec(*size, color_mode), tuple(transforms), "uint8", targets)


def never() -> bool:
    return False


def num_open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("size", [(90, 120), (64, 48)])
@pytest.mark.parametrize("color_mode", ["grayscale", "rgb"])
@pytest.mark.parametrize(
    "transforms",
    [
        [],
        [RandomFlip("horizontal"), RandomBrightness(0.3)],
        [RandomFlip("vertical"), RandomFlip("horizontal")],
        [RandomContrast(0.5), RandomFlip()],
        [RandomCrop(32, 32), Rescaling(1 / 255)],
    ],
    ids=len,
)
def test_a_batch_is_what_its_parts_make_one_after_another(
    root: Path, size: tuple[int, int], color_mode: str, transforms: list[Transform]
) -> None:
    wanted = job(transforms, size, color_mode)
    order = [*range(NUM_FILES - 1, 0, -1), 5]
    builder = BatchBuilder(wanted, DataRoots([str(root)]))
    for epoch in (3, 4):
        arrays = wanted.layout(len(order)).views(builder.build(ticket(order, epoch), never))
        for sample, out in zip(ticket(order, epoch).samples, arrays["x"], strict=True):
            pipeline = Pipeline(transforms, size, wanted.image.channels, "uint8", wanted.x.dtype)
            image = load((root / sample.paths[0]).read_bytes(), "a", wanted.image)
            draws = uniforms(
                Purpose.TRANSFORM, 7, epoch, pipeline.num_draws, row=sample.row, occurrence=sample.occurrence
            )
            expected = np.empty(wanted.x.shape, wanted.x.dtype)
            pipeline.apply(image, draws, expected)
            np.testing.assert_array_equal(out, expected)
        np.testing.assert_array_equal(arrays["y"], order)


def test_a_file_that_fails_is_named_and_no_file_stays_open(root: Path) -> None:
    (root / "999.png").write_bytes((root / "1.png").read_bytes()[:-30])
    builder = BatchBuilder(job([], (90, 120)), DataRoots([str(root)]))
    before = num_open_files()
    with pytest.raises(SampleError, match=r"999\.png: the PNG is cut off"):
        builder.build(ticket([0, 1, 999, 3, 4]), never)
    with pytest.raises(SampleError, match=r"555\.png: not found"):
        builder.build(ticket([0, 1, 555, 2]), never)
    assert num_open_files() == before
    assert (builder.build(ticket([2]), never) > 0).any()


def test_a_cancelled_batch_ends_before_its_next_sample(root: Path) -> None:
    builder = BatchBuilder(job([], (90, 120)), DataRoots([str(root)]))
    before = num_open_files()
    answers = iter([False, False, True])
    with pytest.raises(CancelledBuildError):
        builder.build(ticket([0, 1, 2, 3]), lambda: next(answers))
    assert num_open_files() == before
