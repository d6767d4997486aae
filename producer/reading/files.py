"""Reading files, a few ahead of the one that is decoded."""

from __future__ import annotations

import contextlib
import os

from feedline.common.errors import ReadError
from feedline.producer.reading.roots import DataRoots


class FileReader:
    """Reads whole files, each found once under the data roots. Used by one thread.

    Parameters
    ----------
    roots : DataRoots
        Where files may lie.
    """

    def __init__(self, roots: DataRoots) -> None:
        self._roots = roots
        self._expected: dict[str, int] = {}

    def expect(self, path: str) -> None:
        """Have the kernel fetch a file that `read` will soon ask for; returns before it is there.

        What is wrong with the file is told by `read`.
        """
        if path in self._expected:
            return
        file = self._roots.open_at_once(path)
        if file is None:
            return
        self._expected[path] = file
        with contextlib.suppress(OSError):  # advice only
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_WILLNEED)

    def read(self, path: str) -> tuple[bytes, os.stat_result]:
        """Read a whole file.

        Parameters
        ----------
        path : str
            The file as a ticket names it.

        Returns
        -------
        bytes, os.stat_result
            Its content, and what the file looked like before that was read.

        Raises
        ------
        ReadError
            If it is not under the data roots, cannot be read, is larger than may be read, or is empty.
        """
        expected = self._expected.pop(path, None)
        file = self._roots.open(path) if expected is None else expected
        try:
            status = os.fstat(file)
            self._check_size(path, status.st_size)
            data = _read_all(file, status.st_size, self._roots.max_file_bytes)
        except OSError as error:
            raise ReadError(path, f"cannot be read: {error.strerror or error}") from error
        finally:
            os.close(file)
        if not data:
            raise ReadError(path, "is empty (0 bytes)")
        self._check_size(path, len(data))
        return data, status

    def _check_size(self, path: str, num_bytes: int) -> None:
        most = self._roots.max_file_bytes
        if num_bytes > most:
            raise ReadError(
                path,
                f"has {num_bytes:,} bytes or more, and no file of more than {most:,} is read here: cut it"
                " into tiles, or start producers with a larger --max-file-bytes (embedded ones:"
                " FEEDLINE_MAX_FILE_BYTES)",
            )

    def forget(self) -> None:
        """Close what was expected and not read."""
        while self._expected:
            os.close(self._expected.popitem()[1])


PART_BYTES = 1 << 16
"""What has no size of its own, as in /proc, is read in such parts."""


def _read_all(file: int, size: int, most: int) -> bytes:
    """All bytes of a file that had `size` of them; of one that grows beyond `most`, not many more."""
    # One byte more than there should be: a file that just grows is read to its end.
    wanted = size + 1 if size else PART_BYTES
    data = os.read(file, wanted)
    if size and len(data) == size:
        return data
    parts, num_bytes = [data], len(data)
    while parts[-1] and num_bytes <= most:
        parts.append(os.read(file, wanted))
        num_bytes += len(parts[-1])
    return b"".join(parts)
