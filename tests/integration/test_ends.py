"""However a training, a trainer or a producer ends: nothing hangs, is lost or stays behind."""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import keras
import psutil
import pytest
from bare_trainer import BareTrainer, is_waited_for, names_in
from children import PATIENCE_S, connected, producers_elsewhere, wait_for, wait_for_producers
from gates import gated
from images import SIZE, numbered, write_images

from feedline import BatchSequence, ImageDataset, ProducerPool
from feedline.errors import ClosedError, FeedlineError, InterruptedWaitError
from feedline.trainer.pool.interrupts import raise_keyboard_interrupt
from feedline.trainer.pool.shared import SHARED

HERE = Path(__file__).parent
NUM_ROWS = 24

SYS_TGKILL = {"x86_64": 234, "aarch64": 131}[platform.machine()]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ImageDataset:
    """Images whose label is their row."""
    return numbered(tmp_path_factory.mktemp("images"), NUM_ROWS)


@pytest.fixture(scope="module")
def folder(data: ImageDataset) -> Path:
    """Where they lie."""
    return Path(data.directory or "")


@pytest.fixture
def model() -> keras.Model:
    """Something to train."""
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def sequence_of(data: ImageDataset, **options: Any) -> BatchSequence:
    return BatchSequence(data, batch_size=2, image_size=SIZE, **options)


def script(name: str, *words: str) -> subprocess.Popen[str]:
    """Start a script of this folder."""
    environment = {**os.environ, "PYTHONPATH": f"{HERE.parents[1]}:{HERE}", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, str(HERE / name), *words]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


@contextmanager
def waiting_thread(trainer: BareTrainer, pool: ProducerPool) -> Iterator[list[Any]]:
    """Wait for a batch in another thread; yields the list that its labels or its error go to."""
    outcome: list[Any] = []

    def wait() -> None:
        try:
            outcome.append(trainer.fetch(0))
        except FeedlineError as error:
            outcome.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    wait_for("the wait to begin", lambda: is_waited_for(pool))
    yield outcome
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


# --- the trainer is killed ----------------------------------------------------------------------


def test_a_killed_trainer_leaves_no_producer_alive_and_nothing_the_next_one_does_not_clean(
    tmp_path: Path,
) -> None:
    """One of the producers is in code of a user that never ends."""
    write_images(tmp_path, 4)
    os.mkfifo(tmp_path / "gate-3")
    with script("bare_trainer.py", "2", str(tmp_path), "*.png", str(tmp_path)) as process:
        assert process.stdout is not None
        end = opened_by_a_reader(tmp_path / "gate-3")
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) == 2
        process.kill()
        killed_at = time.monotonic()
        wait_for("the producers to end", lambda: not any(is_alive(child) for child in children))
        assert time.monotonic() - killed_at < 5
    os.close(end)

    left = set(Path(tempfile.gettempdir()).glob("feedline-*"))
    assert left
    with ProducerPool(workers=1) as pool:
        present = set(Path(tempfile.gettempdir()).glob("feedline-*"))
        assert present.isdisjoint(left)
        assert [f"ipc://{path}/pool" for path in present] == [pool.endpoint]


def is_alive(process: psutil.Process) -> bool:
    """Whether it runs; what ended may stay in the list of processes until somebody looks after orphans."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def opened_by_a_reader(fifo: Path) -> int:
    """Wait until somebody has a named pipe open to read; returns the end to write."""
    ends: list[int] = []

    def opened() -> bool:
        with suppress(OSError):
            ends.append(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
        return bool(ends)

    wait_for(f"{fifo.name} to be opened", opened)
    return ends[0]


# --- Ctrl-C -------------------------------------------------------------------------------------


@pytest.mark.exhaustive
def test_ctrl_c_ends_a_fit_that_waits_and_the_next_fit_works_and_leaving_it_all_open_is_fine(
    folder: Path,
) -> None:
    """In the middle of a step, which TensorFlow waits for, and while Keras peeks, which Python waits for."""
    took_s = []
    said = []
    with script("interrupted_fit.py", str(folder)) as process:
        assert process.stdout is not None
        for line in process.stdout:
            word, at = line.split()
            said.append(word)
            if word == "waiting":
                interrupted_at = time.monotonic()
                process.send_signal(signal.SIGINT)
            if word == "interrupted":
                took_s.append(float(at) - interrupted_at)
        status = process.wait(PATIENCE_S)
        _, errors = process.communicate()
    assert said == ["waiting", "interrupted", "trained-1", "waiting", "interrupted", "leaving"], errors
    assert status == 0, errors
    sys.stdout.write(f"from Ctrl-C to KeyboardInterrupt: {took_s[0]:.3f} s and {took_s[1]:.3f} s\n")
    # Far below a second each; the bound is for machines that are busy with other things.
    assert max(took_s) < 5


def test_ctrl_c_ends_waits_in_other_threads_and_tells_who_had_a_wakeup_fd_before_us(folder: Path) -> None:
    read_fd, write_fd = os.pipe()
    os.set_blocking(write_fd, False)
    signal.set_wakeup_fd(write_fd)
    with ProducerPool("tcp://127.0.0.1:*") as pool:
        trainer = BareTrainer(pool, folder, names_in(folder))
        with waiting_thread(trainer, pool) as outcome, pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert [type(error) for error in outcome] == [InterruptedWaitError]
    assert os.read(read_fd, 10) == bytes([signal.SIGINT])
    assert signal.set_wakeup_fd(-1) == write_fd
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    os.close(read_fd)
    os.close(write_fd)


def test_a_users_own_handler_decides_what_ctrl_c_means(folder: Path) -> None:
    handled = []
    before = signal.signal(signal.SIGINT, lambda number, _: handled.append(number))
    try:
        with ProducerPool("tcp://127.0.0.1:*") as pool:
            trainer = BareTrainer(pool, folder, names_in(folder))
            with waiting_thread(trainer, pool) as outcome:
                signal.raise_signal(signal.SIGINT)
                assert handled == [signal.SIGINT]
                with producers_elsewhere("-m", "feedline.producer", *serving(pool, folder)):
                    wait_for("the batch", lambda: outcome)
            assert outcome == [[0, 1]]
        assert signal.getsignal(signal.SIGINT) not in {signal.default_int_handler, raise_keyboard_interrupt}
    finally:
        signal.signal(signal.SIGINT, before)


def serving(pool: ProducerPool, folder: Path) -> tuple[str, ...]:
    """The arguments of a producer for a pool."""
    return ("--workers", "1", "--connect", pool.endpoint, "--data-root", str(folder))


# --- a training ends early ----------------------------------------------------------------------


class Ending(keras.callbacks.Callback):
    """Ends a training in the middle of an epoch."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self._error = error

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:  # noqa: ARG002 - Keras' signature
        """Stop, or fail."""
        if batch == 3:
            self.model.stop_training = True
            if self._error is not None:
                raise self._error


def test_after_an_early_stop_and_an_exception_the_same_sequence_trains_on(
    data: ImageDataset, model: keras.Model
) -> None:
    with sequence_of(data, workers=1) as sequence:
        model.fit(sequence, epochs=3, verbose=0, callbacks=[Ending()])
        with pytest.raises(ZeroDivisionError):
            model.fit(sequence, verbose=0, callbacks=[Ending(ZeroDivisionError())])
        before = sequence.stats.num_samples
        model.fit(sequence, verbose=0)
        assert sequence.stats.num_samples - before >= NUM_ROWS


# --- close --------------------------------------------------------------------------------------


def test_closing_ends_waits_and_may_be_repeated(folder: Path) -> None:
    with ProducerPool("tcp://127.0.0.1:*") as pool:
        closed, other = (BareTrainer(pool, folder, names_in(folder)) for _ in range(2))
        with waiting_thread(closed, pool) as outcome:
            closed.close()
        assert isinstance(outcome.pop(), ClosedError)
        with waiting_thread(other, pool) as outcome:
            pool.close()
        assert isinstance(outcome.pop(), ClosedError)
        pool.close()
        with pytest.raises(ClosedError):
            other.fetch(0)
    assert not pool.is_open


def test_a_closed_sequence_says_so(data: ImageDataset) -> None:
    with sequence_of(data, workers=1) as sequence:
        x, _ = sequence[0]
    kept = x.copy()
    sequence.close()
    with pytest.raises(ClosedError, match="this BatchSequence is closed"):
        sequence[0]
    assert "closed" in repr(sequence)
    assert (x == kept).all()
    assert SHARED._requests == {}


def test_a_sequence_whose_pool_was_closed_first_says_so_and_closes(data: ImageDataset) -> None:
    with ProducerPool(workers=1) as pool:
        sequence = sequence_of(data, pool=pool)
    with pytest.raises(ClosedError, match="pool is closed"):
        sequence[0]
    sequence.on_epoch_end()
    sequence.close()
    shared = sequence_of(data, workers=1)
    shared.pool.close()
    shared.close()
    assert SHARED._requests == {}


def test_the_shared_pool_is_as_large_as_the_largest_open_request(data: ImageDataset) -> None:
    with sequence_of(data, workers=1) as small:
        with sequence_of(data, workers=3) as large:
            assert large.pool is small.pool
            wait_for_producers(small.pool, 3)
        wait_for_producers(small.pool, 1)
        assert len(small[0][1]) == 2


def test_a_sequence_that_nobody_has_any_more_ends_its_producers(data: ImageDataset) -> None:
    sequence = sequence_of(data, workers=1)
    wait_for_producers(sequence.pool, 1)
    (process,) = connected(sequence.pool).values()
    sequence[0]
    del sequence
    wait_for("the producer to end", lambda: gc.collect() is not None and not process.is_running())
    assert SHARED._pool is None


def test_the_garbage_collector_may_end_one_sequence_in_the_midst_of_making_another(
    data: ImageDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It runs finalizers wherever it likes, also under locks that the finalizer needs."""
    fitted = SHARED._fitted
    collected = []

    def collect_and_fit() -> ProducerPool:
        collected.append(gc.collect())
        return fitted()

    cycle: list[Any] = [sequence_of(data, workers=1)]
    cycle.append(cycle)
    monkeypatch.setattr(SHARED, "_fitted", collect_and_fit)
    del cycle
    made: list[BatchSequence] = []
    thread = threading.Thread(target=lambda: made.append(sequence_of(data, workers=1)), daemon=True)
    thread.start()
    thread.join(PATIENCE_S)
    assert not thread.is_alive(), "deadlock"
    assert collected
    with made.pop() as sequence:
        assert len(sequence[0][1]) == 2
    assert SHARED._requests == {}


def test_or_in_the_thread_that_making_another_waits_for(
    data: ImageDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pool's own, for one: it would stand still, and with it every training."""
    left, fitted = sequence_of(data, workers=1), SHARED._fitted
    ends: list[bool] = []

    def fit_when_the_other_has_ended() -> ProducerPool:
        other = threading.Thread(target=left.close, daemon=True)
        other.start()
        other.join(PATIENCE_S)
        ends.append(not other.is_alive())
        return fitted()

    monkeypatch.setattr(SHARED, "_fitted", fit_when_the_other_has_ended)
    with sequence_of(data, workers=1) as sequence:
        assert ends == [True]
        assert len(SHARED._requests) == 1
        assert len(sequence[0][1]) == 2
    assert SHARED._requests == {}


# --- the interpreter exits, or forks ------------------------------------------------------------

LEAVING = """
import sys, threading
from contextlib import suppress
from pathlib import Path
from bare_trainer import BareTrainer, is_waited_for, names_in
from feedline.errors import ClosedError
from feedline import ProducerPool
def wait(trainer):
    with suppress(ClosedError):
        trainer.fetch(0)
folder = Path(sys.argv[1])
served, starved = ProducerPool(workers=1), ProducerPool("tcp://127.0.0.1:*")
trainers = [BareTrainer(pool, folder, names_in(folder)) for pool in (served, starved)]
trainers[0].fetch(0)
threading.Thread(target=wait, args=(trainers[1],), daemon=True).start()
while not is_waited_for(starved):
    pass
"""


def test_an_interpreter_that_exits_with_pools_open_and_a_wait_going_on_leaves_at_once(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "leaving.py").write_text(LEAVING)
    before = set(Path(tempfile.gettempdir()).glob("feedline-*"))
    with script(str(tmp_path / "leaving.py"), str(folder)) as process:
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert set(Path(tempfile.gettempdir()).glob("feedline-*")) == before


LEFT_OPEN = """
import sys
from feedline import BatchSequence, ImageDataset
data = ImageDataset.from_lists(["0000.png", "0001.png"], [0, 1], directory=sys.argv[1])
sequences = [BatchSequence(data, image_size=(8, 8), workers=1, shuffle=False) for _ in range(2)]
print([sequence[0][1].tolist() for sequence in sequences])
"""


@pytest.mark.exhaustive
def test_an_interpreter_that_exits_with_sequences_open_says_nothing(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "left_open.py").write_text(LEFT_OPEN)
    with script(str(tmp_path / "left_open.py"), str(folder)) as process:
        out, errors = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "[[0, 1], [0, 1]]\n")
    assert "Traceback" not in errors


def test_a_forked_child_gets_a_closed_pool_and_does_not_disturb_its_parent(folder: Path) -> None:
    with script("forked_trainer.py", str(folder)) as process:
        assert process.stdout is not None
        said = [process.stdout.readline().strip() for _ in range(5)]
        assert all("belongs to the process that was forked" in line for line in said[:2])
        assert said[2:4] == ["interrupted", "the child exited with 7"]
        command = (
            "-m",
            "feedline.producer",
            "--workers",
            "1",
            "--connect",
            said[4],
            "--data-root",
            str(folder),
        )
        with producers_elsewhere(*command):
            out, errors = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, errors) == (0, "")
    assert out == "the parent got [0, 1]\n"


# --- a producer is told to stop -----------------------------------------------------------------


def test_sigterm_finishes_the_batch_in_hand_and_loses_nothing(tmp_path: Path) -> None:
    """The batch in hand waits for gates that open only when the producer was told to stop."""
    names = write_images(tmp_path, 8)
    gates = [tmp_path / f"gate-{row}" for row in range(4)]
    for gate in gates:
        os.mkfifo(gate)
    allowed = ("--allow", "gates", "--import-path", str(HERE))
    with ProducerPool("tcp://127.0.0.1:*") as pool:
        trainer = BareTrainer(pool, tmp_path, names, batch_size=2, transforms=(gated(tmp_path),))
        command = [sys.executable, "-m", "feedline.producer", *serving(pool, tmp_path), *allowed]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            end = opened_by_a_reader(gates[0])
            process.terminate()
            # When it says so it has told its producers.
            wait_for("the supervisor to stop", lambda: "stopping" in process.stderr.readline())
            os.close(end)
            os.close(opened_by_a_reader(gates[1]))
            assert trainer.fetch(0) == [0, 1]
            assert process.wait(PATIENCE_S) == 0
            # The next batch was ordered, and not begun: nobody came to its gates.
            assert pool.producers == []
        for gate in gates:
            gate.unlink()
        with producers_elsewhere("-m", "feedline.producer", *serving(pool, tmp_path), *allowed):
            assert list(trainer.epochs(1))[1:] == [[2, 3], [4, 5], [6, 7]]


def test_a_stop_that_another_thread_than_the_waiting_one_hears_ends_an_idle_producer() -> None:
    """As one does that comes just before the building thread falls asleep: nothing wakes it."""
    libc = ctypes.CDLL(None, use_errno=True)
    with ProducerPool("tcp://127.0.0.1:*") as pool:
        command = [*("-m", "feedline.producer"), "--unsupervised", *serving(pool, HERE)]
        with subprocess.Popen([sys.executable, *command], stderr=subprocess.DEVNULL) as process:
            wait_for_producers(pool, 1)
            for thread in threads_that_hear(process.pid, signal.SIGTERM):
                if thread != process.pid:
                    assert libc.syscall(SYS_TGKILL, process.pid, thread, signal.SIGTERM) == 0, (
                        ctypes.get_errno()
                    )
            assert process.wait(PATIENCE_S) == 0
        assert pool.producers == []


def threads_that_hear(pid: int, number: int) -> list[int]:
    """The threads of a process that do not block a signal."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        blocked = next(
            line.split()[1]
            for line in (task / "status").read_text().splitlines()
            if line.startswith("SigBlk")
        )
        if not int(blocked, 16) >> (number - 1) & 1:
            found.append(int(task.name))
    return found
