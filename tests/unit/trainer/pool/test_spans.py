"""From the counters at two moments to what happened between them."""

from __future__ import annotations

import platform
from dataclasses import replace

import pytest

from feedline.common.processes.children import usable_cores
from feedline.common.stages import Stages
from feedline.trainer.pool.spans import looked_back_to, span_between, taken_between
from feedline.trainer.pool.stats import DeliveryStats, PoolStats, ProducerStats
from feedline.trainer.pool.watch import Tally
from feedline.trainer.verdict.snapshot import Certainty

HERE = platform.node()
OLD = ProducerStats("old", 1, 10, Stages(decode_us=4_000_000), 0.5, HERE, 3, 3000)
BEFORE = PoolStats((OLD,), 10, 0.1, 0.2, 1.0, 100.0, DeliveryStats(10, 320, 2.0, 1.0, 0), 1 << 30)


def after(*producers: ProducerStats, seconds: float = 10.0) -> PoolStats:
    return PoolStats(
        producers, 30, 0.3, 0.5, 3.0, 100.0 + seconds, DeliveryStats(30, 960, 6.0, 4.0, 0), 1 << 30
    )


def test_what_was_counted_before_is_left_out() -> None:
    more = replace(OLD, num_batches=30, stages=Stages(decode_us=9_000_000), transfer_s=0.75, num_framed=4)
    now = after(more)
    span = span_between(BEFORE, now, taken_between(BEFORE.taken, now.taken), embedded=True)
    assert (span.num_batches, span.num_samples, span.wait_s) == (20, 640, 3.0)
    assert (span.hand_over_s, span.thread_cpu_s, span.trainer_cpu_s) == pytest.approx((0.2, 0.3, 2.0))
    (one,) = span.producers
    assert (one.present_s, one.num_batches, one.busy_share) == (10.0, 20, 0.5)
    assert (one.transfer_s, one.num_framed, one.frame_bytes) == (0.25, 1, 0)


def test_waiting_that_a_longer_queue_would_have_saved_is_never_less_than_none() -> None:
    """A sequence that was closed takes what was counted of it along."""
    counted = replace(BEFORE, short_s=2.0)
    taken = taken_between(BEFORE.taken, after(OLD).taken)
    more = span_between(counted, replace(after(OLD), short_s=3.5), taken, embedded=True)
    less = span_between(counted, after(OLD), taken, embedded=True)
    assert (more.short_s, less.short_s) == (1.5, 0.0)


def test_who_joined_meanwhile_was_there_as_long_as_it_knows_of() -> None:
    new = ProducerStats("new", 2, 5, Stages(idle_us=1_000_000, decode_us=3_000_000), 0.1, HERE)
    span = span_between(BEFORE, after(OLD, new), DeliveryStats(), embedded=True)
    assert [one.present_s for one in span.producers] == [10.0, 4.0]
    assert span.producers[1].num_batches == 5


def test_a_producer_that_comes_back_as_another_process_begins_anew() -> None:
    again = ProducerStats("old", 2, 5, Stages(decode_us=1_000_000), 0.1, HERE)
    (one,) = span_between(BEFORE, after(again), DeliveryStats(), embedded=True).producers
    assert one.num_batches == 5


def test_two_of_one_name_on_one_host_are_told_apart_by_their_processes() -> None:
    twin = replace(OLD, pid=2, num_batches=4)
    before = replace(BEFORE, producers=(OLD, twin))
    now = after(replace(twin, num_batches=5), replace(OLD, num_batches=30))
    span = span_between(before, now, DeliveryStats(), embedded=False)
    assert [(one.pid, one.num_batches) for one in span.producers] == [(2, 1), (1, 20)]


def test_cores_are_shared_only_by_those_that_run_here() -> None:
    assert span_between(BEFORE, after(OLD), DeliveryStats(), embedded=True).cores == usable_cores()
    elsewhere = replace(OLD, host="elsewhere")
    assert span_between(BEFORE, after(OLD, elsewhere), DeliveryStats(), embedded=False).cores is None


def test_who_gets_no_tickets_is_not_able() -> None:
    barred = replace(OLD, is_able=False)
    assert span_between(BEFORE, after(OLD, barred), DeliveryStats(), embedded=True).num_able == 1


@pytest.mark.parametrize(("uncertain", "certainty"), [(2, Certainty.EXACT), (3, Certainty.AT_MOST)])
def test_a_wait_is_uncertain_if_that_of_many_batches_is(uncertain: int, certainty: Certainty) -> None:
    taken = DeliveryStats(20, 640, 3.0, 3.0, uncertain)
    assert span_between(BEFORE, after(OLD), taken, embedded=True).certainty is certainty


def test_a_wait_that_began_before_is_no_longer_than_the_span() -> None:
    taken = DeliveryStats(1, 32, 60.0, 60.0)
    assert span_between(BEFORE, after(OLD, seconds=2.0), taken, embedded=True).wait_s == 2.0


def test_a_tally_adds_up_what_it_is_told() -> None:
    tally = Tally()
    tally.count(8, 0.5, 0.25, is_certain=True)
    tally.count(4, 0.5, 0.5, is_certain=False)
    assert tally.stats == DeliveryStats(2, 12, 1.0, 0.75, 1)


def noted(*moments: tuple[float, int]) -> list[PoolStats]:
    """Counters by when they were noted, and how many batches had been taken."""
    return [PoolStats((), 0, 0.0, 0.0, at_s=at_s, taken=DeliveryStats(num)) for at_s, num in moments]


@pytest.mark.parametrize(
    ("older", "first", "taken", "idle_s", "expected"),
    [
        pytest.param([(0, 3), (80, 5)], 10, 20, 0.1, 90.0, id="fast steps: ten seconds"),
        pytest.param([(0, 1), (70, 2), (80, 4)], 10, 11, 6.0, 70.0, id="slow steps: eight of them"),
        pytest.param([(0, 9), (80, 10)], 10, 11, 0.0, 0.0, id="slower ones: all that there were"),
        pytest.param([(0, 0), (80, 10)], 10, 11, 0.0, 80.0, id="never before the first batch"),
        pytest.param([(0, 1), (80, 11)], 11, 11, 40.0, 90.0, id="no steps any more: ten seconds"),
    ],
)
def test_it_is_looked_back_as_far_as_a_few_steps_take(
    older: list[tuple[float, int]], first: int, taken: int, idle_s: float, expected: float
) -> None:
    recent = [(90.0 + second, first) for second in range(11)]
    (now,) = noted((100.5, taken))
    before = looked_back_to(noted(*older, *recent), now, idle_s)
    assert before is not None
    assert before.at_s == expected


def test_before_the_first_batch_it_is_the_first_note_and_without_notes_none() -> None:
    notes = noted((90.0, 0), (91.0, 0))
    assert looked_back_to(notes, noted((92.0, 0))[0], 0.0) is notes[0]
    assert looked_back_to([], noted((92.0, 0))[0], 0.0) is None


def test_waits_that_are_under_way_count_until_they_end() -> None:
    tally = Tally()
    first, second = (tally.wait_begins(lambda now, since=since: now - since) for since in (10.0, 12.0))
    assert tally.waiting_s(13.0) == 4.0
    assert tally.idle_s(13.0) == 0.0
    tally.wait_ends(first)
    assert tally.waiting_s(13.0) == 1.0
    tally.wait_ends(second)
    assert tally.waiting_s(13.0) == 0.0
