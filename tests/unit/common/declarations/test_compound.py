"""Declarations with others inside travel, add up, and refuse what cannot be inside."""

from __future__ import annotations

from dataclasses import replace

import msgpack
import pytest

from feedline.common.declarations.base import Transform
from feedline.common.declarations.catalogue import (
    check_channels,
    from_wire,
    output_dtype,
    output_size,
    to_wire,
)
from feedline.common.declarations.compound import Choice, Compound
from feedline.common.declarations.mixing import Collage
from feedline.common.job.images import Job
from feedline.common.sample.boxes import BoxSpec
from feedline.common.sample.companions import Companion, ImageOptions
from feedline.common.sample.ct import CTWindows
from feedline.common.sample.image import ImageSpec
from feedline.errors import ConfigurationError, RemoteProtocolError
from feedline.transforms import (
    CenterCrop,
    Letterbox,
    MixUp,
    Pipeline,
    PythonTransform,
    RandomApply,
    RandomBrightness,
    RandomChoice,
    RandomContrast,
    RandomCrop,
    RandomFlip,
    RandomHue,
    RandomRotation,
    RandomTranslation,
    Rescaling,
)

NESTED = (
    RandomChoice((
        RandomApply((RandomFlip(), Pipeline((RandomRotation((0.1, 0.2)),))), 0.25),
        RandomChoice((RandomBrightness(0.1), RandomContrast(0.2))),
        PythonTransform("mine:blur", {"size": [3, 3]}),
    )),
    Pipeline(()),
)  # fmt: skip


def test_what_is_inside_travels_with_what_it_is_inside_of() -> None:
    assert from_wire(msgpack.unpackb(msgpack.packb(to_wire(NESTED), strict_types=True))) == NESTED


@pytest.mark.parametrize("inside", [[["RandomWarp", {}]], [17], "RandomFlip", [["RandomFlip", {"axis": 1}]]])
def test_what_comes_over_the_wire_is_refused_inside_as_outside(inside: object) -> None:
    with pytest.raises(RemoteProtocolError):
        from_wire([["Pipeline", {"transforms": inside}]])
    with pytest.raises(RemoteProtocolError):
        from_wire([["RandomFlip", {"transforms": inside}]])


def test_a_list_inside_of_a_list_is_one_transform() -> None:
    declared = RandomChoice([[RandomFlip(), RandomHue(0.1)], RandomContrast(0.1)])
    assert declared == RandomChoice((Pipeline((RandomFlip(), RandomHue(0.1))), RandomContrast(0.1)))


def test_draws_are_its_own_and_those_of_all_that_is_inside() -> None:
    assert Pipeline((RandomFlip(), RandomCrop(3, 3))).num_draws == 1 + 2
    assert RandomApply((RandomFlip(), RandomCrop(3, 3))).num_draws == 1 + 1 + 2
    assert RandomChoice((RandomFlip(), RandomCrop(3, 3))).num_draws == 1 + 1 + 2
    assert NESTED[0].num_draws == 1 + (1 + 1 + 1) + (1 + 1 + 1) + 2


@pytest.mark.parametrize(
    ("make", "quoted"),
    [
        (lambda: RandomChoice(()), "at least one"),
        (lambda: RandomChoice(RandomFlip()), "must be a list of transforms, got RandomFlip"),
        (lambda: Pipeline((RandomFlip,)), "such as feedline.transforms.RandomFlip"),
        (lambda: RandomApply((3,)), "got 3"),
        (lambda: RandomApply((RandomFlip(),), 1.5), "factor of RandomApply.*1.5"),
        (lambda: RandomApply((MixUp(),)), "transforms of RandomApply cannot have MixUp.*itself"),
        (lambda: RandomChoice(((RandomFlip(), MixUp()),)), "transforms of RandomChoice cannot have MixUp"),
        (lambda: Pipeline((Letterbox(),)), "transforms of Pipeline cannot have Letterbox.*first"),
        (lambda: RandomApply((Rescaling(2),)), "RandomApply.*makes floats of some images and leaves others"),
        (lambda: RandomChoice((Rescaling(2), RandomFlip())), "put what makes floats behind it"),
        (lambda: RandomApply((PythonTransform("mine:f", dtype="float32"),)), "makes floats of some images"),
    ],
)
def test_what_cannot_be_inside_is_refused_where_it_is_declared(make: object, quoted: str) -> None:
    with pytest.raises(ConfigurationError, match=quoted):
        make()  # type: ignore[operator]


def test_whatever_is_chosen_images_have_one_size() -> None:
    assert output_size([RandomChoice((RandomCrop(4, 5), CenterCrop(4, 5)))], (8, 8)) == (4, 5)
    changing = RandomChoice((RandomCrop(4, 5), CenterCrop(5, 4))), RandomApply((RandomCrop(4, 5),))
    for choice in changing:
        with pytest.raises(ConfigurationError, match=r"different sizes.*\(8, 8\)"):
            output_size([RandomFlip(), choice], (8, 8))
        with pytest.raises(ConfigurationError, match="different sizes"):
            Job(1, 0, 2, ImageSpec(8, 8), (choice,), "uint8", ()).x  # noqa: B018
    assert output_size([RandomApply((CenterCrop(8, 8),))], (8, 8)) == (8, 8)


def test_whatever_is_chosen_pixels_have_one_dtype() -> None:
    floats = RandomChoice((Rescaling(1 / 255), Rescaling(1 / 127.5, -1)))
    assert output_dtype([floats], "uint8") == "float32"
    assert floats.output_range((0.0, 255.0)) == (-1.0, 1.0)
    assert output_dtype([NESTED[0]], "uint8") == "uint8"
    with pytest.raises(ConfigurationError, match=r"RandomBrightness would clip uint16"):
        output_dtype([NESTED[0]], "uint16")


def test_a_part_that_cannot_take_the_channels_is_named_with_where_it_is() -> None:
    with pytest.raises(ConfigurationError, match="RandomApply: RandomHue changes colours"):
        check_channels([RandomApply((RandomHue(0.1),))], 1)


@pytest.mark.parametrize(
    ("transform", "expected"),
    [
        (Pipeline((RandomFlip(), RandomHue(0.1))), None),
        (
            Pipeline((RandomFlip(), RandomCrop(3, 4), Rescaling(2))),
            Pipeline((CenterCrop(3, 4), Rescaling(2))),
        ),
        (RandomApply((RandomFlip(), CenterCrop(3, 4))), None),
        (RandomChoice((RandomFlip(), RandomHue(0.1))), None),
        (RandomChoice((RandomCrop(3, 4), CenterCrop(3, 4))), Pipeline((CenterCrop(3, 4),))),
        (
            RandomChoice((Pipeline((RandomFlip(), RandomCrop(3, 4))), CenterCrop(3, 4))),
            Pipeline((CenterCrop(3, 4),)),
        ),
        (RandomChoice((Rescaling(2), Rescaling(3))), Pipeline((Rescaling(2),))),
        (RandomChoice((RandomChoice((RandomCrop(3, 4),)),)), Pipeline((CenterCrop(3, 4),))),
    ],
)
def test_a_model_is_judged_without_choices_but_with_the_size_and_dtype_they_come_to(
    transform: Transform, expected: Transform | None
) -> None:
    assert transform.without_chance == expected


@pytest.mark.parametrize(
    "follows",
    [
        {"companions": (Companion("mask0", "mask"),)},
        {"companions": (Companion("y", "target"),)},
        {"boxes": BoxSpec(3)},
    ],
)
def test_code_of_others_is_refused_inside_too_where_something_has_to_follow(follows: object) -> None:
    job = Job(1, 0, 2, ImageSpec(8, 8), (RandomApply((PythonTransform("mine:blur"),)),), "uint8", ())
    with pytest.raises(ConfigurationError, match="mine:blur may move pixels"):
        replace(job, **follows)  # type: ignore[arg-type]
    still = RandomApply((PythonTransform("mine:blur", moves_pixels=False),))
    assert replace(job, transforms=(still,), **follows).transforms == (still,)  # type: ignore[arg-type]


COLORS = (RandomApply((RandomRotation(0.1), RandomHue(0.1))), RandomChoice((RandomFlip(), RandomHue(0.2))))


def test_images_that_go_only_where_pixels_go_need_no_colours_for_what_is_inside() -> None:
    depth = Companion("depth", "target", ImageOptions(color_mode="grayscale"))
    assert Job(1, 0, 2, ImageSpec(8, 8), COLORS, "uint8", (), companions=(depth,)).companions == (depth,)
    second = Companion("x1", "input", ImageOptions(color_mode="grayscale"))
    with pytest.raises(ConfigurationError, match="RandomApply: RandomHue changes colours"):
        Job(1, 0, 2, ImageSpec(8, 8), COLORS, "uint8", (), companions=(second,))


def test_windows_of_a_ct_are_no_colours_inside_either() -> None:
    windows = ImageSpec(8, 8, CTWindows([(40, 80), (-600, 1500), (80, 200)]))
    with pytest.raises(ConfigurationError, match=r"RandomHue takes channels for red.* windows of a CT"):
        Job(1, 0, 2, windows, COLORS, "uint8", ())


def test_a_fill_value_inside_has_a_number_for_each_channel() -> None:
    shifted = RandomApply((RandomTranslation(0.1, 0.1, "constant", fill_value=(1, 2, 3)),))
    check_channels([shifted], 3)
    with pytest.raises(ConfigurationError, match=r"fill_value of RandomTranslation.*each of 4 channels"):
        check_channels([shifted], 4)


@pytest.mark.parametrize("kind", [Compound, Choice, Collage])
def test_a_kind_that_leaves_out_what_makes_it_one_cannot_be_made(kind: type[Transform]) -> None:
    half_done = type("HalfDone", (kind,), {"__slots__": ()})
    with pytest.raises(TypeError, match="abstract"):
        half_done()
