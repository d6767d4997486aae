"""Files that are missing: which, and why; a guess, from what there is instead."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from feedline.common.errors import DatasetError
from feedline.common.lookalikes import differences, file_like
from feedline.common.notices import warn
from feedline.trainer.datasets.listing.files import entries, existing


def present(
    names: Sequence[str], directory: str | None, holder: str, unit: str = "rows"
) -> npt.NDArray[np.bool_]:
    """Mark files that exist, shape (num_names,); warn of a few that do not.

    Parameters
    ----------
    names : sequence of str
        Relative to `directory`, or to the current one.
    directory : str or None
        Of the dataset.
    holder : str
        What names them, such as ``"column 'mask'"``.
    unit : str
        What is left out with each of them.

    Raises
    ------
    DatasetError
        If none exists.
    """
    found = existing(names, directory)
    if found.all():
        return found
    if not found.any():
        raise DatasetError(
            f"{none_exists(names, directory, holder)}. If only producers can see the images, pass"
            " validate_filenames=False"
        )
    hint = hint_for_missing(names[int(np.argmin(found))], directory)
    where = f"{holder} exists under directory={directory!r}"
    missing = [names[place] for place in np.flatnonzero(~found).tolist()]
    warn(
        f"left out {len(missing):,} of {len(names):,} {unit} because no file of that name in {where}; "
        f"the first are {missing[:3]}{hint}"
    )
    return found


def none_exists(names: Sequence[str], directory: str | None, holder: str) -> str:
    """Say that none of some files exists, and guess why; without the full stop."""
    tried = str(Path(directory or "", names[0]))
    return (
        f"none of the {len(names):,} files in {holder} exists under directory={directory!r}; the first one"
        f" tried was {tried!r}{hint_for_missing(names[0], directory)}"
    )


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
