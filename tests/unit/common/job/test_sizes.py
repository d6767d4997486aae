"""Which size a batch of a multi-scale job has, and which two Keras is shown."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedline.common.job.caching import CacheSpec
from feedline.common.job.images import Job
from feedline.common.job.kinds import job_from_wire, job_to_wire
from feedline.common.job.sizes import FIRST_PEEK, SizesJob, peek_at, peeked_sizes, planned_step
from feedline.common.sample.boxes import BoxSpec
from feedline.common.sample.image import Fit, ImageSpec, Size
from feedline.errors import ConfigurationError, RemoteProtocolError
from feedline.transforms import RandomCrop, YoloAugment

SIZES = ((320, 320), (352, 352), (608, 608), (416, 416))
JOB = Job(3, 7, 4, ImageSpec(416, 416, fit=Fit.FRAMED), (YoloAugment(),), "uint8", (), boxes=BoxSpec(20))


def some_sizes() -> st.SearchStrategy[list[Size]]:
    side = st.integers(1, 20)
    return st.lists(st.tuples(side, side), min_size=2, max_size=6, unique=True)


def test_the_size_of_a_batch_is_the_same_for_ever() -> None:
    job = SizesJob(JOB, SIZES)
    sizes = [[job.size_of(epoch, step)[0] for step in range(8)] for epoch in (0, 1)]
    assert sizes == STORED


STORED = [[352, 608, 416, 608, 416, 608, 352, 320], [608, 352, 416, 416, 416, 608, 352, 320]]
"""Of this seed: a resumed run goes on with them."""


def test_all_sizes_come_about_equally_often() -> None:
    job = SizesJob(JOB, SIZES)
    drawn = [job.size_of(epoch, step) for epoch in range(20) for step in range(100)]
    assert all(400 < drawn.count(size) < 600 for size in SIZES)


def test_a_batch_has_its_size_and_all_else_of_the_job() -> None:
    job = SizesJob(JOB, SIZES)
    made = job.of_step(0, 0)
    assert made.image.size == job.size_of(0, 0)
    assert (made.transforms, made.boxes, made.seed, made.job_id) == (JOB.transforms, JOB.boxes, 7, 3)
    assert made.x.shape == (*job.size_of(0, 0), 3)


def test_slots_hold_the_largest() -> None:
    job = SizesJob(JOB, SIZES)
    assert job.slot_bytes == job.of_size((608, 608)).slot_bytes
    assert job.slot_bytes > max(job.of_size(size).slot_bytes for size in SIZES if size != (608, 608))


@given(st.integers(0, 10**6), st.integers(0, 1))
def test_a_peek_is_no_step_of_the_epoch_and_has_the_samples_of_one(step: int, place: int) -> None:
    assert peek_at(step, place) >= FIRST_PEEK
    assert planned_step(peek_at(step, place)) == planned_step(step) == step
    assert SizesJob(JOB, SIZES).size_of(0, peek_at(step, place)) == [(320, 320), (608, 608)][place]


@given(some_sizes())
def test_two_sizes_show_every_side_that_changes(sizes: list[Size]) -> None:
    small, large = peeked_sizes(sizes)
    assert {small, large} <= set(sizes)
    for side in (0, 1):
        assert (small[side] != large[side]) == (len({size[side] for size in sizes}) > 1)


def test_what_travels_comes_back_equal() -> None:
    job = SizesJob(JOB, SIZES)
    assert job_from_wire(msgpack.unpackb(msgpack.packb(job_to_wire(job)))) == job


@pytest.mark.parametrize("sizes", [(), ((320, 320),), ((320, 320), (320, 320)), ((0, 32), (32, 32))])
def test_sizes_that_cannot_work_are_refused(sizes: tuple[Size, ...]) -> None:
    with pytest.raises(ConfigurationError):
        SizesJob(JOB, sizes)


def test_a_transform_must_be_able_to_have_every_size() -> None:
    job = Job(0, 0, 4, ImageSpec(64, 64), (RandomCrop(48, 48),), "uint8", ())
    SizesJob(job, ((48, 48), (64, 64)))
    with pytest.raises(ConfigurationError, match="does not fit into images of"):
        SizesJob(job, ((32, 64), (64, 64)))


def test_a_cache_has_one_size() -> None:
    cache = CacheSpec.of("memory", None, 10)
    with pytest.raises(ConfigurationError, match="a cache holds images of one size"):
        SizesJob(Job(0, 0, 4, ImageSpec(64, 64), (), "uint8", (), cache), SIZES)


@pytest.mark.parametrize("change", [{"sizes": [[1, 2]]}, {"sizes": [1]}, {"job": {}}, {"more": 1}])
def test_what_is_no_such_job_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(RemoteProtocolError, match="not a job this version can build"):
        SizesJob.from_wire({**SizesJob(JOB, SIZES).to_wire(), **change})
