"""What comes in the place of bad samples depends on seed, epoch, row, attempt and what is bad alone."""

from __future__ import annotations

import numpy as np
import pytest
from labelled import Samples

from feedline.errors import BadSamplesError
from feedline.samplers import SharesSampler, WeightedSampler
from feedline.trainer.plan.drawings import Drawing, Rows
from feedline.trainer.plan.epochs import EpochPlan, StepKey
from feedline.trainer.plan.lineups import Lineup, Lineups, OnError

NUM_ROWS, BATCH = 60, 8
CLASSES = np.arange(NUM_ROWS) % 3


def lineups_of(
    on_error: OnError = OnError.REPLACE, *bad: int, shuffle: bool = True, num_sources: int = 1, seed: int = 5
) -> Lineups:
    plan = EpochPlan(NUM_ROWS, BATCH, shuffle, seed)
    lineups = Lineups(plan, num_sources, on_error, CLASSES)
    lineups.mark(list(bad))
    return lineups


def epoch_of(lineups: Lineups, epoch: int = 0) -> list[Lineup]:
    return [lineups.of(StepKey(epoch, step)) for step in range(lineups.plan.num_steps)]


def rows_of(lineups: Lineups, epoch: int = 0) -> list[int]:
    return [row for lineup in epoch_of(lineups, epoch) for row in lineup.items.tolist()]


def test_without_bad_samples_a_lineup_is_the_plan() -> None:
    lineups = lineups_of()
    assert rows_of(lineups, 3) == lineups.plan.order(3).tolist()
    assert not any(lineup.is_blank.any() for lineup in epoch_of(lineups))


@pytest.mark.parametrize("seed", range(5))
def test_a_sample_of_the_same_class_takes_the_place_and_all_others_keep_theirs(seed: int) -> None:
    bad = [4, 17, 30, 31]
    lineups = lineups_of(OnError.REPLACE, *bad, seed=seed)
    for planned, row in zip(lineups.plan.order(0).tolist(), rows_of(lineups), strict=True):
        assert row not in bad
        assert CLASSES[row] == CLASSES[planned]
        assert row == planned or planned in bad


def test_what_takes_a_place_does_not_depend_on_when_it_became_known_what_is_bad() -> None:
    """One producer finds this sample first, another that: in the end all batches are the same."""
    first = lineups_of()
    bad: set[int] = set()
    for _ in range(6):
        # Also what takes a place turns out to be bad, again and again.
        bad |= {
            rows_of(lineups_of(OnError.REPLACE, *bad))[20],
            rows_of(lineups_of(OnError.REPLACE, *bad))[41],
        }
    expected = rows_of(lineups_of(OnError.REPLACE, *bad))
    for row in sorted(bad, reverse=True):
        first.mark([row])
        for step in range(first.plan.num_steps):
            first.of(StepKey(0, step))
    assert len(bad) > 9
    assert rows_of(first) == expected


def test_each_epoch_and_seed_has_others_in_the_places() -> None:
    def taking(seed: int, epoch: int) -> int:
        lineups = lineups_of(OnError.REPLACE, 17, seed=seed)
        return rows_of(lineups, epoch)[lineups.plan.order(epoch).tolist().index(17)]

    assert len({taking(seed, epoch) for seed in range(3) for epoch in range(3)}) > 3


def test_a_class_that_is_bad_throughout_is_replaced_by_others_and_a_dataset_that_is_cannot_be() -> None:
    lineups = lineups_of(OnError.REPLACE, *np.flatnonzero(CLASSES == 1).tolist())
    assert {int(CLASSES[row]) for row in rows_of(lineups)} == {0, 2}
    lineups.mark(range(NUM_ROWS))
    with pytest.raises(BadSamplesError, match="no sample is left that could take the place of row"):
        rows_of(lineups)


def test_one_good_sample_is_found_wherever_it_is() -> None:
    for good in (0, 31, NUM_ROWS - 1):
        lineups = lineups_of(OnError.REPLACE, *(row for row in range(NUM_ROWS) if row != good))
        assert set(rows_of(lineups)) == {good}


def test_what_takes_a_place_has_draws_of_its_own() -> None:
    lineups = lineups_of(OnError.REPLACE, 4, 17)
    keys = [
        (row, occurrence)
        for lineup in epoch_of(lineups)
        for row, occurrence in zip(lineup.rows.tolist(), lineup.occurrences.tolist(), strict=True)
    ]
    assert len(set(keys)) == NUM_ROWS


def test_in_order_the_places_stay_and_are_blank() -> None:
    lineups = lineups_of(OnError.REPLACE, 4, 17, shuffle=False)
    assert rows_of(lineups) == list(range(NUM_ROWS))
    blank = np.concatenate([lineup.is_blank for lineup in epoch_of(lineups)])
    assert np.flatnonzero(blank).tolist() == [4, 17]
    assert lineups.of(StepKey(0, 0)).row_at(4) is None
    assert lineups.of(StepKey(0, 0)).row_at(3) == 3


@pytest.mark.parametrize("shuffle", [True, False])
def test_skipped_samples_make_batches_shorter_and_steps_stay(shuffle: bool) -> None:
    lineups = lineups_of(OnError.SKIP, 4, 17, 18, shuffle=shuffle)
    assert sorted(rows_of(lineups)) == sorted(set(range(NUM_ROWS)) - {4, 17, 18})
    assert len(epoch_of(lineups)) == lineups.plan.num_steps
    whole = lineups.plan.order(0)
    for step, lineup in enumerate(epoch_of(lineups)):
        assert [lineup.row_at(place) for place in lineup.places] == whole[
            step * BATCH + lineup.places
        ].tolist()


def test_a_batch_whose_samples_are_all_bad_has_one_that_takes_the_first_place() -> None:
    lineups = lineups_of(OnError.SKIP, *range(BATCH, 2 * BATCH), shuffle=False)
    lineup = lineups.of(StepKey(0, 1))
    assert lineup.places.tolist() == [0]
    assert CLASSES[lineup.items[0]] == CLASSES[BATCH]
    assert not lineups.is_bad[lineup.items[0]]
    assert lineup.row_at(3) is None


@pytest.mark.parametrize("on_error", [OnError.REPLACE, OnError.SKIP])
def test_one_bad_sample_of_several_that_are_mixed_makes_all_of_them_bad(on_error: OnError) -> None:
    lineups = lineups_of(on_error, 9, num_sources=4)
    plain = lineups_of(on_error, num_sources=4)
    rows = np.concatenate([lineup.rows for lineup in epoch_of(lineups)])
    assert 9 not in rows
    for before, after in zip(epoch_of(plain), epoch_of(lineups), strict=True):
        for place, sources in enumerate(before.rows.reshape(-1, 4).tolist()):
            if 9 not in sources:
                index = after.places.tolist().index(place)
                assert after.rows.reshape(-1, 4)[index].tolist() == sources


# --- with a sampler -------------------------------------------------------------------------------

SOURCES = np.where(np.arange(NUM_ROWS) % 2, "drawn", "real")


def sampled(drawing: Drawing, *bad: int, classes: Rows | None = CLASSES) -> Lineups:
    plan = EpochPlan(NUM_ROWS, BATCH, shuffle=True, seed=5, drawing=drawing)
    lineups = Lineups(plan, on_error=OnError.REPLACE, classes=classes)
    lineups.mark(list(bad))
    return lineups


def replaced(lineups: Lineups, epoch: int) -> list[tuple[int, int]]:
    """(planned row, row in its place) of each bad sample of an epoch."""
    pairs = zip(lineups.plan.order(epoch).tolist(), rows_of(lineups, epoch), strict=True)
    return [(planned, row) for planned, row in pairs if lineups.is_bad[planned]]


def test_what_a_sampler_excludes_takes_no_place() -> None:
    """Neither rows without weight nor those of a group that gives nothing."""
    allowed = np.arange(NUM_ROWS) < 30
    samples = Samples({"half": allowed.astype(int)})
    for sampler in (WeightedSampler(allowed, 600), SharesSampler({0: 0, 1: 1}, by="half", num_samples=600)):
        lineups = sampled(sampler.bind(samples), 4, 17)
        pairs = [pair for epoch in range(3) for pair in replaced(lineups, epoch)]
        assert len(pairs) > 20
        assert all(row < 30 and CLASSES[row] == CLASSES[planned] for planned, row in pairs)
        lineups.mark(np.flatnonzero(allowed & (CLASSES == 1)).tolist())
        assert {row < 30 for _, row in replaced(lineups, 0)} == {True}
        lineups.mark(range(30))
        with pytest.raises(BadSamplesError, match="all others that the sampler draws are bad"):
            rows_of(lineups)


@pytest.mark.parametrize("classes", [CLASSES, None])
def test_a_place_is_taken_by_a_sample_of_the_same_group_as_long_as_there_is_one(classes: Rows | None) -> None:
    shares = SharesSampler({"real": 3, "drawn": 1}, by="source")
    drawing = shares.bind(Samples({"source": SOURCES}))
    lineups = sampled(drawing, 4, 16, 17, 31, classes=classes)
    pairs = [pair for epoch in range(4) for pair in replaced(lineups, epoch)]
    assert len(pairs) > 9
    assert all(SOURCES[row] == SOURCES[planned] for planned, row in pairs)
    lineups.mark(np.flatnonzero(SOURCES == "drawn").tolist())
    assert {str(SOURCES[row]) for row in rows_of(lineups)} == {"real"}


def test_the_class_counts_for_more_than_the_group() -> None:
    drawing = SharesSampler({"real": 3, "drawn": 1}, by="source").bind(Samples({"source": SOURCES}))
    lineups = sampled(drawing, *np.flatnonzero((SOURCES == "real") & (CLASSES == 1)).tolist())
    pairs = [pair for epoch in range(3) for pair in replaced(lineups, epoch)]
    assert {(str(SOURCES[row]), int(CLASSES[row])) for _, row in pairs} == {("drawn", 1)}


class Alternating:
    """A drawing of somebody's, who knows nothing but the protocol."""

    num_samples = NUM_ROWS

    def rows(self, seed: int, epoch: int) -> Rows:  # noqa: ARG002 - part of the protocol
        """Even rows, then odd ones."""
        return np.repeat(np.arange(epoch % 2, NUM_ROWS, 2), 2)


@pytest.mark.parametrize("shard_count", [1, 2])
def test_with_a_sampler_of_somebodys_a_place_is_taken_by_what_that_epoch_draws(
    shard_count: int,
) -> None:
    plan = EpochPlan(NUM_ROWS, BATCH, shuffle=True, seed=5, drawing=Alternating(), shard_count=shard_count)
    lineups = Lineups(plan, on_error=OnError.REPLACE, classes=CLASSES)
    lineups.mark([4, 16, 17, 31, 32, 55])
    for epoch in range(4):
        pairs = replaced(lineups, epoch)
        assert pairs
        assert all(row % 2 == epoch % 2 and CLASSES[row] == CLASSES[planned] for planned, row in pairs)


def test_with_a_sampler_too_what_takes_a_place_does_not_depend_on_when_it_became_known() -> None:
    drawing = SharesSampler({"real": 3, "drawn": 1}, by="source").bind(Samples({"source": SOURCES}))
    bad = [*range(0, 40, 3), *range(1, 20, 2)]
    gradual = sampled(drawing)
    for row in bad:
        gradual.mark([row])
        rows_of(gradual)
    assert rows_of(gradual) == rows_of(sampled(drawing, *bad))


def test_what_takes_a_place_without_a_sampler_is_pinned() -> None:
    """A training that is resumed next year must see the epoch that it would have seen."""
    assert replaced(lineups_of(OnError.REPLACE, 4, 17, 30, 31), 0) == [(31, 37), (30, 15), (17, 2), (4, 40)]
