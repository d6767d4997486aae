"""A training that is interrupted: ``python interrupted_fit.py FOLDER``, for `test_ends.py`.

It says on stdout how far it is, a word and the time of the machine's monotonic clock per line, and
waits for Ctrl-C in the middle of a step, while the next batch is awaited inside TensorFlow.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import keras
import psutil

from trainer import BatchSequence, ImageDataset, ProducerPool

SIZE = (24, 32)
STOP_AT = 3
"""The producers stop when so many batches were trained."""


def say(word: str) -> None:
    """Tell the test."""
    sys.stdout.write(f"{word} {time.monotonic()}\n")
    sys.stdout.flush()


class StopProducers(keras.callbacks.Callback):
    """Stops all producers in the middle of an epoch, and says when the training waits for them.

    Parameters
    ----------
    sequence : BatchSequence
        What is trained on.
    number : Signals
        SIGSTOP: the training waits until Ctrl-C. SIGKILL: it is stopped when TensorFlow, which reads
        ahead, waits for a batch.
    """

    def __init__(self, sequence: BatchSequence, number: signal.Signals) -> None:
        super().__init__()
        self._sequence = sequence
        self._number = number
        self._num_trained = self._num_peeked = 0

    def on_train_begin(self, logs: object = None) -> None:  # noqa: ARG002 - Keras' own signature
        """Count from here: the peeks are over."""
        self._num_peeked = self._sequence.stats.num_batches

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:  # noqa: ARG002
        """Count, and stop the producers."""
        self._num_trained += 1
        if self._num_trained == STOP_AT:
            for child in psutil.Process().children(recursive=True):
                child.send_signal(self._number)
            if self._number is signal.SIGSTOP:
                threading.Thread(target=self._watch, daemon=True).start()
        if self._num_trained >= STOP_AT and self._number is signal.SIGKILL:
            self._stop_when_starved()

    def _stop_when_starved(self) -> None:
        """Stop the training when TensorFlow waits; it reads ahead as soon as it has nothing in hand."""
        exchange = self._sequence.pool._thread.exchange
        while self._is_dry and not exchange._kept:
            if exchange._waiters.steps():
                self.model.stop_training = True
                return
            time.sleep(0.01)

    @property
    def _is_dry(self) -> bool:
        """Whether every batch that was delivered was trained: then TensorFlow wants the next one."""
        return self._num_trained == self._sequence.stats.num_batches - self._num_peeked

    def _watch(self) -> None:
        wait_for_a_wait(self._sequence.pool)
        while not self._is_dry:
            time.sleep(0.01)
        say("waiting")


def interrupted(act: Callable[[], object]) -> None:
    """Run something that Ctrl-C ends."""
    try:
        act()
    except KeyboardInterrupt:
        say("interrupted")


def main(folder: Path) -> None:
    """Be interrupted in the middle of an epoch, go on, be interrupted in the first peek, and leave."""
    names = sorted(path.name for path in folder.iterdir())
    data = ImageDataset.from_lists(names, range(len(names)), directory=folder)
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    options = {"batch_size": 1, "image_size": SIZE}

    sequence = BatchSequence(data, workers=1, **options)
    children = psutil.Process().children()
    callback = StopProducers(sequence, signal.SIGSTOP)
    interrupted(lambda: model.fit(sequence, epochs=2, verbose=0, callbacks=[callback]))
    for child in children:
        child.send_signal(signal.SIGCONT)
    history = model.fit(sequence, epochs=1, verbose=0)
    say(f"trained-{len(history.history['loss'])}")
    sequence.close()

    pool = ProducerPool("tcp://127.0.0.1:*")
    sequence = BatchSequence(data, pool=pool, **options)
    threading.Thread(target=lambda: (wait_for_a_wait(pool), say("waiting")), daemon=True).start()
    interrupted(lambda: model.fit(sequence, verbose=0))

    command = ["-m", "producer", "--workers", "1", "--connect", pool.endpoint, "--data-root", str(folder)]
    with subprocess.Popen([sys.executable, *command], stderr=subprocess.DEVNULL):
        callback = StopProducers(sequence, signal.SIGKILL)
        model.fit(sequence, epochs=2, verbose=0, callbacks=[callback])
    # Leave with all of it open, and TensorFlow's thread waiting for a batch that nobody will build.
    wait_for_a_wait(pool)
    say("leaving")


def wait_for_a_wait(pool: ProducerPool) -> None:
    """Until somebody waits for a batch."""
    while not pool._thread.exchange._waiters.steps():
        time.sleep(0.01)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
