"""What gets imported, and from where."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import reduce
from pathlib import Path

import pytest
from images import SIZE, numbered, rows_in

from feedline import BatchSequence

ROOT = Path(__file__).parents[2]
HEAVY = ("tensorflow", "keras", "pandas", "torch", "jax", "matplotlib", "skimage", "sklearn")

EVERY_MODULE = """
import importlib, pkgutil, sys
for name in sys.argv[1:]:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, name + "."):
        importlib.import_module(module.name)
print(*sys.modules)
"""


def python(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *words], env=environment, capture_output=True, text=True, timeout=120, check=True
    )


def imported_by_help_of(package: str) -> set[str]:
    """What ``python -m PACKAGE --help`` imports, by the interpreter's own account."""
    done = python("-X", "importtime", "-m", package, "--help")
    assert "usage:" in done.stdout
    return set(re.findall(r"\| +([\w.]+)$", done.stderr, flags=re.MULTILINE))


def test_nothing_of_the_producer_imports_what_only_a_trainer_needs() -> None:
    modules = python("-c", EVERY_MODULE, "feedline.producer", "feedline.common").stdout.split()
    assert {
        "feedline.producer.serving.worker",
        "feedline.producer.__main__",
        "feedline.common.wire.protocol",
    } <= set(modules)
    assert not {module for module in modules if module.split(".")[0] in HEAVY}
    assert not {module for module in modules if module.startswith("feedline.trainer")}


@pytest.mark.parametrize("package", ["feedline.producer", "feedline"])
def test_help_imports_nothing_that_is_slow(package: str) -> None:
    modules = imported_by_help_of(package)
    assert "argparse" in modules
    assert not {module for module in modules if module.split(".")[0] in {*HEAVY, "numpy", "cv2", "zmq"}}


@pytest.mark.parametrize("statement", ["import feedline", "from feedline import ImageDataset, ProducerPool"])
def test_a_trainer_imports_tensorflow_only_for_a_sequence(statement: str) -> None:
    modules = python("-c", f"import sys; {statement}; print(*sys.modules)").stdout.split()
    assert "feedline" in modules
    assert not {module for module in modules if module.split(".")[0] in HEAVY}


def test_no_file_of_ours_speaks_of_pickle() -> None:
    files = [
        file
        for package in ("common", "feedline", "producer", "trainer")
        for file in (ROOT / package).rglob("*.py")
    ]
    assert len(files) > 50
    # An argument of Keras 1 has it in its name, and so has NumPy's way not to read any.
    harmless = ("pickle_safe", "allow_pickle=false")
    texts = {
        file: reduce(lambda text, word: text.replace(word, ""), harmless, file.read_text().lower())
        for file in files
    }
    assert [file for file, text in texts.items() if "pickle" in text] == []


def test_a_users_own_modules_do_not_break_embedded_producers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names such as common.py lie about in many a project, here or on PYTHONPATH."""
    data = numbered(tmp_path, 4)
    for name in ("common", "producer", "trainer", "feedline", "cv2", "zmq"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the user has this file')")
    monkeypatch.chdir(tmp_path)
    for name in ("common", "producer", "trainer", "feedline", "cv2", "zmq", "argparse", "queue"):
        (tmp_path / "path").mkdir(exist_ok=True)
        (tmp_path / "path" / f"{name}.py").write_text("raise SystemExit('... and this one')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))
    with BatchSequence(
        data, batch_size=4, image_size=SIZE, shuffle=False, workers=1, timeout_s=60
    ) as sequence:
        x, _ = sequence[0]
    assert rows_in(x) == [0, 1, 2, 3]
