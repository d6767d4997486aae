"""Every kind of job is the same on both sides, and what is none is refused."""

from __future__ import annotations

from typing import Any

import msgpack
import numpy as np
import pytest

from feedline.common.job.images import Job
from feedline.common.job.kinds import JOB_KINDS, AnyJob, job_from_wire, job_to_wire
from feedline.common.job.sequences import SequenceJob, Subject, Survey, SurveyJob
from feedline.common.job.sizes import SizesJob
from feedline.common.sample.image import ImageSpec
from feedline.common.user_code import Arguments
from feedline.errors import ConfigurationError, RemoteProtocolError

SUBJECT = Subject("my.module:Thing", Arguments.of("kwargs", {"size": (4, 4), "names": ["a"]}), -7)
JOBS = [
    Job(1, 7, 4, ImageSpec(8, 8, "rgb"), (), "uint8", ()),
    SurveyJob(2, SUBJECT),
    SequenceJob(3, SUBJECT, 12, 1000, "0" * 64),
    SizesJob(Job(4, 7, 4, ImageSpec(8, 8, "rgb"), (), "uint8", ()), ((8, 8), (16, 24))),
]


@pytest.mark.parametrize("job", JOBS)
def test_a_job_is_the_same_on_the_other_side(job: AnyJob) -> None:
    assert job_from_wire(msgpack.unpackb(msgpack.packb(job_to_wire(job)))) == job


def test_there_is_a_job_of_every_kind_here() -> None:
    assert {type(job) for job in JOBS} == set(JOB_KINDS.values())


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"kind": "other"}, "no kind 'other'"),
        ({"kind": None}, "no kind None"),
        ({"reference": "my.module"}, "must be"),
        ({"kwargs": b"\xc1"}, "cannot be read"),
        ({"num_steps": 0}, "num_steps"),
        ({"batch_bytes": "many"}, "batch_bytes"),
        ({"seed": 1 << 70}, "seed"),
        ({"colour": 1}, "colour"),
    ],
)
def test_what_is_no_job_is_refused(change: dict[str, Any], text: str) -> None:
    with pytest.raises(RemoteProtocolError, match=text):
        job_from_wire(job_to_wire(JOBS[2]) | change)


def test_a_field_that_is_missing_is_refused() -> None:
    wire = job_to_wire(JOBS[2])
    del wire["digest"]
    with pytest.raises(RemoteProtocolError, match="digest"):
        job_from_wire(wire)


def test_slots_are_aligned_and_hold_the_largest_batch() -> None:
    job = SequenceJob(3, SUBJECT, 12, 1000, "")
    assert job.slot_bytes == job.layout(1).num_bytes == 1024


def test_a_survey_survives_its_slot_however_long_its_outline_is() -> None:
    slot = np.full(SurveyJob(1, SUBJECT).slot_bytes, 255, np.uint8)
    survey = Survey(3, 4096, "float32 (2, 2)", "ab" * 32)
    survey.write(slot)
    assert Survey.read(slot) == survey
    Survey(3, 4096, "x" * 100_000, "ab" * 32).write(slot)
    assert Survey.read(slot).num_steps == 3


def test_a_slot_without_a_survey_is_refused() -> None:
    for slot in (np.zeros(64, np.uint8), np.full(64, 0xC1, np.uint8)):
        with pytest.raises(RemoteProtocolError, match="not a survey"):
            Survey.read(slot)


def test_kwargs_that_cannot_travel_name_the_sequence() -> None:
    with pytest.raises(ConfigurationError, match="kwargs of a:B cannot travel"):
        Subject("a:B", {"x": object()}, 0)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [{"a": 1}, ["images"], None, 3, "", "pictures"])
def test_a_kind_that_nobody_knows_is_refused_whatever_it_is(kind: object) -> None:
    with pytest.raises(RemoteProtocolError, match="no kind"):
        job_from_wire({"kind": kind, "job_id": 1})
