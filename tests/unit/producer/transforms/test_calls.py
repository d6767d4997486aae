"""Functions of users and pipelines of albumentations, as steps among others."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import albumentations as A  # noqa: N812 - as everybody calls it
import cv2
import numpy as np
import numpy.typing as npt
import pytest

from feedline.common.declarations import plugins
from feedline.common.declarations.catalogue import from_wire, output_size, to_wire
from feedline.common.draws import generator_of
from feedline.common.job.images import Job
from feedline.common.sample.boxes import BoxSpec
from feedline.common.sample.companions import Companion
from feedline.common.sample.image import ImageSpec
from feedline.common.wire.protocol import Sample, Ticket
from feedline.errors import ConfigurationError, RemoteProtocolError, TransformError, UserCodeError
from feedline.producer.building.batches import BatchBuilder
from feedline.producer.plugins import NO_PLUGINS, Plugins
from feedline.producer.reading.roots import DataRoots
from feedline.producer.transforms import Pipeline
from feedline.transforms import (
    Albumentations,
    MixUp,
    PythonTransform,
    RandomBrightness,
    RandomCrop,
    RandomFlip,
    Rescaling,
    Transform,
)

PLUGINS = Plugins(("user_code",))
IMAGE = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
DRAWS = np.array([0.3, 0.6])

ALL_SORTS = A.Compose([
    A.HorizontalFlip(p=0.5),
    A.RandomBrightnessContrast(p=1),
    A.GaussNoise(p=1),
    A.OneOf([A.Blur(p=1), A.ElasticTransform(p=1), A.GridDistortion(p=1)], p=0.9),
    A.Affine(rotate=(-30, 30), scale=(0.8, 1.2), p=1),
    A.CoarseDropout(p=0.5),
    A.ISONoise(p=1),
])  # fmt: skip


def result_of(
    transforms: Sequence[Transform],
    image: npt.NDArray[Any] = IMAGE,
    draws: Any = None,
    dtype: str = "uint8",
    plugins: Plugins = PLUGINS,
) -> npt.NDArray[Any]:
    """What a pipeline makes of an image."""
    pipeline = Pipeline(transforms, image.shape[:2], image.shape[2], image.dtype.name, dtype, plugins=plugins)
    out = np.empty(pipeline.output_shape, dtype)
    pipeline.apply(image, np.full(pipeline.num_draws, 0.3) if draws is None else draws, out)
    return out


@pytest.mark.parametrize(
    ("name", "kwargs", "text"),
    [
        ("takes_no_generator", {}, r"takes_no_generator\(image: .* cannot be called as \(image, rng\), the"),
        (
            "invert",
            {"spots": 3},
            r"cannot be called as \(image, rng, spots=...\).*keyword argument 'spots'",
        ),
    ],
)
def test_a_function_that_takes_something_else_is_told_what_it_gets(
    name: str, kwargs: dict[str, int], text: str
) -> None:
    with pytest.raises(UserCodeError, match=text):
        result_of([PythonTransform(f"user_code:{name}", kwargs)])


def test_a_function_gets_the_image_and_its_result_is_the_image() -> None:
    np.testing.assert_array_equal(result_of([PythonTransform("user_code:invert")]), 255 - IMAGE)


def test_a_function_may_write_without_changing_what_others_read() -> None:
    before = IMAGE.copy()
    result_of([PythonTransform("user_code:invert")])
    np.testing.assert_array_equal(IMAGE, before)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_a_function_sees_all_channels_and_the_dtype(channels: int, dtype: str) -> None:
    image = np.random.default_rng(1).integers(0, 256, (8, 6, channels)).astype(dtype)
    expected = (255 - image.astype(np.int64)).astype(dtype)
    np.testing.assert_array_equal(
        result_of([PythonTransform("user_code:invert")], image, dtype=dtype), expected
    )


def test_functions_stand_among_other_transforms_where_they_were_written() -> None:
    chain = [
        RandomCrop(20, 20),
        PythonTransform("user_code:halve", image_size=(10, 10)),
        RandomFlip("horizontal"),
        Rescaling(1 / 255),
    ]
    draws = np.array([0.0, 0.0, 0.3, 0.6, 0.1])
    expected = IMAGE[:20:2, :20:2][:, ::-1].astype(np.float32) * np.float32(1 / 255)
    np.testing.assert_allclose(result_of(chain, draws=draws, dtype="float32"), expected, atol=1e-6)
    assert output_size(chain, (24, 32)) == (10, 10)


def test_after_a_tone_curve_of_a_float_job_a_function_sees_floats() -> None:
    with pytest.raises(UserCodeError, match="expected an array of float32"):
        result_of(
            [RandomBrightness(0.1), PythonTransform("user_code:as_floats", image_size=(1, 1))],
            dtype="float32",
        )


def test_the_generator_depends_on_the_samples_draws_and_on_nothing_else() -> None:
    dots = [PythonTransform("user_code:invert", {"dots": 50})]
    one = result_of(dots, draws=DRAWS)
    np.random.seed(1)  # noqa: NPY002 - what others draw must not matter
    random.seed(1)
    np.testing.assert_array_equal(result_of(dots, draws=DRAWS.copy()), one)
    for other in ([0.3, 0.61], [0.31, 0.6], [0.6, 0.3], [0.3, np.nextafter(0.6, 1)]):
        assert (result_of(dots, draws=np.array(other)) != one).any()


def test_the_generator_is_the_same_for_ever() -> None:
    assert generator_of(*DRAWS).bit_generator.random_raw(2).tolist() == [
        15117401412527644754,
        14368642976559424522,
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("fail", "user_code:fail raised ValueError: no such luck"),
        ("halve", r"returned an array of uint8, shape \(12, 16, 3\), expected .* \(24, 32, 3\).*image_size="),
        ("as_floats", "returned an array of float64"),
        ("Rows", "user_code:Rows raised TypeError"),
    ],
)
def test_a_function_that_fails_or_returns_something_else_is_named(name: str, text: str) -> None:
    with pytest.raises(UserCodeError, match=text):
        result_of([PythonTransform(f"user_code:{name}")])


def test_a_function_that_is_not_allowed_fails_before_the_first_image() -> None:
    with pytest.raises(UserCodeError, match="--allow user_code"):
        Pipeline([PythonTransform("user_code:invert")], (4, 4), 3, "uint8", "uint8")


@pytest.mark.parametrize(
    "transform",
    [
        PythonTransform("user_code:invert", {"dots": 3, "size": (1, 2)}, image_size=(7, 9)),
        PythonTransform("user_code:invert"),
        Albumentations(A.to_dict(ALL_SORTS), image_size=(8, 8)),
    ],
)
def test_declarations_are_the_same_on_the_other_side(transform: Transform) -> None:
    assert from_wire(to_wire([transform])) == (transform,)


def test_a_wire_with_other_arguments_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="PythonTransform cannot be made"):
        from_wire([["PythonTransform", {"function": "user_code", "params": {}}]])


@pytest.mark.parametrize("image_size", [(0, 4), (4,), 4, (4, 4, 3), ("4", 4)])
def test_a_size_that_is_none_is_refused(image_size: Any) -> None:
    with pytest.raises(ConfigurationError, match="image_size of PythonTransform"):
        PythonTransform("user_code:halve", image_size=image_size)


@pytest.mark.parametrize(
    ("followers", "text"),
    [
        ({"boxes": BoxSpec(4)}, "boxes would not follow"),
        ({"companions": (Companion("m", "mask"),)}, "mask would not follow"),
        (
            {"companions": (Companion("t", "target"),), "boxes": BoxSpec(4)},
            "boxes and target would not follow",
        ),
    ],
)
@pytest.mark.parametrize("transform", [PythonTransform("user_code:halve"), Albumentations({})])
def test_a_job_with_boxes_or_masks_refuses_code_that_they_could_not_follow(
    followers: dict[str, Any], text: str, transform: Transform
) -> None:
    def job(transforms: tuple[Transform, ...], **more: Any) -> Job:
        return Job(1, 7, 4, ImageSpec(8, 8), transforms, "uint8", (), **more)

    with pytest.raises(ConfigurationError, match=text):
        job((RandomFlip(), transform), **followers)
    assert job((transform,), companions=(Companion("x2", "input"),)).transforms == (transform,)


COLOURS = A.Compose([A.OneOf([A.RandomBrightnessContrast(), A.ToGray()]), A.GaussNoise(), A.NoOp()])


@pytest.mark.parametrize(
    ("transform", "moves"),
    [
        (Albumentations(A.to_dict(COLOURS)), False),
        (Albumentations(A.to_dict(ALL_SORTS)), True),
        (Albumentations(A.to_dict(A.Compose([A.CoarseDropout()]))), True),
        (Albumentations(A.to_dict(A.Compose([A.HorizontalFlip()])), moves_pixels=False), False),
        (PythonTransform("user_code:invert"), True),
        (PythonTransform("user_code:invert", moves_pixels=False), False),
    ],
)
def test_code_that_moves_no_pixels_may_stand_beside_masks_and_boxes(transform: Any, moves: bool) -> None:
    assert transform.may_move is moves
    followers: dict[str, Any] = {"companions": (Companion("m", "mask"),), "boxes": BoxSpec(4)}
    arguments = (1, 7, 4, ImageSpec(8, 8), (transform,), "uint8", ())
    if moves:
        with pytest.raises(ConfigurationError, match="or say moves_pixels=False if it changes nothing but"):
            Job(*arguments, **followers)
    else:
        job = Job(*arguments, **followers)
        assert Job.from_wire(job.to_wire()) == job


def test_what_moves_no_pixels_is_what_albumentations_says() -> None:
    kinds = {name: kind for name, kind in vars(A).items() if isinstance(kind, type)}
    theirs = {n for n, k in kinds.items() if issubclass(k, A.ImageOnlyTransform | A.NoOp)}
    assert theirs - {"ImageOnlyTransform", "Lambda"} == plugins.STILL
    assert {n for n, k in kinds.items() if issubclass(k, A.BaseCompose)} - {
        "BaseCompose"
    } == plugins.COMPOSITIONS


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("last", [[], [RandomFlip("horizontal")], [RandomBrightness(0.0, (-9, 9))]])
def test_a_normalization_of_albumentations_makes_floats(dtype: str, last: list[Transform]) -> None:
    pipeline = A.Compose([A.Normalize(mean=(0.5,) * 3, std=(0.25,) * 3)])
    transform = Albumentations(A.to_dict(pipeline))
    job = Job(1, 7, 4, ImageSpec(24, 32), (transform, *last), dtype, ())
    assert job.x.dtype == "float32"
    expected = (IMAGE / 255 - 0.5) / 0.25
    out = result_of([transform, *last], draws=np.full(2 + len(last), 0.9), dtype="float32")
    np.testing.assert_allclose(out, expected, atol=1e-5)


def test_floats_are_declared_by_whoever_makes_them() -> None:
    with pytest.raises(UserCodeError, match=r"expected an array of uint8.* floats with dtype='float32'"):
        result_of([PythonTransform("user_code:as_floats")])
    out = result_of([PythonTransform("user_code:as_floats", dtype=np.float32)], dtype="float32")
    assert out.dtype == np.float32
    with pytest.raises(ConfigurationError, match="dtype of PythonTransform must be 'float32', or left out"):
        PythonTransform("user_code:as_floats", dtype="uint8")


def test_a_size_of_its_own_moves_pixels() -> None:
    with pytest.raises(ConfigurationError, match="makes another size, so pixels move"):
        PythonTransform("user_code:halve", image_size=(4, 4), moves_pixels=False)


def test_a_failure_names_the_file_whose_image_it_was_of_those_that_are_mixed(tmp_path: Path) -> None:
    for name, side in (("dark.png", 0), ("light.png", 200)):
        cv2.imwrite(str(tmp_path / name), np.full((8, 8, 3), side, np.uint8))
    transforms = (PythonTransform("user_code:refuse_light"), MixUp(0.4))
    job = Job(1, 7, 1, ImageSpec(8, 8), transforms, "uint8", ())
    ticket = Ticket(1, 0, 0, 1, 0, (Sample(("dark.png",), 0), Sample(("light.png",), 1)), ())
    builder = BatchBuilder(job, DataRoots([str(tmp_path)]), plugins=PLUGINS)
    with pytest.raises(
        TransformError, match=r"light\.png: user_code:refuse_light raised ValueError: too light"
    ):
        builder.build(ticket, lambda: False)


# --- albumentations -----------------------------------------------------------------------------


def test_a_pipeline_does_what_it_does_without_us() -> None:
    sure = A.Compose([A.HorizontalFlip(p=1), A.CenterCrop(16, 16, p=1), A.ToGray(p=1)])
    ours = result_of([Albumentations(A.to_dict(sure), image_size=(16, 16))], plugins=NO_PLUGINS)
    np.testing.assert_array_equal(ours, sure(image=IMAGE)["image"])


def test_a_random_pipeline_depends_on_the_samples_draws_and_on_nothing_else() -> None:
    draws = [np.array([i / 40, 0.5]) for i in range(40)]
    pipeline = [Albumentations(A.to_dict(ALL_SORTS))]
    forward = [result_of(pipeline, draws=d).tobytes() for d in draws]
    random.seed(4)
    np.random.seed(4)  # noqa: NPY002 - what others draw must not matter
    same_one = Pipeline(pipeline, IMAGE.shape[:2], 3, "uint8", "uint8")
    out = np.empty_like(IMAGE)
    for d, expected in reversed(list(zip(draws, forward, strict=True))):
        same_one.apply(IMAGE, d, out)
        assert out.tobytes() == expected
    assert len(set(forward)) == len(forward)


def test_the_seed_that_a_pipeline_was_given_does_not_make_all_samples_alike() -> None:
    seeded = A.Compose([A.GaussNoise(p=1)], seed=1)
    results = [result_of([Albumentations(A.to_dict(seeded))], draws=np.array([d, d])) for d in (0.1, 0.2)]
    assert (results[0] != results[1]).any()


def test_transforms_of_a_pipeline_draw_independently_of_each_other() -> None:
    """Seeded with one number each, both flips would always come together."""
    both = Albumentations(A.to_dict(A.Compose([A.HorizontalFlip(p=0.5), A.VerticalFlip(p=0.5)])))
    outcomes = {result_of([both], draws=np.array([i / 64, 0.0])).tobytes() for i in range(64)}
    assert outcomes == {IMAGE[::v, ::h].tobytes() for v in (1, -1) for h in (1, -1)}


def test_one_that_changes_the_size_without_saying_so_is_refused() -> None:
    with pytest.raises(UserCodeError, match=r"Albumentations returned .* \(16, 16, 3\).*image_size="):
        result_of([Albumentations(A.to_dict(A.Compose([A.CenterCrop(16, 16)])))])


@pytest.mark.filterwarnings("ignore:Using lambda")
def test_a_function_in_a_pipeline_is_refused_where_it_is_declared() -> None:
    hidden = A.Compose([A.OneOf([A.Blur(), A.Lambda(image=lambda x, **_: x, name="mine")])])
    with pytest.raises(ConfigurationError, match="PythonTransform"):
        Albumentations(A.to_dict(hidden))


def test_the_pipeline_itself_is_refused_with_what_to_pass() -> None:
    with pytest.raises(ConfigurationError, match=r"pass A\.to_dict\(pipeline\)"):
        Albumentations(A.Compose([]))


@pytest.mark.parametrize(
    "config", [{}, {"transform": {"__class_fullname__": "os.system"}}, {"transform": {"p": 1}}]
)
def test_a_dict_that_is_no_pipeline_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(UserCodeError, match="not a pipeline of albumentations"):
        result_of([Albumentations(config)])
