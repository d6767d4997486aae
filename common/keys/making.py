"""Makes key pairs, and gives each side the public key of the other. Nothing is ever overwritten."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import zmq.auth

from feedline.common.errors import ConfigurationError
from feedline.common.keys.files import PRODUCER, PRODUCERS, PUBLIC, SECRET, TRAINER

FOLDER_MODE, SECRET_MODE, PUBLIC_MODE = 0o700, 0o600, 0o644

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def make_keys(folder: Path, producer: str | None = None, *, keep: bool = False) -> bool:
    """Make the pairs that are missing, and give each side the other's public key.

    Parameters
    ----------
    folder : Path
        See `feedline.common.keys.files`.
    producer : str, optional
        Whose pair to make, beside the trainer's; with a name, the trainer's may be there already.
    keep : bool
        Pairs that are there are no fault, but stay.

    Returns
    -------
    bool
        Whether there was anything to make.

    Raises
    ------
    ConfigurationError
        A pair is there already, one was moved away that others still know, or nothing can be written there.
    """
    name = _checked(producer or PRODUCER)
    trainers, producers = folder / TRAINER, folder / name
    has_trainer, has_producer = _has_pair(trainers, TRAINER), _has_pair(producers, name)
    if not keep and ((has_trainer and producer is None) or has_producer):
        there = producers if has_producer else trainers
        raise ConfigurationError(
            f"there are keys in {there} already, and whoever has them would be shut out by new ones:"
            f" `--producer NAME` makes keys for one more, another folder has keys of its own"
        )
    if not has_producer:
        _refuse_a_double(trainers / PRODUCERS / f"{name}{PUBLIC}", producers)
    if not has_trainer:
        for known in sorted(folder.glob(f"*/{TRAINER}{PUBLIC}")):
            _refuse_a_double(known, trainers)
    try:
        for place in (folder, trainers, trainers / PRODUCERS, producers):
            _make_folder(place)
        if not has_trainer:
            _make_pair(trainers, TRAINER)
        if not has_producer:
            _make_pair(producers, name, trainers / PRODUCERS)
        if not (producers / f"{TRAINER}{PUBLIC}").exists():
            shutil.copy(trainers / f"{TRAINER}{PUBLIC}", producers)
    except OSError as error:
        raise ConfigurationError(f"no keys could be written to {folder}: {error}") from error
    return not (has_trainer and has_producer)


def _checked(name: str) -> str:
    if name == TRAINER or not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"--producer takes a name of letters, digits, dots, dashes and underscores other than"
            f" {TRAINER!r}, got {name!r}"
        )
    return name


def _refuse_a_double(known: Path, missing: Path) -> None:
    """Refuse a second pair of one name, where the other side still has the public key of the first."""
    if os.path.lexists(known):
        raise ConfigurationError(
            f"{known} is the public key of a pair that is not in {missing} any more, and whoever has it would"
            f" be shut out by a new one: put {missing} back, or delete {known} if the pair is lost"
        )


def _has_pair(folder: Path, name: str) -> bool:
    return (folder / f"{name}{SECRET}").exists()


def _make_folder(folder: Path) -> None:
    """Make a folder that only its owner enters; one that is there, such as a mount, keeps its mode."""
    if not folder.is_dir():
        folder.mkdir(parents=True)
        folder.chmod(FOLDER_MODE)


def _make_pair(folder: Path, name: str, listed_in: Path | None = None) -> None:
    """Write both files of a pair. pyzmq leaves their modes to the umask: so where nobody can look, first."""
    with tempfile.TemporaryDirectory(prefix=".new-", dir=folder) as hidden:
        public, secret = map(Path, zmq.auth.create_certificates(hidden, name))
        public.chmod(PUBLIC_MODE)
        secret.chmod(SECRET_MODE)
        if listed_in is not None:
            shutil.copy(public, listed_in)
        # The secret one last: with it the pair counts as there.
        public.rename(folder / public.name)
        secret.rename(folder / secret.name)


if __name__ == "__main__":
    # Where no trainer is installed, as in the image of a producer: keys for both, unless there are some.
    make_keys(Path(sys.argv[1]), keep=True)
