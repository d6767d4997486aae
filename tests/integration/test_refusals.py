"""Arguments that cannot work are refused at once, in one sentence, and leave nothing behind."""

from __future__ import annotations

import copy
import pickle
import re
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from bare_trainer import BareTrainer
from children import producers_elsewhere, wait_for_producers
from images import SIZE, write_images

from feedline import BatchSequence, ImageDataset, ProducerPool
from feedline.common.sample.ct import CTWindows
from feedline.errors import ConfigurationError, DatasetError
from feedline.samplers import BalancedSampler
from feedline.trainer.pool.interrupts import WATCH
from feedline.trainer.pool.shared import SHARED
from feedline.transforms import Letterbox, RandomFlip, RandomHue, YoloAugment
from feedline.yolo import YoloTargets

PRODUCER = ("-m", "feedline.producer", "--workers", "1")

SEQUENCES = [
    (
        {"pool": "tcp://127.0.0.1:5555"},
        "got 'tcp://127.0.0.1:5555'; ProducerPool('tcp://127.0.0.1:5555') makes",
    ),
    ({"pool": 4}, "pool must be a ProducerPool, got 4"),
    (
        {"workers": 1, "dtype": int},
        "dtype must be one of ('uint8', 'uint16', 'int16', 'float32'), got <class",
    ),
    (
        {"workers": 1, "dtype": "float64"},
        "dtype must be one of ('uint8', 'uint16', 'int16', 'float32'), got '",
    ),
    (
        {"workers": 1, "color_mode": "classes"},
        "color_mode must be one of ['grayscale', 'rgb', 'rgba', 'hounsfield'], got 'classes'",
    ),
    ({"workers": 0}, "workers must be a whole number, at least 1, got 0"),
    ({"workers": -1}, "workers must be a whole number, at least 1, got -1"),
    ({"workers": 2.5}, "workers must be a whole number, at least 1, 'auto' or (min, max), got 2.5"),
    ({"memory_budget": 0}, "memory_budget must be a whole number of bytes, at least 1, got 0"),
    ({"memory_budget": "1G"}, "memory_budget must be a whole number of bytes, at least 1, got '1G'"),
    ({"workers": 1, "memory_budget": 1000}, "memory_budget=1,000 bytes has no room for 2 batches"),
    ({"batch_size": 0}, "batch_size must be a whole number, at least 1, got 0"),
    ({"batch_size": True}, "batch_size must be a whole number, at least 1, got True"),
    ({"workers": 1, "seed": 2**64}, "seed must be a number of 64 bits"),
    ({"workers": 1, "seed": None}, "seed must be a whole number, got None"),
    ({"image_size": 256}, "image_size must be (height, width), got 256"),
    ({"workers": 1, "dtype": "int9"}, "got 'int9'"),
    ({"max_queue_size": "deep"}, "max_queue_size must be a whole number, at least 2, or 'auto', got 'deep'"),
    ({"timeout_s": 0}, "timeout_s must be a positive number of seconds, got 0"),
    ({"timeout_s": float("inf")}, "timeout_s must be a finite number, got inf"),
    ({"timeout_s": None}, "timeout_s must be a finite number, got None"),
    ({"max_queue_size": 1}, "max_queue_size must be a whole number, at least 2, got 1"),
    ({"sampler": BalancedSampler}, "sampler must be one such as BalancedSampler(...), got <class"),
    ({"targets": "yolo"}, "targets must be YoloTargets(num_classes, ...), got 'yolo'"),
    ({"targets": YoloTargets}, "targets must be YoloTargets(num_classes, ...), got <class"),
    ({"image_sizes": []}, "image_sizes must be a list of (height, width), got []"),
    ({"image_sizes": 32}, "image_sizes must be a list of (height, width), got 32"),
    ({"transforms": RandomFlip()}, "transforms must be a list"),
    ({"transforms": None}, "transforms must be a list"),
    (
        {"transforms": [RandomFlip]},
        "transforms must be such as feedline.transforms.RandomFlip(), got <class",
    ),
    ({"transforms": [keras.layers.RandomFlip()]}, "by from_keras_layers"),
    ({"workers": 1, "transforms": [YoloAugment()], "color_mode": "grayscale"}, 'color_mode="rgb", got 1'),
    ({"workers": 1, "transforms": [YoloAugment()], "dtype": "uint16"}, "8 bits, got uint16"),
    ({"workers": 1, "transforms": [Letterbox("pil")], "dtype": "uint16"}, "8 bits, got uint16"),
    (
        {"workers": 1, "transforms": [RandomHue(0.1)], "color_mode": CTWindows([(40, 80), (80, 200)])},
        "are windows of a CT",
    ),
    ({"workers": 1, "shuffle": "no"}, "shuffle must be True or False, got 'no'"),
    ({"workers": 1, "drop_remainder": "yes"}, "drop_remainder must be True or False, got 'yes'"),
    ({"crop_to_aspect_ratio": 1}, "crop_to_aspect_ratio must be True or False, got 1"),
    ({"workers": 1, "shard_count": 2.0}, "shard_count must be a whole number, got 2.0"),
    ({"workers": 10_000}, "workers must be at most 4,096, got 10000"),
    ({"max_queue_size": 10**9}, "max_queue_size must be at most 16,384, got 1000000000"),
    ({"max_queue_size": 2.5}, "max_queue_size must be a whole number, at least 2, got 2.5"),
]

POOLS = [
    ({"workers": 0}, "workers must be a whole number, at least 1"),
    ({"memory_budget": 0}, "memory_budget must be"),
    ({"insecure": "no"}, "insecure must be True or False, got 'no'"),
    ({"endpoint": "tcp://127.0.0.1:*", "workers": 1}, "pass one of them"),
    ({"endpoint": "127.0.0.1:5555"}, "tcp://HOST:PORT or ipc://PATH"),
    ({"endpoint": "tcp://0.0.0.0:*"}, "feedline keygen DIR"),
    ({"endpoint": "tcp://127.0.0.1:*", "keys": "/no/such"}, "there is no trainer.key_secret in /no/such or"),
    ({"endpoint": "tcp://127.0.0.1:*", "keys": 7}, "keys is a folder that `feedline keygen` made, got 7"),
    ({"endpoint": "tcp://127.0.0.1:*", "keys": "/", "insecure": True}, "contradict each other"),
    ({"endpoint": "ipc:///tmp/pool", "keys": "/"}, "keys='/' are for an endpoint tcp://HOST:PORT, got 'ipc:"),
    ({"workers": 1, "keys": "/"}, "keys='/' are for an endpoint tcp://HOST:PORT, got None"),
    ({"checksums": "no"}, "checksums must be True or False, got 'no'"),
    ({"endpoint": "tcp://192.0.2.1:5555", "insecure": True}, "cannot listen on tcp://192.0.2.1:5555"),
    ({"endpoint": "ipc:///no/such/folder/pool"}, "cannot listen on ipc:///no/such/folder/pool"),
    ({"endpoint": "ipc:///tmp/" + 110 * "x"}, "at most 107 bytes"),
]

HERE = ("--connect", "tcp://127.0.0.1:5555")
COMMANDS = [
    (("--connect", "trainer:5555", "--data-root", "/"), "tcp://HOST:PORT or ipc://PATH"),
    (("--connect", "tcp://trainer:5555", "--data-root", "/"), "--keys DIR"),
    ((*HERE, "--data-root", "/", "--keys", "/no/such"), "there is no trainer.key in /no/such or"),
    ((*HERE, "--data-root", "/", "--keys", "/", "--insecure"), "contradict each other"),
    (("--connect", "ipc:///tmp/pool", "--data-root", "/", "--keys", "/"), "--keys is for endpoints tcp://"),
    (("--connect", "tcp://127.0.0.1:*", "--data-root", "/"), "one host and port"),
    (("--connect", "tcp://127.0.0.1:123456", "--data-root", "/"), "up to 65535"),
    (("--connect", "ipc://" + 200 * "x", "--data-root", "/"), "at most 107 bytes"),
    ((*HERE, "--data-root", sys.executable), "is a file"),
    (HERE, "--data-root"),
    ((*HERE, "--data-root", "/", "--workers", "0"), "must be at least 1"),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ImageDataset:
    """One image."""
    folder = tmp_path_factory.mktemp("image")
    return ImageDataset.from_lists(write_images(folder, 1), directory=folder)


def test_a_sequence_that_cannot_work_is_refused_and_leaves_nothing_behind(data: ImageDataset) -> None:
    for arguments, expected in SEQUENCES:
        with pytest.raises((ConfigurationError, DatasetError), match=re.escape(expected)):
            BatchSequence(data, **{"image_size": SIZE, **arguments})
        # What it asked for is not in the books either, where it would make the next one's pool larger.
        assert SHARED._requests == {}, arguments


def test_numpys_numbers_and_names_serve_as_pythons_do(data: ImageDataset) -> None:
    """What `rng.integers` and pandas give; other sequences of the process live on such a pool, too."""
    numpys: dict[str, object] = {
        "batch_size": np.int64(1),
        "image_size": (np.int32(24), np.int64(32)),
        "dtype": np.dtype("uint8"),
        "shuffle": np.True_,
        "drop_remainder": np.False_,
        "seed": np.int64(3),
        "workers": np.int64(1),
        "max_queue_size": np.int64(4),
        "memory_budget": np.int64(1 << 24),
        "timeout_s": np.float32(60),
        "shard_index": np.uint8(0),
        "shard_count": np.int64(1),
    }
    with BatchSequence(data, **numpys) as sequence, BatchSequence(data, workers=1, image_size=SIZE) as other:
        assert (sequence[0] == other[0]).all()
        sequence.resize(np.int64(1), np.int64(5))  # type: ignore[arg-type]  # a number of NumPy's
        assert len(sequence[0]) == 1


def test_no_budget_is_too_large(data: ImageDataset) -> None:
    with ProducerPool("tcp://127.0.0.1:*", memory_budget=2**63) as pool:
        assert pool.producers == []
    with BatchSequence(data, image_size=SIZE, workers=1, memory_budget=2**70) as sequence:
        assert len(sequence[0]) == 1


def test_a_pool_whose_thread_cannot_start_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_thread(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            ProducerPool(workers=1)


@pytest.mark.parametrize("fails", ["resize", "subscribe"])
def test_a_pool_that_fails_after_its_start_leaves_nothing_behind(
    fails: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError(fails)

    with monkeypatch.context() as patch:
        patch.setattr(*((ProducerPool, fails) if fails == "resize" else (WATCH, fails)), fail)
        with pytest.raises(MemoryError, match=fails):
            ProducerPool(workers=1)


def test_a_sequence_with_a_pool_brings_no_producers_or_budget_of_its_own(data: ImageDataset) -> None:
    with ProducerPool("tcp://127.0.0.1:*") as pool:
        for arguments in ({"workers": 2}, {"memory_budget": 1 << 20}):
            with pytest.raises(ConfigurationError, match="leave out"):
                BatchSequence(data, image_size=SIZE, pool=pool, **arguments)


@pytest.mark.parametrize("attempt", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_sequence_cannot_be_copied_and_says_what_to_do(
    data: ImageDataset, attempt: Callable[[BatchSequence], object]
) -> None:
    with BatchSequence(data, image_size=SIZE, workers=1) as sequence:
        with pytest.raises(TypeError, match=r"neither copied nor serialized.*with_options"):
            attempt(sequence)
        assert len(sequence[0]) == 1
        assert len(attempt(data)) > 0  # type: ignore[arg-type]


def test_absolute_paths_are_only_for_embedded_producers(data: ImageDataset) -> None:
    lost = ImageDataset.from_lists([f"{data.directory}/{data.paths[0]}"])
    with (
        ProducerPool("tcp://127.0.0.1:*") as pool,
        pytest.raises(ConfigurationError, match=r"--data-root.*0000\.png"),
    ):
        BatchSequence(lost, image_size=SIZE, pool=pool)


def test_a_pool_that_cannot_work_is_refused_and_leaves_nothing_behind() -> None:
    for arguments, expected in POOLS:
        with pytest.raises(ConfigurationError, match=re.escape(expected)):
            ProducerPool(**arguments)


def test_a_producer_command_that_cannot_work_is_refused_in_one_sentence() -> None:
    start = [sys.executable, "-m", "feedline.producer"]
    started = [subprocess.Popen([*start, *words], stderr=subprocess.PIPE, text=True) for words, _ in COMMANDS]
    for process, (_, expected) in zip(started, COMMANDS, strict=True):
        _, text = process.communicate(timeout=60)
        assert process.returncode == 2
        last = text.splitlines()[-1]
        assert last.startswith("feedline-producer: ")
        assert expected in last
        assert "Traceback" not in text


def test_a_pool_that_others_can_reach_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with ProducerPool("tcp://0.0.0.0:*", insecure=True):
        assert "nothing is encrypted or authenticated" in caplog.text


def test_an_endpoint_that_is_taken_stays_its_owners(tmp_path: Path) -> None:
    """ZeroMQ itself would take an ipc endpoint away from who has it, or remove a file of that name."""
    short = Path(tempfile.mkdtemp())
    (short / "model.keras").write_text("precious")
    for address in ("tcp://127.0.0.1:*", f"ipc://{short}/pool"):
        with ProducerPool(address) as pool:
            text = "cannot listen on .*: somebody else does already, perhaps a trainer .* end it, or"
            with pytest.raises(ConfigurationError, match=text):
                ProducerPool(pool.endpoint)
            arguments = (*PRODUCER, "--connect", pool.endpoint, "--data-root", str(tmp_path))
            with producers_elsewhere(*arguments):
                wait_for_producers(pool, 1)
    with pytest.raises(ConfigurationError, match="there is a file of this name"):
        ProducerPool(f"ipc://{short}/model.keras")
    assert (short / "model.keras").read_text() == "precious"


def test_a_socket_that_a_killed_trainer_left_behind_is_taken_over() -> None:
    path = Path(tempfile.mkdtemp()) / "pool"
    with socket.socket(socket.AF_UNIX) as abandoned:
        abandoned.bind(str(path))
    assert path.is_socket()
    with ProducerPool(f"ipc://{path}"):
        pass


def test_embedded_producers_need_a_folder_for_their_socket(
    data: ImageDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(ConfigurationError, match="set TMPDIR"):
        ProducerPool(workers=1)
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with ProducerPool(workers=1) as pool:
        assert BareTrainer(pool, Path(data.directory or ""), ["0000.png"]).fetch(0) == [0]
