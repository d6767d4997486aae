"""What a user sees of DICOM files in a job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from dicom_files import UNITS, UNSIGNED, dicom_bytes

from feedline import BatchSequence, CTWindows, ImageDataset
from feedline.errors import BatchError, ConfigurationError
from feedline.transforms import RandomBrightness

WINDOWS = CTWindows(["brain", "subdural", "soft"])
SIZE = UNSIGNED.shape


def sequence_of(folder: Path, name: str, **options: object) -> BatchSequence:
    """One file."""
    data = ImageDataset.from_lists([name], directory=folder)
    return BatchSequence(data, batch_size=1, image_size=SIZE, workers=1, timeout_s=60, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_hounsfield_units_arrive_as_they_are(tmp_path: Path, dtype: str) -> None:
    (tmp_path / "a.dcm").write_bytes(dicom_bytes(UNSIGNED))
    with sequence_of(tmp_path, "a.dcm", color_mode="hounsfield", dtype=dtype) as sequence:
        x = sequence[0]
    assert x.dtype == dtype
    assert np.array_equal(x[0, :, :, 0], UNITS)


@pytest.mark.parametrize(("repair", "first"), [("none", 3200), ("rsna", 3200 - 4096)])
def test_wrapped_values_are_repaired_if_the_dataset_says_so(tmp_path: Path, repair: str, first: int) -> None:
    stored = np.full(SIZE, 40, np.uint16)
    stored[0, 0] = 3200
    (tmp_path / "a.dcm").write_bytes(dicom_bytes(stored, RescaleIntercept=0))
    data = ImageDataset.from_lists(["a.dcm"], directory=tmp_path).with_dicom_reading(repair=repair)
    options: Any = {"image_size": SIZE, "color_mode": "hounsfield", "dtype": "int16", "workers": 1}
    with BatchSequence(data, batch_size=1, **options) as sequence:
        assert sequence[0][0, 0, :2, 0].tolist() == [first, 40]


def test_a_cut_off_slice_is_named_with_what_is_there_of_it(tmp_path: Path) -> None:
    (tmp_path / "cut.dcm").write_bytes(dicom_bytes(np.zeros((512, 512), np.uint16))[: 153_710 - 524_288])
    with (
        sequence_of(tmp_path, "cut.dcm", color_mode=WINDOWS) as sequence,
        pytest.raises(BatchError, match=r"cut\.dcm.*153,710 of 524,288 bytes of pixels"),
    ):
        sequence[0]


def test_a_photograph_has_no_place_in_a_job_for_a_ct(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), UNSIGNED)
    with (
        sequence_of(tmp_path, "a.png", color_mode=WINDOWS) as sequence,
        pytest.raises(BatchError, match=r"a\.png.*is a PNG file, and Hounsfield units are found in DICOM"),
    ):
        sequence[0]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"color_mode": "hounsfield"}, "dtype='int16' or 'float32', got 'uint8'"),
        ({"dtype": "int16"}, "pass color_mode='hounsfield'"),
        ({"color_mode": WINDOWS, "dtype": "uint16"}, "CTWindows make uint8"),
        (
            {"color_mode": "hounsfield", "dtype": "float32", "transforms": [RandomBrightness(0.1)]},
            r"clip int16 pixels to value_range=\(0, 255\)",
        ),
    ],
)
def test_what_does_not_go_together_is_refused_at_once(
    tmp_path: Path, options: dict[str, object], text: str
) -> None:
    with pytest.raises(ConfigurationError, match=text):
        sequence_of(tmp_path, "a.dcm", **options)
