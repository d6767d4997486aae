"""An index of a folder of DICOM files: patient, series and place of each slice, from the headers alone.

It is kept in a CSV file: a second run reads only the headers of files that are new or have changed.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any

import pandas as pd

from feedline.common.arguments import whole
from feedline.common.errors import DatasetError
from feedline.common.notices import warn
from feedline.common.signatures import suggests
from feedline.trainer.console.cache_dir import default_cache_dir
from feedline.trainer.console.progress import Bar
from feedline.trainer.datasets.dicom.facts import DicomFacts, read_facts

logger = logging.getLogger(__name__)

FACTS = [field.name for field in fields(DicomFacts)]
STAMP = ["filename", "size", "mtime_ns"]
"""A file that has these as before has the same header as before."""

_DTYPES: dict[str, Any] = {
    **dict.fromkeys(
        ["filename", "sop", "patient", "study", "series", "orientation", "frame", "reason"], "str"
    ),
    **dict.fromkeys(["size", "mtime_ns"], "int64"),
    **dict.fromkeys(["instance", "rows", "columns"], "Int64"),
    "position": "float64",
}
_NUMBERS = [name for name, dtype in _DTYPES.items() if dtype != "str"]

VERSION = 2
"""Raised when other things are read from headers: an index of another version is made anew."""

CHUNK = 256
"""Files that a thread reads in one go."""


@suggests()
def build_index(
    directory: str | os.PathLike[str],
    *,
    suffix: str = ".dcm",
    cache: str | os.PathLike[str] | None = None,
    threads: int = 8,
) -> pd.DataFrame:
    """Read the headers of all DICOM files in a folder, and in folders inside it.

    A progress bar is shown on a terminal.

    Parameters
    ----------
    directory : path
        That of the dataset: file names are relative to it.
    suffix : str
        Files whose name ends so, in upper or lower case, are read; ``""`` for all.
    cache : path, optional
        The CSV file in which the index is kept. By default it is in ``$XDG_CACHE_HOME/feedline`` or
        ``~/.cache/feedline``, one for each directory.
    threads : int
        That many files are waited for at the same time: it is the disk, or the network, that takes long.

    Returns
    -------
    pandas.DataFrame
        One row for each file, in the order of their names: ``filename``, ``size`` and ``mtime_ns``, and the
        attributes of `feedline.trainer.datasets.dicom.facts.DicomFacts`. The ``reason`` is empty unless the
        header could not be read: one warning then says how many there are, and names the first.

    Raises
    ------
    DatasetError
        There are no such files.
    ConfigurationError
        A number of threads that cannot work.
    """
    whole("threads", threads, at_least=1)
    folder = Path(directory)
    files = _listed(folder, suffix)
    path = _default_cache(folder, suffix) if cache is None else Path(cache)
    index = files.merge(_kept(path), how="left", on=STAMP)
    new = index.index[index["reason"].isna()]
    logger.info(f"{len(index) - len(new):,} headers of {len(index):,} are known from {str(path)!r}")
    found: list[DicomFacts] = []
    try:
        for facts in _read([f"{folder}/{name}" for name in index["filename"][new]], threads):
            found += facts
    finally:
        # What was read before a Ctrl-C need not be read again.
        index = _completed(index, new[: len(found)], found)
        if found:
            _keep(index, path)
    _warn_of_unread(index)
    return index


def _listed(folder: Path, suffix: str) -> pd.DataFrame:
    rows = sorted(_walk(str(folder), "", suffix))
    if not rows:
        raise DatasetError(f"there is no file that ends in {suffix!r} in {str(folder)!r}")
    return pd.DataFrame(rows, columns=STAMP).astype({name: _DTYPES[name] for name in STAMP})


def _walk(folder: str, prefix: str, suffix: str) -> Iterator[tuple[str, int, int]]:
    try:
        entries = list(os.scandir(folder))
    except OSError as error:
        raise DatasetError(f"{folder!r} cannot be listed: {error.strerror}") from error
    for entry in entries:
        if entry.is_dir():
            yield from _walk(entry.path, f"{prefix}{entry.name}/", suffix)
        elif entry.name.lower().endswith(suffix.lower()):
            status = entry.stat()
            yield f"{prefix}{entry.name}", status.st_size, status.st_mtime_ns


def _default_cache(folder: Path, suffix: str) -> Path:
    digest = hashlib.sha256(f"{folder.resolve()}\n{suffix}".encode(errors="surrogateescape")).hexdigest()
    return default_cache_dir() / f"dicom-index-{digest[:12]}.csv"


def _kept(path: Path) -> pd.DataFrame:
    """What was kept in `path`; nothing if it is not there, or not ours."""
    empty = pd.DataFrame({name: pd.Series(dtype=_DTYPES[name]) for name in [*STAMP, *FACTS]})
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            if file.readline() != _HEADLINE:
                return empty
            kept = pd.read_csv(file, dtype="str", keep_default_na=False)
        # Numbers by Python: pandas' own reading of decimals is not the same to the last bit in all versions.
        return kept.replace(dict.fromkeys(_NUMBERS, ""), None).astype(_DTYPES)[[*STAMP, *FACTS]]
    except FileNotFoundError:
        return empty
    except (OSError, ValueError, KeyError) as error:
        logger.warning(f"the index in {str(path)!r} cannot be used, and is made anew: {error}")
        return empty


_HEADLINE = f"# feedline dicom index {VERSION}\n"


def _read(paths: list[str], threads: int) -> Iterator[list[DicomFacts]]:
    """The facts of each file in order, chunk by chunk."""
    chunks = [paths[start : start + CHUNK] for start in range(0, len(paths), CHUNK)]
    with ThreadPoolExecutor(threads) as pool, Bar(total=len(paths), desc="reading headers") as bar:
        try:
            for facts in pool.map(_read_chunk, chunks):
                bar.update(len(facts))
                yield facts
        finally:
            pool.shutdown(cancel_futures=True)


def _read_chunk(paths: list[str]) -> list[DicomFacts]:
    return [read_facts(path) for path in paths]


def _completed(index: pd.DataFrame, rows: Any, found: list[DicomFacts]) -> pd.DataFrame:
    """The index with what was found in `rows`, and without others of which nothing is known."""
    known = index[index["reason"].notna()].astype(_DTYPES)
    new = pd.DataFrame([astuple(facts) for facts in found], columns=FACTS, index=rows)
    read: pd.DataFrame = pd.concat([index.loc[rows, STAMP], new], axis=1).astype(_DTYPES)
    return pd.concat([known, read]).sort_index(ignore_index=True)


def _keep(index: pd.DataFrame, path: Path) -> None:
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with aside.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            file.write(_HEADLINE)
            # What could not be read is tried again.
            index[index["reason"] == ""].to_csv(file, index=False)
        aside.replace(path)
    except OSError as error:
        logger.warning(f"the index cannot be kept in {str(path)!r}, so the next run makes it anew: {error}")


def _warn_of_unread(index: pd.DataFrame) -> None:
    unread = index[index["reason"] != ""]
    if len(unread):
        first = unread.iloc[0]
        warn(
            f"the headers of {len(unread):,} of {len(index):,} files could not be read; the first is"
            f" {first['filename']!r}: {first['reason']}"
        )
