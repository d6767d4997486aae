"""Where a producer may read, and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from common.errors import ConfigurationError, ReadError


class DataRoots:
    """The folders under which a producer looks files up, in order.

    Parameters
    ----------
    folders : iterable of str
        Existing or not: a volume may be mounted later.

    Raises
    ------
    ConfigurationError
        No folder is given, or one is a file.
    """

    def __init__(self, folders: Iterable[str]) -> None:
        self._folders = [os.path.realpath(folder) for folder in folders]
        if not self._folders:
            raise ConfigurationError("a producer reads only under its --data-root: give at least one")
        for folder in self._folders:
            if Path(folder).is_file():
                raise ConfigurationError(f"--data-root must be a folder, {folder!r} is a file")

    def find(self, path: str) -> str:
        """The absolute, real path of a file that a ticket names.

        Raises
        ------
        ReadError
            The file is under no root, or leads out of the one it is under.
        """
        outside = False
        for folder in self._folders:
            real = self._real(folder, path)
            if not self._is_under(folder, real):
                outside = True
            elif os.path.lexists(real):
                return real
        tried = ", ".join(self._folders)
        if outside:
            raise ReadError(path, f"leads out of the data roots ({tried})")
        raise ReadError(path, f"not found under the data roots ({tried})")

    def status(self, path: str) -> os.stat_result | None:
        """What the first file of that name looks like, wherever it leads; None if there is none.

        A tenth of the time of `find`. To compare with what was found before, not to read by.
        """
        for folder in self._folders:
            try:
                return os.stat(os.path.join(folder, path))  # noqa: PTH116, PTH118 - ten times as fast as Path
            except (OSError, ValueError):
                continue
        return None

    @staticmethod
    def _real(folder: str, path: str) -> str:
        try:
            return os.path.realpath(os.path.join(folder, path))  # noqa: PTH118 - ten times as fast as Path
        except ValueError as error:
            raise ReadError(path, f"is not a file name ({error})") from error

    @staticmethod
    def _is_under(folder: str, real: str) -> bool:
        return real.startswith(folder if folder.endswith(os.sep) else folder + os.sep)
