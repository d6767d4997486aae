"""What the bench ran on."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from feedline.common.processes.children import usable_cores


def machine(results: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """Describe the machine, and the libraries that took part."""
    versions: dict[str, str] = {}
    for result in results:
        versions |= result["versions"]
    return {
        "cpu": _cpu_name(),
        "cores": usable_cores(),
        "load": os.getloadavg()[0],
        "kernel": platform.release(),
        "python": platform.python_version(),
        "when": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "versions": versions,
    }


def _cpu_name() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
