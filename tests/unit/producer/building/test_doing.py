"""What a producer is at can be said while it is at it, for whoever waits."""

from __future__ import annotations

import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from feedline.common.job.images import Job
from feedline.common.sample.image import ImageSpec
from feedline.common.wire.protocol import Sample, Ticket
from feedline.producer.building import samples
from feedline.producer.building.batches import BatchBuilder
from feedline.producer.building.stage_clock import StageClock
from feedline.producer.reading.files import FileReader
from feedline.producer.reading.roots import DataRoots


@pytest.mark.parametrize(
    ("where", "name", "expected"),
    [(FileReader, "read", "reading 1.png for 0 s"), (samples, "load_sized", "decoding 1.png for 0 s")],
)
def test_stage_and_file_are_told_while_they_are_in_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: object, name: str, expected: str
) -> None:
    assert cv2.imwrite(str(tmp_path / "1.png"), np.zeros((4, 4, 3), np.uint8))
    clock, hangs, goes_on = StageClock(), threading.Event(), threading.Event()
    plain = getattr(where, name)

    def hang(*arguments: object, **options: object) -> object:
        hangs.set()
        assert goes_on.wait(60)
        return plain(*arguments, **options)

    monkeypatch.setattr(where, name, hang)
    job = Job(1, 0, 1, ImageSpec(4, 4), (), "uint8", ())
    builder = BatchBuilder(job, DataRoots([str(tmp_path)]), clock=clock)
    ticket = Ticket(1, 0, 0, 1, 0, (Sample(("1.png",), 0),), ())
    building = threading.Thread(target=builder.build, args=(ticket, lambda: False))
    building.start()
    assert hangs.wait(60)
    assert clock.doing == expected
    goes_on.set()
    building.join()
    assert clock.doing == "transforming 1.png for 0 s"
    clock.rest()
    assert clock.doing == ""
