"""What an image of a job looks like."""

from __future__ import annotations

import msgpack
import numpy as np
import pytest

from feedline.common.sample.ct import CTWindows
from feedline.common.sample.dicom import DicomReading
from feedline.common.sample.image import Fit, ImageSpec, decoded_dtype
from feedline.errors import ConfigurationError, RemoteProtocolError


def test_what_travels_through_msgpack_comes_back_equal() -> None:
    spec = ImageSpec(np.int64(30), 40, "rgba", "area", "pad", "uint16", True)  # type: ignore[arg-type]
    assert ImageSpec.from_wire(msgpack.unpackb(msgpack.packb(spec.to_wire(), strict_types=True))) == spec


@pytest.mark.parametrize(("color_mode", "channels"), [("grayscale", 1), ("rgb", 3), ("rgba", 4)])
def test_the_color_mode_says_how_many_channels_there_are(color_mode: str, channels: int) -> None:
    assert ImageSpec(2, 3, color_mode).shape == (2, 3, channels)


@pytest.mark.parametrize(
    ("arguments", "quoted"),
    [
        ({"height": 0}, "height.*0"),
        ({"height": True}, "height.*True"),
        ({"width": 2.5}, "width.*2.5"),
        ({"width": "256"}, "width.*'256'"),
        ({"color_mode": "bgr"}, r"color_mode.*'grayscale', 'rgb', 'rgba'.*'bgr'"),
        ({"interpolation": "lanczos3"}, r"'nearest', 'bilinear', 'bicubic', 'area'.*'lanczos3'"),
        ({"fit": "squeeze"}, "fit.*'squeeze'"),
        ({"jpeg_scaling": "half"}, "jpeg_scaling.*'half'"),
        ({"dtype": "int16"}, "'int16'"),
        ({"dtype": "float32"}, "'float32'.*transforms"),
    ],
)
def test_a_value_that_cannot_work_is_refused_and_quoted(arguments: dict[str, object], quoted: str) -> None:
    with pytest.raises(ConfigurationError, match=quoted):
        ImageSpec(**{"height": 8, "width": 8, **arguments})  # type: ignore[arg-type]


def test_keras_two_flags_become_one_fit_and_exclude_each_other() -> None:
    assert Fit.of(crop_to_aspect_ratio=False, pad_to_aspect_ratio=False) is Fit.STRETCH
    assert Fit.of(crop_to_aspect_ratio=True, pad_to_aspect_ratio=False) is Fit.CROP
    assert Fit.of(crop_to_aspect_ratio=False, pad_to_aspect_ratio=True) is Fit.PAD
    with pytest.raises(ConfigurationError, match="exclude each other"):
        Fit.of(crop_to_aspect_ratio=True, pad_to_aspect_ratio=True)


@pytest.mark.parametrize(
    "wire",
    [
        None,
        [1, 2],
        [8, 8, "rgb", "bilinear", "stretch", "int4", False, 1],
        [8, 8, ["rgb"], "bilinear", "stretch", "uint8", False, 1],
        [8, 8, "rgb", "bilinear", "stretch", "uint8", 1, 1],
        [8, 8, "rgb", "bilinear", "stretch", "uint8", False],
    ],
)
def test_values_that_are_not_those_of_an_image_are_refused(wire: object) -> None:
    with pytest.raises(RemoteProtocolError, match="ten values"):
        ImageSpec.from_wire(wire)  # type: ignore[arg-type]


def test_channels_are_those_of_all_windows_and_slices() -> None:
    windows = CTWindows(["brain", "subdural", "soft"])

    assert ImageSpec(8, 8, windows).channels == 3
    assert ImageSpec(8, 8, windows, slices=3).shape == (8, 8, 9)
    assert ImageSpec(8, 8, "hounsfield", dtype="int16", slices=5).channels == 5
    assert ImageSpec(8, 8, windows, slices=3).one_slice == ImageSpec(8, 8, windows)


@pytest.mark.parametrize(
    "spec",
    [
        ImageSpec(8, 9, CTWindows(["brain", (81.5, 200)]), slices=3),
        ImageSpec(8, 9, "hounsfield", "nearest", "pad", "int16"),
        ImageSpec(8, 9, "hounsfield", dtype="int16", dicom=DicomReading(repair="rsna", window="minmax")),
    ],
)
def test_a_ct_crosses_the_wire_whole(spec: ImageSpec) -> None:
    for use_list in (False, True):
        assert ImageSpec.from_wire(msgpack.unpackb(msgpack.packb(spec.to_wire()), use_list=use_list)) == spec


def test_only_hounsfield_units_are_int16() -> None:
    with pytest.raises(ConfigurationError, match="'hounsfield' with dtype='uint8'"):
        ImageSpec(8, 8, "hounsfield")
    with pytest.raises(ConfigurationError, match="'rgb' with dtype='int16'"):
        ImageSpec(8, 8, dtype="int16")
    with pytest.raises(ConfigurationError, match="CTWindows make uint8"):
        ImageSpec(8, 8, CTWindows(["brain"]), dtype="uint16")


@pytest.mark.parametrize(
    ("color_mode", "dtype", "decoded"),
    [
        ("rgb", "uint8", "uint8"),
        ("rgb", "float32", "uint8"),
        ("rgb", "uint16", "uint16"),
        ("hounsfield", "int16", "int16"),
        ("hounsfield", "float32", "int16"),
        (CTWindows(["brain"]), "float32", "uint8"),
    ],
)
def test_what_a_job_decodes_to_follows_from_its_dtype(
    color_mode: str | CTWindows, dtype: str, decoded: str
) -> None:
    assert decoded_dtype(color_mode, dtype) == decoded


def test_a_dtype_that_cannot_hold_the_pixels_is_refused_with_the_remedy() -> None:
    with pytest.raises(ConfigurationError, match="'int16' or 'float32', got 'uint8'"):
        decoded_dtype("hounsfield", "uint8")
    with pytest.raises(ConfigurationError, match="pass color_mode='hounsfield'"):
        decoded_dtype("grayscale", "int16")
