"""What the tests of trainings that go on have in common: scripts, and what they trained."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import pytest
from images import write_photos
from resumable_fit import SIZE, Interrupted, Script

NUM_IMAGES = 20
MakeScript = Callable[..., Script]


@pytest.fixture(scope="module", autouse=True)
def determinism() -> Iterator[None]:
    """Without it even two runs that nothing disturbs differ in their last bits. With it all needs a seed."""
    if keras.backend.backend() != "tensorflow":
        yield
        return
    from tensorflow.python.framework import config  # noqa: PLC0415 - only there it can be ended

    keras.utils.set_random_seed(1)
    config.enable_op_determinism()
    yield
    config.disable_op_determinism()


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Photos, no two alike."""
    folder = tmp_path_factory.mktemp("photos")
    write_photos(folder, NUM_IMAGES, SIZE)
    return str(folder)


@pytest.fixture
def script(images: str, tmp_path: Path) -> MakeScript:
    """Make scripts that train in a folder of `tmp_path`."""

    def made(name: str, **options: Any) -> Script:
        run, trained, result = (str(tmp_path / f"{name}{end}") for end in ("", ".trained", ".json"))
        return Script(images, run, trained, result, **options)

    return made


def trained(script: Script) -> dict[int, str]:
    """The content of each batch by its number in the training; one that was trained again is the same one."""
    found: dict[int, str] = {}
    for line in Path(script.trained).read_text().splitlines():
        number, content = line.split()
        assert found.setdefault(int(number), content) == content, f"batch {number} is another one"
    return found


def assert_same_training(script: Script, reference: Script) -> None:
    """The batches, the weights and the losses, to the last bit."""
    assert trained(script) == trained(reference)
    assert json.loads(Path(script.result).read_text()) == json.loads(Path(reference.result).read_text())


def interrupted_until_it_ends(make: MakeScript, after: list[int], **options: Any) -> Script:
    """Run a script again and again, with other producers, interrupted after so many batches each time."""
    for number, stop_after in enumerate([*after, 0]):
        script = make("interrupted", workers=1 + number % 2, stop_after=stop_after, **options)
        try:
            script.fit()
        except Interrupted:
            continue
        return script
    raise AssertionError("it never ended")
