"""A job crosses the wire whole, and what is no job is refused before anything is built."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import msgpack
import numpy as np
import pytest

from feedline.common.batch.layout import ArraySpec, aligned
from feedline.common.job.images import Job
from feedline.common.sample.image import ImageSpec
from feedline.errors import ConfigurationError, RemoteProtocolError
from feedline.transforms import RandomBrightness, RandomCrop, RandomFlip, RandomHue, Rescaling

PLAIN = Job(1, 0, 32, ImageSpec(64, 48), (), "uint8", ())
RICH = Job(
    2**40,
    -7,
    3,
    ImageSpec(64, 48, "grayscale", "area", "pad", "uint16"),
    (RandomFlip("horizontal"), RandomCrop(20, 30), RandomBrightness(0.2, (0, 999)), Rescaling(1 / 255, -1.0)),
    "float32",
    (ArraySpec("y0", (), "int64"), ArraySpec("y1", (2, 3), "float32"), ArraySpec("weight", (), "float32")),
)


def travelled(job: Job) -> Any:
    """What comes out at the other end of a connection."""
    return msgpack.unpackb(msgpack.packb(job.to_wire()))


@pytest.mark.parametrize("job", [PLAIN, RICH], ids=["plain", "rich"])
def test_a_job_crosses_the_wire_whole(job: Job) -> None:
    assert Job.from_wire(travelled(job)) == job


def test_every_field_is_on_the_wire() -> None:
    assert set(RICH.to_wire()) == {field.name for field in fields(Job)}


def test_numbers_of_numpy_are_taken_as_what_they_are() -> None:
    job = Job(1, np.int64(-5), np.uint8(2), ImageSpec(4, 4), (), "uint8", ())
    assert Job.from_wire(travelled(job)) == replace(PLAIN, seed=-5, batch_size=2, image=ImageSpec(4, 4))


# --- what follows from a job --------------------------------------------------------------------


def test_images_have_the_size_and_type_that_come_out_of_the_transforms() -> None:
    assert PLAIN.x == ArraySpec("x", (64, 48, 3), "uint8")
    assert RICH.x == ArraySpec("x", (20, 30, 1), "float32")


def test_a_slot_has_room_for_a_full_batch_with_its_targets() -> None:
    assert PLAIN.slot_bytes == 32 * 64 * 48 * 3
    parts = (3 * 20 * 30 * 4, 3 * 8, 3 * 6 * 4, 3 * 4)
    assert RICH.slot_bytes == sum(map(aligned, parts))
    assert [spec.name for spec in RICH.layout(1).specs] == ["x", "y0", "y1", "weight"]
    assert RICH.layout(1).num_bytes < RICH.slot_bytes


# --- refusals -----------------------------------------------------------------------------------


def test_a_transform_of_colours_is_refused_for_images_without() -> None:
    with pytest.raises(ConfigurationError, match="RandomHue changes colours"):
        replace(PLAIN, transforms=(RandomHue(0.1),), image=ImageSpec(8, 8, "grayscale"))


@pytest.mark.parametrize("name", [field.name for field in fields(Job)])
def test_a_missing_field_is_refused(name: str) -> None:
    wire = travelled(RICH)
    del wire[name]
    with pytest.raises(RemoteProtocolError, match=name):
        Job.from_wire(wire)


def test_an_unknown_field_is_refused_by_name() -> None:
    """It may say something that decides what the bytes are."""
    with pytest.raises(RemoteProtocolError, match="colour"):
        Job.from_wire(travelled(RICH) | {"colour": "blue"})


@pytest.mark.parametrize(
    "changes",
    [
        {"job_id": "one"},
        {"job_id": None},
        {"seed": "none"},
        {"seed": [1]},
        {"seed": 2**64},
        {"batch_size": 0},
        {"batch_size": -3},
        {"batch_size": 2.5},
        {"image": None},
        {"image": []},
        {"image": [64, 48, "rgb"]},
        {"image": [0, 48, "rgb", "bilinear", "stretch", "uint8"]},
        {"image": [64, 48, "cmyk", "bilinear", "stretch", "uint8"]},
        {"transforms": None},
        {"transforms": [["RandomSneeze", {}]]},
        {"transforms": [["RandomFlip", {"mode": "sideways"}]]},
        {"transforms": ["RandomFlip"]},
        {"transforms": [["RandomCrop", {"height": 1000, "width": 10}]]},
        {"dtype": "complex64"},
        {"dtype": 8},
        {"targets": 3},
        {"targets": [["y"]]},
        {"targets": [["y", [0], "float32"]]},
        {"targets": [["y", [2], "object"]]},
        {"targets": [["x", [2], "float32"]]},
        {"targets": [["y", [], "float32"], ["y", [], "float32"]]},
    ],
    ids=repr,
)
def test_a_value_that_no_job_has_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(RemoteProtocolError, match="not a job this version can build"):
        Job.from_wire(travelled(PLAIN) | changes)


@pytest.mark.parametrize(
    ("changes", "quoted"),
    [
        ({"batch_size": 0}, "batch_size must be a whole number, at least 1, got 0"),
        ({"batch_size": 2.0}, "batch_size must be a whole number, at least 1, got 2.0"),
        ({"seed": None}, "seed must be a whole number, got None"),
        ({"seed": -(2**63) - 1}, "seed must be a number of 64 bits"),
        ({"dtype": "int3"}, "got 'int3'"),
    ],
)
def test_whoever_makes_a_job_is_told_what_is_wrong(changes: dict[str, Any], quoted: str) -> None:
    with pytest.raises(ConfigurationError, match=quoted):
        replace(PLAIN, **changes)


def test_seeds_have_64_bits_with_or_without_a_sign() -> None:
    for seed in (-(2**63), 2**64 - 1):
        job = replace(PLAIN, seed=seed)
        assert Job.from_wire(travelled(job)) == job
