"""A folder of images: whether it can be read, and how fast."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from feedline.trainer.console.units import in_bytes
from feedline.trainer.datasets.listing.walk import IMAGE_SUFFIXES, OTHER_SUFFIXES
from feedline.trainer.doctor.findings import Finding

MOST_FILES = 4096
"""So many files of a folder are looked at."""

READ_S = 1.0
"""Files are read for so long."""


def images_in(folder: Path) -> list[Path]:
    """The first images below a folder, in the order of the file system."""
    found = (
        Path(parent, name)
        for parent, _, names in os.walk(folder)
        for name in names
        if name.lower().endswith(IMAGE_SUFFIXES + OTHER_SUFFIXES)
    )
    return list(islice(found, MOST_FILES))


def look_at_folder(folder: Path, images: list[Path]) -> Iterator[Finding]:
    """Judge whether its files can be read, how large they are, and how fast they come."""
    what = f"data {folder}"
    if folder.is_file():
        yield Finding.bad(what, "a file, and no folder", "doctor looks at the folder of images: name that")
        return
    if not folder.is_dir():
        yield Finding.bad(what, "no folder", "producers can read nothing there: mount it, or name another")
        return
    if not images:
        yield Finding.bad(what, "no images below it", "which endings count is in docs/datasets.md")
        return
    unreadable = [image for image in images if not os.access(image, os.R_OK)]
    if unreadable:
        yield Finding.bad(
            what,
            f"{len(unreadable):,} of {len(images):,} images may not be read, such as {unreadable[0]}",
            f"producers run as user {os.getuid()}: chmod a+r, or run them as another",
        )
        return
    yield reading(what, images, read_for(images, READ_S))


@dataclass(frozen=True, slots=True)
class Read:
    """How many files of how many bytes were read in how many seconds, by one thread, one after the other."""

    num_files: int
    num_bytes: int
    seconds: float


def read_for(images: list[Path], seconds: float) -> Read:
    """Read files from the last one on, which were opened least recently, until `seconds` are over."""
    num_files = num_bytes = 0
    began = time.perf_counter()
    while num_files < len(images) and time.perf_counter() - began < seconds:
        num_bytes += len(images[-1 - num_files].read_bytes())
        num_files += 1
    return Read(num_files, num_bytes, max(time.perf_counter() - began, 1e-9))


def reading(what: str, images: list[Path], read: Read) -> Finding:
    """Say how fast files come."""
    num = f"{len(images):,}" if len(images) < MOST_FILES else f"at least {MOST_FILES:,}"
    rate = read.num_files / read.seconds
    mean = in_bytes(read.num_bytes / max(read.num_files, 1))
    return Finding(
        what,
        f"{num} images of {mean} on average; one reader gets {rate:,.0f} files/s,"
        f" {in_bytes(read.num_bytes / read.seconds)}/s, from memory if they were read before",
    )
