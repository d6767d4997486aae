"""Feedline keeps a Keras trainer fed with image batches from producer processes.

What a training script uses is here and in the modules beside this one: `feedline.transforms`,
`feedline.samplers`, `feedline.callbacks`, `feedline.legacy`, `feedline.rsna`, `feedline.yolo`,
`feedline.errors`. The packages `common`, `producer` and `trainer` are how it is done; `docs/architecture.md`
is their map. Names are loaded when they are first used, so that importing this loads neither Keras nor
OpenCV.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from feedline.common.extras import what_is_missing

if TYPE_CHECKING:
    __version__: str
    from feedline.common.sample.companions import ImageOptions
    from feedline.common.sample.ct import CTWindows
    from feedline.trainer.console.log import log_to_stderr
    from feedline.trainer.datasets.dataset import ImageDataset
    from feedline.trainer.datasets.dicom.index import build_index
    from feedline.trainer.keras_layers import from_keras_layers
    from feedline.trainer.pool.producer_pool import ProducerPool
    from feedline.trainer.sequences.batch_sequence import BatchSequence
    from feedline.trainer.sequences.remote_sequence import RemoteSequence

__all__ = [
    "BatchSequence",
    "CTWindows",
    "ImageDataset",
    "ImageOptions",
    "ProducerPool",
    "RemoteSequence",
    "__version__",
    "build_index",
    "from_keras_layers",
    "log_to_stderr",
]

_HOMES = {
    "BatchSequence": "feedline.trainer.sequences.batch_sequence",
    "CTWindows": "feedline.common.sample.ct",
    "ImageDataset": "feedline.trainer.datasets.dataset",
    "ImageOptions": "feedline.common.sample.companions",
    "ProducerPool": "feedline.trainer.pool.producer_pool",
    "RemoteSequence": "feedline.trainer.sequences.remote_sequence",
    "build_index": "feedline.trainer.datasets.dicom.index",
    "from_keras_layers": "feedline.trainer.keras_layers",
    "log_to_stderr": "feedline.trainer.console.log",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("feedline")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(_HOMES[name]), name)
    except ModuleNotFoundError as error:
        sentence = what_is_missing(error.name)
        if sentence is None:
            raise
        raise ModuleNotFoundError(f"{name}: {sentence}", name=error.name) from error


def __dir__() -> list[str]:
    return sorted(__all__)


if os.environ.get("FEEDLINE_LOG"):
    from feedline.trainer.console.log import log_as_environment_says

    log_as_environment_says()
