"""A piece of work that all contenders do alike."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from feedline.common.errors import ConfigurationError

DELTA = 0.2
"""Brightness is shifted by up to this share of 255, either way; half of the images are mirrored."""

THROUGH = ("sequence", "fit")
SUFFIXES = {".dcm", ".jpg", ".jpeg", ".png"}
LINKS = ("embedded", "tcp", "tcp-checksums", "tcp-curve")
"""How batches reach Feedline's trainer: from producers of its own, or over loopback TCP: bare, with
checksums, and encrypted as well."""

COLOR_MODES = ("grayscale", "rgb", "windows")


@dataclass(frozen=True)
class Case:
    """What is read, and what is made of it. Pure values: it travels to the contenders' processes.

    Attributes
    ----------
    name : str
        In tables.
    folder : str
        Holds the image files.
    height, width : int
        Of the images in a batch, in pixels.
    color_mode : {"grayscale", "rgb", "windows"}
        Their channels; windows are the three of `feedline.trainer.bench.slices`, of DICOM files.
    workers : int
        Processes or threads that do the work.
    fast : bool
        Feedline uses the decoders of its extra ``fast`` where they are installed.
    transport : {"auto", "frames"}
        As of `ProducerPool`, for Feedline.
    over : str
        How batches reach the trainer, for Feedline: one of `LINKS`.
    through : {"sequence", "fit"}
        Batches are taken by hand, or by `fit` of a model that does next to nothing.
    """

    name: str
    folder: str
    batch_size: int = 32
    height: int = 224
    width: int = 224
    color_mode: str = "rgb"
    workers: int = 2
    transport: str = "auto"
    over: str = "embedded"
    cache: str | None = None
    jpeg_scaling: bool = False
    fast: bool = True
    through: str = "sequence"

    def __post_init__(self) -> None:
        if self.through not in THROUGH:
            raise ConfigurationError(f"through must be one of {THROUGH}, got {self.through!r}")
        if self.over not in LINKS:
            raise ConfigurationError(f"over must be one of {LINKS}, got {self.over!r}")
        if self.color_mode not in COLOR_MODES:
            raise ConfigurationError(f"the bench knows {COLOR_MODES}, got {self.color_mode!r}")

    @cached_property
    def files(self) -> list[str]:
        """Absolute paths, in order.

        Raises
        ------
        ConfigurationError
            There are fewer than two batches of them.
        """
        paths = sorted(str(p) for p in Path(self.folder).rglob("*") if p.suffix.lower() in SUFFIXES)
        least = 2 * self.batch_size
        if len(paths) < least:
            raise ConfigurationError(
                f"{self.folder!r} holds {len(paths)} JPEG, PNG and DICOM files, two batches take {least}"
            )
        return paths

    @property
    def channels(self) -> int:
        """1 or 3."""
        return 1 if self.color_mode == "grayscale" else 3

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of one image."""
        return self.height, self.width, self.channels

    @property
    def num_steps(self) -> int:
        """Batches of an epoch; the last may be short."""
        return -(-len(self.files) // self.batch_size)

    def with_(self, **changes: Any) -> Case:
        """The same but for some things."""
        return replace(self, **changes)

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Case:
        """Undo `to_json`."""
        return cls(**json.loads(text))
