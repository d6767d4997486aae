"""Models whose inputs and outputs have names get each array under its own.

Runs on whatever backend Keras has; on torch and JAX by way of `test_keras_backends.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from children import PATIENCE_S, pool_of
from images import SIZE, write_images
from recorder import ReadRow, Recorder

from feedline import BatchSequence, ImageDataset, ProducerPool
from feedline.errors import ConfigurationError
from feedline.yolo import TINY_YOLO_ANCHORS, YoloTargets

NUM_ROWS = 16
MakeSequence = Callable[..., BatchSequence]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of rows."""
    folder = tmp_path_factory.mktemp("rows")
    write_images(folder, 2 * NUM_ROWS)
    return folder


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """Two images of each sample, and two numbers that say which."""
    names = [f"{row:04}.png" for row in range(2 * NUM_ROWS)]
    frame = pd.DataFrame({"right": names[:NUM_ROWS], "left": names[NUM_ROWS:]})
    frame["zeta"] = range(NUM_ROWS)
    frame["alpha"] = frame["zeta"] + NUM_ROWS
    return frame


@pytest.fixture(scope="module")
def pool() -> Iterator[ProducerPool]:
    """One producer for all."""
    with pool_of(1) as pool:
        yield pool


def sequence_of(data: ImageDataset, pool: ProducerPool, **options: Any) -> BatchSequence:
    options = {"batch_size": 5, "image_size": SIZE, "timeout_s": PATIENCE_S} | options
    return BatchSequence(data, pool=pool, **options)


def named_model(*, by_dict: bool) -> tuple[keras.Model, dict[str, Recorder]]:
    """Output "zeta" reads the row of input "right", "alpha" that of "left"; by names, or as lists."""
    inputs = {name: keras.Input((*SIZE, 3), dtype="uint8", name=name) for name in ("right", "left")}
    outputs = {
        name: ReadRow(name=name)(image)
        for name, image in zip(("zeta", "alpha"), inputs.values(), strict=True)
    }
    model = keras.Model(
        inputs if by_dict else [*inputs.values()], outputs if by_dict else [*outputs.values()]
    )
    recorders = {name: Recorder(f"{name}_recorder") for name in outputs}
    losses = dict.fromkeys(outputs, "mae")
    model.compile(keras.optimizers.SGD(0.0), losses, weighted_metrics={n: [r] for n, r in recorders.items()})
    return model, recorders


NAMES = {"input_names": ["right", "left"], "output_names": ["zeta", "alpha"]}


@pytest.mark.parametrize("by_dict", [True, False], ids=["a model of dicts", "a model of lists"])
@pytest.mark.parametrize(
    "weighted", [True, pytest.param(False, marks=pytest.mark.exhaustive)], ids=["weighted", ""]
)
def test_each_array_reaches_the_input_and_the_output_of_its_name(
    by_dict: bool, weighted: bool, frame: pd.DataFrame, folder: Path, pool: ProducerPool
) -> None:
    """Neither the columns nor the names are in the order of the alphabet, into which Keras puts them."""
    frame = frame.assign(weight=frame["zeta"] / 4)
    data = ImageDataset.from_dataframe(
        frame,
        folder,
        ["right", "left"],
        ["zeta", "alpha"],
        class_mode="multi_output",
        weight_col="weight" if weighted else None,
    )
    model, recorders = named_model(by_dict=by_dict)
    with sequence_of(data, pool, **NAMES) as sequence:
        model.fit(sequence, verbose=0)
        model.evaluate(sequence, verbose=0)
    zeta, alpha = (recorders[name].take() for name in ("zeta", "alpha"))
    assert sorted(zeta[:NUM_ROWS, 0].tolist()) == list(range(NUM_ROWS))
    assert (zeta[:, 0] == zeta[:, 1]).all()
    assert (alpha[:, 0] == alpha[:, 1]).all()
    assert (alpha[:, 0] == zeta[:, 0] + NUM_ROWS).all()
    assert (zeta[:, 2] == (zeta[:, 0] / 4 if weighted else 1)).all()


def test_predict_gets_inputs_by_name(frame: pd.DataFrame, folder: Path, pool: ProducerPool) -> None:
    model, _ = named_model(by_dict=True)
    data = ImageDataset.from_dataframe(frame, folder, ["right", "left"], class_mode=None)
    with sequence_of(data, pool, input_names=NAMES["input_names"], shuffle=False) as sequence:
        predicted = model.predict(sequence, verbose=0)
    assert predicted["zeta"].ravel().tolist() == frame["zeta"].tolist()
    assert predicted["alpha"].ravel().tolist() == frame["alpha"].tolist()


def test_several_inputs_without_labels_are_no_targets(
    frame: pd.DataFrame, folder: Path, pool: ProducerPool
) -> None:
    model, _ = named_model(by_dict=False)
    data = ImageDataset.from_dataframe(frame, folder, ["right", "left"], class_mode=None)
    with sequence_of(data, pool, shuffle=False) as sequence:
        zeta, alpha = model.predict(sequence, verbose=0)
    assert zeta.ravel().tolist() == frame["zeta"].tolist()
    assert alpha.ravel().tolist() == frame["alpha"].tolist()


def test_names_of_masks_boxes_and_grids_come_in_the_order_of_the_tuple(
    folder: Path, pool: ProducerPool
) -> None:
    names = [f"{row:04}.png" for row in range(NUM_ROWS)]
    boxes = [[(2, 2, 20, 20, 0)]] * NUM_ROWS
    data = ImageDataset.from_lists(names, range(NUM_ROWS), boxes=boxes, inputs=[names], directory=folder)
    options = {"input_names": ["z", "a"], "shuffle": False}
    with sequence_of(data, pool, output_names=["row", "boxes"], **options) as sequence:
        x, y = sequence[0]
        assert list(x) == ["z", "a"]
        assert y["row"].tolist() == [0, 1, 2, 3, 4]
        assert y["boxes"].shape == (5, 1, 5)
    targets = YoloTargets(1, TINY_YOLO_ANCHORS)
    options |= {"image_size": (64, 64), "targets": targets}
    with sequence_of(data, pool, output_names=["row", "coarse", "fine"], **options) as sequence:
        assert [grid.shape[1] for grid in sequence[0][1].values() if grid.ndim > 1] == [2, 4]
    options |= {"targets": YoloTargets(1, TINY_YOLO_ANCHORS, as_inputs=True)}
    options |= {"input_names": ["z", "a", "coarse", "fine"], "output_names": ["row"]}
    with sequence_of(data, pool, **options) as sequence:
        x, y = sequence[0]
        assert [x["coarse"].shape[1], x["fine"].shape[1], list(y)] == [2, 4, ["row"]]


def test_an_autoencoder_may_name_both_ends(frame: pd.DataFrame, folder: Path, pool: ProducerPool) -> None:
    data = ImageDataset.from_dataframe(frame, folder, "left", class_mode="input")
    with sequence_of(data, pool, input_names=["photo"], output_names=["again"]) as sequence:
        x, y = sequence[0]
    assert x["photo"] is y["again"]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"output_names": ["zeta"]}, r"output_names must be a list of 2 different names.* got \['zeta'\]"),
        ({"output_names": ["zeta", "zeta"]}, "output_names must be a list of 2 different names"),
        ({"output_names": ["zeta", 1]}, "output_names must be a list of 2 different names"),
        ({"output_names": "zeta"}, "output_names must be a list .* got 'zeta'"),
        ({"output_names": {"zeta", "alpha"}}, "output_names must be a list: a set has no order"),
        ({"output_names": ["alpha", "zeta"]}, r"output_names=.* in the order \['zeta', 'alpha'\]"),
        ({"input_names": ["left", "right"]}, r"input_names=.* in the order \['right', 'left'\]"),
        ({"input_names": True}, "input_names must be a list of 2 different names.* got True"),
    ],
)
def test_names_that_do_not_fit_are_refused(
    options: dict[str, Any], text: str, frame: pd.DataFrame, folder: Path, pool: ProducerPool
) -> None:
    data = ImageDataset.from_dataframe(
        frame, folder, ["right", "left"], ["zeta", "alpha"], class_mode="multi_output"
    )
    with pytest.raises(ConfigurationError, match=text):
        sequence_of(data, pool, **options)


def test_names_outlive_splits_and_options(frame: pd.DataFrame, folder: Path, pool: ProducerPool) -> None:
    data = ImageDataset.from_dataframe(
        frame, folder, ["right", "left"], ["zeta", "alpha"], class_mode="multi_output"
    )
    train, _ = data.split(0.5, seed=1)
    with pytest.raises(ConfigurationError, match="name them in that"):
        sequence_of(train, pool, output_names=["alpha", "zeta"])
    with sequence_of(train, pool, **NAMES) as sequence, sequence.in_order() as ordered:
        x, y = ordered[0]
        assert (list(x), list(y)) == (["right", "left"], ["zeta", "alpha"])
        assert np.array_equal(y["alpha"], y["zeta"] + NUM_ROWS)
