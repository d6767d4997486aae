"""What a producer is at can be said while it is at it, for whoever waits."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from feedline.common.job.images import Job
from feedline.common.sample.image import ImageSpec
from feedline.common.stages import Stage
from feedline.common.wire.protocol import Sample, Ticket
from feedline.producer.building import samples
from feedline.producer.building.batches import BatchBuilder
from feedline.producer.building.stage_clock import StageClock
from feedline.producer.reading.files import FileReader
from feedline.producer.reading.roots import DataRoots
from feedline.producer.transforms.calls import call


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


HANGS, GOES_ON = threading.Event(), threading.Event()


def user_function(image: np.ndarray, _: np.random.Generator) -> np.ndarray:
    """Hang in what it calls, as users' functions do."""
    HANGS.set()
    assert GOES_ON.wait(60)
    return image


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        (Stage.TRANSFORM, rf"transforming 1.png for 0 s, in {__name__}:user_function, line \d+"),
        (Stage.DECODE, r"decoding 1.png for 0 s"),
    ],
)
def test_of_code_of_a_user_the_function_is_told_that_was_called(stage: Stage, expected: str) -> None:
    """Not the one that it has called itself, which may be deep in a library; decoders have none."""
    HANGS.clear()
    GOES_ON.clear()
    clock = StageClock()

    def build() -> None:
        clock.begin(stage, "1.png")
        call(user_function, "a name", np.zeros((4, 4, 3), np.uint8), np.zeros(2), (4, 4))

    building = threading.Thread(target=build)
    building.start()
    assert HANGS.wait(60)
    told = clock.doing
    GOES_ON.set()
    building.join()
    assert re.fullmatch(expected, told)
