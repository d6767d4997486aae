"""Folders of keys: what lies where in them, and reading them.

As ``feedline keygen keys`` makes them, and as either side is told of them::

    keys/trainer/                      stays with the trainer
        trainer.key_secret             its own pair; nobody else may read it
        trainer.key                    the public one of it
        producers/NAME.key             who is let in: one public key a file, added and removed at any time
    keys/NAME/                         goes to the hosts of producers
        NAME.key_secret                their own pair; nobody else may read it
        NAME.key                       the public one of it
        trainer.key                    the public key of the one trainer they talk to

The files are pyzmq's certificates, see `zmq.auth`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import zmq
import zmq.auth
from zmq.utils import z85

from feedline.common.errors import ConfigurationError

VARIABLE = "FEEDLINE_KEYS"
"""Of the environment: the folder of keys of either side, where none is named."""

TRAINER, PRODUCER, PRODUCERS = "trainer", "producer", "producers"
"""Names of key pairs and of their folders; and of the folder of those who are let in."""

PUBLIC, SECRET = ".key", ".key_secret"

MAKE_THEM = "`feedline keygen DIR` makes keys"


@dataclass(frozen=True, slots=True)
class KeyPair:
    """One's own two keys, each 40 characters of Z85."""

    public: bytes
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ProducerKeys:
    """What a producer needs to know.

    Attributes
    ----------
    folder : Path
        Where that was read.
    own : KeyPair
        It proves who it is with them.
    trainer : bytes
        Public key of the one that it talks to.
    """

    folder: Path
    own: KeyPair
    trainer: bytes

    @classmethod
    def read(cls, folder: str | os.PathLike[str]) -> ProducerKeys:
        """Read ``keys/NAME``, or ``keys/producer`` when told only ``keys``.

        Raises
        ------
        ConfigurationError
            A file is missing or damaged, or others may read the secret one.
        """
        place = _place(folder, PRODUCER, f"{TRAINER}{PUBLIC}")
        secrets = sorted(place.glob(f"*{SECRET}"))
        if len(secrets) != 1:
            found = ", ".join(path.name for path in secrets) or "none"
            raise ConfigurationError(
                f"keys: a producer's folder has one file *{SECRET}, {place} has {found}. {MAKE_THEM}; give"
                f" producers the folder DIR/{PRODUCER} of them"
            )
        return cls(place, read_pair(secrets[0]), read_public(place / f"{TRAINER}{PUBLIC}"))


@dataclass(frozen=True, slots=True)
class TrainerKeys:
    """What a trainer needs to know.

    Attributes
    ----------
    folder : Path
        Where that was read, and where the list of producers is.
    own : KeyPair
        It proves who it is with them.
    """

    folder: Path
    own: KeyPair

    @classmethod
    def read(cls, folder: str | os.PathLike[str]) -> TrainerKeys:
        """Read ``keys/trainer``, which may be meant by ``keys``.

        Raises
        ------
        ConfigurationError
            A file is missing or damaged, or others may read the secret one.
        """
        place = _place(folder, TRAINER, f"{TRAINER}{SECRET}")
        if not (place / PRODUCERS).is_dir():
            raise ConfigurationError(
                f"keys: {place / PRODUCERS} is missing, the folder of the public keys that are let in"
            )
        return cls(place, read_pair(place / f"{TRAINER}{SECRET}"))

    @property
    def producers(self) -> Path:
        """The folder of those who are let in."""
        return self.folder / PRODUCERS


@dataclass(slots=True)
class Listing:
    """The producers whose keys are in a folder, as it is now.

    Attributes
    ----------
    folder : Path
        Its files ``NAME.key`` are they.
    names : mapping of bytes to str
        NAME, by public key.
    troubles : tuple of str
        What is wrong with files that are not keys; these let nobody in.
    """

    folder: Path
    names: Mapping[bytes, str] = field(default_factory=dict)
    troubles: tuple[str, ...] = ()
    _seen: object = field(default_factory=object)

    def review(self) -> set[bytes]:
        """Look whether the folder has changed; returns the keys that were in it and are not any more."""
        seen = self._fingerprint()
        if seen == self._seen:
            return set()
        before, self._seen = set(self.names), seen
        names, troubles = {}, []
        for path in sorted(self.folder.glob(f"*{PUBLIC}")):
            try:
                names[read_public(path)] = path.name.removesuffix(PUBLIC)
            except ConfigurationError as error:
                troubles.append(str(error))
        self.names, self.troubles = names, tuple(troubles)
        return before - set(names)

    def _fingerprint(self) -> object:
        """Differs when a file came, went or changed; a folder that is gone lists nobody."""
        try:
            with os.scandir(self.folder) as entries:
                return {(entry.name, _stamp(entry)) for entry in entries}
        except OSError:
            return None


def _stamp(entry: os.DirEntry[str]) -> object:
    """Differs when what a file holds does; one of them that leads nowhere hides no change of others."""
    try:
        status = entry.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def read_pair(path: Path) -> KeyPair:
    """Read a secret file.

    Raises
    ------
    ConfigurationError
        It is missing or damaged, or others may read it.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise ConfigurationError(f"keys: {path} cannot be read: {error.strerror}. {MAKE_THEM}") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigurationError(
            f"keys: {path} is secret, and its mode {mode:04o} lets others at it: chmod 600 {path}"
        )
    public, secret = _certificate(path)
    try:
        fits = secret is not None and zmq.curve_public(secret) == public
    except (ValueError, zmq.ZMQError):
        fits = False
    if secret is None or not fits:
        raise _damaged(path)
    return KeyPair(public, secret)


def read_public(path: Path) -> bytes:
    """Read the public key of a file.

    Raises
    ------
    ConfigurationError
        It is missing or damaged.
    """
    public, _ = _certificate(path)
    try:
        num_bytes = len(z85.decode(public))
    except (KeyError, ValueError):
        num_bytes = 0
    if num_bytes != 32:
        raise _damaged(path)
    return public


def _place(folder: str | os.PathLike[str], role: str, marker: str) -> Path:
    """The folder itself if the marker is in it, else its sub-folder for the role."""
    whole = Path(folder)
    places = (whole, whole / role)
    for place in places:
        if (place / marker).exists():
            return place
    raise ConfigurationError(
        f"keys: there is no {marker} in {whole} or {whole / role}, which a {role} needs. {MAKE_THEM}"
    )


def _certificate(path: Path) -> tuple[bytes, bytes | None]:
    try:
        return zmq.auth.load_certificate(path)
    except (IndexError, ValueError) as error:
        raise _damaged(path) from error
    except OSError as error:
        why = error.strerror or "there is no such file"
        raise ConfigurationError(f"keys: {path} cannot be read: {why}. {MAKE_THEM}") from error


def _damaged(path: Path) -> ConfigurationError:
    return ConfigurationError(
        f"keys: {path} is damaged: it is no key file as `feedline keygen` writes it. Copy it anew, or make"
        " other keys"
    )
