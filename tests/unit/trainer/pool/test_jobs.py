"""A sequence becomes a job and tickets; paths become what its producers can look up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from feedline.common.batch.layout import ArraySpec
from feedline.common.job.images import Job
from feedline.common.memory.arena import PAGE_BYTES, whole_pages
from feedline.common.sample.image import ImageSpec
from feedline.common.wire.encoding import encode
from feedline.common.wire.protocol import Session
from feedline.errors import ConfigurationError
from feedline.trainer.plan.epochs import EpochPlan, StepKey
from feedline.trainer.pool.job_source import JobSource, ticket_paths

JOB = Job(
    3, 9, 4, ImageSpec(8, 8), (), "uint8", (ArraySpec("y", (2,), "float32"), ArraySpec("w", (), "int64"))
)
PATHS = [f"{row}.png" for row in range(10)]


def source(*, shuffle: bool) -> JobSource:
    y = np.arange(20, dtype=np.float32).reshape(10, 2)
    return JobSource("unit", JOB, EpochPlan(10, 4, shuffle, seed=9), PATHS, (y, np.arange(10)), max_slots=5)


# --- tickets ------------------------------------------------------------------------------------


def test_a_ticket_names_the_files_rows_and_targets_of_its_step() -> None:
    ticket = source(shuffle=False).ticket(77, StepKey(2, 1), slot=3)
    assert (ticket.job_id, ticket.epoch, ticket.step, ticket.lease_id, ticket.slot) == (3, 2, 1, 77, 3)
    assert [(sample.paths, sample.row, sample.occurrence) for sample in ticket.samples] == [
        ((f"{row}.png",), row, 0) for row in (4, 5, 6, 7)
    ]
    y, w = ticket.targets
    assert y.tolist() == [[8, 9], [10, 11], [12, 13], [14, 15]]
    assert w.tolist() == [4, 5, 6, 7]


def test_a_shuffled_ticket_keeps_images_and_labels_together() -> None:
    rows = []
    for step in range(3):
        ticket = source(shuffle=True).ticket(1, StepKey(0, step), slot=0)
        assert [sample.paths[0] for sample in ticket.samples] == [f"{s.row}.png" for s in ticket.samples]
        assert ticket.targets[1].tolist() == [sample.row for sample in ticket.samples]
        rows += ticket.targets[1].tolist()
    assert sorted(rows) == list(range(10))
    assert rows != sorted(rows)


def test_the_last_ticket_of_an_epoch_is_short() -> None:
    ticket = source(shuffle=False).ticket(1, StepKey(0, 2), slot=0)
    assert [sample.row for sample in ticket.samples] == [8, 9]
    assert ticket.targets[0].shape == (2, 2)


def test_a_ticket_can_be_sent_and_its_targets_are_plain_memory() -> None:
    ticket = source(shuffle=True).ticket(1, StepKey(0, 0), slot=0)
    _, *buffers = encode(Session(b"a" * 16), ticket)
    assert [memoryview(buffer).c_contiguous for buffer in buffers] == [True, True]
    assert [memoryview(buffer).nbytes for buffer in buffers] == [4 * 2 * 4, 4 * 8]


def test_errors_can_name_the_files_of_a_step() -> None:
    assert source(shuffle=False).samples_of(StepKey(5, 2)) == ["8.png", "9.png"]


def test_a_job_needs_slots_of_its_size_in_whole_pages() -> None:
    need = source(shuffle=False).need
    assert (need.slot_bytes, need.max_slots) == (whole_pages(JOB.slot_bytes), 5)
    assert need.slot_bytes % PAGE_BYTES == 0


# --- paths --------------------------------------------------------------------------------------


def test_embedded_producers_get_absolute_paths() -> None:
    paths = ["a.png", "sub/b.png", "/elsewhere/c.png"]
    assert ticket_paths(paths, "/data", embedded=True) == [
        "/data/a.png", "/data/sub/b.png", "/elsewhere/c.png"
    ]  # fmt: skip


def test_paths_and_directories_that_are_relative_start_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert ticket_paths(["a.png"], None, embedded=True) == [str(tmp_path / "a.png")]
    assert ticket_paths(["a.png"], "data", embedded=True) == [str(tmp_path / "data/a.png")]
    monkeypatch.chdir("/")
    assert ticket_paths(["a.png"], None, embedded=True) == ["/a.png"]


def test_producers_elsewhere_get_paths_relative_to_the_directory() -> None:
    paths = ["a.png", "sub/b.png", "/data/images/sub/c.png"]
    assert ticket_paths(paths, "/data/images", embedded=False) == ["a.png", "sub/b.png", "sub/c.png"]
    assert ticket_paths(["a.png"], None, embedded=False) == ["a.png"]


@pytest.mark.parametrize("directory", [None, "/data", "images"])
def test_an_absolute_path_that_producers_elsewhere_cannot_look_up_is_refused(directory: str | None) -> None:
    with pytest.raises(ConfigurationError, match="relative to") as caught:
        ticket_paths(["a.png", "/database/b.png"], directory, embedded=False)
    assert "'/database/b.png'" in str(caught.value)
    assert "--data-root" in str(caught.value)


@pytest.mark.parametrize(
    ("paths", "directory", "remedy"),
    [
        (["/data/a.png", "/data/sub/b.png"], None, "name all files from directory='/data' on"),
        (["a.png", "/data/sub/b.png"], "/data/images", "name all files from directory='/data' on"),
        (["a.png", "../masks/a.png"], "/data/images", r"got '\.\./masks/a\.png': .* directory='/data' on"),
        (["sub/../a.png"], "/data/images", "without '..'; got 'sub/../a.png'"),
        (["/a/a.png", "/b/b.png"], None, "move or link the files below one folder"),
    ],
)
def test_the_remedy_is_a_directory_below_which_all_files_lie(
    paths: list[str], directory: str | None, remedy: str
) -> None:
    with pytest.raises(ConfigurationError, match=remedy):
        ticket_paths(paths, directory, embedded=False)
