"""Keeps TensorFlow's start-up notes off the terminal."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

LEVEL = "TF_CPP_MIN_LOG_LEVEL"
NOTHING = "3"
STDERR = 2


@contextmanager
def quiet_import() -> Iterator[None]:
    """Import TensorFlow inside, unless the user asks for its notes by a log level: then none is kept back.

    The level alone does not help: some notes are written before TensorFlow has read it, past Python.
    So file descriptor 2 leads into a file meanwhile, which is shown if the import fails. Processes that are
    started later inherit the level, and are to be as quiet.
    """
    if os.environ.setdefault(LEVEL, NOTHING) != NOTHING:
        yield
        return
    with tempfile.TemporaryFile() as notes:
        try:
            with _descriptor_led_to(notes):
                yield
        except Exception:
            notes.seek(0)
            sys.stderr.write(notes.read().decode(errors="replace"))
            raise


@contextmanager
def _descriptor_led_to(file: IO[bytes]) -> Iterator[None]:
    sys.stderr.flush()
    terminal = os.dup(STDERR)
    os.dup2(file.fileno(), STDERR)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(terminal, STDERR)
        os.close(terminal)
