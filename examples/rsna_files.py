"""Files shaped like those of the RSNA haemorrhage competition, made from one real head CT.

The slice, ``693_UNCR.dcm`` of pydicom-data, is one of patient CQ500-CT-310 of the CQ500 data set
(http://headctstudy.qure.ai, CC BY-NC-SA 4.0). Every patient here is the same head, turned, scaled and
shifted. THE HAEMORRHAGES ARE DRAWN IN: they look a little like the real thing and mean nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from feedline.rsna import SUBTYPES

SOURCE = "693_UNCR.dcm"
AIR = -1000
"""Hounsfield units around the head."""

NUM_SLICES = 6
"""Of each patient."""

BLOOD = 65.0
"""Hounsfield units of clotted blood: 50 to 100, where brain has 20 to 45."""

TRUNCATED_BYTES = 153_710
"""Pixel bytes that one file of the competition has, of 524,288."""

NUM_REPEATED = 4
"""Images whose rows come twice in the label file, as those of four do in the competition's first stage."""

Mask = npt.NDArray[np.bool_]
Labelled = tuple[str, list[int]]
"""An image, and 0 or 1 for each of `SUBTYPES`."""

Units = npt.NDArray[np.float32]
"""Hounsfield units, shape (512, 512)."""


@dataclass(frozen=True)
class Tree:
    """Where everything is, as the competition's archive has it.

    Attributes
    ----------
    labels : Path
        The label file of the training images.
    train, test : Path
        Folders of DICOM files. In `train`, one file lacks most of its pixels.
    """

    labels: Path
    train: Path
    test: Path


def make_tree(folder: Path, *, num_train: int, num_test: int, seed: int = 0) -> Tree:
    """Write the files of so many patients, `NUM_SLICES` each; about 88 MB for 28 patients."""
    rng, head = np.random.default_rng(seed), Head.read()
    tree = Tree(folder / "stage_2_train.csv", folder / "stage_2_train", folder / "stage_2_test")
    labels = _write_patients(head, tree.train, num_train, rng)
    _write_patients(head, tree.test, num_test, rng)
    _write_labels(tree.labels, labels)
    _truncate(tree.train / f"{labels[-1][0]}.dcm")
    return tree


def _write_patients(head: Head, folder: Path, num: int, rng: np.random.Generator) -> list[Labelled]:
    folder.mkdir(parents=True)
    return [labelled for _ in range(num) for labelled in _write_patient(head, folder, rng)]


# --- the head, and what is drawn into it ---------------------------------------------------------


@dataclass(frozen=True)
class Head:
    """The real slice.

    Attributes
    ----------
    file : pydicom.Dataset
        Its DICOM file.
    units : ndarray of float32
        Its Hounsfield units, shape (512, 512).
    inside : ndarray of bool
        What lies within the skull.
    """

    file: pydicom.Dataset
    units: Units
    inside: Mask

    @classmethod
    def read(cls) -> Head:
        """Read it from the installed package."""
        path = get_testdata_file(SOURCE, download=False)
        if path is None:
            raise SystemExit(f"{SOURCE} is part of pydicom-data: pip install pydicom-data")
        file = pydicom.dcmread(path)
        units = file.pixel_array * float(file.RescaleSlope) + float(file.RescaleIntercept)
        units = np.maximum(units, AIR).astype(np.float32)
        parts = cv2.connectedComponents((units < 200).astype(np.uint8), connectivity=4)[1]
        return cls(file, units, parts == parts[256, 256])

    def with_blood(self, subtypes: list[str], rng: np.random.Generator) -> Units:
        """The slice with a haemorrhage of each subtype drawn in."""
        units = self.units.copy()
        for subtype in subtypes:
            shape = cv2.GaussianBlur(self._shape(subtype, rng).astype(np.float32), (0, 0), 1.5)
            blood = BLOOD + rng.normal(0, 6, units.shape).astype(np.float32)
            units += shape * self.inside * (blood - units)
        return units

    def _shape(self, subtype: str, rng: np.random.Generator) -> Mask:
        """Where blood of a subtype would lie, more or less."""
        match subtype:
            case "epidural":  # a lens on the skull
                return self._ellipse(rng, 1.0, (48, 20))
            case "subdural":  # a crescent along it
                return self._rim(16) & self._ellipse(rng, 1.0, (120, 70))
            case "subarachnoid":  # thin, in the furrows near it
                return self._rim(34) & ~self._rim(6) & _stripes(rng) & self._ellipse(rng, 1.0, (130, 90))
            case "intraventricular":  # the dark ventricle fills up
                fluid = cv2.GaussianBlur(self.units, (0, 0), 3) < 20
                return fluid & _filled_ellipse((222, 285), (34, 100), 12)
            case _:  # intraparenchymal: a clot within the brain
                return self._ellipse(rng, rng.uniform(0.3, 0.6), tuple(rng.uniform(18, 34, 2)))

    def _ellipse(self, rng: np.random.Generator, distance: float, axes: tuple[float, float]) -> Mask:
        """An ellipse somewhere around the middle; at `distance` 1 it lies on the skull, along it."""
        angle = rng.uniform(0, 2 * np.pi)
        rows, columns = np.nonzero(self.inside)
        middle = np.array([columns.mean(), rows.mean()])
        direction = np.array([np.cos(angle), np.sin(angle)])
        reach = ((np.stack([columns, rows], 1) - middle) @ direction).max()
        x, y = middle + distance * reach * direction
        return _filled_ellipse((x, y), axes, np.degrees(angle) + 90)

    def _rim(self, width: int) -> Mask:
        """What lies within `width` pixels of the skull."""
        return cv2.distanceTransform(self.inside.astype(np.uint8), cv2.DIST_L2, 5) < width


def _filled_ellipse(centre: tuple[float, float], axes: tuple[float, float], degrees: float) -> Mask:
    mask = np.zeros((512, 512), np.uint8)
    whole = [tuple(round(float(value)) for value in pair) for pair in (centre, axes)]
    cv2.ellipse(mask, whole[0], whole[1], float(degrees), 0, 360, 1, thickness=-1)
    return mask.astype(bool)


def _stripes(rng: np.random.Generator) -> Mask:
    """Winding lines: where smooth noise is near zero."""
    noise = cv2.GaussianBlur(rng.normal(size=(512, 512)).astype(np.float32), (0, 0), 9)
    return np.abs(noise) < 0.15 * noise.std()


# --- files --------------------------------------------------------------------------------------


def _write_patient(head: Head, folder: Path, rng: np.random.Generator) -> Iterator[Labelled]:
    """Write the slices of a patient, of whom every second is sick in the inner ones."""
    patient = Patient.draw(rng)
    kinds = (
        rng.choice(SUBTYPES[:-1], rng.integers(1, 3), replace=False).tolist() if rng.random() < 0.5 else []
    )
    for number in range(NUM_SLICES):
        subtypes = kinds if 0 < number < NUM_SLICES - 1 else []
        image = f"ID_{rng.bytes(5).hex()[:9]}"
        units = patient.moved(head.with_blood(subtypes, rng)) + rng.normal(0, 3, head.units.shape)
        file = patient.file_of(head.file, units, number)
        file.SOPInstanceUID = file.file_meta.MediaStorageSOPInstanceUID = f"{patient.series}.{number + 1}"
        file.save_as(folder / f"{image}.dcm")
        found = [int(subtype in subtypes) for subtype in SUBTYPES[:-1]]
        yield image, [*found, int(any(found))]


@dataclass(frozen=True)
class Patient:
    """What the slices of one patient have in common.

    Attributes
    ----------
    name, series : str
        PatientID and SeriesInstanceUID.
    matrix : ndarray
        How the head lies, shape (2, 3).
    storage : str
        How the scanner stores values: "signed", "unsigned", or "wrapped": unsigned, with what is below 0
        moved to the end of the 12 bits, as some of the competition's files have it.
    """

    name: str
    series: str
    matrix: npt.NDArray[np.float64]
    storage: str

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Patient:
        """Make one up."""
        matrix = cv2.getRotationMatrix2D((256, 256), rng.uniform(-12, 12), rng.uniform(0.88, 1.05))
        matrix[:, 2] += rng.uniform(-20, 20, 2)
        series = generate_uid(entropy_srcs=[rng.bytes(8).hex()])[:56]
        return cls(f"ID_{rng.bytes(4).hex()}", series, matrix, str(rng.choice(list(_STORED))))

    def moved(self, units: Units) -> Units:
        """The head as it lies."""
        sides = units.shape[::-1]
        return cv2.warpAffine(units, self.matrix, sides, borderMode=cv2.BORDER_CONSTANT, borderValue=AIR)

    def file_of(self, source: pydicom.Dataset, units: Units, number: int) -> pydicom.Dataset:
        """A copy of the real file with other pixels, and with the elements that the index reads."""
        file = copy.deepcopy(source)
        stored, elements = _STORED[self.storage](np.clip(np.rint(units), AIR, 3000).astype(np.int16))
        file.PixelData = stored.tobytes()
        elements |= {"PatientID": self.name, "PatientName": self.name, "InstanceNumber": number + 1}
        elements |= {"SeriesInstanceUID": self.series, "StudyInstanceUID": f"{self.series}.0"}
        elements |= {"ImagePositionPatient": [-122.5, -112.4, 47.0 + 5 * number]}
        elements |= {"WindowCenter": [40, 80], "WindowWidth": [80, 200]}
        for name, value in elements.items():
            setattr(file, name, value)
        return file


_TWELVE_BITS = {"BitsStored": 12, "HighBit": 11, "PixelRepresentation": 0}
_STORED = {
    "signed": lambda units: (units + 1024, {"RescaleIntercept": -1024}),
    "unsigned": lambda units: (units + 1024, {**_TWELVE_BITS, "RescaleIntercept": -1024}),
    "wrapped": lambda units: (units % 4096, {**_TWELVE_BITS, "RescaleIntercept": 0}),
}
"""Hounsfield units → what is stored, and what the header says of it."""


def _truncate(path: Path) -> None:
    """Leave of a file its header and `TRUNCATED_BYTES` of its pixels."""
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - 512 * 512 * 2 + TRUNCATED_BYTES])


def _write_labels(path: Path, labels: list[Labelled]) -> None:
    """Write six rows for each image, and those of the first few once more."""
    rows = [
        f"{image}_{subtype},{label}\n"
        for image, found in [*labels, *labels[:NUM_REPEATED]]
        for subtype, label in zip(SUBTYPES, found, strict=True)
    ]
    path.write_text("".join(["ID,Label\n", *rows]), encoding="ascii")
