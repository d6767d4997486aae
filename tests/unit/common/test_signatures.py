"""Keyword arguments that there are not: refused with what was meant, at every public call."""

from __future__ import annotations

import inspect
from typing import Any

import pandas as pd
import pytest

from feedline import (
    BatchSequence,
    CTWindows,
    ImageDataset,
    ImageOptions,
    ProducerPool,
    RemoteSequence,
    build_index,
    from_keras_layers,
)
from feedline.callbacks import SetEpoch
from feedline.common.declarations.base import DECLARATIONS
from feedline.common.signatures import suggests
from feedline.errors import ArgumentNameError, ConfigurationError
from feedline.legacy import DataGenerator, evaluate_generator, fit_generator, predict_generator
from feedline.samplers import BalancedSampler, KeepProbabilitySampler, SharesSampler, WeightedSampler
from feedline.transforms import RandomFlip
from feedline.yolo import YoloTargets

DATA = ImageDataset.from_lists(["a.png", "b.png"], labels=[0, 1])

CALLS: list[tuple[Any, tuple[Any, ...], str, str]] = [
    (
        BatchSequence,
        (DATA,),
        "batchsize",
        "has no argument 'batchsize'. Did you mean 'batch_size'?",
    ),
    (BatchSequence, (DATA,), "Transforms", "Did you mean 'transforms'?"),
    (BatchSequence, (DATA,), "target_size", ": it is called image_size, (height, width)"),
    (BatchSequence, (DATA,), "augment", r": say with transforms=[RandomFlip(), ...] how"),
    (ProducerPool, (), "worker", "ProducerPool has no argument 'worker'. Did you mean 'workers'?"),
    (ProducerPool, (), "port", ": say endpoint='tcp://HOST:PORT'"),
    (RemoteSequence, ("m:S",), "suffle", "RemoteSequence has no argument 'suffle'. Did you mean 'shuffle'?"),
    (RemoteSequence, ("m:S",), "batch_size", ": arguments of your Sequence go into kwargs={...}"),
    (
        ImageDataset.from_dataframe,
        (pd.DataFrame(),),
        "xcol",
        "from_dataframe has no argument 'xcol'. Did you",
    ),
    (ImageDataset.from_dataframe, (pd.DataFrame(),), "target_size", ": it is image_size= of BatchSequence"),
    (ImageDataset.from_directory, (".",), "lables", "Did you mean 'labels'?"),
    (ImageDataset.from_directory, (".",), "batch_size", ": it is an argument of BatchSequence"),
    (ImageDataset.from_lists, ([],), "target", "ImageDataset.from_lists has no argument 'target'"),
    (ImageDataset.from_coco, ("f",), "crowd", "Did you mean 'crowds'?"),
    (ImageDataset.from_voc, ("f",), "imageset", "Did you mean 'image_set'?"),
    (ImageDataset.from_yolo_txt, ("f",), "label", "Did you mean 'labels'?"),
    (ImageDataset.from_yolo3_annotations, ("f",), "classnames", "Did you mean 'class_names'?"),
    (ImageDataset.from_rsna_csv, ("f", "d"), "ext", "Did you mean 'extension'?"),
    (DATA.split, (0.5,), "stratified", "split has no argument 'stratified'. Did you mean 'stratify'?"),
    (DataGenerator, (["a"],), "augment", "DataGenerator has no argument 'augment': say with transforms="),
    (
        DataGenerator,
        (["a"],),
        "batchsize",
        "DataGenerator has no argument 'batchsize'. Did you mean 'batch_",
    ),
    (DataGenerator, (["a"],), "interpolate", "Did you mean 'interpolation'?"),
    (
        fit_generator,
        (None, None),
        "nb_epoch",
        "has no argument 'nb_epoch': it is called epochs",
    ),
    (fit_generator, (None, None), "samples_per_epoch", ": it is steps_per_epoch, in batches"),
    (fit_generator, (None, None), "pickle_safe", ": it is called use_multiprocessing"),
    (evaluate_generator, (None, None), "val_samples", ": it is called steps, in batches"),
    (predict_generator, (None, None), "max_q_size", ": it is called max_queue_size"),
]


NAMES = [f"{call.__name__}-{name}" for call, _, name, _ in CALLS]


@pytest.mark.parametrize(("call", "args", "name", "text"), CALLS, ids=NAMES)
def test_an_argument_that_there_is_not_is_answered_with_the_one_that_was_meant(
    call: Any, args: tuple[Any, ...], name: str, text: str
) -> None:
    with pytest.raises(ArgumentNameError) as caught:
        call(*args, **{name: 3})
    assert text in str(caught.value)
    assert f"no argument {name!r}" in str(caught.value)


def test_a_name_like_none_is_answered_with_all_there_are() -> None:
    with pytest.raises(
        ArgumentNameError, match=r"no argument 'zzz'; it has endpoint, workers, keys, insecure, "
    ):
        ProducerPool(zzz=1)  # type: ignore[call-arg]


DECLARED: list[Any] = [
    *DECLARATIONS.values(),
    BalancedSampler,
    KeepProbabilitySampler,
    SharesSampler,
    WeightedSampler,
    ImageOptions,
    CTWindows,
    YoloTargets,
    SetEpoch,
    build_index,
    from_keras_layers,
    DATA.with_dicom_index,
    DATA.with_dicom_reading,
]


@pytest.mark.parametrize("call", DECLARED, ids=lambda call: call.__name__)
def test_whatever_is_declared_says_which_arguments_it_has(call: Any) -> None:
    parameters = inspect.signature(call).parameters
    with pytest.raises(ArgumentNameError, match=rf"{call.__name__} has no argument 'zzz'; it has"):
        call(zzz=1)
    longest = max(parameters, key=len, default=None)
    if longest is not None:
        with pytest.raises(ArgumentNameError, match=rf"Did you mean '{longest}'\?"):
            call(**{longest[:-1] + "q": 1})


def test_the_seed_of_a_layer_is_that_of_the_sequence_here() -> None:
    with pytest.raises(ArgumentNameError, match="no argument 'seed': leave it out, draws follow"):
        RandomFlip(seed=1)  # type: ignore[call-arg]


def test_the_error_is_pythons_own_kind_and_ours() -> None:
    assert issubclass(ArgumentNameError, TypeError)
    assert issubclass(ArgumentNameError, ConfigurationError)


def test_signatures_stay_as_they_are() -> None:
    @suggests(old="new")
    def call(one: int, /, *, two: str = "2") -> str:
        """Do it."""
        return two * one

    assert str(inspect.signature(call)) == "(one: 'int', /, *, two: 'str' = '2') -> 'str'"
    assert (call.__name__, call.__doc__) == ("call", "Do it.")
    assert call(2, two="x") == "xx"
    assert "image_size" in inspect.signature(BatchSequence).parameters
    assert "frame" in inspect.signature(ImageDataset.from_dataframe).parameters
