"""A trainer that says what no trainer says is turned away from; a ticket that fits no job fails in words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from feedline.common.batch.layout import ArraySpec
from feedline.common.job.images import Job
from feedline.common.job.kinds import AnyJob, job_to_wire
from feedline.common.job.sequences import SequenceJob, Subject, SurveyJob
from feedline.common.sample import boxes
from feedline.common.sample.boxes import BoxSpec
from feedline.common.sample.image import ImageSpec
from feedline.common.user_code import Arguments
from feedline.common.wire.protocol import (
    VERSION,
    Cancelled,
    Failure,
    ForgetSlots,
    Goodbye,
    Heartbeat,
    Hello,
    JobUnknown,
    Message,
    OpenJob,
    Refusal,
    Refuse,
    Sample,
    Session,
    Ticket,
    Welcome,
)
from feedline.producer.serving.session import (
    Action,
    Build,
    End,
    MakeArena,
    Phase,
    Say,
    TrainerSession,
    TurnAway,
)
from feedline.producer.serving.verification import MAX_JOBS, MAX_SLOTS, MAX_TASKS
from feedline.transforms import Mosaic

HELLO = Hello(VERSION, "unit", "here", 1, {"numpy": "2"})
POOL = b"p" * 16
LABELS = ArraySpec("y", (2,), "float32")
JOB = Job(7, 0, 2, ImageSpec(4, 4), (), "uint8", (LABELS,))
BOXED = replace(JOB, job_id=8, targets=(), boxes=BoxSpec(3, 1.0))
MIXED = replace(JOB, job_id=10, targets=(), transforms=(Mosaic(),))
SUBJECT = Subject("module:Name", Arguments.of("kwargs", {}), 0)
SEQUENCE = SequenceJob(9, SUBJECT, 5, 100, "00")
SAMPLES = (Sample(("a.png",), 0), Sample(("b.png",), 1))
TARGETS = np.zeros((2, 2), np.float32)


def ticket(job: AnyJob = JOB, **changes: object) -> Ticket:
    honest: dict[type, tuple[tuple[Sample, ...], tuple[object, ...]]] = {
        Job: (SAMPLES, (TARGETS,) if job is JOB else boxes.pack([np.zeros((0, 5), np.float32)] * 2)),
        SequenceJob: (SAMPLES[:1], ()),
        SurveyJob: (SAMPLES[:1], ()),
    }
    return replace(Ticket(job.job_id, 0, 0, 1, 0, *honest[type(job)]), **changes)  # type: ignore[arg-type]


def hear(session: TrainerSession, *messages: Message) -> list[Action]:
    """What follows from what the trainer says."""
    ids = Session(session.ids.producer_id, POOL)
    return [action for message in messages for action in session.heard(ids, message, 100.0)]


@pytest.fixture
def session() -> TrainerSession:
    """Welcomed, and told of four jobs."""
    session = TrainerSession(HELLO)
    session.tick(100.0)
    told = [OpenJob(job_to_wire(job), 4) for job in (JOB, BOXED, SEQUENCE, MIXED)]
    assert [type(action) for action in hear(session, Welcome(), *told)] == [MakeArena] * 4
    return session


@pytest.mark.parametrize("job", [JOB, BOXED, SEQUENCE])
def test_a_ticket_that_fits_its_job_is_built(session: TrainerSession, job: AnyJob) -> None:
    (action,) = hear(session, ticket(job))
    assert isinstance(action, Build)


def test_the_place_of_a_bad_sample_may_be_left_blank(session: TrainerSession) -> None:
    (action,) = hear(session, ticket(samples=(SAMPLES[0], Sample((), 1))))
    assert isinstance(action, Build)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (ticket(slot=MAX_SLOTS), f"slot {MAX_SLOTS}, of"),
        (ticket(samples=(), targets=(b"",)), "0 samples"),
        (ticket(samples=SAMPLES * 2), "4 samples"),
        (ticket(MIXED, samples=(*SAMPLES, *SAMPLES[:1], Sample((), 1))), "a sample without a file among"),
        (ticket(SEQUENCE, samples=(Sample((), 1),)), "a batch without a name"),
        (ticket(targets=()), "0 buffers"),
        (ticket(targets=(TARGETS, TARGETS)), "2 buffers"),
        (ticket(targets=(TARGETS[:1],)), "8 bytes of 'y' instead of 16"),
        (ticket(targets=(b"",)), "0 bytes of 'y'"),
        (ticket(BOXED, targets=(b"",)), "1 buffers"),
        (ticket(BOXED, targets=()), "0 buffers"),
        (ticket(SEQUENCE, samples=SAMPLES), "2 samples"),
        (ticket(SEQUENCE, samples=(Sample(("x",), 5),)), "batch 5 of a Sequence of 5"),
        (ticket(SEQUENCE, targets=(b"",)), "1 buffers"),
    ],
)
def test_a_ticket_that_does_not_fit_fails_in_words(session: TrainerSession, bad: Ticket, why: str) -> None:
    """One row of labels for two samples would be spread over both without a word."""
    (action,) = hear(session, bad)
    assert isinstance(action, Say)
    assert isinstance(action.message, Failure)
    assert "does not fit its job" in action.message.text
    assert why in action.message.text
    assert session.tasks == {}


def test_a_job_that_takes_more_than_the_machine_has_fails_in_words() -> None:
    session = TrainerSession(HELLO, memory_bytes=1 << 20)
    session.tick(100.0)
    huge = replace(JOB, batch_size=1 << 40)
    assert hear(session, Welcome(), OpenJob(job_to_wire(huge), 4)) == []
    (action,) = hear(session, ticket())
    assert isinstance(action, Say)
    assert isinstance(action.message, Failure)
    assert "bytes of memory that the producer's machine has" in action.message.text


@pytest.mark.parametrize(
    "message",
    [
        HELLO,
        Cancelled(1),
        JobUnknown(7, 1),
        Welcome(),
        OpenJob({}, 1),
        OpenJob({"job_id": "seven"}, 1),
        OpenJob({"job_id": True}, 1),
        OpenJob({"job_id": -1}, 1),
        OpenJob({"job_id": 2**63}, 1),
        OpenJob(job_to_wire(JOB), 0),
        OpenJob(job_to_wire(JOB), 10**6),
        ticket(lease_id=2**63),
        ticket(epoch=2**63),
        ticket(step=2**63),
    ],
)
def test_what_no_trainer_says_ends_the_session_with_a_reason(
    session: TrainerSession, message: Message
) -> None:
    farewell, turned = hear(session, message)
    assert isinstance(turned, TurnAway)
    assert turned.reason
    assert farewell == Say(Goodbye(turned.reason))
    assert session.phase is Phase.ENDED
    assert session.jobs == {}
    assert hear(session, Heartbeat(), ticket(), message) == [], "it does not listen any more"
    session.restart()
    assert session.tick(200.0) == [Say(HELLO)]


@pytest.mark.parametrize("message", [ticket(), OpenJob(job_to_wire(JOB), 4), ForgetSlots(7, (1,))])
def test_nothing_is_done_for_who_has_not_said_welcome(message: Message) -> None:
    session = TrainerSession(HELLO)
    session.tick(100.0)
    (action,) = hear(session, message)
    assert isinstance(action, TurnAway)


def test_a_welcome_needs_a_pool_to_be_welcome_to() -> None:
    session = TrainerSession(HELLO)
    session.tick(100.0)
    (action,) = session.heard(session.ids, Welcome(), 100.0)
    assert isinstance(action, TurnAway)


def test_thousands_of_jobs_are_more_than_any_trainer_tells_of(session: TrainerSession) -> None:
    told = [OpenJob(job_to_wire(replace(JOB, job_id=job_id)), 4) for job_id in range(MAX_JOBS + 1)]
    assert [type(action) for action in hear(session, *told)][-2:] == [Say, TurnAway]


def test_more_tickets_than_any_trainer_gives_at_a_time_are_not_kept(session: TrainerSession) -> None:
    actions = hear(session, *(ticket(lease_id=lease_id) for lease_id in range(MAX_TASKS + 1)))
    assert [type(action) for action in actions[-3:]] == [Build, Say, TurnAway]
    assert session.tasks == {}
    assert all(action.task.cancelled for action in actions if isinstance(action, Build))


def test_a_lease_is_given_once(session: TrainerSession) -> None:
    assert isinstance(hear(session, ticket(), ticket())[-1], TurnAway)


def test_memory_that_is_being_written_cannot_be_gone(session: TrainerSession) -> None:
    hear(session, ticket(slot=2))
    assert hear(session, ForgetSlots(7, (0, 1, 3)), ForgetSlots(8, (2,)), ForgetSlots(99, (2,))) == []
    assert isinstance(hear(session, ForgetSlots(7, (2,)))[-1], TurnAway)


def test_a_refusal_writes_one_line_of_a_log(session: TrainerSession) -> None:
    (action,) = hear(session, Refuse(Refusal.VERSION, "go\n\x1b[2J" + "x" * 10_000))
    assert isinstance(action, End)
    assert action.error.isprintable()
    assert len(action.error) < 2100
