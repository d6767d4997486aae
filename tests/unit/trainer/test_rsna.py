"""The competition's loss against numbers worked out by hand, and its submission file."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from feedline.errors import ConfigurationError
from feedline.rsna import SUBTYPES, weighted_log_loss, write_submission

IDS = ["ID_12cadc6af", "ID_0007a3bce"]


def loss(y_true: Any, y_pred: Any) -> Any:
    """The losses of some images, as NumPy has them."""
    return keras.ops.convert_to_numpy(weighted_log_loss(np.array(y_true), np.array(y_pred, np.float32)))


def literal(y_true: Any, y_pred: Any) -> Any:
    """The formula again, element by element and in double precision."""
    losses = []
    for truths, probabilities in zip(y_true, y_pred, strict=True):
        total = 0.0
        for subtype, truth, probability in zip(SUBTYPES, truths, probabilities, strict=True):
            present = min(max(float(probability), 1e-7), 1 - 1e-7)
            total += (2 if subtype == "any" else 1) * -np.log(present if truth else 1 - present)
        losses.append(total / 7)
    return losses


# --- the loss -----------------------------------------------------------------------------------


def test_the_loss_of_an_image_is_the_weighted_mean_over_subtypes() -> None:
    half = [0.5] * 6
    assert loss([[0, 1, 0, 0, 0, 1]], [half]) == pytest.approx([np.log(2)])
    only_any_wrong = [0.0, 0.0, 0.0, 0.0, 0.0, 0.1]
    assert loss([[0, 0, 0, 0, 0, 1]], [only_any_wrong]) == pytest.approx([2 * np.log(10) / 7], rel=1e-5)
    only_one_wrong = [0.1, 0.0, 0.0, 0.0, 0.0, 1.0]
    assert loss([[1, 0, 0, 0, 0, 1]], [only_one_wrong]) == pytest.approx([np.log(10) / 7], rel=1e-5)


def test_the_loss_equals_the_formula_in_double_precision() -> None:
    rng = np.random.default_rng(0)
    y_true, y_pred = rng.integers(0, 2, (50, 6)), rng.random((50, 6), np.float32)
    np.testing.assert_allclose(loss(y_true, y_pred), literal(y_true, y_pred), rtol=1e-5)


@pytest.mark.parametrize("wrong", [0.0, 1.0])
def test_certainty_that_is_wrong_costs_what_clipping_at_a_ten_millionth_says(wrong: float) -> None:
    """Clipped to 1 - 1e-7 in single precision it would cost a percent less at one end."""
    assert loss([[1 - wrong] * 6], [[wrong] * 6]) == pytest.approx([-np.log(1e-7)], rel=1e-5)


def test_certainty_that_is_right_costs_nothing() -> None:
    assert loss([[0, 1] * 3], [[0.0, 1.0] * 3]) == pytest.approx([0], abs=1e-6)


def test_other_than_six_probabilities_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"expected shape \(batch, 6\), got \(2, 1\)"):
        loss(np.zeros((2, 1)), np.zeros((2, 1)))


@pytest.mark.exhaustive
# NumPy 2 deprecates how Keras asks variables for their values when it saves them.
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
def test_a_model_that_was_compiled_with_it_is_trained_saved_and_loaded(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    x, y = rng.random((32, 4), np.float32), rng.integers(0, 2, (32, 6)).astype(np.uint8)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(6, activation="sigmoid")])
    model.compile("adam", loss=weighted_log_loss, metrics=[weighted_log_loss])
    model.fit(x, y, epochs=2, verbose=0)
    value, metric = model.evaluate(x, y, verbose=0)
    expected = np.mean(literal(y, model.predict(x, verbose=0)))
    assert [value, metric] == pytest.approx([expected, expected], rel=1e-5)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.evaluate(x, y, verbose=0) == pytest.approx([value, metric])


# --- the submission -----------------------------------------------------------------------------


def read(path: Path) -> dict[str, str]:
    """The rows of a file as the competition reads it."""
    with path.open(newline="") as file:
        return {row["ID"]: row["Label"] for row in csv.DictReader(file)}


def test_a_submission_has_six_rows_an_image_below_its_header(tmp_path: Path) -> None:
    values = np.arange(12, dtype=np.float32).reshape(2, 6) / 20
    write_submission(tmp_path / "s.csv", IDS, values)
    lines = (tmp_path / "s.csv").read_text().splitlines()
    assert lines[:3] == [
        "ID,Label",
        "ID_12cadc6af_epidural,0.0000001",
        "ID_12cadc6af_intraparenchymal,0.0500000",
    ]
    assert len(lines) == 13
    rows = read(tmp_path / "s.csv")
    assert list(rows) == [f"{image}_{subtype}" for image in IDS for subtype in SUBTYPES]
    assert [float(label) for label in rows.values()] == pytest.approx(values.ravel().tolist(), abs=1.1e-7)


def test_columns_in_another_order_are_written_under_their_names(tmp_path: Path) -> None:
    names = ["any", *SUBTYPES[:-1]]
    write_submission(tmp_path / "s.csv", IDS[:1], [[0.6, 0.1, 0.2, 0.3, 0.4, 0.5]], class_names=names)
    rows = read(tmp_path / "s.csv")
    assert [rows[f"{IDS[0]}_{subtype}"] for subtype in SUBTYPES] == [
        f"{value:.7f}" for value in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
    ]


def test_certain_predictions_are_clipped_to_what_the_metric_clips_to(tmp_path: Path) -> None:
    write_submission(tmp_path / "s.csv", IDS[:1], [[0, 1, 1 + 1e-7, -1e-7, 1e-9, 0.5]])
    assert list(read(tmp_path / "s.csv").values()) == [
        "0.0000001", "0.9999999", "0.9999999", "0.0000001", "0.0000001", "0.5000000"
    ]  # fmt: skip


def with_cell(value: float) -> Any:
    values = np.full((2, 6), 0.5)
    values[1, 4] = value
    return values


@pytest.mark.parametrize(
    ("arguments", "quoted"),
    [
        ({"predictions": with_cell(np.nan)}, "prediction of ID_0007a3bce_subdural is nan"),
        ({"predictions": with_cell(np.inf)}, "prediction of ID_0007a3bce_subdural is inf"),
        ({"predictions": with_cell(-3.2)}, "prediction of ID_0007a3bce_subdural is -3.2: .* a sigmoid"),
        ({"predictions": with_cell(1.1)}, "ID_0007a3bce_subdural is 1.1"),
        ({"predictions": np.zeros((2, 5))}, r"2 images must have shape \(2, 6\), got \(2, 5\)"),
        ({"predictions": np.zeros((3, 6))}, r"got \(3, 6\)"),
        ({"predictions": np.zeros(12)}, r"got \(12,\)"),
        ({"ids": ["ID_12cadc6af.dcm", IDS[1]]}, "such as 'ID_12cadc6af', got 'ID_12cadc6af.dcm'"),
        ({"ids": [IDS[0], IDS[0]]}, "'ID_12cadc6af' is 2 times in ids"),
        ({"ids": [], "predictions": np.zeros((0, 6))}, "at least one image ID"),
        ({"class_names": SUBTYPES[:5]}, "class_names must have each of .* once, got .*'subdural'"),
        ({"class_names": [*SUBTYPES[:5], "all"]}, "once, got .*'all'"),
    ],
)
def test_what_cannot_be_submitted_is_named_and_nothing_is_written(
    arguments: dict[str, Any], quoted: str, tmp_path: Path
) -> None:
    path = tmp_path / "s.csv"
    with pytest.raises(ConfigurationError, match=quoted):
        write_submission(path, **{"ids": IDS, "predictions": np.full((2, 6), 0.5), **arguments})
    assert not path.exists()
