"""Why a file is missing: a guess for an error, from what there is instead."""

from __future__ import annotations

from pathlib import Path

from feedline.trainer.datasets.files import entries
from feedline.trainer.datasets.lookalikes import differences, plain


def hint_for_missing(path: str, directory: str | None) -> str:
    """Guess why `path` is missing: a sentence to follow another, or nothing."""
    if directory is not None and Path(path).is_file():
        return f". {path!r} exists without the directory: leave directory= out"
    alike = _file_like(path, directory)
    if alike is not None:
        return f". {alike!r} exists; the two differ in {differences(path, alike)}"
    wanted = Path(directory or "", path)
    endings = sorted(e.name for e in entries(wanted.parent) if e.name.startswith(wanted.name + "."))
    if endings:
        return f". {endings[0]!r} exists: append {endings[0][len(wanted.name) :]!r} to the file names"
    if not wanted.parent.is_dir():
        return f". There is no directory {str(wanted.parent)!r}"
    return ""


def _file_like(path: str, directory: str | None) -> str | None:
    """Follow a path folder by folder, at each by the entry that looks like it; None if there is no file."""
    top = "/" if path.startswith("/") else ""
    found, base = [], Path(top or directory or "")
    for part in path.replace("\\", "/").strip("/").split("/"):
        like = part if (base / part).exists() else _entry_like(base, part)
        if like is None:
            return None
        found.append(like)
        base /= like
    return top + "/".join(found) if base.is_file() else None


def _entry_like(folder: Path, name: str) -> str | None:
    wanted = plain(name)
    return min((entry.name for entry in entries(folder) if plain(entry.name) == wanted), default=None)
