"""The life of a step: every arrow of the table, and nothing else."""

from __future__ import annotations

from itertools import product

import pytest

from feedline.errors import LocalProtocolError
from feedline.trainer.dispatch.ledger import TRANSITIONS, Ledger, StepEvent, StepState
from feedline.trainer.plan.epochs import StepKey

PATHS: dict[StepState, list[StepEvent]] = {
    StepState.PLANNED: [],
    StepState.LEASED: [StepEvent.LEASE],
    StepState.READY: [StepEvent.LEASE, StepEvent.ANSWER],
    StepState.DELIVERED: [StepEvent.LEASE, StepEvent.ANSWER, StepEvent.DELIVER],
    StepState.FAILED: [StepEvent.LEASE, StepEvent.FAIL],
}
"""How a step gets into each state."""

KEY = StepKey(0, 1)


def ledger_with(state: StepState, key: StepKey = KEY, num_steps: int = 3) -> Ledger:
    ledger = Ledger(num_steps)
    for event in PATHS[state]:
        ledger.apply(key, event)
    return ledger


@pytest.mark.parametrize(("state", "event"), TRANSITIONS, ids=lambda part: part.value)
def test_every_arrow_of_the_table_works(state: StepState, event: StepEvent) -> None:
    ledger = ledger_with(state)
    ledger.apply(KEY, event)
    assert ledger.state(KEY) is TRANSITIONS[state, event]


@pytest.mark.parametrize(
    ("state", "event"),
    sorted(set(product(StepState, StepEvent)) - TRANSITIONS.keys(), key=str),
    ids=lambda part: part.value,
)
def test_anything_else_is_refused_and_changes_nothing(state: StepState, event: StepEvent) -> None:
    ledger = ledger_with(state)
    before = ledger.num_ahead, ledger.num_failed, ledger.next_planned()
    with pytest.raises(
        LocalProtocolError, match=f"batch 1 of epoch 0 is {state.value}: it cannot {event.value}"
    ):
        ledger.apply(KEY, event)
    assert ledger.state(KEY) is state
    assert (ledger.num_ahead, ledger.num_failed, ledger.next_planned()) == before


def test_the_table_is_the_picture_above_it() -> None:
    """Pinned: an arrow more is a promise less."""
    assert sorted(
        f"{before.value} --{event.value}--> {after.value}" for (before, event), after in TRANSITIONS.items()
    ) == [
        "delivered --ask again--> planned",
        "failed --deliver--> delivered",
        "leased --answer--> ready",
        "leased --fail--> failed",
        "leased --lose--> planned",
        "planned --answer--> ready",
        "planned --fail--> failed",
        "planned --lease--> leased",
        "ready --deliver--> delivered",
        "ready --take back--> planned",
    ]


def test_steps_nothing_happened_to_are_planned_and_take_no_memory() -> None:
    ledger = Ledger(10**9)
    assert ledger.state(StepKey(7, 12345)) is StepState.PLANNED
    assert ledger.next_planned() == StepKey(0, 0)
    assert len(ledger._records) == 0


def test_planned_steps_come_in_plan_order_across_epochs() -> None:
    ledger = Ledger(2)
    order = []
    for _ in range(5):
        order.append(ledger.next_planned())
        ledger.apply(order[-1], StepEvent.LEASE)
    assert order == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)]


def test_asking_for_the_next_planned_step_changes_nothing() -> None:
    ledger = Ledger(2)
    assert {ledger.next_planned() for _ in range(5)} == {StepKey(0, 0)}


def test_a_step_that_comes_back_is_next_before_later_ones() -> None:
    ledger = Ledger(4)
    for step in range(4):
        ledger.apply(StepKey(0, step), StepEvent.LEASE)
    for step in (2, 1):
        ledger.apply(StepKey(0, step), StepEvent.LOSE)
    assert ledger.next_planned() == (0, 1)
    ledger.apply(StepKey(0, 1), StepEvent.LEASE)
    assert ledger.next_planned() == (0, 2)
    ledger.apply(StepKey(0, 2), StepEvent.LEASE)
    assert ledger.next_planned() == (1, 0)


def test_a_step_that_was_taken_out_of_order_is_not_planned_again() -> None:
    ledger = ledger_with(StepState.LEASED, StepKey(0, 0))
    ledger.apply(StepKey(0, 2), StepEvent.LEASE)
    assert ledger.next_planned() == (0, 1)
    ledger.apply(StepKey(0, 1), StepEvent.LEASE)
    assert ledger.next_planned() == (1, 0)


def test_what_prefetch_has_in_hand_is_counted() -> None:
    ledger = Ledger(9)
    for step, state in enumerate(StepState):
        for event in PATHS[state]:
            ledger.apply(StepKey(0, step), event)
    assert ledger.num_ahead == 2
    assert ledger.num_failed == 1


def test_steps_are_found_by_their_state() -> None:
    ledger = ledger_with(StepState.READY)
    ledger.apply(StepKey(0, 2), StepEvent.LEASE)
    assert list(ledger.in_state(StepState.READY)) == [KEY]
    assert list(ledger.in_state(StepState.LEASED)) == [(0, 2)]


def test_a_failure_keeps_its_reason() -> None:
    ledger = ledger_with(StepState.LEASED)
    ledger.fail(KEY, "truncated")
    assert (ledger.state(KEY), ledger.record(KEY).error) == (StepState.FAILED, "truncated")


def test_a_step_that_is_asked_for_again_has_a_clean_slate() -> None:
    ledger = ledger_with(StepState.DELIVERED)
    record = ledger.record(KEY)
    record.num_lost, record.error = 3, "unreadable"
    record.unread_by[b"p"] = ()
    ledger.ask_again(KEY)
    assert (record.state, record.num_lost, record.error, record.unread_by) == (
        StepState.PLANNED,
        0,
        "",
        {},
    )


# --- retiring epochs -----------------------------------------------------------------------------


def test_steps_of_a_retired_epoch_count_as_delivered() -> None:
    ledger = ledger_with(StepState.LEASED)
    ledger.retire_before(1, keep=set())
    assert ledger.state(KEY) is StepState.DELIVERED
    assert ledger.state(StepKey(0, 2)) is StepState.DELIVERED
    assert ledger.num_ahead == 0
    assert ledger.next_planned() == (1, 0)


@pytest.mark.parametrize("state", StepState, ids=lambda state: state.value)
def test_a_step_that_is_still_wanted_is_kept_whatever_its_state(state: StepState) -> None:
    """Also one to which nothing had happened yet."""
    ledger = ledger_with(state)
    ledger.retire_before(5, keep={KEY})
    assert ledger.state(KEY) is state


def test_prefetch_never_goes_back_to_a_retired_epoch() -> None:
    """Not even to a step that is kept: whoever waits for it will have it leased."""
    ledger = ledger_with(StepState.LEASED)
    ledger.retire_before(2, keep={KEY})
    ledger.apply(KEY, StepEvent.LOSE)
    assert ledger.next_planned() == (2, 0)


def test_a_step_of_a_retired_epoch_can_be_asked_for_again() -> None:
    ledger = ledger_with(StepState.DELIVERED)
    ledger.retire_before(1, keep=set())
    ledger.ask_again(KEY)
    assert ledger.state(KEY) is StepState.PLANNED


def test_retiring_leaves_no_records_behind() -> None:
    ledger = Ledger(3)
    for epoch in range(50):
        for step in range(3):
            for event in PATHS[StepState.DELIVERED]:
                ledger.apply(StepKey(epoch, step), event)
        ledger.retire_before(epoch + 1, keep=set())
    assert ledger._records == {}
    assert ledger._returned == []
    assert ledger.first_epoch == 50


@pytest.mark.parametrize("epoch", [0, 2, 7])
def test_prefetch_moves_to_another_epoch_also_backwards(epoch: int) -> None:
    ledger = Ledger(2)
    for step in range(2):
        for event in PATHS[StepState.DELIVERED]:
            ledger.apply(StepKey(3, step), event)
    ledger.retire_before(3, keep=set())
    ledger.apply(StepKey(4, 0), StepEvent.LEASE)
    ledger.move_to(StepKey(epoch, 0), keep={StepKey(4, 0)})
    assert ledger.next_planned() == (epoch, 0)
    assert ledger.state(StepKey(epoch, 1)) is StepState.PLANNED
    assert ledger.state(StepKey(4, 0)) is StepState.LEASED
    assert ledger.num_ahead == 1
    if epoch:
        assert ledger.state(StepKey(epoch - 1, 0)) is StepState.DELIVERED


def test_epochs_are_not_unretired() -> None:
    ledger = Ledger(3)
    ledger.retire_before(5, keep=set())
    ledger.retire_before(2, keep=set())
    assert ledger.first_epoch == 5
    assert ledger.next_planned() == (5, 0)
