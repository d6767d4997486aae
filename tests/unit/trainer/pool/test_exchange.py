"""The pool without its socket: frames in, frames out, batches to whoever waits for them."""

from __future__ import annotations

import gc
from dataclasses import replace

import numpy as np
import pytest
from far_end import NUM_STEPS, Pool, error_of, rows_of, source

from feedline.common.job.kinds import job_from_wire
from feedline.common.wire.protocol import Cancel, Cancelled, CloseJob, JobUnknown, OpenJob, Ticket
from feedline.errors import (
    BatchError,
    ClosedError,
    InterruptedWaitError,
    LocalProtocolError,
    StarvedError,
)
from feedline.trainer.plan.epochs import StepKey
from feedline.trainer.pool.exchange import INTERRUPT_S
from feedline.trainer.pool.job_source import JobSource


@pytest.fixture
def pool() -> Pool:
    return Pool()


# --- batches ------------------------------------------------------------------------------------


def test_a_batch_travels_from_the_demand_to_the_arrays(pool: Pool) -> None:
    pool.opens()
    producer = pool.producer().joins()
    (job,) = producer.heard(OpenJob)
    assert job_from_wire(job.job) == source().job

    future = pool.asks(StepKey(0, 2))
    ticket = next(t for t in producer.heard(Ticket) if t.step == 2)
    assert [sample.paths for sample in ticket.samples] == [("4.png",), ("5.png",)]
    producer.builds(ticket)
    assert rows_of(future) == [4, 5]


def test_prefetched_batches_are_kept_until_asked_for(pool: Pool) -> None:
    pool.opens()
    producer = pool.producer().joins()
    producer.builds_all()
    for step in range(NUM_STEPS):
        future = pool.asks(StepKey(0, step))
        pool.exchange.take_releases(pool.now)
        producer.builds_all()
        assert rows_of(future) == [2 * step, 2 * step + 1]


def test_two_threads_that_ask_for_the_same_step_get_arrays_of_their_own(pool: Pool) -> None:
    pool.opens()
    first, second = pool.asks(), pool.asks()
    pool.producer().joins().builds_all()
    arrays = [future.result(timeout=0).arrays() for future in (first, second)]
    assert [a["y"].tolist() for a in arrays] == [[0, 1], [0, 1]]
    assert not np.shares_memory(arrays[0]["x"], arrays[1]["x"])


def test_answers_to_leases_that_are_over_change_nothing(pool: Pool) -> None:
    """A network may repeat itself, and be late."""
    pool.opens()
    future = pool.asks()
    producer = pool.producer().joins()
    ticket = producer.heard(Ticket)[0]
    producer.builds(ticket)
    producer.builds(ticket)
    producer.fails(ticket)
    producer.says(Cancelled(ticket.lease_id))
    producer.says(JobUnknown(1, ticket.lease_id))
    assert rows_of(future) == [0, 1]
    assert pool.exchange.producer_names == [producer.name]
    assert pool.exchange.refusals.counts == {}


def test_a_producer_that_does_not_know_the_job_is_told_again(pool: Pool) -> None:
    pool.opens()
    future = pool.asks()
    producer = pool.producer().joins()
    producer.heard(OpenJob)
    for ticket in producer.heard(Ticket):
        producer.says(JobUnknown(1, ticket.lease_id))
    assert producer.heard(OpenJob)
    producer.builds_all()
    assert rows_of(future) == [0, 1]


# --- a job at fault -----------------------------------------------------------------------------


class BrokenDrawing:
    """What a sampler of somebody's may do."""

    num_samples = 2 * NUM_STEPS

    def rows(self, seed: int, epoch: int) -> np.ndarray:
        """Fail."""
        raise ZeroDivisionError(f"seed {seed} of epoch {epoch}")


def with_broken_plan(job_id: int) -> JobSource:
    good = source(job_id)
    return replace(good, plan=replace(good.plan, drawing=BrokenDrawing()), bad=None)


def test_a_plan_that_raises_ends_its_own_job_and_no_other(pool: Pool) -> None:
    pool.opens(1)
    pool.exchange.open_job(with_broken_plan(2), pool.now)
    producer = pool.producer().joins()
    text = str(error_of(pool.asks(job_id=2)))
    for part in ("batch 0 of epoch 0 failed", "ZeroDivisionError: seed 0 of epoch 0", "no files are known"):
        assert part in text
    future = pool.asks(job_id=1)
    producer.builds_all()
    assert rows_of(future) == [0, 1]


def test_what_cannot_be_delivered_is_told_to_who_waits_and_its_slot_is_free_again(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool.opens()
    future = pool.asks()
    producer = pool.producer().joins()

    def broken(*_: object) -> None:
        raise ZeroDivisionError("no layout")

    with monkeypatch.context() as patch:
        patch.setattr(JobSource, "layout", broken)
        producer.builds(producer.heard(Ticket)[0])
    assert "ZeroDivisionError: no layout" in str(error_of(future))
    pool.exchange.take_releases(pool.now)
    again = pool.asks()
    producer.builds_all()
    assert rows_of(again) == [0, 1]


def test_a_job_that_cannot_be_sent_is_refused_where_it_is_opened(pool: Pool) -> None:
    producer = pool.producer().joins()
    with pytest.raises(LocalProtocolError, match="cannot be sent"):
        pool.exchange.open_job(replace(source(), max_slots=np.int64(4)), pool.now)
    pool.opens()
    future = pool.asks()
    producer.builds_all()
    assert rows_of(future) == [0, 1]


def test_a_batch_that_fails_to_become_arrays_gives_its_slot_back_once(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool.opens()
    future = pool.asks()
    producer = pool.producer().joins()
    producer.builds(producer.heard(Ticket)[0])
    delivery = future.result(timeout=0)

    def broken(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(type(delivery.layout), "views", broken)
        with pytest.raises(MemoryError):
            delivery.arrays()
    delivery.release()
    gc.collect()
    pool.exchange.take_releases(pool.now)


# --- failures -----------------------------------------------------------------------------------


def test_a_failure_names_file_and_producer_and_its_traceback_is_logged(
    pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "feedline")
    pool.opens()
    future = pool.asks()
    producer = pool.producer("far/3").joins()
    producer.fails(producer.heard(Ticket)[0])
    error = error_of(future)
    assert isinstance(error, BatchError)
    for part in ("batch 0 of epoch 0", "0.png", "is half a file", "far/3"):
        assert part in str(error)
    assert "\n" not in str(error)
    assert "is half a file (producer far/3)\nTraceback: ..." in caplog.text


def test_a_step_that_failed_is_tried_again_when_it_is_asked_for_again(pool: Pool) -> None:
    pool.opens()
    producer = pool.producer().joins()
    error_of_first = pool.asks()
    producer.fails(producer.heard(Ticket)[0])
    assert isinstance(error_of(error_of_first), BatchError)
    again = pool.asks()
    producer.builds_all()
    assert rows_of(again) == [0, 1]


def test_a_ticket_that_cannot_be_sent_fails_its_step_and_nothing_else(pool: Pool) -> None:
    """A path that is no text at all: one odd file name must not end the training of others."""
    odd = source()
    paths = ["0.png", "\ud800.png", *odd.paths[2:]]
    pool.exchange.open_job(replace(odd, paths=paths), pool.now)
    producer = pool.producer().joins()
    bad, good = pool.asks(), pool.asks(StepKey(0, 1))
    producer.builds_all()
    assert isinstance(error_of(bad), BatchError)
    assert "ticket message that cannot be sent" in str(error_of(bad))
    assert rows_of(good) == [2, 3]


@pytest.mark.parametrize("asked", [True, False], ids=["asked for", "not asked for"])
def test_when_everything_fails_prefetch_does_not_run_ahead_without_end(pool: Pool, asked: bool) -> None:
    pool.opens()
    if asked:
        pool.asks(StepKey(0, 5))
    producer = pool.producer().joins()
    num_failed = 0
    while tickets := producer.heard(Ticket):
        for ticket in tickets:
            producer.fails(ticket)
            num_failed += 1
        assert num_failed < 20, "it goes on and on"


def test_failures_that_were_told_do_not_hold_prefetch_up(pool: Pool) -> None:
    pool.opens()
    producer = pool.producer().joins()
    last = NUM_STEPS - 1
    for step in range(last):
        future = pool.asks(StepKey(0, step))
        while not future.done():
            for ticket in producer.heard(Ticket):
                producer.builds(ticket) if ticket.step == last or ticket.epoch else producer.fails(ticket)
        assert isinstance(error_of(future), BatchError)
    producer.builds_all()
    future = pool.asks(StepKey(0, last))
    assert rows_of(future) == [10, 11], "it was not ready"


def test_a_wait_ends_when_its_time_is_up_and_says_what_to_start(pool: Pool) -> None:
    pool.opens()
    future = pool.asks(timeout_s=3.0)
    pool.passes(2.5)
    assert not future.done()
    pool.passes(1.0)
    error = error_of(future)
    assert isinstance(error, StarvedError)
    assert "no producer is connected. Start a producer." in str(error)


# --- jobs and waits end -------------------------------------------------------------------------


def test_closing_a_job_ends_its_waits_and_work_and_no_other_jobs(pool: Pool) -> None:
    pool.opens(1)
    pool.opens(2)
    producer = pool.producer().joins()
    closed, open_ = pool.asks(job_id=1), pool.asks(job_id=2)
    tickets = producer.heard(Ticket)
    pool.exchange.close_job(1, ClosedError("the sequence was closed"), pool.now)
    assert str(error_of(closed)) == "the sequence was closed"
    assert [message.job_id for message in producer.heard(CloseJob)] == [1]
    cancelled = {message.lease_id for message in producer.heard(Cancel)}
    assert cancelled == {ticket.lease_id for ticket in tickets if ticket.job_id == 1} != set()
    for ticket in tickets:
        producer.builds(ticket)
    assert rows_of(open_) == [0, 1]
    assert isinstance(error_of(pool.asks(job_id=1)), ClosedError)
    pool.exchange.close_job(1, ClosedError("again"), pool.now)


def test_a_job_that_the_budget_has_no_room_for_leaves_nothing_behind(pool: Pool) -> None:
    pool.exchange.set_budget(100, pool.now)
    producer = pool.producer().joins()
    with pytest.raises(ValueError, match="memory_budget=100 bytes has no room"):
        pool.opens()
    assert producer.heard(OpenJob) == []
    assert isinstance(error_of(pool.asks()), ClosedError)
    pool.exchange.set_budget(1 << 20, pool.now)
    pool.opens()
    future = pool.asks()
    producer.builds_all()
    assert rows_of(future) == [0, 1]


def test_an_interrupt_ends_all_waits_and_those_that_follow_in_the_next_moment(pool: Pool) -> None:
    """Keras reads ahead in a thread, which asks again before the main thread hears of Ctrl-C."""
    pool.opens()
    waits = [pool.asks(StepKey(0, step)) for step in range(2)]
    pool.exchange.interrupt(pool.now)
    waits.append(pool.asks(StepKey(0, 2)))
    assert all(isinstance(error_of(wait), InterruptedWaitError) for wait in waits)

    pool.now += INTERRUPT_S
    later = pool.asks()
    pool.producer().joins().builds_all()
    assert rows_of(later) == [0, 1]


def test_after_an_interrupt_the_main_thread_may_wait_at_once(pool: Pool) -> None:
    pool.opens()
    pool.exchange.interrupt(pool.now)
    assert not pool.asks(in_main_thread=True).done()
    assert not pool.asks().done()


def test_a_batch_that_is_ready_is_delivered_in_spite_of_an_interrupt(pool: Pool) -> None:
    pool.opens()
    pool.producer().joins().builds_all()
    pool.exchange.interrupt(pool.now)
    assert rows_of(pool.asks()) == [0, 1]


def test_doom_ends_new_waits_at_once(pool: Pool) -> None:
    pool.opens()
    pool.exchange.doom = ClosedError("no hope")
    assert str(error_of(pool.asks())) == "no hope"
    pool.exchange.doom = None
    assert not pool.asks().done()


def test_who_stops_waiting_leaves_the_batch_to_others(pool: Pool) -> None:
    pool.opens()
    impatient, patient = pool.asks(), pool.asks()
    impatient.cancel()
    pool.exchange.withdraw(1, StepKey(0, 0), impatient, pool.now)
    pool.producer().joins().builds_all()
    assert rows_of(patient) == [0, 1]


def test_who_stops_waiting_alone_frees_the_slot_even_if_the_batch_comes_first(pool: Pool) -> None:
    pool.opens()
    producer = pool.producer().joins()
    for _ in range(50):
        gone = pool.asks(StepKey(0, 3))
        gone.cancel()
        producer.builds_all()
        pool.exchange.withdraw(1, StepKey(0, 3), gone, pool.now)
        pool.exchange.take_releases(pool.now)
    future = pool.asks(StepKey(0, 3))
    pool.exchange.take_releases(pool.now)
    producer.builds_all()
    assert rows_of(future) == [6, 7]


def test_peeked_steps_are_built_again_before_they_are_asked_for(pool: Pool) -> None:
    pool.opens()
    producer = pool.producer().joins()
    peek = pool.asks()
    producer.builds_all()
    pool.exchange.expect(1, [StepKey(0, 0)], pool.now)
    assert rows_of(peek) == [0, 1]
    pool.exchange.take_releases(pool.now)
    producer.builds_all()
    again = pool.asks()
    assert rows_of(again) == [0, 1], "it was not ready"
