"""Neighbouring slices become the channels of one image."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ct import HEAD, Array
from dicom_files import UNSIGNED, dicom_bytes

from feedline.common.job.caching import CacheKind, CacheSpec
from feedline.common.job.images import Job
from feedline.common.sample.image import ImageSpec
from feedline.common.wire.protocol import Sample, Ticket
from feedline.errors import SampleError
from feedline.producer.building.batches import BatchBuilder
from feedline.producer.cache.folder import CacheSettings
from feedline.producer.reading.roots import DataRoots
from feedline.transforms import RandomBrightness, RandomContrast, RandomCrop, RandomFlip, RandomRotation

ONE = ImageSpec(48, 64, HEAD)
NAMES = tuple(f"{number}.dcm" for number in range(5))
RANDOM = (
    RandomFlip(),
    RandomRotation(0.2),
    RandomCrop(40, 44),
    RandomBrightness(0.2),
    RandomContrast(0.3),
)
STACKS = (("0.dcm", "0.dcm", "1.dcm"), ("0.dcm", "1.dcm", "2.dcm"), ("3.dcm", "4.dcm", "4.dcm"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Slices, no two alike."""
    result = tmp_path_factory.mktemp("slices")
    for number, name in enumerate(NAMES):
        stored = np.roll(UNSIGNED, 7 * number) % 500 + 900
        (result / name).write_bytes(dicom_bytes(stored.astype(np.uint16)))
    return result


def built(folder: Path, image: ImageSpec, samples: list[Sample], **job: Any) -> Array:
    """The images of a batch."""
    wanted = Job(1, 5, len(samples), image, (), "uint8", ())
    wanted = replace(wanted, **job)
    builder = BatchBuilder(wanted, DataRoots([str(folder)]), CacheSettings(str(folder / "cache")))
    buffer = builder.build(Ticket(1, 2, 0, 1, 0, tuple(samples), ()), lambda: False)
    x = wanted.layout(len(samples)).views(buffer)["x"].copy()
    builder.close()
    return x


def samples_of(stacks: tuple[tuple[str, ...], ...]) -> list[Sample]:
    return [Sample(paths, row) for row, paths in enumerate(stacks)]


@pytest.mark.parametrize("transforms", [(), RANDOM], ids=["plain", "transformed"])
@pytest.mark.parametrize(
    ("image", "dtype"),
    [(ONE, "uint8"), (ONE, "float32"), (ImageSpec(48, 64, "hounsfield", dtype="int16"), "int16")],
    ids=["windows", "floats", "units"],
)
def test_each_slice_of_a_stack_is_what_it_is_alone(
    folder: Path, image: ImageSpec, dtype: str, transforms: tuple[Any, ...]
) -> None:
    """All slices go through the same transforms with the draws of their sample."""
    if dtype == "int16":
        transforms = transforms[:3]  # the others would need another range of values
    job = {"transforms": transforms, "dtype": dtype}

    x = built(folder, replace(image, slices=3), samples_of(STACKS), **job)

    for place in range(3):
        alone = built(folder, image, samples_of(tuple((stack[place],) for stack in STACKS)), **job)
        own = slice(place * image.channels, (place + 1) * image.channels)
        assert np.array_equal(x[..., own], alone)
    assert x.shape[-1] == 3 * image.channels


@pytest.mark.exhaustive
def test_slices_in_a_cache_are_kept_once_and_make_the_same_batches(folder: Path) -> None:
    image = replace(ONE, slices=3)
    cache = CacheSpec(CacheKind.DISK, 1 << 24, 3 * len(STACKS))
    samples = samples_of(STACKS)
    bare = built(folder, image, samples, transforms=RANDOM)

    for _ in range(2):
        assert np.array_equal(built(folder, image, samples, transforms=RANDOM, cache=cache), bare)

    (file,) = (folder / "cache").iterdir()
    pixels = built(folder, ONE, samples_of(tuple((name,) for name in NAMES)))
    content = file.read_bytes()
    assert all(content.count(slice_.tobytes()) == 1 for slice_ in pixels)


def test_a_slice_that_cannot_be_used_is_named(folder: Path) -> None:
    (folder / "cut.dcm").write_bytes(dicom_bytes(UNSIGNED)[:-100])
    with pytest.raises(SampleError, match=r"cut\.dcm: .*12,188 of 12,288 bytes"):
        built(folder, replace(ONE, slices=2), samples_of((("0.dcm", "cut.dcm"),)))
