"""Slots: the table of their life, their shares of the budget, and room for whoever has none."""

from __future__ import annotations

import sys
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedline.errors import LocalProtocolError
from feedline.trainer.dispatch.slots import (
    MIN_SLOTS,
    TRANSITIONS,
    SlotEvent,
    SlotId,
    SlotNeed,
    SlotState,
    SlotTable,
    share,
)

P, Q, R = b"p", b"q", b"r"
PATHS: dict[SlotState, list[SlotEvent]] = {
    SlotState.FREE: [],
    SlotState.LEASED: [SlotEvent.LEASE],
    SlotState.READY: [SlotEvent.LEASE, SlotEvent.FILL],
    SlotState.HELD: [SlotEvent.LEASE, SlotEvent.FILL, SlotEvent.HOLD],
    SlotState.QUARANTINED: [SlotEvent.LEASE, SlotEvent.EXPIRE],
}
"""How a slot gets into each state."""

needs_of_jobs = st.dictionaries(
    st.integers(1, 9), st.builds(SlotNeed, st.integers(1, 50), st.integers(MIN_SLOTS, 12)), max_size=4
)
many = settings(max_examples=300, derandomize=True, deadline=None)


def table(budget_bytes: int, producers: list[bytes], **slot_bytes: int) -> SlotTable:
    """A table where `producers` serve job1, job2 ... with slots of so many bytes, at most 10 each."""
    slots = SlotTable(budget_bytes)
    slots.allot(producers, {int(job[3:]): SlotNeed(size, 10) for job, size in slot_bytes.items()})
    return slots


def put(slots: SlotTable, owner: tuple[bytes, int], state: SlotState, num: int = 1) -> list[SlotId]:
    """Bring so many free slots of an owner into a state."""
    taken = []
    for _ in range(num):
        slot = slots.free_slot(owner)
        assert slot is not None
        for event in PATHS[state]:
            slots.apply(slot, event)
        taken.append(slot)
    return taken


def count(slots: SlotTable, owner: tuple[bytes, int]) -> int:
    return len(list(slots.of_owner(owner)))


# --- the table -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("state", "event"), TRANSITIONS, ids=lambda part: part.value)
def test_every_arrow_of_the_table_works(state: SlotState, event: SlotEvent) -> None:
    slots = table(100, [P], job1=1)
    (slot,) = put(slots, (P, 1), state)
    slots.apply(slot, event)
    assert slots.state(slot) is TRANSITIONS[state, event]


@pytest.mark.parametrize(
    ("state", "event"),
    sorted(set(product(SlotState, SlotEvent)) - TRANSITIONS.keys(), key=str),
    ids=lambda part: part.value,
)
def test_anything_else_is_refused_and_changes_nothing(state: SlotState, event: SlotEvent) -> None:
    slots = table(100, [P], job1=1)
    (slot,) = put(slots, (P, 1), state)
    before = dict(slots), slots.used_bytes
    with pytest.raises(LocalProtocolError, match=f"is {state.value}: it cannot {event.value}"):
        slots.apply(slot, event)
    assert (dict(slots), slots.used_bytes) == before


def test_the_table_is_the_picture_above_it() -> None:
    """Pinned: an arrow more is a hand more."""
    assert sorted(
        f"{before.value} --{event.value}--> {after.value}" for (before, event), after in TRANSITIONS.items()
    ) == [
        "free --lease--> leased",
        "held --free--> free",
        "leased --expire--> quarantined",
        "leased --fill--> ready",
        "leased --free--> free",
        "quarantined --fill--> ready",
        "quarantined --free--> free",
        "ready --free--> free",
        "ready --hold--> held",
    ]


def test_a_slot_that_does_not_exist_is_refused() -> None:
    slots = table(100, [P], job1=1)
    for slot in (SlotId(P, 1, 99), SlotId(Q, 1, 0), SlotId(P, 2, 0)):
        with pytest.raises(LocalProtocolError, match="no slot"):
            slots.apply(slot, SlotEvent.LEASE)


def test_free_slots_are_given_out_from_the_lowest_and_to_their_owner_only() -> None:
    slots = table(3, [P], job1=1)
    assert [slot.index for slot in put(slots, (P, 1), SlotState.LEASED, 3)] == [0, 1, 2]
    assert slots.free_slot((P, 1)) is None
    slots.apply(SlotId(P, 1, 1), SlotEvent.FREE)
    assert slots.free_slot((P, 1)) == SlotId(P, 1, 1)
    assert slots.free_slot((Q, 1)) is None


# --- shares --------------------------------------------------------------------------------------


@many
@given(st.integers(0, 2000), st.integers(0, 12), needs_of_jobs)
def test_shares_keep_to_the_budget_and_to_each_maximum(
    budget: int, num_producers: int, needs: dict[int, SlotNeed]
) -> None:
    num_served, counts = share(budget, num_producers, needs)
    assert 0 <= num_served <= num_producers
    assert num_served * sum(counts[job] * needs[job].slot_bytes for job in counts) <= budget
    if num_served:
        assert counts.keys() == needs.keys()
        assert all(MIN_SLOTS <= counts[job] <= needs[job].max_slots for job in needs)


@many
@given(st.integers(0, 2000), st.integers(1, 12), needs_of_jobs.filter(bool))
def test_no_share_leaves_room_for_one_slot_or_one_producer_more(
    budget: int, num_producers: int, needs: dict[int, SlotNeed]
) -> None:
    num_served, counts = share(budget, num_producers, needs)
    base = MIN_SLOTS * sum(need.slot_bytes for need in needs.values())
    if num_served < num_producers:
        assert (num_served + 1) * base > budget
    if num_served:
        used = sum(counts[job] * needs[job].slot_bytes for job in counts)
        for job, need in needs.items():
            assert counts[job] == need.max_slots or used + need.slot_bytes > budget // num_served


def test_the_poorest_job_gets_the_next_slot() -> None:
    assert share(16, 1, {1: SlotNeed(1, 10), 2: SlotNeed(3, 10)}) == (1, {1: 4, 2: 4})


def test_without_jobs_or_producers_there_is_nothing_to_share() -> None:
    assert share(100, 5, {}) == (0, {})
    assert share(100, 0, {1: SlotNeed(1, 2)}) == (0, {})


# --- allotting -----------------------------------------------------------------------------------


def test_the_producers_that_get_none_are_returned() -> None:
    slots = SlotTable(10)
    assert slots.allot([P, Q, R], {1: SlotNeed(2, 10)}) == [R]
    assert [count(slots, (producer, 1)) for producer in (P, Q, R)] == [2, 2, 0]
    assert slots.allot([P, Q, R], {}) == []


def test_a_smaller_share_is_reached_as_slots_become_free() -> None:
    slots = table(10, [P], job1=1)
    leased = put(slots, (P, 1), SlotState.LEASED, 8)
    slots.allot([P, Q], {1: SlotNeed(1, 10)})
    assert (count(slots, (P, 1)), count(slots, (Q, 1))) == (8, 2)
    for slot in leased[:3]:
        slots.apply(slot, SlotEvent.FREE)
    assert (count(slots, (P, 1)), count(slots, (Q, 1))) == (5, 5)


@pytest.mark.parametrize("state", [state for state in SlotState if state is not SlotState.FREE])
def test_a_slot_in_use_outlives_its_producer_and_is_dropped_when_free(state: SlotState) -> None:
    slots = table(10, [P], job1=1)
    (slot,) = put(slots, (P, 1), state)
    slots.allot([], {1: SlotNeed(1, 10)})
    assert dict(slots) == {slot: state}
    assert slots.used_bytes == 1
    slots.apply(slot, SlotEvent.FREE)
    assert (dict(slots), slots.used_bytes) == ({}, 0)


def test_slots_of_a_closed_job_are_dropped() -> None:
    slots = table(20, [P], job1=1, job2=1)
    (held,) = put(slots, (P, 2), SlotState.HELD)
    slots.allot([P], {1: SlotNeed(1, 10)})
    assert [slot for slot, _ in slots.of_owner((P, 2))] == [held]
    slots.apply(held, SlotEvent.FREE)
    assert count(slots, (P, 2)) == 0


def test_small_slots_do_not_eat_the_room_that_a_big_one_waits_for() -> None:
    """The big slot of a new job waits for six small ones; those freed one by one are not made anew."""
    slots = table(12, [P], job1=1)
    leased = put(slots, (P, 1), SlotState.LEASED, 10)
    slots.allot([P], {1: SlotNeed(1, 10), 2: SlotNeed(5, 10)})
    for slot in leased[:9]:
        slots.apply(slot, SlotEvent.FREE)
    assert (count(slots, (P, 1)), count(slots, (P, 2))) == (2, 2)


@pytest.mark.parametrize("num", [10_000])
def test_thousands_of_slots_take_no_longer_each_than_a_few(num: int) -> None:
    """Counted in steps of the interpreter, not in seconds."""

    def num_lines(num: int) -> int:
        lines = 0

        def count_lines(*_: object) -> Any:
            nonlocal lines
            lines += 1
            return count_lines

        slots = SlotTable(1 << 40)
        before = sys.gettrace()
        sys.settrace(count_lines)
        try:
            slots.allot([P], {1: SlotNeed(1, num), 2: SlotNeed(3, num)})
            taken = put(slots, (P, 1), SlotState.READY, num)
            for slot in taken:
                slots.must_copy(slot)
                slots.apply(slot, SlotEvent.FREE)
            slots.allot([], {})
        finally:
            sys.settrace(before)
        return lines

    assert num_lines(num) < 1.5 * num / 100 * num_lines(100)


# --- consumers that keep batches -----------------------------------------------------------------


def hold_all_that_may_be_held(slots: SlotTable, owner: tuple[bytes, int]) -> int:
    """Deliver without a copy as long as that is allowed; returns how often it was."""
    for num in range(100):
        (slot,) = put(slots, owner, SlotState.READY)
        if slots.must_copy(slot):
            slots.apply(slot, SlotEvent.FREE)
            return num
        slots.apply(slot, SlotEvent.HOLD)
    raise AssertionError("everything may be held")


@pytest.mark.parametrize(("num_slots", "num_held"), [(2, 1), (3, 1), (4, 2), (10, 8)])
def test_consumers_never_get_all_slots_of_an_owner(num_slots: int, num_held: int) -> None:
    """Two stay outside their hands; of two, one."""
    slots = SlotTable(1000)
    slots.allot([P], {1: SlotNeed(1, num_slots)})
    assert hold_all_that_may_be_held(slots, (P, 1)) == num_held


def test_a_slot_in_quarantine_is_none_to_go_on_with() -> None:
    slots = SlotTable(1000)
    slots.allot([P], {1: SlotNeed(1, 4)})
    put(slots, (P, 1), SlotState.QUARANTINED)
    assert hold_all_that_may_be_held(slots, (P, 1)) == 1


def test_consumers_never_hold_more_than_half_of_the_budget() -> None:
    slots = table(10, [P], job1=1)
    assert hold_all_that_may_be_held(slots, (P, 1)) == 5


def test_batches_of_a_dead_producer_count_as_held_like_others() -> None:
    slots = table(10, [P], job1=1)
    assert hold_all_that_may_be_held(slots, (P, 1)) == 5
    (ready,) = put(slots, (P, 1), SlotState.READY)
    slots.allot([Q], {1: SlotNeed(1, 10)})
    assert slots.must_copy(ready)
    assert hold_all_that_may_be_held(slots, (Q, 1)) == 0


@pytest.mark.parametrize(("num_slots", "num_laid"), [(2, 1), (3, 1), (4, 1), (6, 3), (10, 7)])
def test_what_is_laid_down_leaves_room_to_hold_the_next(num_slots: int, num_laid: int) -> None:
    slots = SlotTable(1000)
    slots.allot([P], {1: SlotNeed(1, num_slots)})
    num = 0
    while slots.can_lie((put(slots, (P, 1), SlotState.READY))[0]):
        (slot,) = (slot for slot, state in slots if state is SlotState.READY)
        slots.apply(slot, SlotEvent.HOLD)
        num += 1
    assert num == num_laid


def test_nothing_is_laid_down_beyond_half_of_the_budget() -> None:
    slots = table(10, [P], job1=5)
    (slot,) = put(slots, (P, 1), SlotState.READY)
    assert slots.can_lie(slot)
    slots.apply(slot, SlotEvent.HOLD)
    (slot,) = put(slots, (P, 1), SlotState.READY)
    assert not slots.can_lie(slot)


def test_an_owner_whose_slots_are_held_keeps_one_to_work_with_when_its_share_shrinks() -> None:
    slots = table(20, [P], job1=1)
    assert hold_all_that_may_be_held(slots, (P, 1)) == 8
    slots.allot([P], {1: SlotNeed(1, 10), 2: SlotNeed(4, 10)})
    assert slots.free_slot((P, 1)) is not None
    assert slots.free_slot((P, 2)) is not None


def test_free_slots_make_room_for_an_owner_that_has_none() -> None:
    """Of 40 bytes a dead producer's batches, kept for ever, take 16, and a share of five slots 10."""
    slots = table(40, [P], job1=2)
    assert hold_all_that_may_be_held(slots, (P, 1)) == 8
    slots.allot([Q], {1: SlotNeed(2, 10)})
    assert count(slots, (Q, 1)) == 10
    slots.allot([Q], {1: SlotNeed(2, 10), 2: SlotNeed(15, 10)})
    assert (count(slots, (Q, 1)), count(slots, (Q, 2))) == (4, 1)


def test_a_table_without_room_says_that_it_is_starving_until_there_is_some() -> None:
    slots = table(10, [P], job1=1)
    ready = put(slots, (P, 1), SlotState.READY, 10)
    slots.allot([P], {1: SlotNeed(1, 10), 2: SlotNeed(3, 10)})
    assert slots.is_starving
    assert all(slots.can_spare(slot.owner) for slot in ready)
    for slot in ready[:2]:
        slots.apply(slot, SlotEvent.FREE)
        assert slots.is_starving
    slots.apply(ready[2], SlotEvent.FREE)
    assert not slots.is_starving
    assert slots.free_slot((P, 2)) is not None


def test_the_last_slot_of_an_owner_is_not_spared() -> None:
    slots = table(10, [P], job1=1)
    ready = put(slots, (P, 1), SlotState.READY, 10)
    for slot in ready[1:]:
        assert slots.can_spare(slot.owner)
        slots.apply(slot, SlotEvent.HOLD)
    assert not slots.can_spare(ready[0].owner)
    slots.allot([], {1: SlotNeed(1, 10)})
    assert slots.can_spare(ready[0].owner)


@many
@given(
    st.integers(4, 60),
    st.lists(
        st.one_of(
            st.tuples(st.just("allot"), st.integers(0, 4), st.integers(1, 3)),
            st.tuples(st.sampled_from(SlotEvent), st.integers(0, 30), st.just(0)),
        ),
        max_size=60,
    ),
)
def test_whatever_happens_the_budget_holds_and_is_counted_right(
    budget: int, events: list[tuple[SlotEvent | str, int, int]]
) -> None:
    slots = SlotTable(budget)
    for event, num, num_jobs in events:
        if isinstance(event, str):
            needs = {job: SlotNeed(job, 10) for job in range(1, num_jobs + 1)}
            slots.allot([b"%d" % producer for producer in range(num)], needs)
        else:
            movable = [slot for slot, state in slots if (state, event) in TRANSITIONS]
            if movable:
                slots.apply(movable[num % len(movable)], event)
        assert slots.used_bytes == sum(slot.job_id for slot, _ in slots) <= budget
