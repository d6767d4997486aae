"""The bench's DICOM slices: real files, and bare work that comes to the same pixels."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pydicom

from feedline.producer.reading.decoders import decode
from feedline.trainer.bench.slices import WINDOWS, BareWindows, slice_bytes

GREY = np.random.default_rng(0).integers(0, 256, (64, 48), np.uint8)


def test_a_slice_is_a_ct_that_pydicom_reads() -> None:
    dataset = pydicom.dcmread(BytesIO(slice_bytes(GREY, 31)))

    assert (dataset.Modality, dataset.PatientID, dataset.ImagePositionPatient[2]) == ("CT", "ID_00000001", 5)
    assert (dataset.pixel_array[GREY == 0] == 24).all()


def test_the_bare_work_comes_to_what_a_producer_makes() -> None:
    data = slice_bytes(GREY, 0)
    assert np.array_equal(BareWindows(64, 48)(data), decode(data, "", WINDOWS, "uint8"))
