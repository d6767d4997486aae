"""Whoever takes part, one file each. Imported in a process of its own: their libraries do not mix."""

from __future__ import annotations

import importlib
from importlib.util import find_spec

from feedline.trainer.bench.case import Case
from feedline.trainer.bench.contenders.base import Contender

CONTENDERS: dict[str, tuple[str, str, str]] = {
    "limit": ("limit", "Limit", "cv2"),
    "limit-fresh": ("limit", "FreshLimit", "cv2"),
    "feedline": ("feedline", "Feedline", "keras"),
    "keras": ("keras_dataset", "KerasThreads", "keras"),
    "keras-mp": ("keras_dataset", "KerasProcesses", "keras"),
    "tfdata": ("tfdata", "TfData", "tensorflow"),
    "tfdata-service": ("tfdata_service", "TfDataService", "tensorflow"),
    "torch": ("torch_loader", "TorchLoader", "torch"),
    "grain": ("grain_loader", "GrainLoader", "grain"),
}
"""By name: module, class, and the library that must be there."""

TITLES = {
    "limit": "bare OpenCV",
    "limit-fresh": "bare OpenCV, malloc as it comes",
    "feedline": "Feedline",
    "keras": "Keras PyDataset, threads",
    "keras-mp": "Keras PyDataset, multiprocessing",
    "tfdata": "tf.data",
    "tfdata-service": "tf.data service",
    "torch": "PyTorch DataLoader",
    "grain": "Grain",
}


def is_installed(name: str) -> bool:
    """Whether the library of a contender is there."""
    return find_spec(CONTENDERS[name][2]) is not None


def make(name: str, case: Case) -> Contender:
    """Import a contender and make it."""
    module, kind, _ = CONTENDERS[name]
    found = getattr(importlib.import_module(f"{__name__}.{module}"), kind)
    contender: Contender = found(case)
    return contender
