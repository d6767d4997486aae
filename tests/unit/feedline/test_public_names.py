"""The public face: every name that a script may import, and what importing it costs."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

import feedline
from feedline.common import errors
from feedline.common.errors import FeedlineError
from feedline.common.extras import what_is_missing

PUBLIC = {
    "feedline": {
        "BatchSequence",
        "CTWindows",
        "ImageDataset",
        "ImageOptions",
        "ProducerPool",
        "RemoteSequence",
        "__version__",
        "build_index",
        "from_keras_layers",
        "log_to_stderr",
    },
    "feedline.callbacks": {"FeedMonitor", "ResumeTraining", "SetEpoch"},
    "feedline.legacy": {
        "DataGenerator",
        "evaluate_generator",
        "fit_generator",
        "install",
        "predict_generator",
        "predictions_frame",
        "uninstall",
    },
    "feedline.rsna": {
        "SUBTYPES",
        "SUBTYPE_WEIGHTS",
        "predict_tta",
        "weighted_log_loss",
        "write_submission",
    },
    "feedline.samplers": {
        "BalancedSampler",
        "KeepProbabilitySampler",
        "Sampler",
        "SharesSampler",
        "WeightedSampler",
    },
    "feedline.yolo": {
        "Letterbox",
        "STRIDES",
        "TINY_YOLO_ANCHORS",
        "YOLO_ANCHORS",
        "YoloAugment",
        "YoloTargets",
        "encode_yolo_targets",
        "yolo_sequences",
    },
}
"""`feedline.errors` and `feedline.transforms` are held to what they are made of, below."""

LOADED = "import sys; {}; print(*{{'keras', 'cv2', 'tensorflow', 'pandas', 'zmq'}} & set(sys.modules))"


@pytest.mark.parametrize("module", PUBLIC)
def test_a_public_module_has_these_names_and_no_others(module: str) -> None:
    found = import_module(module)
    assert set(getattr(found, "__all__", ())) == PUBLIC[module]
    assert all(getattr(found, name) is not None for name in PUBLIC[module])


def test_every_error_is_public() -> None:
    defined = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, FeedlineError)
    }
    assert set(import_module("feedline.errors").__all__) == defined


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="BatchSequenz"):
        _ = feedline.BatchSequenz


@pytest.mark.parametrize(
    "statement", ["import feedline", "import feedline.errors", "from feedline import ImageDataset"]
)
def test_importing_loads_neither_keras_nor_opencv(statement: str) -> None:
    command = [sys.executable, "-c", LOADED.format(statement)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_what_an_extra_brings_is_said_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keras", None)
    monkeypatch.delitem(sys.modules, "feedline.trainer.keras_layers", raising=False)
    with pytest.raises(
        ModuleNotFoundError, match=r"from_keras_layers: keras is missing: .*feedline\[keras\]"
    ):
        _ = feedline.from_keras_layers


@pytest.mark.parametrize(
    ("module", "extra"), [("keras", "trainer"), ("skimage.data", "trainer,demo"), ("tensorflow", "trainer")]
)
def test_every_extra_is_named_by_what_it_brings(module: str, extra: str) -> None:
    assert f"feedline[{extra}]" in str(what_is_missing(module))


def test_what_no_extra_brings_is_not_explained() -> None:
    assert what_is_missing("feedline.gone") is None
    assert what_is_missing(None) is None
