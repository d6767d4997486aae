"""(seed, epoch) -> order: pinned, complete, and the same for ever."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedline.errors import ConfigurationError
from feedline.trainer.plan.epochs import EpochPlan, StepKey

many = settings(max_examples=150, derandomize=True, deadline=None)


def delivered(plan: EpochPlan, epoch: int) -> list[int]:
    """The rows of all steps, one step after another."""
    return [row for step in range(plan.num_steps) for row in plan.rows(epoch, step).tolist()]


def test_the_order_of_a_seed_is_pinned() -> None:
    """A golden value.

    A training that is resumed next year, with a newer NumPy on another machine, must see the samples
    it has not seen yet. If this fails, every run in flight breaks: change the code, not the numbers.
    """
    plan = EpochPlan(10, 3, shuffle=True, seed=7)
    assert plan.order(0).tolist() == [2, 7, 6, 4, 5, 3, 9, 8, 1, 0]
    assert plan.order(1).tolist() == [2, 4, 6, 5, 0, 8, 9, 7, 1, 3]
    assert EpochPlan(10, 3, shuffle=True, seed=8).order(0).tolist() == [6, 8, 4, 3, 5, 2, 1, 9, 0, 7]


def test_without_shuffle_the_order_is_that_of_the_dataset() -> None:
    plan = EpochPlan(7, 3)
    assert [plan.rows(5, step).tolist() for step in range(3)] == [[0, 1, 2], [3, 4, 5], [6]]


@many
@given(st.integers(1, 300), st.integers(1, 40), st.integers(-5, 2**64), st.integers(0, 50))
def test_every_epoch_is_a_permutation(num_samples: int, batch_size: int, seed: int, epoch: int) -> None:
    plan = EpochPlan(num_samples, batch_size, shuffle=True, seed=seed)
    assert sorted(delivered(plan, epoch)) == list(range(num_samples))


def test_every_epoch_and_every_seed_has_an_order_of_its_own() -> None:
    orders = [
        tuple(EpochPlan(50, 8, shuffle=True, seed=seed).order(epoch).tolist())
        for seed in range(10)
        for epoch in range(10)
    ]
    assert len(set(orders)) == 100


def test_no_sample_prefers_a_place() -> None:
    """Over 4000 epochs each of 4 rows comes first about 1000 times."""
    plan = EpochPlan(4, 1, shuffle=True, seed=3)
    firsts = np.bincount([int(plan.order(epoch)[0]) for epoch in range(4000)])
    assert np.abs(firsts - 1000).max() < 120


@pytest.mark.parametrize(
    ("num_samples", "sizes"), [(9, [3, 3, 3]), (10, [3, 3, 3, 1]), (2, [2]), (3, [3]), (1, [1])]
)
def test_the_last_step_has_what_is_left(num_samples: int, sizes: list[int]) -> None:
    plan = EpochPlan(num_samples, 3)
    assert [len(plan.rows(0, step)) for step in range(plan.num_steps)] == sizes


@pytest.mark.parametrize(("num_samples", "sizes"), [(9, [3, 3, 3]), (10, [3, 3, 3]), (3, [3])])
def test_drop_remainder_leaves_out_a_short_last_step(num_samples: int, sizes: list[int]) -> None:
    plan = EpochPlan(num_samples, 3, drop_remainder=True)
    assert [len(plan.rows(0, step)) for step in range(plan.num_steps)] == sizes
    assert len(plan.order(0)) == sum(sizes)


@many
@given(st.integers(1, 200), st.integers(1, 9), st.integers(1, 8), st.booleans(), st.integers(0, 3))
def test_shards_are_disjoint_and_together_complete(
    num_samples: int, batch_size: int, shard_count: int, shuffle: bool, epoch: int
) -> None:
    shards = [
        EpochPlan(num_samples, batch_size, shuffle, 5, shard_index=index, shard_count=shard_count)
        for index in range(min(shard_count, num_samples))
    ]
    rows = [row for shard in shards for row in delivered(shard, epoch)]
    assert sorted(rows) == list(range(num_samples))


def test_shards_differ_by_at_most_one_sample() -> None:
    sizes = [EpochPlan(10, 2, shard_index=index, shard_count=4).shard_samples for index in range(4)]
    assert sizes == [3, 3, 2, 2]


def test_steps_past_the_end_do_not_exist() -> None:
    plan = EpochPlan(10, 3)
    for step in (4, 100):
        with pytest.raises(IndexError, match=f"step {step} of an epoch of 4"):
            plan.rows(0, step)


def test_an_order_cannot_be_changed_by_its_reader() -> None:
    for shuffle in (False, True):
        plan = EpochPlan(10, 3, shuffle=shuffle)
        with pytest.raises(ValueError, match="read-only"):
            plan.order(0)[0] = 5
        with pytest.raises(ValueError, match="read-only"):
            plan.rows(0, 1)[0] = 5


def test_equal_plans_give_equal_orders_whoever_asks_first() -> None:
    one, other = (EpochPlan(100, 7, shuffle=True, seed=9) for _ in range(2))
    last = one.order(30).tolist()
    for epoch in range(20):
        other.order(epoch)
    assert other.order(30).tolist() == last


@pytest.mark.parametrize(
    ("arguments", "quoted"),
    [
        ({"batch_size": 0}, "batch_size.*got 0"),
        ({"batch_size": -3}, "batch_size.*got -3"),
        ({"num_samples": 0}, "0 samples give no batch of 3"),
        ({"num_samples": 2, "drop_remainder": True}, "2 samples give no batch of 3 with drop_remainder=True"),
        ({"shard_index": 2, "shard_count": 2}, "shard_index=2, shard_count=2"),
        ({"shard_index": -1}, "shard_index=-1, shard_count=1"),
        ({"shard_count": 0}, "shard_index=0, shard_count=0"),
        ({"num_samples": 2, "shard_index": 2, "shard_count": 3}, "0 samples give no batch"),
    ],
)
def test_what_cannot_work_is_quoted(arguments: dict[str, int], quoted: str) -> None:
    with pytest.raises(ConfigurationError, match=quoted):
        EpochPlan(**{"num_samples": 10, "batch_size": 3, **arguments})


def test_a_step_key_reads_like_a_sentence_and_sorts_in_plan_order() -> None:
    assert str(StepKey(3, 12)) == "batch 12 of epoch 3"
    assert StepKey(0, 9) < StepKey(1, 0) < StepKey(1, 1)
