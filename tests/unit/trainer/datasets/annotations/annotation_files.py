"""What tests of all formats need: files that are there, and the boxes of a dataset as lists."""

from __future__ import annotations

from pathlib import Path

from feedline import ImageDataset


def touch(*files: Path) -> None:
    """Make empty files: that they exist is all that is asked of most."""
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def boxes_of(data: ImageDataset) -> list[list[list[float]]]:
    """One list of boxes for each image."""
    assert data.boxes is not None
    return [boxes.tolist() for boxes in data.boxes]
