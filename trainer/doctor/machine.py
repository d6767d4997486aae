"""The machine: cores, shared memory, limits, versions, decoders. Each function looks at one of them."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import resource
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import cv2

from feedline.common.memory.arena import folders
from feedline.common.processes.children import usable_cores
from feedline.trainer.console.units import in_bytes
from feedline.trainer.doctor.findings import Finding
from feedline.trainer.pool.producer_pool import MEMORY_BUDGET_BYTES

ENOUGH_DESCRIPTORS = 1024
"""A trainer has a handful for each producer and sequence."""

CGROUP = Path("/sys/fs/cgroup")


def look_at_machine() -> Iterator[Finding]:
    """All findings, the most telling first."""
    yield cores(usable_cores(), os.cpu_count() or 1, quota())
    yield shared_memory([(str(folder), shutil.disk_usage(folder).free) for folder in folders()])
    yield descriptors(*resource.getrlimit(resource.RLIMIT_NOFILE))
    yield versions(installed(("feedline", "numpy", "opencv-python-headless", "pyzmq", "msgpack")))
    yield training(installed(("keras", "tensorflow", "jax", "torch")))
    yield decoders({name: bool(importlib.util.find_spec(name)) for name in OPTIONAL})
    yield opencv(cv2.getBuildInformation())


def cores(usable: int, there: int, limit: float | None) -> Finding:
    """Judge how many cores producers have.

    Parameters
    ----------
    usable, there : int
        Cores that this process may use, and that the machine has.
    limit : float or None
        Cores' worth of time that a container is given.
    """
    seen = f"{usable} usable" if usable == there else f"{usable} of {there} usable"
    if limit is not None and limit < usable:
        return Finding.note(
            "cores",
            f"{seen}, but this container is given the time of {limit:g}",
            f"producers beyond that take turns: say workers={max(1, round(limit))}, or raise the limit"
            " (docker run --cpus)",
        )
    if usable == 1:
        advice = "the trainer and its producers take turns on it: start producers on another machine"
        return Finding.note("cores", seen, advice)
    return Finding("cores", seen)


def quota() -> float | None:
    """Cores' worth of time that the control group is given (cpu.max of cgroup v2), None: all there is."""
    try:
        allowed, period = (CGROUP / "cpu.max").read_text().split()
    except (OSError, ValueError):
        return None
    return None if allowed == "max" else int(allowed) / int(period)


def shared_memory(free: list[tuple[str, int]]) -> Finding:
    """Judge where batches can be handed over without a copy.

    Parameters
    ----------
    free : list of (str, int)
        Each folder that can hold them, and its free bytes, in the order in which they are tried.
    """
    if not free:
        return Finding.note(
            "shared memory",
            "no folder for it",
            "batches are copied over sockets: mount a tmpfs at /dev/shm, or name one in FEEDLINE_SHM",
        )
    folder, num_bytes = free[0]
    seen = f"{in_bytes(num_bytes)} free in {folder}"
    if num_bytes < MEMORY_BUDGET_BYTES:
        return Finding.note(
            "shared memory",
            seen,
            f"memory_budget is {in_bytes(MEMORY_BUDGET_BYTES)} unless you say less, and what does not fit is"
            " copied over sockets: raise it (docker run --shm-size, compose: SLOTS_SIZE), or say a smaller"
            " memory_budget",
        )
    return Finding("shared memory", seen)


def descriptors(soft: int, hard: int) -> Finding:
    """Judge the limit on open files (``ulimit -n``)."""
    if soft != resource.RLIM_INFINITY and soft < ENOUGH_DESCRIPTORS:
        return Finding.note(
            "open files",
            f"at most {soft}",
            f"many producers or sequences may run out: ulimit -n {min(4096, hard) if hard > 0 else 4096}",
        )
    return Finding("open files", "unlimited" if soft == resource.RLIM_INFINITY else f"at most {soft}")


def installed(names: tuple[str, ...]) -> dict[str, str]:
    """The versions of those packages that are installed."""
    found = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def versions(found: Mapping[str, str]) -> Finding:
    """Say what is installed; equal bytes are promised among equal versions."""
    return Finding("versions", ", ".join(f"{name} {version}" for name, version in found.items()))


def training(found: Mapping[str, str]) -> Finding:
    """Judge whether a training can run here."""
    if "keras" not in found:
        advice = "enough for producers; to train, pip install 'feedline[trainer]' or 'feedline[keras]'"
        return Finding("training", "Keras is not installed", advice=advice)
    backends = [f"{name} {version}" for name, version in found.items() if name != "keras"]
    if not backends:
        return Finding.bad(
            "training",
            f"keras {found['keras']} without a backend",
            "install one: pip install tensorflow, jax or torch, and say KERAS_BACKEND for the last two",
        )
    return Finding("training", f"keras {found['keras']} on {', '.join(backends)}")


OPTIONAL = {
    "pywuffs": "PNG, BMP and GIF twice as fast: pip install 'feedline[fast]'",
    "deflate": "compressed TIFF and DICOM faster: pip install 'feedline[fast]'",
    "pydicom": "compressed DICOM files: pip install 'feedline[dicom]'",
    "PIL": "resample='pil': pip install 'feedline[pil]'",
}
"""Packages that decoding can use, and what they bring."""


def decoders(found: Mapping[str, bool]) -> Finding:
    """Say which of the optional decoders are there, and what the others would bring."""
    there = [name for name, is_there in found.items() if is_there]
    missing = [OPTIONAL[name] for name, is_there in found.items() if not is_there]
    return Finding("decoders", ", ".join(["opencv", *there]), advice="; ".join(missing))


def opencv(build: str) -> Finding:
    """Judge OpenCV's JPEG decoder by what OpenCV says of its build."""
    line = next((line for line in build.splitlines() if line.strip().startswith("JPEG:")), "")
    library = line.partition(":")[2].strip() or "unknown"
    if "turbo" not in library.lower():
        return Finding.note(
            "JPEG",
            library,
            "libjpeg-turbo decodes several times as fast: the wheel opencv-python-headless has it",
        )
    return Finding("JPEG", library)
