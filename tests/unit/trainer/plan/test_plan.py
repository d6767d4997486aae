"""(seed, epoch) -> order: pinned, complete, and the same for ever."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
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
@given(st.integers(1, 300), st.integers(1, 40), st.integers(-5, 2**64 - 1), st.integers(0, 50))
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


SHARDS = (st.integers(1, 200), st.integers(1, 9), st.integers(1, 8), st.booleans(), st.integers(0, 3))


def shards_of(
    remainder: str, num_samples: int, batch_size: int, count: int, shuffle: bool
) -> list[EpochPlan]:
    return [
        EpochPlan(
            num_samples, batch_size, shuffle, 5, shard_index=nth, shard_count=count, shard_remainder=remainder
        )
        for nth in range(count)
    ]


@many
@given(*SHARDS)
def test_padded_shards_together_have_every_sample_and_the_first_ones_again_where_one_lacks(
    num_samples: int, batch_size: int, shard_count: int, shuffle: bool, epoch: int
) -> None:
    shards = shards_of("pad", num_samples, batch_size, shard_count, shuffle)
    rows = [row for shard in shards for row in delivered(shard, epoch)]
    order = EpochPlan(num_samples, batch_size, shuffle, 5).order(epoch).tolist()
    num_lacking = -num_samples % shard_count
    again = (order * shard_count)[:num_lacking]
    assert sorted(rows) == sorted(order + again)


@many
@given(*SHARDS)
def test_cut_shards_are_disjoint_and_leave_out_the_last_samples_of_the_order(
    num_samples: int, batch_size: int, shard_count: int, shuffle: bool, epoch: int
) -> None:
    assume(num_samples >= shard_count)
    shards = shards_of("drop", num_samples, batch_size, shard_count, shuffle)
    rows = [row for shard in shards for row in delivered(shard, epoch)]
    order = EpochPlan(num_samples, batch_size, shuffle, 5).order(epoch).tolist()
    assert sorted(rows) == sorted(order[: num_samples // shard_count * shard_count])


@many
@given(*SHARDS, st.sampled_from(["pad", "drop"]), st.booleans())
def test_all_shards_have_as_many_steps_and_as_many_samples_in_each(
    num_samples: int,
    batch_size: int,
    shard_count: int,
    shuffle: bool,
    epoch: int,
    remainder: str,
    drop_remainder: bool,
) -> None:
    assume(num_samples >= shard_count * (batch_size if drop_remainder else 1))
    shards = [
        replace(shard, drop_remainder=drop_remainder)
        for shard in shards_of(remainder, num_samples, batch_size, shard_count, shuffle)
    ]
    sizes = [[len(shard.rows(epoch, step)) for step in range(shard.num_steps)] for shard in shards]
    assert sizes == [sizes[0]] * shard_count
    assert [shards[0].batch_size_of(step) for step in range(shards[0].num_steps)] == sizes[0]


@many
@given(*SHARDS, st.sampled_from(["pad", "drop"]))
def test_a_step_of_all_shards_together_is_that_of_one_shard_with_the_global_batch(
    num_samples: int, batch_size: int, shard_count: int, shuffle: bool, epoch: int, remainder: str
) -> None:
    """So that what was trained before a step is the same for any number of ranks."""
    assume(num_samples >= shard_count)
    shards = shards_of(remainder, num_samples, batch_size, shard_count, shuffle)
    whole = EpochPlan(num_samples, batch_size * shard_count, shuffle, 5)
    for step in range(num_samples // (batch_size * shard_count)):
        in_turn = np.stack([shard.rows(epoch, step) for shard in shards], axis=1).ravel()
        assert in_turn.tolist() == whole.rows(epoch, step).tolist()


@many
@given(*SHARDS, st.sampled_from(["pad", "drop"]))
def test_without_a_short_step_an_epoch_is_the_same_for_any_number_of_shards(
    num_samples: int, batch_size: int, shard_count: int, shuffle: bool, epoch: int, remainder: str
) -> None:
    assume(num_samples >= shard_count * batch_size)
    shards = [
        replace(shard, drop_remainder=True)
        for shard in shards_of(remainder, num_samples, batch_size, shard_count, shuffle)
    ]
    whole = EpochPlan(num_samples, batch_size * shard_count, shuffle, 5, drop_remainder=True)
    in_turn = np.stack([shard.order(epoch) for shard in shards], axis=1).ravel()
    assert in_turn.tolist() == whole.order(epoch).tolist()
    assert [shard.num_steps for shard in shards] == [whole.num_steps] * shard_count


@many
@given(*SHARDS[:3])
def test_padded_shards_have_as_many_steps_as_one(num_samples: int, batch_size: int, shard_count: int) -> None:
    whole = EpochPlan(num_samples, batch_size * shard_count)
    (first, *_) = shards_of("pad", num_samples, batch_size, shard_count, shuffle=False)
    assert first.num_steps == whole.num_steps


def test_a_sample_that_pads_a_shard_has_draws_of_its_own() -> None:
    shards = shards_of("pad", 3, 2, 8, shuffle=False)
    visits = [(s.rows(0, 0).item(), s.occurrences(0, 0).item()) for s in shards]
    assert visits == [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1), (0, 2), (1, 2)]


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
        (
            {"num_samples": 2, "shard_index": 2, "shard_count": 3, "shard_remainder": "drop"},
            "2 samples give no batch of 3 in each of 3 shards",
        ),
        (
            {"num_samples": 8, "shard_count": 3, "drop_remainder": True},
            "8 samples give no batch of 3 with drop_remainder=True in each of 3 shards",
        ),
        ({"shard_remainder": "keep"}, "shard_remainder.*'keep'"),
    ],
)
def test_what_cannot_work_is_quoted(arguments: dict[str, int], quoted: str) -> None:
    with pytest.raises(ConfigurationError, match=quoted):
        EpochPlan(**{"num_samples": 10, "batch_size": 3, **arguments})


def test_a_step_key_reads_like_a_sentence_and_sorts_in_plan_order() -> None:
    assert str(StepKey(3, 12)) == "batch 12 of epoch 3"
    assert StepKey(0, 9) < StepKey(1, 0) < StepKey(1, 1)
