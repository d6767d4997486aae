"""Where Feedline keeps what it can make again."""

from __future__ import annotations

import os
from pathlib import Path


def default_cache_dir() -> Path:
    """The folder in which things are kept if nothing else is said."""
    # The XDG convention: an empty variable counts as none.
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "feedline")
