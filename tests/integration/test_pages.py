"""Every python block of README and docs runs as it stands, on files made for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pages import GIVEN, ROOT, blocks_of

PAGES = sorted(
    str(page.relative_to(ROOT))
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    if blocks_of(str(page.relative_to(ROOT)))
)


@pytest.mark.examples
@pytest.mark.parametrize("page", PAGES)
def test_all_blocks_of_a_page_run_as_they_stand(page: str, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, str(Path(__file__).with_name("pages.py")), page]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[-1] == f"ran {len(blocks_of(page))} blocks"


def test_what_is_made_is_made_for_pages_that_there_are() -> None:
    assert set(GIVEN) <= set(PAGES)
