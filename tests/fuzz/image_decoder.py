"""Decodes broken images as a producer does, one after the other, and tells what became of each.

Run by `images` as a process of its own, which may die of it: a line before each file, one after it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import time
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

MOST_PIXELS = 1 << 20
"""In the place of the real bound: so that an image that is just within it is decoded in no time."""

os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(MOST_PIXELS)
os.environ["OPENCV_LOG_LEVEL"] = "SILENT"

from fuzz.broken_images import broken  # noqa: E402

import feedline.producer  # noqa: E402, F401 - first, as in a producer
from feedline.common.errors import DecodeError, ReadError  # noqa: E402
from feedline.common.formats import images  # noqa: E402
from feedline.common.sample.ct import CTWindows  # noqa: E402
from feedline.common.sample.image import Fit, ImageSpec  # noqa: E402
from feedline.producer.reading.decoders import load_sized  # noqa: E402
from feedline.producer.reading.files import FileReader  # noqa: E402
from feedline.producer.reading.roots import DataRoots  # noqa: E402

SIZE = (48, 56)


def spec_of(seed: int, number: int) -> ImageSpec:
    """What a job asks of the image: drawn apart from how it is broken."""
    draw = Random(f"asked {seed} {number}")
    kinds: list[dict[str, Any]] = [
        *({"color_mode": mode} for mode in ("grayscale", "rgb", "rgba")),
        *({"color_mode": mode, "dtype": "uint16"} for mode in ("grayscale", "rgb", "rgba")),
        {"color_mode": "classes", "interpolation": "nearest"},
        {"color_mode": "rgb", "jpeg_scaling": True},
    ]
    if number % 10 == 9:  # DICOM
        kinds += [
            {"color_mode": "hounsfield", "dtype": "int16"},
            {"color_mode": CTWindows(((40.0, 80.0), (80.0, 200.0)))},
        ] * 2
    return ImageSpec(*SIZE, **{"fit": draw.choice(list(Fit)), **draw.choice(kinds)})


def outcome(reader: FileReader, spec: ImageSpec, name: str) -> tuple[str, str]:
    """What becomes of a file: "pixels" and their digest, "refused" and why, "escaped" and the exception."""
    try:
        data, _ = reader.read(name)
        images.size_of(data)
        scratch = None if spec.fit == Fit.FRAMED else _filled(spec)
        pixels, _ = load_sized(data, name, spec, scratch=scratch)
    except (DecodeError, ReadError) as error:
        text = str(error)
        return ("refused" if text.startswith(f"{name}: ") else "escaped"), text
    except BaseException as error:  # noqa: BLE001 - that it came is what is told
        return "escaped", f"{type(error).__name__}: {error}"
    return "pixels", hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()[:16]


def _filled(spec: ImageSpec) -> Any:
    import numpy as np

    return np.full(spec.shape, int(os.environ.get("MALLOC_PERTURB_", "0")), spec.dtype)


def memory(what: str) -> int:
    """Bytes of this process: ``VmRSS``, or ``VmHWM``, the most since `forget_peak`."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(what))
    return int(line.split()[1]) << 10


def forget_peak() -> None:
    """Have the peak begin anew."""
    Path("/proc/self/clear_refs").write_text("5")


def main() -> None:
    """Decode the files from one number on, up to another."""
    command = argparse.ArgumentParser()
    for name in ("seed", "first", "last"):
        command.add_argument(name, type=int)
    settings = command.parse_args()
    images.MOST_PIXELS = MOST_PIXELS
    with TemporaryDirectory(dir=os.environ.get("FEEDLINE_FUZZ_DIR")) as folder:
        reader = FileReader(DataRoots([folder]))
        for number in range(settings.first, settings.last):
            told({"begun": number})
            file_format, data = broken(settings.seed, number)
            name = f"{number}.{file_format}"
            Path(folder, name).write_bytes(data)
            spec = spec_of(settings.seed, number)
            forget_peak()
            before, began = memory("VmRSS"), time.process_time()
            kind, text = outcome(reader, spec, name)
            took = time.process_time() - began
            grown = memory("VmHWM") - before
            Path(folder, name).unlink()
            told({"number": number, "kind": kind, "text": text, "cpu_s": took, "grown": grown, "rss": before})


def told(entry: dict[str, Any]) -> None:
    """Write one line, at once."""
    sys.stdout.write(json.dumps(entry) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
