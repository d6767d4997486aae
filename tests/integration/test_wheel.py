"""A wheel, made from the sdist, in a new environment and a user's own folder: it trains, and it serves.

The user has files of the names that are rooms of Feedline. Slow: a whole training environment is installed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
THEIRS = "raise SystemExit('this is the user\\'s own file')\n"

TRAIN = """
import subprocess, sys
from pathlib import Path
import cv2, keras, numpy as np
import feedline
from feedline import BatchSequence, ImageDataset, ProducerPool

assert "site-packages" in feedline.__file__, feedline.__file__
folder = Path("images")
folder.mkdir()
for i in range(12):
    cv2.imwrite(str(folder / f"{i}.png"), np.full((16, 16, 3), 20 * i, np.uint8))
names = [f"{i}.png" for i in range(12)]
data = ImageDataset.from_lists(names, [i / 12 for i in range(12)], directory="images")
model = keras.Sequential([keras.layers.Input((16, 16, 3)), keras.layers.Flatten(), keras.layers.Dense(1)])
model.compile("sgd", "mse")
options = dict(batch_size=4, image_size=(16, 16), timeout_s=120)

with BatchSequence(data, workers=2, **options) as sequence:
    history = model.fit(sequence, epochs=2, verbose=0).history
    assert sequence.stats.num_samples >= 24, sequence.stats
    print("embedded producers trained", len(history["loss"]), "epochs")

with ProducerPool("tcp://127.0.0.1:*") as pool:
    words = ["--connect", pool.endpoint, "--data-root", "images", "--workers", "1", "--exit-with-trainer"]
    producer = subprocess.Popen([Path(sys.executable).parent / "feedline-producer", *words])
    with BatchSequence(data, pool=pool, shuffle=False, **options) as sequence:
        model.evaluate(sequence, verbose=0)
        x, y = sequence[0]
        assert x[:, 0, 0, 0].tolist() == [0, 20, 40, 60], x[:, 0, 0, 0]
assert producer.wait(60) == 0
print("a producer elsewhere served")
"""


def run(*command: str | Path, cwd: Path, **changes: str) -> str:
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "FEEDLINE_SHM"}}
    done = subprocess.run(
        [*map(str, command)], cwd=cwd, env={**kept, **changes}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", out, ROOT, cwd=out)
    (made,) = out.glob("*.tar.gz")
    return made


@pytest.fixture(scope="module")
def wheel(sdist: Path) -> Path:
    """Made by ``python -m build`` from that sdist, as it does when it is asked for both."""
    (made,) = sdist.parent.glob("*.whl")
    return made


@pytest.mark.wheel
def test_all_files_are_in_the_sdist_and_in_the_wheel_under_one_name(sdist: Path, wheel: Path) -> None:
    rooms = ("common", "producer", "trainer")
    ours = {f"feedline/{file.relative_to(ROOT)}" for room in rooms for file in (ROOT / room).rglob("*.py")}
    ours |= {f"feedline/{file.name}" for file in (ROOT / "feedline").glob("*.py")} | {"feedline/py.typed"}
    page = (ROOT / "trainer" / "monitor" / "page").rglob("*")
    ours |= {f"feedline/{file.relative_to(ROOT)}" for file in page if file.is_file()}
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    assert {name for name in inside if ".dist-info/" not in name} == ours
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert ours <= names


@pytest.mark.wheel
def test_a_wheel_trains_and_serves_beside_a_users_own_files(wheel: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    for name in ("trainer.py", "producer.py", "feedline_settings.py"):
        (project / name).write_text(THEIRS)
    (project / "common").mkdir()
    (project / "common" / "__init__.py").write_text(THEIRS)
    (project / "train.py").write_text(TRAIN)
    python = tmp_path / "venv" / "bin" / "python"
    run(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    pins = ROOT / "constraints.txt"
    run(python, "-m", "pip", "install", "-q", "-c", pins, f"{wheel}[trainer]", cwd=tmp_path)
    said = run(python, "train.py", cwd=project, TF_CPP_MIN_LOG_LEVEL="3")
    assert said.splitlines() == ["embedded producers trained 2 epochs", "a producer elsewhere served"]
