"""A plan of what a sampler draws: all of it, once, whatever the order, the shards and the batches."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labelled import RARE, SAMPLERS, labelled

from feedline.errors import ConfigurationError
from feedline.samplers import BalancedSampler, KeepProbabilitySampler, Sampler, WeightedSampler
from feedline.trainer.plan.drawings import Drawing, occurrences_of
from feedline.trainer.plan.epochs import EpochPlan

many = settings(max_examples=100, derandomize=True, deadline=None)
epochs = st.integers(0, 50)


@given(st.lists(st.integers(0, 5), max_size=40))
def test_an_occurrence_is_how_often_the_row_came_before(rows: list[int]) -> None:
    expected = [rows[:place].count(row) for place, row in enumerate(rows)]
    assert occurrences_of(np.array(rows, np.intp)).tolist() == expected


def visits(plan: EpochPlan, epoch: int) -> list[tuple[int, int]]:
    """(row, occurrence) of all steps, one after another."""
    return [
        visit
        for step in range(plan.num_steps)
        for visit in zip(plan.rows(epoch, step).tolist(), plan.occurrences(epoch, step).tolist(), strict=True)
    ]


def drawing_of(sampler: Sampler, num_rows: int) -> Drawing:
    return sampler.bind(labelled([row % 4 for row in range(num_rows)]))


@many
@given(st.sampled_from(SAMPLERS), st.integers(8, 80), st.integers(1, 9), st.booleans(), epochs)
def test_a_plan_delivers_what_is_drawn_exactly_once(
    sampler: Sampler, num_rows: int, batch_size: int, shuffle: bool, epoch: int
) -> None:
    drawing = drawing_of(sampler, num_rows)
    plan = EpochPlan(num_rows, batch_size, shuffle, 5, drawing=drawing)
    delivered = visits(plan, epoch)
    assert len(set(delivered)) == len(delivered)
    assert sorted(row for row, _ in delivered) == drawing.rows(5, epoch).tolist()
    for row, times in Counter(row for row, _ in delivered).items():
        assert [occurrence for other, occurrence in delivered if other == row] == list(range(times))


@many
@given(st.sampled_from(SAMPLERS), st.integers(20, 80), st.integers(1, 5), st.booleans(), epochs)
def test_shards_have_different_occurrences_and_together_all_that_is_drawn(
    sampler: Sampler, num_rows: int, shard_count: int, shuffle: bool, epoch: int
) -> None:
    drawing = drawing_of(sampler, num_rows)
    shards = [
        EpochPlan(num_rows, 3, shuffle, 5, False, index, shard_count, drawing) for index in range(shard_count)
    ]
    together = [visit for shard in shards for visit in visits(shard, epoch)]
    whole = visits(EpochPlan(num_rows, 3, shuffle, 5, drawing=drawing), epoch)
    again = [row for row, _ in whole[: -len(whole) % shard_count]]
    assert sorted(row for row, _ in together) == sorted([row for row, _ in whole] + again)
    assert len(set(together)) == len(together)
    assert visits(shards[0], epoch) == whole[::shard_count]


def test_without_shuffle_what_is_drawn_comes_in_the_order_of_the_dataset() -> None:
    plan = EpochPlan(10, 4, seed=7, drawing=BalancedSampler("any").bind(labelled(RARE)))
    rows = [[0, 1, 4, 4], [5, 6, 7, 7], [7, 8]]
    assert [plan.rows(0, step).tolist() for step in range(3)] == rows
    assert [plan.occurrences(0, step).tolist() for step in range(3)] == [[0, 0, 0, 1], [0, 0, 0, 1], [2, 0]]


def test_with_shuffle_it_comes_in_another_order_each_epoch_though_all_of_it_is_drawn() -> None:
    drawing = KeepProbabilitySampler({0: 1, 1: 1}, by="any").bind(labelled(RARE))
    plan = EpochPlan(10, 4, shuffle=True, seed=7, drawing=drawing)
    assert len({tuple(plan.order(epoch).tolist()) for epoch in range(20)}) == 20


def test_drop_remainder_counts_what_is_drawn() -> None:
    drawing = WeightedSampler("w", 11).bind(labelled(RARE))
    assert EpochPlan(10, 4, drawing=drawing).num_steps == 3
    plan = EpochPlan(10, 4, drop_remainder=True, drawing=drawing)
    assert plan.num_steps == 2
    assert len(plan.order(0)) == 8


def test_a_plan_of_nothing_drawn_is_refused() -> None:
    drawing = KeepProbabilitySampler({0: 0, 1: 0}, by="any").bind(labelled(RARE))
    with pytest.raises(ConfigurationError, match="0 samples give no batch of 4"):
        EpochPlan(10, 4, drawing=drawing)


def test_without_a_sampler_nothing_occurs_twice() -> None:
    assert [occurrence for _, occurrence in visits(EpochPlan(10, 4, shuffle=True), 3)] == [0] * 10
