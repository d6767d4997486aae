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
from bare_trainer import is_waited_for

from feedline import BatchSequence, ImageDataset, ProducerPool

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
        self._pool = sequence.pool
        self._number = number
        self._num_trained = 0

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:  # noqa: ARG002 - Keras' signature
        """Count, and stop the producers."""
        self._num_trained += 1
        if self._num_trained == STOP_AT:
            for child in psutil.Process().children(recursive=True):
                child.send_signal(self._number)
            if self._number is signal.SIGSTOP:
                threading.Thread(target=self._watch, daemon=True).start()
        if self._num_trained >= STOP_AT and self._number is signal.SIGKILL:
            self._stop_when_starved()

    def _watch(self) -> None:
        """Say when the step that is awaited is the one that the training needs next."""
        while self._num_trained not in is_waited_for(self._pool):
            time.sleep(0.01)
        say("waiting")

    def _stop_when_starved(self) -> None:
        """Stop the training when TensorFlow's thread waits for a batch.

        It reads ahead of the training by one batch at least, so when nothing is ready any more it
        will wait soon, now or after one of the next steps.
        """
        until = time.monotonic() + 0.3
        while not self._pool._thread.exchange._performer._kept and time.monotonic() < until:
            if is_waited_for(self._pool):
                self.model.stop_training = True
                return
            time.sleep(0.01)


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
    options = {"batch_size": 1, "image_size": SIZE, "shuffle": False}
    in_order = {"shuffle": False, "verbose": 0}

    sequence = BatchSequence(data, workers=1, **options)
    children = psutil.Process().children()
    callback = StopProducers(sequence, signal.SIGSTOP)
    interrupted(lambda: model.fit(sequence, epochs=2, callbacks=[callback], **in_order))
    for child in children:
        child.send_signal(signal.SIGCONT)
    history = model.fit(sequence, **in_order)
    say(f"trained-{len(history.history['loss'])}")
    sequence.close()

    pool = ProducerPool("tcp://127.0.0.1:*")
    sequence = BatchSequence(data, pool=pool, **options)
    threading.Thread(target=lambda: (wait_for_a_wait(pool), say("waiting")), daemon=True).start()
    interrupted(lambda: model.fit(sequence, **in_order))

    command = [
        "-m",
        "feedline.producer",
        "--workers",
        "1",
        "--connect",
        pool.endpoint,
        "--data-root",
        str(folder),
    ]
    with subprocess.Popen([sys.executable, *command], stderr=subprocess.DEVNULL):
        callback = StopProducers(sequence, signal.SIGKILL)
        model.fit(sequence, epochs=2, callbacks=[callback], **in_order)
    # Leave with all of it open, and TensorFlow's thread waiting for a batch that nobody will build.
    wait_for_a_wait(pool)
    say("leaving")


def wait_for_a_wait(pool: ProducerPool) -> None:
    """Until somebody waits for a batch."""
    while not is_waited_for(pool):
        time.sleep(0.01)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
