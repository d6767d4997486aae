"""Every public call refuses what counts as True or False and is neither: "no" would be taken for yes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

import feedline.legacy
import feedline.transforms
import feedline.yolo
from feedline import BatchSequence, ImageDataset, ProducerPool, RemoteSequence
from feedline.errors import ConfigurationError

DATA = ImageDataset.from_lists(["a.png", "b.png"], labels=[0, 1])

ARGUMENTS: dict[str, Any] = {
    **dict.fromkeys(("csv", "directory", "images", "path"), "nowhere"),
    "anchors": np.ones((9, 2)),
    "dataset": DATA,
    "endpoint": "tcp://127.0.0.1:*",
    "frame": pd.DataFrame(),
    "function": "module:name",
    "list_IDs": ["a"],
    "num_classes": 3,
    "paths": ["a.png"],
    "reference": "module:Name",
}
"""What a call needs, by the name of the parameter; 1 will do for all others."""

MEANS_NOTHING = {"use_multiprocessing"}
"""Taken from old scripts and ignored."""


def public_calls() -> Iterator[tuple[str, Callable[..., Any]]]:
    """All that users make things with, or call."""
    yield from [(call.__name__, call) for call in (BatchSequence, ProducerPool, RemoteSequence)]
    for name, member in inspect.getmembers(ImageDataset):
        if name.startswith("from_"):
            yield f"ImageDataset.{name}", member
    yield "ImageDataset.split", DATA.split
    for module in (feedline.legacy, feedline.transforms, feedline.yolo):
        for name in module.__all__:
            call = getattr(module, name)
            if callable(call) and not inspect.isabstract(call):
                yield name, call


def switches() -> Iterator[Any]:
    """All parameters of theirs that are declared as True or False."""
    for owner, call in public_calls():
        for one in inspect.signature(call).parameters.values():
            declared = str(one.annotation)
            if declared.startswith("bool") and one.name not in MEANS_NOTHING:
                yield pytest.param(call, one.name, id=f"{owner}-{one.name}")


def needed(call: Callable[..., Any]) -> dict[str, Any]:
    """The arguments without which it cannot be called."""
    parameters = inspect.signature(call).parameters.values()
    names = [one.name for one in parameters if one.default is one.empty and one.kind is not one.VAR_KEYWORD]
    return {name: ARGUMENTS.get(name, 1) for name in names}


def test_there_are_switches_at_every_kind_of_call() -> None:
    found = {param.id for param in switches()}
    assert {
        "BatchSequence-shuffle",
        "DataGenerator-shuffle",
        "ImageDataset.from_coco-boxes",
        "ImageDataset.from_directory-follow_links",
        "ImageDataset.from_rsna_csv-validate_filenames",
        "ImageDataset.split-stratify",
        "ProducerPool-strict_versions",
        "AugMix-all_ops",
        "RemoteSequence-shuffle",
        "YoloTargets-faithful",
    } <= found


@pytest.mark.parametrize(("call", "name"), list(switches()))
def test_a_switch_that_is_neither_true_nor_false_is_refused_where_it_is_declared(
    call: Callable[..., Any], name: str
) -> None:
    for value in ("no", 0, 1):
        with pytest.raises(ConfigurationError, match=rf"{name}( of \w+)? must be True.*, got {value!r}$"):
            call(**needed(call) | {name: value})


@pytest.mark.parametrize("value", [True, np.True_])
def test_a_switch_of_numpys_is_one(value: bool) -> None:
    with ProducerPool("tcp://127.0.0.1:*", strict_versions=value) as pool:
        assert pool.is_open
