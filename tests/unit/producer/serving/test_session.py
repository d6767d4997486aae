"""A producer's side of a conversation: what it says, hears, ignores and gives up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from feedline.common.job.images import Job
from feedline.common.job.kinds import job_to_wire
from feedline.common.memory.arena import Arena, arena_name
from feedline.common.sample.image import ImageSpec
from feedline.common.wire.protocol import (
    HEARTBEAT_S,
    LOST_AFTER_S,
    VERSION,
    ArenaAnswer,
    Cancel,
    Cancelled,
    CloseJob,
    Failure,
    FailureKind,
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
    new_id,
)
from feedline.producer.serving.session import (
    GREETING_S,
    Action,
    Build,
    End,
    MakeArena,
    Phase,
    Restart,
    Say,
    Task,
    TrainerSession,
)

HELLO = Hello(VERSION, "unit", "here", 1, {"numpy": "2"})
JOB = Job(7, 0, 2, ImageSpec(4, 4), (), "uint8", ())
POOL = b"p" * 16


def ticket(lease_id: int = 1, job_id: int = 7) -> Ticket:
    return Ticket(job_id, 0, 0, lease_id, 0, (Sample(("a.png",), 0), Sample(("b.png",), 1)), ())


class Conversation:
    """A session and the trainer it hears: says things under the session's own ids."""

    def __init__(self) -> None:
        self.session = TrainerSession(HELLO)
        self.now = 100.0

    def tick(self, after_s: float = 0.0) -> list[Action]:
        """Let time pass."""
        self.now += after_s
        return self.session.tick(self.now)

    def hear(self, message: Message, ids: Session | None = None) -> Sequence[Action]:
        """Let the trainer say something, in this session or another."""
        return self.session.heard(ids or Session(self.session.ids.producer_id, POOL), message, self.now)

    def take_up(self, *lease_ids: int) -> list[Task]:
        """Hear tickets; the tasks they become."""
        tasks = []
        for lease_id in lease_ids:
            (action,) = self.hear(ticket(lease_id))
            assert isinstance(action, Build)
            tasks.append(action.task)
        return tasks


@pytest.fixture
def greeting() -> Conversation:
    """Nothing was said yet."""
    return Conversation()


@pytest.fixture
def serving(greeting: Conversation) -> Conversation:
    """Welcomed, and told of job 7."""
    greeting.tick()
    assert greeting.hear(Welcome()) == []
    greeting.hear(OpenJob(job_to_wire(JOB), 10))
    return greeting


# --- hello --------------------------------------------------------------------------------------


def test_hello_is_said_at_once_and_not_repeated(greeting: Conversation) -> None:
    assert greeting.session.ids.pool_id == b""
    assert greeting.tick() == [Say(HELLO)]
    assert greeting.tick(GREETING_S) == []


def test_hello_without_an_answer_is_said_anew_by_a_new_session(greeting: Conversation) -> None:
    first = greeting.session.ids
    greeting.tick()
    (action,) = greeting.tick(GREETING_S + 0.01)
    assert isinstance(action, Restart)
    greeting.session.restart()
    assert greeting.session.ids.producer_id != first.producer_id
    assert greeting.tick() == [Say(HELLO)]


def test_a_welcome_begins_the_service_under_both_ids(greeting: Conversation) -> None:
    greeting.tick()
    greeting.hear(Welcome())
    assert greeting.session.phase is Phase.SERVING
    assert greeting.session.ids.pool_id == POOL


# --- refusals and ends --------------------------------------------------------------------------


@pytest.mark.parametrize("reason", [Refusal.VERSION, Refusal.MIXED_VERSIONS, Refusal.BROKEN_MESSAGE])
def test_a_refusal_for_good_ends_the_conversation_with_its_text(
    greeting: Conversation, reason: Refusal
) -> None:
    greeting.tick()
    (action,) = greeting.hear(Refuse(reason, "you speak version 0, I speak 1"))
    assert action == End("refused: you speak version 0, I speak 1")
    assert greeting.session.phase is Phase.ENDED
    assert greeting.tick(1000.0) == []


def test_a_trainer_that_does_not_know_the_session_gets_a_new_one_without_leases(
    serving: Conversation,
) -> None:
    old = serving.session.ids
    (task,) = serving.take_up(1)
    (action,) = serving.hear(Refuse(Refusal.UNKNOWN_PEER, "who are you?"))
    assert isinstance(action, Restart)
    assert "who are you?" in action.reason

    serving.session.restart()
    assert serving.session.phase is Phase.GREETING
    assert serving.session.ids.producer_id != old.producer_id
    assert serving.session.ids.pool_id == b""
    assert (serving.session.jobs, serving.session.tasks) == ({}, {})
    assert task.cancelled
    assert serving.tick() == [Say(HELLO)]


def test_goodbye_ends_the_conversation_without_an_error(serving: Conversation) -> None:
    (task,) = serving.take_up(1)
    assert serving.hear(Goodbye("the pool was closed")) == [End("")]
    assert serving.session.phase is Phase.ENDED
    assert task.cancelled
    assert not serving.session.answered(task)


def test_an_ended_conversation_hears_nothing(serving: Conversation) -> None:
    serving.hear(Goodbye())
    assert serving.hear(ticket()) == []
    assert serving.hear(Welcome()) == []
    assert serving.session.phase is Phase.ENDED


def test_silence_restarts_the_session_and_any_word_breaks_it(serving: Conversation) -> None:
    for _ in range(3):
        assert all(isinstance(action, Say) for action in serving.tick(LOST_AFTER_S))
        serving.hear(Heartbeat())
    (action,) = serving.tick(LOST_AFTER_S + 0.01)
    assert isinstance(action, Restart)
    assert "silent" in action.reason


def test_messages_of_an_old_session_are_ignored(serving: Conversation) -> None:
    serving.session.restart()
    serving.tick()
    stranger = Session(new_id(), POOL)
    for message in (Welcome(), ticket(), Goodbye(), Refuse(Refusal.VERSION, "go"), Heartbeat()):
        assert serving.hear(message, stranger) == []
    assert serving.session.phase is Phase.GREETING
    (action,) = serving.tick(GREETING_S + 0.01)
    assert isinstance(action, Restart), "an old session's word passed for an answer"


# --- heartbeats ---------------------------------------------------------------------------------


def test_heartbeats_come_every_second_and_list_the_leases_in_hand(serving: Conversation) -> None:
    assert serving.tick(HEARTBEAT_S / 2) == []
    assert serving.tick(HEARTBEAT_S / 2) == [Say(Heartbeat(()))]
    first, _ = serving.take_up(4, 9)
    assert serving.tick(HEARTBEAT_S) == [Say(Heartbeat((4, 9)))]
    serving.session.answered(first)
    assert serving.tick(HEARTBEAT_S / 2) == []
    assert serving.tick(HEARTBEAT_S / 2) == [Say(Heartbeat((9,)))]


# --- jobs and tickets ---------------------------------------------------------------------------


def test_a_ticket_becomes_a_task_of_its_job(serving: Conversation) -> None:
    (task,) = serving.take_up(3)
    assert task.known.job == JOB
    assert task.ticket.lease_id == 3
    assert not task.cancelled


def test_a_ticket_for_an_unknown_job_is_answered_job_unknown(serving: Conversation) -> None:
    assert serving.hear(ticket(3, job_id=8)) == [Say(JobUnknown(8, 3))]
    assert serving.session.tasks == {}


def test_a_closed_job_is_unknown_and_its_tasks_go_on(serving: Conversation) -> None:
    (task,) = serving.take_up(1)
    serving.hear(CloseJob(7))
    assert serving.hear(ticket(2)) == [Say(JobUnknown(7, 2))]
    assert serving.session.answered(task)
    assert serving.hear(CloseJob(7)) == []


def test_tickets_for_a_job_that_cannot_be_built_here_fail_with_the_reason(serving: Conversation) -> None:
    wire = job_to_wire(JOB) | {"job_id": 8, "transforms": [["RandomSneeze", {}]]}
    assert serving.hear(OpenJob(wire, 10)) == []
    (action,) = serving.hear(ticket(5, job_id=8))
    assert isinstance(action, Say)
    failure = action.message
    assert isinstance(failure, Failure)
    assert (failure.job_id, failure.lease_id, failure.kind) == (8, 5, FailureKind.BUILD)
    assert failure.path == "a.png"
    assert "RandomSneeze" in failure.text
    assert serving.session.tasks == {}


# --- answers and cancellations ------------------------------------------------------------------


def test_an_answer_is_sent_once(serving: Conversation) -> None:
    (task,) = serving.take_up(1)
    assert serving.session.answered(task)
    assert not serving.session.answered(task)


def test_answers_of_an_old_session_are_not_sent(serving: Conversation) -> None:
    (old,) = serving.take_up(1)
    serving.session.restart()
    serving.tick()
    serving.hear(Welcome())
    serving.hear(OpenJob(job_to_wire(JOB), 10))
    (new,) = serving.take_up(1)
    assert not serving.session.answered(old)
    assert serving.session.answered(new)


def test_an_unknown_lease_is_cancelled_at_once(serving: Conversation) -> None:
    assert serving.hear(Cancel(99)) == [Say(Cancelled(99))]


def test_a_lease_in_hand_is_marked_and_answered_when_its_slot_is_left_alone(serving: Conversation) -> None:
    first, second = serving.take_up(1, 2)
    assert serving.hear(Cancel(2)) == []
    assert (first.cancelled, second.cancelled) == (False, True)
    assert serving.tick(HEARTBEAT_S) == [Say(Heartbeat((1, 2)))], "it still holds the lease"
    assert serving.session.answered(second)
    assert serving.hear(Cancel(2)) == [Say(Cancelled(2))]


# --- shared memory ------------------------------------------------------------------------------


def test_an_arena_is_made_for_each_job_that_can_be_built(greeting: Conversation) -> None:
    greeting.tick()
    greeting.hear(Welcome())
    (action,) = greeting.hear(OpenJob(job_to_wire(JOB), 10))
    assert isinstance(action, MakeArena)
    assert (action.known.job, action.num_slots) == (JOB, 10)
    assert not action.known.shared


def test_batches_are_left_in_the_arena_only_when_the_trainer_has_mapped_it(
    serving: Conversation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDLINE_SHM", str(tmp_path))
    known = serving.session.jobs[JOB.job_id]
    for attached in (True, False):
        known.arena = Arena(arena_name(b"t", b"p", JOB.job_id), 64, 2)
        assert len(list(tmp_path.iterdir())) == 1
        assert serving.hear(ArenaAnswer(JOB.job_id, known.arena.nonce, attached)) == []
        assert list(tmp_path.iterdir()) == []
        assert (known.shared, known.arena is not None) == (attached, attached)


def test_an_answer_about_an_earlier_arena_of_the_job_is_ignored(
    serving: Conversation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job was forgotten and told again while the answer was on its way."""
    monkeypatch.setenv("FEEDLINE_SHM", str(tmp_path))
    known = serving.session.jobs[JOB.job_id]
    known.arena = Arena(arena_name(b"t", b"p", JOB.job_id), 64, 2)
    assert serving.hear(ArenaAnswer(JOB.job_id, b"of the other", attached=True)) == []
    assert (known.shared, len(list(tmp_path.iterdir()))) == (False, 1)
    assert serving.hear(ArenaAnswer(JOB.job_id, known.arena.nonce, attached=True)) == []
    assert known.shared


def test_slots_whose_memory_was_given_back_are_reserved_anew(
    serving: Conversation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDLINE_SHM", str(tmp_path))
    known = serving.session.jobs[JOB.job_id]
    arena = known.arena = Arena(arena_name(b"t", b"p", JOB.job_id), 64, 4)
    for index in range(3):
        arena.slot(index)
    assert serving.hear(ForgetSlots(JOB.job_id, (0, 2, 3))) == []
    assert arena._reserved == {1}
    assert serving.hear(ForgetSlots(99, (0,))) == []


def test_an_answer_about_no_arena_is_ignored(serving: Conversation) -> None:
    assert serving.hear(ArenaAnswer(JOB.job_id, b"nonce", attached=True)) == []
    assert not serving.session.jobs[JOB.job_id].shared
    assert serving.hear(ArenaAnswer(99, b"nonce", attached=True)) == []
