"""What several tests of the cache need."""

from __future__ import annotations

from pathlib import Path

import pytest
from caches import NUM_ROWS


@pytest.fixture
def sources(tmp_path: Path) -> list[Path]:
    """Files that stand for images: the cache looks only at their names and states."""
    folder = tmp_path / "sources"
    folder.mkdir()
    files = [folder / f"{row}.png" for row in range(NUM_ROWS)]
    for row, file in enumerate(files):
        file.write_text(f"{row}")
    return files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where caches lie; not there yet."""
    return tmp_path / "caches"
