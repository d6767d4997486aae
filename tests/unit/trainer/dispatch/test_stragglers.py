"""A slow producer costs an epoch at most one of its batches, in virtual time; what it does counts as well."""

from __future__ import annotations

import pytest
from dispatcher_desk import Desk
from hypothesis import given, settings
from hypothesis import strategies as st
from race import Race

from feedline.trainer.dispatch.instructions import SendTicket
from feedline.trainer.dispatch.paces import MOST_STEPS_AHEAD

FAST_S = 0.1
TINY_S = 0.0005
MANY = 200


def ideal_s(paces_s: list[float], num_steps: int, consume_s: float) -> float:
    """An epoch in which nobody waits for anybody: producers together, or the consumer, whoever is slower."""
    return max(num_steps / sum(1 / pace_s for pace_s in paces_s), num_steps * consume_s)


@settings(max_examples=10)
@given(
    num_fast=st.integers(1, 8),
    slowness=st.sampled_from([3, 10, 30]),
    place=st.integers(0, 8),
    num_steps=st.integers(10, MANY // 2),
    max_slots=st.sampled_from([2, 3, 10]),
    consume_s=st.sampled_from([0.0, 0.03, 0.2]),
)
def test_an_epoch_takes_at_most_one_batch_of_the_slow_producer_beyond_the_ideal(
    num_fast: int, slowness: int, place: int, num_steps: int, max_slots: int, consume_s: float
) -> None:
    paces_s = [FAST_S] * num_fast
    paces_s.insert(place, slowness * FAST_S)
    race = Race(paces_s, num_steps, max_slots, consume_s)
    took_s = race.epochs(4)
    most_s = ideal_s(paces_s, num_steps, consume_s) + slowness * FAST_S
    # Before the first batch the consumer has nothing, and nobody knows who is slow.
    assert took_s[0] <= most_s + 2 * FAST_S + consume_s
    assert max(took_s[1:]) <= most_s


@pytest.mark.parametrize("max_slots", [2, 10])
def test_in_the_long_run_a_slow_producer_helps(max_slots: int) -> None:
    """Steps that it is given come when it has built them; hardly any is built twice."""
    paces_s = [10 * FAST_S, FAST_S, FAST_S]
    race = Race(paces_s, MANY, max_slots)
    took_s = race.epochs(6)
    assert sum(took_s) < 6 * MANY * FAST_S / 2
    assert sum(race.builds.values()) < 1.05 * len(race.delivered)


def test_equal_producers_build_nothing_twice_and_in_order() -> None:
    race = Race([FAST_S] * 5, MANY)
    race.epochs(3)
    assert sum(race.builds.values()) - len(race.delivered) <= 5 * 10  # what lies ready for the next epoch
    assert max(race.builds.values()) == 1


@pytest.mark.parametrize("num_fast", [1, 4])
def test_one_that_becomes_slow_in_the_midst_costs_no_more(num_fast: int) -> None:
    race = Race([FAST_S] * (num_fast + 1), MANY, max_slots=2)
    race.epochs(1)
    race.runners[b"0"].pace_s = 10 * FAST_S
    paces_s = [10 * FAST_S, *[FAST_S] * num_fast]
    took_s = race.epochs(3)
    assert max(took_s) <= ideal_s(paces_s, MANY, 0) + 10 * FAST_S


def test_one_that_is_fast_again_gets_as_much_as_others() -> None:
    race = Race([10 * FAST_S, FAST_S], MANY)
    race.epochs(2)
    race.runners[b"0"].pace_s = FAST_S
    assert race.epochs(4)[-1] < 1.02 * MANY * FAST_S / 2


@pytest.mark.parametrize("pace_s", [FAST_S, TINY_S])
def test_one_that_hangs_while_its_heart_beats_costs_less_than_a_timeout(pace_s: float) -> None:
    race = Race([pace_s] * 4, MANY)
    race.epochs(1)
    race.runners[b"0"].has_stopped = True
    took_s = race.epochs(2)
    assert max(took_s) <= MANY * pace_s / 3 + 1.0


def test_batches_that_come_together_say_nothing_of_a_pace() -> None:
    """The pool reads what lies there at once, with one time for all of it."""
    desk = Desk("p", "q", num_steps=10_000)
    for step in range(200):
        desk.ask(step)
        desk.release()
        desk.build_all()
        if step % 10 == 0:
            desk.wait(0.01)
    desk.wait(1)
    assert max(said.key.step for said in desk.of(SendTicket)) < 200 + MOST_STEPS_AHEAD
    assert len(set(desk.delivered)) == len(desk.delivered) == 200


def straggling() -> Desk:
    """Somebody waits for step 0, which a slow producer has while a fast one made five others."""
    desk = Desk("slow", "fast", num_steps=100)
    desk.ask(0)
    for _ in range(5):
        desk.wait(0.1)
        desk.build(desk.tickets("fast")[0])
    return desk


def test_what_is_waited_for_and_what_lies_behind_it_at_a_slow_producer_goes_to_a_fast_one() -> None:
    desk = straggling()
    assert desk.cancelled == [ticket.lease_id for ticket in desk.tickets("slow")]
    desk.build(*desk.tickets("fast"))
    assert desk.delivered == [(0, 0)]
    assert [ticket.key.step for ticket in desk.tickets("fast")][:1] == [1]


def test_the_answer_of_the_slow_producer_counts_if_it_comes_first() -> None:
    desk = straggling()
    first, again = desk.ticket(0, name="slow"), desk.ticket(0, name="fast")
    desk.clear()
    desk.build(first)
    assert desk.delivered == [(0, 0)]
    assert again.lease_id in desk.cancelled
    desk.build(again)
    assert desk.delivered == [(0, 0)]
