"""What comes in the place of bad samples depends on seed, epoch, row, attempt and what is bad alone."""

from __future__ import annotations

import numpy as np
import pytest

from feedline.errors import BadSamplesError
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
