"""The same in every process, and another as soon as something decides which bytes come."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from feedline import ImageDataset, ImageOptions
from feedline.samplers import BalancedSampler
from feedline.trainer.plan.epochs import EpochPlan
from feedline.trainer.sequences.batch_sequence import BatchSequence
from feedline.trainer.sequences.fingerprint import (
    APART,
    DIGEST_SIGN,
    MAX_PLAIN_CHARS,
    MAY_DIFFER,
    Fields,
    brief,
    differences,
    digest,
    fields_of,
)
from feedline.trainer.sequences.options import SequenceOptions
from feedline.trainer.sequences.state import SequenceState
from feedline.transforms import PythonTransform, RandomBrightness, RandomFlip
from feedline.yolo import YoloTargets

NAMES = [f"{row}.png" for row in range(10)]
DEFAULTS = {
    name: parameter.default for name, parameter in inspect.signature(BatchSequence).parameters.items()
}
PATHS = {name: value for name, value in os.environ.items() if name in {"PATH", "PYTHONPATH"}}


def dataset(directory: str = "/data", **parts: Any) -> ImageDataset:
    """Ten samples of two classes."""
    return ImageDataset.from_lists(NAMES, np.arange(10) % 2, directory=directory, **parts)


def fields_with(data: ImageDataset | None = None, **changes: Any) -> Fields:
    """Of a sequence with these options."""
    asked = {field.name: DEFAULTS.get(field.name) for field in fields(SequenceOptions)}
    options = SequenceOptions(
        **{**asked, "dataset": dataset() if data is None else data, "batch_size": 2, **changes}
    )
    return fields_of(options, options.plan)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("image_size", (128, 256)),
        ("image_sizes", [(32, 32), (64, 64)]),
        ("color_mode", "grayscale"),
        ("interpolation", "area"),
        ("crop_to_aspect_ratio", True),
        ("jpeg_scaling", True),
        ("transforms", [RandomFlip("horizontal")]),
        ("dtype", "float32"),
        ("shuffle", False),
        ("drop_remainder", True),
        ("max_boxes", 7),
        ("min_box_side", 2.5),
        ("sampler", BalancedSampler(num_samples=10)),
        ("inputs", ImageOptions(color_mode="grayscale")),
        ("targets", YoloTargets(3)),
    ],
)
def test_each_option_that_decides_which_bytes_come_is_told_by_its_name(name: str, value: Any) -> None:
    told = differences(fields_with(), fields_with(**{name: value}))
    assert len(told) == 1
    assert told[0].startswith(f"{name} ")


@pytest.mark.parametrize(
    "changes",
    [{"cache": "memory"}, {"cache_bytes": 5}, {"batch_size": 2, "shard_count": 3, "shard_index": 1}],
)
def test_what_may_differ_is_not_told(changes: dict[str, Any]) -> None:
    assert fields_with(**changes) == fields_with()


def test_an_option_that_nobody_has_thought_of_decides() -> None:
    known = {field.name for field in fields(SequenceOptions)}
    assert known - MAY_DIFFER - APART <= fields_with().keys()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([RandomBrightness(0.2)], [RandomBrightness(0.3)]),
        ([RandomFlip(), RandomBrightness(0.2)], [RandomBrightness(0.2), RandomFlip()]),
        ([PythonTransform("a:f", {"x": 1})], [PythonTransform("a:f", {"x": 2})]),
        ([PythonTransform("a:f")], [PythonTransform("a:g")]),
    ],
)
def test_transforms_are_told_apart_by_their_values_and_their_order(
    before: list[Any], after: list[Any]
) -> None:
    assert differences(fields_with(transforms=before), fields_with(transforms=after)) == [
        "transforms changed"
    ]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (lambda: dataset().subset(range(9)), ["samples was 10 and is 9", "files changed", "labels changed"]),
        (lambda: dataset().subset([1, 0, *range(2, 10)]), ["files changed", "labels changed"]),
        (lambda: dataset(weights=np.ones(10)), ["weights changed"]),
        (lambda: dataset(masks=NAMES), ["further images changed"]),
        (lambda: dataset("/elsewhere/data"), []),
    ],
)
def test_what_changed_in_the_data_set_is_told(data: Callable[[], ImageDataset], told: list[str]) -> None:
    assert differences(fields_with(), fields_with(data())) == told


def test_absolute_names_are_known_below_the_folder_that_all_share() -> None:
    def at(root: str) -> ImageDataset:
        return ImageDataset.from_lists([f"{root}/a/1.png", f"{root}/b/2.png"], [0, 1])

    assert fields_with(at("/mnt/old")) == fields_with(at("/scratch"))
    other = ImageDataset.from_lists(["/mnt/old/a/1.png", "/mnt/old/c/2.png"], [0, 1])
    assert differences(fields_with(at("/mnt/old")), fields_with(other)) == ["files changed"]


def test_a_digest_is_the_same_in_every_process_and_for_ever() -> None:
    code = (
        "import numpy as np; from feedline.trainer.sequences.fingerprint import digest;"
        "from feedline.transforms import RandomFlip;"
        "print(digest([{'b': 1, 'a': {2, 'x'}}, np.arange(3, dtype='int16'), RandomFlip('vertical'), len]))"
    )
    found = {
        subprocess.check_output(
            [sys.executable, "-c", code], text=True, env={"PYTHONHASHSEED": seed, **PATHS}
        )
        for seed in ("1", "2")
    }
    assert found == {"#0dae8346\n"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (1, 1.0),
        ("1", 1),
        (["ab", "c"], ["a", "bc"]),
        ([["a"], "b"], [["a", "b"]]),
        (np.zeros(2, np.int32), np.zeros(1, np.int64)),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (None, "None"),
    ],
)
def test_values_that_are_written_alike_have_different_digests(one: Any, other: Any) -> None:
    assert digest(one) != digest(other)


@pytest.mark.parametrize("value", [None, True, 3, 0.5, "rgb", [512, 512], (4, 4)])
def test_short_values_are_told_as_they_are(value: Any) -> None:
    assert brief(value) == (list(value) if isinstance(value, tuple) else value)


@pytest.mark.parametrize("value", ["a text that is long", "#12345678", list(range(9)), np.arange(2), len])
def test_others_by_their_digest(value: Any) -> None:
    assert brief(value) == digest(value)


def test_a_state_takes_less_than_a_kilobyte_whatever_the_options_are() -> None:
    longest = dict.fromkeys(fields_with(), DIGEST_SIGN + "0" * 8)
    assert all(len(json.dumps(value)) <= MAX_PLAIN_CHARS for value in longest.values())
    state = SequenceState(10**9, 10**9, -(2**63), 10**6, 10**6, 10**9, longest)
    assert len(json.dumps(state.to_dict())) < 1024


def test_a_sampler_is_known_by_what_it_draws() -> None:
    plan = EpochPlan(10, 2, drawing=BalancedSampler(num_samples=10).bind(dataset()))
    assert plan.drawing is not None
    other = BalancedSampler(num_samples=8)
    assert differences(fields_with(sampler=BalancedSampler(num_samples=10)), fields_with(sampler=other)) == [
        "sampler changed"
    ]
