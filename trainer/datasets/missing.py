"""Why a file is missing: a guess for an error, from what there is instead."""

from __future__ import annotations

from pathlib import Path

from feedline.common.lookalikes import differences, file_like
from feedline.trainer.datasets.files import entries


def hint_for_missing(path: str, directory: str | None) -> str:
    """Guess why `path` is missing: a sentence to follow another, or nothing."""
    if directory is not None and Path(path).is_file():
        return f". {path!r} exists without the directory: leave directory= out"
    alike = file_like(path, directory or "")
    if alike is not None:
        return f". {alike!r} exists; the two differ in {differences(path, alike)}"
    wanted = Path(directory or "", path)
    endings = sorted(e.name for e in entries(wanted.parent) if e.name.startswith(wanted.name + "."))
    if endings:
        return f". {endings[0]!r} exists: append {endings[0][len(wanted.name) :]!r} to the file names"
    if not wanted.parent.is_dir():
        return f". There is no directory {str(wanted.parent)!r}"
    return ""
