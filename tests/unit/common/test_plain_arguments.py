"""Numbers, switches and names come from NumPy and pandas, too: they are made plain where they are checked."""

from __future__ import annotations

from typing import Any

import msgpack
import numpy as np
import pytest

from feedline.common.arguments import check_seed, factor, number, pair, whole, yes_or_no
from feedline.common.job.caching import CacheSpec
from feedline.common.job.images import Job
from feedline.common.job.kinds import AnyJob, job_from_wire, job_to_wire
from feedline.common.job.sequences import SequenceJob, Subject
from feedline.common.job.sizes import SizesJob
from feedline.common.sample.boxes import BoxSpec
from feedline.common.sample.image import ImageSpec
from feedline.common.user_code import Arguments
from feedline.errors import ConfigurationError
from feedline.trainer.plan.epochs import EpochPlan


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        (yes_or_no, np.bool_(True), True),
        (yes_or_no, False, False),
        (whole, np.int64(3), 3),
        (whole, np.uint8(3), 3),
        (number, np.float32(0.5), 0.5),
        (number, np.int16(2), 2.0),
    ],
)
def test_what_is_read_is_pythons_own(read: Any, value: object, expected: object) -> None:
    plain = read("this", value)
    assert plain == expected
    assert type(plain) is type(expected)


@pytest.mark.parametrize("value", ["no", "yes", "", 0, 1, None, [], np.int64(1)])
def test_a_switch_is_true_or_false_and_nothing_that_counts_as_such(value: object) -> None:
    with pytest.raises(ConfigurationError, match="shuffle must be True or False, got "):
        yes_or_no("shuffle", value)


def test_a_number_that_no_message_can_carry_is_refused_where_it_is_read() -> None:
    assert whole("cache_bytes", 1 << 63, at_least=1) == 1 << 63
    with pytest.raises(ConfigurationError, match="cache_bytes must be at most 9,223,372,036"):
        whole("cache_bytes", 1 << 64, at_least=1)


def test_an_array_of_two_numbers_is_a_pair() -> None:
    assert pair("value_range", np.array([0, 255])) == factor("factor", np.array([0, 255]), 0, 255) == (0, 255)
    with pytest.raises(ConfigurationError, match=r"\(lower, upper\) pair, got array\(\[1, 2, 3\]\)"):
        factor("factor", np.array([1, 2, 3]), 0, 255)


@pytest.mark.parametrize(("read", "value"), [(whole, np.True_), (number, np.True_)])
def test_what_is_something_else_is_refused(read: Any, value: object) -> None:
    with pytest.raises(ConfigurationError, match="this must be"):
        read("this", value)


def plainly(job: AnyJob) -> AnyJob:
    """Send it over the wire, where nothing of NumPy's can go."""
    return job_from_wire(msgpack.unpackb(msgpack.packb(job_to_wire(job))))


def test_a_job_of_numpys_numbers_and_names_can_be_sent() -> None:
    seven, dtype = np.int64(7), np.dtype("uint8")
    image = ImageSpec(np.int32(8), np.int16(9), np.str_("rgb"), np.str_("nearest"), dtype=dtype)
    options = {"cache": CacheSpec("memory", np.int64(1000), seven), "boxes": BoxSpec(seven, np.float32(1))}
    job = Job(np.int64(1), seven, seven, image, (), np.uint8, (), **options)
    subject = Subject("my.module:Thing", Arguments.of("kwargs", {}), seven)
    plain = Job(2, 7, 7, ImageSpec(8, 9), (), "uint8", ())
    for made in (
        job,
        SizesJob(plain, ((np.int64(8), np.int64(9)), (16, 16))),
        SequenceJob(3, subject, seven, np.int64(1000), "0" * 64),
    ):
        assert plainly(made) == made


def test_a_plan_of_numpys_numbers_is_the_same_plan() -> None:
    plain = EpochPlan(10, 3, shuffle=True, seed=5, drop_remainder=False, shard_index=1, shard_count=2)
    of_numpys = EpochPlan(
        10, np.int64(3), np.True_, np.int64(5), np.False_, np.uint8(1), np.int32(2)
    )  # fmt: skip
    assert of_numpys == plain
    assert of_numpys.order(4).tolist() == plain.order(4).tolist()
    with pytest.raises(ConfigurationError, match=r"shard_count must be a whole number, got 2\.0"):
        EpochPlan(10, 3, shard_count=2.0)  # type: ignore[arg-type]  # on purpose


def test_a_seed_is_a_number_of_64_bits() -> None:
    assert check_seed(np.uint64(2**64 - 1)) == 2**64 - 1
    with pytest.raises(ConfigurationError, match="64 bits"):
        check_seed(2**64)
