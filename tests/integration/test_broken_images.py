"""Broken images are refused or decoded, and do nothing to the process that decodes them."""

from __future__ import annotations

import pytest
from fuzz.images import fuzz

pytestmark = pytest.mark.exhaustive


@pytest.mark.parametrize("seed", [0, 11])
def test_broken_images_of_every_format_do_no_harm(seed: int) -> None:
    report = fuzz(seed, 0, 2000)
    assert not report.findings, str(report)
    assert sum(report.kinds.values()) == 2000
    assert min(report.kinds["pixels"], report.kinds["refused"]) > 300, str(report)
