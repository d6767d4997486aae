"""Folds: every sample is held out once, groups stay together, classes keep their shares."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from feedline import ImageDataset
from feedline.errors import ConfigurationError, DatasetError

NUM = 60
RNG = np.random.default_rng(5)
FRAME = pd.DataFrame(
    {
        "filename": [f"{row}.png" for row in range(NUM)],
        "patient": RNG.integers(0, 20, NUM),
        "class": RNG.choice(["a", "b", "b"], NUM),
        **{name: RNG.integers(0, 2, NUM) for name in "xyz"},
    }
)
ONE_CLASS = ImageDataset.from_dataframe(FRAME, y_col="class", class_mode="sparse", validate_filenames=False)
SEVERAL = ImageDataset.from_dataframe(
    FRAME, y_col=["x", "y", "z"], class_mode="raw", validate_filenames=False
)


@pytest.mark.parametrize(
    ("data", "options"),
    [
        (ONE_CLASS, {}),
        (ONE_CLASS, {"group_col": "patient"}),
        (ONE_CLASS, {"stratify": True}),
        (ONE_CLASS, {"stratify": True, "group_col": "patient"}),
        (SEVERAL, {"stratify": True}),
    ],
    ids=["plain", "groups", "classes", "groups and classes", "labels"],
)
def test_every_sample_is_held_out_once_and_equal_arguments_cut_equally(
    data: ImageDataset, options: dict[str, Any]
) -> None:
    folds = data.k_fold(4, seed=3, **options)
    held_out = [path for _, validation in folds for path in validation.paths]
    assert sorted(held_out) == sorted(data.paths)
    for train, validation in folds:
        assert sorted(train.paths + validation.paths) == sorted(data.paths)
        if "group_col" in options:
            assert not set(train.columns["patient"]) & set(validation.columns["patient"])
    again = data.k_fold(4, seed=3, **options)
    assert [side.paths for pair in folds for side in pair] == [side.paths for pair in again for side in pair]
    assert data.k_fold(4, seed=4, **options)[0][1].paths != folds[0][1].paths


def test_strata_have_equal_shares_in_all_folds() -> None:
    shares = [validation.targets[0].mean() for _, validation in ONE_CLASS.k_fold(4, stratify=True)]
    assert max(shares) - min(shares) <= 1 / (NUM / 4)
    labels = np.array([fold.targets[0].sum(axis=0) for _, fold in SEVERAL.k_fold(4, stratify=True)])
    assert (np.ptp(labels, axis=0) <= 2).all()


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"num_folds": 1}, ConfigurationError, "num_folds must be .* 2"),
        ({"num_folds": NUM + 1}, DatasetError, "cannot be cut into 61 folds"),
        ({"stratify": True, "group_col": "patient"}, ConfigurationError, "several labels: leave one out"),
        ({"group_col": "nobody"}, DatasetError, "there is no column 'nobody'"),
        ({"stratify": "yes"}, ConfigurationError, "stratify"),
        ({"n_splits": 5}, TypeError, "it is called num_folds"),
    ],
)
def test_what_cannot_be_cut_is_refused(options: dict[str, Any], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        SEVERAL.k_fold(**options)
