"""What a sequence may ask of a cache, and how it travels."""

from __future__ import annotations

from typing import Any

import pytest

from feedline.common.job.caching import CacheKind, CacheSpec
from feedline.common.job.images import Job
from feedline.common.sample.image import ImageSpec
from feedline.errors import ConfigurationError, RemoteProtocolError


@pytest.mark.parametrize(
    "cache", [None, CacheSpec(CacheKind.MEMORY, None, 7), CacheSpec(CacheKind.DISK, 1 << 40, 0)]
)
def test_a_job_takes_its_cache_with_it(cache: CacheSpec | None) -> None:
    job = Job(1, 7, 4, ImageSpec(8, 8), (), "uint8", (), cache)
    assert Job.from_wire(job.to_wire()) == job


@pytest.mark.parametrize(
    "wire", ["memory", ["memory"], ["ram", None, 3], ["disk", 0, 3], ["disk", None, "many"]]
)
def test_what_is_no_cache_is_refused(wire: Any) -> None:
    job = Job(1, 7, 4, ImageSpec(8, 8), (), "uint8", ()).to_wire() | {"cache": wire}
    with pytest.raises(RemoteProtocolError):
        Job.from_wire(job)


def test_no_cache_is_the_default() -> None:
    assert CacheSpec.of(None, None, 7) is None
    assert CacheSpec.of("disk", 1000, 7) == CacheSpec(CacheKind.DISK, 1000, 7)


@pytest.mark.parametrize(
    ("cache", "cache_bytes", "text"),
    [
        ("ram", None, "cache must be one of ['memory', 'disk'], got 'ram'"),
        ("memory", 0, "cache_bytes must be a whole number of bytes, at least 1, got 0"),
        ("memory", 1.5, "got 1.5"),
        ("memory", True, "got True"),
        (None, 1000, "cache_bytes=1000 limits a cache: say cache='memory' or cache='disk', too"),
    ],
)
def test_arguments_that_cannot_work_are_quoted(cache: str | None, cache_bytes: Any, text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        CacheSpec.of(cache, cache_bytes, 7)
    assert text in str(caught.value)
