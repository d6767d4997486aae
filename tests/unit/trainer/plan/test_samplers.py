"""Samplers: how many, which, how often; the same for ever, and otherwise in every epoch."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labelled import RARE, SAMPLERS, Samples, labelled

from feedline.errors import ConfigurationError, DatasetError
from feedline.samplers import (
    BalancedSampler,
    KeepProbabilitySampler,
    Sampler,
    SharesSampler,
    WeightedSampler,
)
from feedline.trainer.datasets.dataset import ImageDataset
from feedline.trainer.plan.drawings import apportioned

many = settings(max_examples=100, derandomize=True, deadline=None)
labels_of_few_classes = st.lists(st.integers(0, 3), min_size=1, max_size=60)
seeds = st.integers(-5, 2**64)
epochs = st.integers(0, 50)


def chi_square(counts: npt.NDArray[Any], expected: npt.NDArray[Any]) -> float:
    """Pearson's statistic: near its degrees of freedom if `counts` are what is expected."""
    return float(((counts - expected) ** 2 / expected).sum())


def bound(degrees: int) -> float:
    """Five standard deviations above the mean of chi-square."""
    return degrees + 5 * math.sqrt(2 * degrees)


@pytest.mark.parametrize(
    ("sampler", "first", "second"),
    [
        (BalancedSampler("any"), [0, 1, 4, 4, 5, 6, 7, 7, 7, 8], [0, 2, 3, 4, 4, 4, 6, 7, 7, 9]),
        (KeepProbabilitySampler({0: 0.5, 1: 1}, by="any"), [0, 1, 4, 5, 6, 7], [0, 3, 4, 6, 7, 9]),
        (WeightedSampler("w"), [3, 4, 5, 5, 6, 7, 7, 8, 9, 9], [2, 4, 4, 6, 7, 7, 7, 9, 9, 9]),
    ],
)
def test_what_a_seed_draws_is_pinned(sampler: Sampler, first: list[int], second: list[int]) -> None:
    """Golden values: a training that is resumed next year must see the epoch that it would have seen."""
    samples = Samples({"any": np.array(RARE), "w": np.arange(10.0)})
    drawing = sampler.bind(samples)
    assert drawing.rows(7, 0).tolist() == first
    assert drawing.rows(7, 1).tolist() == second


@many
@given(st.sampled_from(SAMPLERS), labels_of_few_classes, seeds, epochs)
def test_every_epoch_has_the_stated_length_and_is_a_function_of_seed_and_epoch(
    sampler: Sampler, labels: list[int], seed: int, epoch: int
) -> None:
    drawing, again = sampler.bind(labelled(labels)), sampler.bind(labelled(labels))
    rows = drawing.rows(seed, epoch)
    assert rows.shape == (drawing.num_samples,)
    assert rows.tolist() == sorted(rows.tolist())
    assert not rows.size or (rows[0] >= 0 and rows[-1] < len(labels))
    assert again.rows(seed, epoch).tolist() == rows.tolist()


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_epoch_and_every_seed_draws_others(sampler: Sampler) -> None:
    drawing = sampler.bind(labelled([0] * 40 + [1] * 30 + [2] * 20 + [3] * 10))
    drawn = {tuple(drawing.rows(seed, epoch).tolist()) for seed in range(5) for epoch in range(5)}
    assert len(drawn) == 25


# --- balanced -----------------------------------------------------------------------------------


@many
@given(labels_of_few_classes, st.none() | st.integers(1, 200), seeds, epochs)
def test_classes_and_the_samples_of_a_class_come_equally_often_to_within_one(
    labels: list[int], num_samples: int | None, seed: int, epoch: int
) -> None:
    drawing = BalancedSampler("any", num_samples).bind(labelled(labels))
    assert drawing.num_samples == (num_samples or len(labels))
    rows = drawing.rows(seed, epoch)
    by_class = np.bincount(np.array(labels)[rows], minlength=4)[sorted(set(labels))]
    assert by_class.max() - by_class.min() <= 1
    times = np.bincount(rows, minlength=len(labels))
    for label in set(labels):
        of_class = times[np.array(labels) == label]
        assert of_class.max() - of_class.min() <= 1


def test_each_sample_of_a_class_is_as_likely_to_be_the_one_that_is_drawn_once_more() -> None:
    drawing = BalancedSampler("any", 10).bind(labelled([0] * 2 + [1] * 8))
    times = sum(np.bincount(drawing.rows(3, epoch), minlength=10) for epoch in range(2000))
    # m of n without repetition: the variance is (n - m) / (n - 1) of that of independent draws.
    assert chi_square(times[2:], np.full(8, 1250.0)) / (3 / 7) < bound(7)
    # Two rounds of 2, and one sample once more, which is drawn of 2.
    assert abs(times[0] - 5000) < 5 * math.sqrt(2000 / 4)


@pytest.mark.parametrize(
    "target", [np.array(RARE), np.array(RARE)[:, np.newaxis], np.eye(2, dtype=np.float32)[RARE]]
)
def test_without_a_column_the_labels_are_the_classes(target: npt.NDArray[Any]) -> None:
    rows = BalancedSampler().bind(Samples({"w": np.zeros(10)}, (target,))).rows(0, 0)
    assert Counter(RARE[row] for row in rows) == {0: 5, 1: 5}


# --- kept with a probability --------------------------------------------------------------------


@many
@given(labels_of_few_classes, st.lists(st.floats(0, 1), min_size=4, max_size=4), seeds, epochs)
def test_the_rounded_share_of_each_value_is_kept_and_none_twice(
    labels: list[int], shares: list[float], seed: int, epoch: int
) -> None:
    drawing = KeepProbabilitySampler(dict(enumerate(shares)), by="any").bind(labelled(labels))
    rows = drawing.rows(seed, epoch)
    assert len(set(rows.tolist())) == len(rows)
    kept = Counter(labels[row] for row in rows)
    assert all(kept[label] == round(num * shares[label]) for label, num in Counter(labels).items())


def test_each_sample_is_kept_with_the_probability_of_its_value() -> None:
    drawing = KeepProbabilitySampler({0: 0.35, 1: 0.5}, by="any").bind(labelled([0] * 60 + [1] * 40))
    times = sum(np.bincount(drawing.rows(11, epoch), minlength=100) for epoch in range(2000))
    for mine, num, share in ((times[:60], 60, 0.35), (times[60:], 40, 0.5)):
        # m of n without repetition: the variance is (n - m) / (n - 1) of that of independent draws.
        scale = num * (1 - share) / (num - 1)
        assert chi_square(mine, np.full(num, 2000 * share)) / scale < bound(num - 1)


def test_neighbours_are_kept_independently_of_each_other() -> None:
    drawing = KeepProbabilitySampler({0: 0.5}, by="any").bind(labelled([0] * 100))
    together = sum(
        np.isin([2 * pair, 2 * pair + 1], drawing.rows(5, epoch)).all()
        for epoch in range(200)
        for pair in range(50)
    )
    assert abs(together - 10_000 * (50 * 49) / (100 * 99)) < 200


def test_floats_of_a_column_match_the_whole_numbers_of_keep() -> None:
    samples = Samples({"any": np.array(RARE, np.float32)})
    assert KeepProbabilitySampler({0: 0, 1: 1}, by="any").bind(samples).rows(0, 0).tolist() == [4, 7]


# --- weighted -----------------------------------------------------------------------------------


def test_each_draw_takes_a_sample_in_proportion_to_its_weight() -> None:
    weights = np.array([0.5, 0, 3, 1, 0, 8, 2, 1.5])
    drawing = WeightedSampler("w", 100_000).bind(Samples({"w": weights}))
    times = np.bincount(drawing.rows(2, 9), minlength=8)
    assert times[weights == 0].tolist() == [0, 0]
    expected = 100_000 * weights / weights.sum()
    assert chi_square(times[weights > 0], expected[weights > 0]) < bound(5)


@many
@given(st.lists(st.sampled_from([0.0, 1e-30, 1.0, 3e38]), min_size=1, max_size=20), seeds)
def test_a_sample_without_weight_is_never_drawn(weights: list[float], seed: int) -> None:
    samples = Samples({"w": np.array(weights)})
    if not any(weights):
        with pytest.raises(DatasetError, match="all weights in 'w' are 0"):
            WeightedSampler("w").bind(samples)
        return
    rows = WeightedSampler("w", 200).bind(samples).rows(seed, 0)
    assert all(weights[row] > 0 for row in rows)


# --- what cannot work ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "quoted"),
    [
        (lambda: BalancedSampler(num_samples=0), "num_samples of BalancedSampler must be .* got 0"),
        (lambda: WeightedSampler("w", num_samples=2.5), "num_samples of WeightedSampler .* got 2.5"),  # type: ignore[arg-type]
        (lambda: WeightedSampler([1, -1]), r"row 1 .* of 'the weights of WeightedSampler' is -1"),
        (lambda: WeightedSampler({"cat": math.nan}), r"weights of WeightedSampler' is nan"),
        (lambda: KeepProbabilitySampler({0: 35}), r"probability of 0 in .* lie in \[0, 1\], got 35"),
        (lambda: KeepProbabilitySampler({0: -0.1}), "got -0.1"),
        (lambda: KeepProbabilitySampler({0: math.nan}), "finite number, got nan"),
        (lambda: KeepProbabilitySampler({"a": "b"}), "probability of 'a' .* got 'b'"),  # type: ignore[dict-item]
        (lambda: KeepProbabilitySampler([0.1, 0.5]), r"map values to probabilities, got \[0.1, 0.5\]"),  # type: ignore[arg-type]
    ],
)
def test_an_argument_that_cannot_work_is_quoted(make: Any, quoted: str) -> None:
    with pytest.raises((ConfigurationError, DatasetError), match=quoted):
        make()


@pytest.mark.parametrize(
    ("sampler", "samples", "quoted"),
    [
        (BalancedSampler("an"), labelled(RARE), "no column 'an'; .* Did you mean 'any'"),
        (WeightedSampler("weight"), labelled(RARE), "no column 'weight'"),
        (BalancedSampler("any"), labelled([0.0, math.nan]), "row 1 .* of 'any' is nan .* expected a value"),
        (BalancedSampler("any"), labelled([None, "a"]), "row 0 .* of 'any' is None"),
        (WeightedSampler("w"), Samples({"w": np.array([1, -1])}), "row 1 .* of 'w' is -1"),
        (
            WeightedSampler([1, 2]),
            labelled(RARE),
            "2 weights for a dataset of 10 samples",
        ),
        (WeightedSampler([0] * 10), labelled(RARE), "all weights are 0"),
        (WeightedSampler({0: 1}), labelled(RARE), "has no weight for 1, which the dataset has: add it"),
        (
            BalancedSampler(),
            Samples({"w": np.zeros(3)}),
            "BalancedSampler.* without by=, needs one label array",
        ),
        (
            KeepProbabilitySampler({0: 1}),
            Samples({"w": np.zeros(2)}, (np.ones((2, 6)),)),
            "KeepProbabilitySampler.* without by=, needs one class per sample",
        ),
        (
            KeepProbabilitySampler({1: 0.5}, by="any"),
            labelled(RARE),
            r"keep={1: 0.5}, by='any'\) has no probability for 0, which column 'any' has",
        ),
    ],
)
def test_a_dataset_that_cannot_be_sampled_so_is_refused(
    sampler: Sampler, samples: Samples, quoted: str
) -> None:
    with pytest.raises((DatasetError, ConfigurationError), match=quoted):
        sampler.bind(samples)


@pytest.mark.parametrize("kind", [list, tuple, np.array, pd.Series])
def test_weights_may_be_handed_over_as_they_are(kind: Any) -> None:
    samples = labelled(RARE)
    sampler = WeightedSampler(kind(samples.columns["w"].tolist()))
    assert repr(sampler) == "WeightedSampler(10 weights)"
    for epoch in range(3):
        expected = WeightedSampler("w").bind(samples).rows(5, epoch)
        assert sampler.bind(samples).rows(5, epoch).tolist() == expected.tolist()


def test_changing_an_array_of_weights_later_changes_nothing() -> None:
    weights = np.ones(10, np.float32)
    sampler = WeightedSampler(weights)
    weights[:] = 0
    assert sampler.bind(labelled(RARE)).num_samples == 10


@pytest.mark.parametrize("by_class", [{0: 1, 1: 5}, {"easy": 1, "rare": 5}])
def test_classes_may_have_weights_by_index_or_by_name(by_class: dict[Any, float]) -> None:
    rare = np.array(RARE)
    samples = Samples({"any": rare}, (rare,), ["easy", "rare"])
    expected = WeightedSampler(np.where(rare == 1, 5, 1)).bind(samples).rows(3, 1)
    assert WeightedSampler(by_class).bind(samples).rows(3, 1).tolist() == expected.tolist()


def test_probabilities_may_go_by_the_names_of_classes() -> None:
    samples = Samples({"w": np.zeros(10)}, (np.eye(2)[RARE],), ["easy", "rare"])
    assert KeepProbabilitySampler({"easy": 0.5, "rare": 1}).bind(samples).num_samples == 6


def test_a_folder_is_sampled_by_its_classes_or_by_an_array(tmp_path: Path) -> None:
    for name in ("cat/1.png", "cat/2.png", "cat/3.png", "dog/1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    data = ImageDataset.from_directory(tmp_path, label_mode="categorical")
    for weights in ({"cat": 0, "dog": 1}, [name.startswith("dog") for name in data.filenames]):
        assert set(WeightedSampler(weights).bind(data).rows(0, 0).tolist()) == {3}


# --- fixed shares ---------------------------------------------------------------------------------


@given(
    st.lists(st.floats(0, 10), min_size=1, max_size=5).filter(lambda s: sum(s) > 1e-3), st.integers(1, 1000)
)
def test_apportioned_counts_add_up_and_each_is_within_one_of_its_share(
    shares: list[float], total: int
) -> None:
    counts = apportioned(total, shares)
    assert sum(counts) == total
    for count, share in zip(counts, shares, strict=True):
        assert abs(count - share / sum(shares) * total) < 1 + 1e-6


def test_every_epoch_has_the_shares_asked_for_and_draws_each_sample_of_a_set_equally_often() -> None:
    samples = Samples({"source": np.array(["real"] * 7 + ["drawn"] * 3)})
    drawing = SharesSampler({"real": 3, "drawn": 1}, by="source", num_samples=16).bind(samples)
    for epoch in range(3):
        counts = np.bincount(drawing.rows(7, epoch), minlength=10)
        assert (counts[:7].sum(), counts[7:].sum()) == (12, 4)
        assert np.ptp(counts[:7]) <= 1
        assert np.ptp(counts[7:]) <= 1


@pytest.mark.parametrize(
    ("shares", "match"),
    [
        ({"real": -1}, "the share of 'real' in SharesSampler must be 0 or more, got -1"),
        ({"real": 0}, "must not all be 0"),
        ([1, 2], "must map values to numbers"),
    ],
)
def test_what_is_no_share_is_refused(shares: Any, match: str) -> None:
    with pytest.raises(ConfigurationError, match=match):
        SharesSampler(shares, by="source")


def test_a_set_without_a_share_is_refused_when_the_dataset_is_known() -> None:
    samples = Samples({"source": np.array(["real", "drawn"])})
    with pytest.raises(ConfigurationError, match=r"no share for 'drawn', which column 'source' has: add it"):
        SharesSampler({"real": 1}, by="source").bind(samples)


@pytest.mark.parametrize("shares", [{"a": 0.5, "b": 0.25, "typo": 0.25}, {"a": 0, "b": 0, "typo": 1}])
def test_a_share_of_what_no_sample_has_is_refused_and_what_there_is_named(shares: dict[str, float]) -> None:
    samples = Samples({"source": np.array(["a", "b", "b"])})
    match = "a share for 'typo', which column 'source' has not: there are 'a', 'b'. Leave it out"
    with pytest.raises(ConfigurationError, match=match):
        SharesSampler(shares, by="source").bind(samples)
    allowed = SharesSampler({**shares, "a": 1, "typo": 0}, by="source", num_samples=100)
    assert allowed.bind(samples).num_samples == 100


def test_a_class_that_a_split_lacks_leaves_its_share_to_the_others_unless_nobody_has_one() -> None:
    samples = Samples({"w": np.zeros(10)}, (np.array(RARE),), ["easy", "rare", "absent"])
    drawing = SharesSampler({"easy": 0.25, "rare": 0.25, "absent": 0.5}).bind(samples)
    assert Counter(RARE[row] for row in drawing.rows(0, 0)) == {0: 5, 1: 5}
    with pytest.raises(ConfigurationError, match="no share for any sample: the dataset has 0, 1 alone"):
        SharesSampler({"easy": 0, "rare": 0, "absent": 1}).bind(samples)


BY_CLASS = [SharesSampler, WeightedSampler, KeepProbabilitySampler]
"""Samplers that are told something of each class."""


@pytest.mark.parametrize("kind", BY_CLASS)
def test_what_is_no_class_is_refused_and_a_class_without_a_sample_is_not(kind: Any) -> None:
    names = ["easy", "rare", *(f"absent{number}" for number in range(9))]
    samples = Samples({"w": np.zeros(10)}, (np.array(RARE),), names)
    numbers = dict.fromkeys(names, 1)
    assert kind(numbers).bind(samples).num_samples == 10
    assert kind(dict.fromkeys(range(11), 1)).bind(samples).num_samples == 10
    assert kind({**numbers, "typo": 0}).bind(samples).num_samples == 10
    for key in ("typo", 11, -1):
        match = f"for {key!r}, which is no class: those are 'easy', .*, 'absent7' and 1 more"
        with pytest.raises(ConfigurationError, match=match):
            kind({**numbers, key: 1}).bind(samples)
    with pytest.raises(ConfigurationError, match="for 'rare' and one for 1, which is the same class"):
        kind({**numbers, 1: 1}).bind(samples)


@pytest.mark.parametrize("kind", [WeightedSampler, KeepProbabilitySampler])
def test_numbers_for_labels_that_a_subset_lacks_change_nothing(kind: Any) -> None:
    """Every sample that is there has its own: what is missing shifts none of them."""
    rows = kind({0: 0.5, 1: 1}).bind(labelled(RARE)).rows(3, 1)
    assert kind({0: 0.5, 1: 1, 2: 1}).bind(labelled(RARE)).rows(3, 1).tolist() == rows.tolist()
