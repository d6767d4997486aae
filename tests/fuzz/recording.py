"""Real traffic, recorded: a pool and a producer that talk through a relay which takes everything down."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgpack
import numpy as np
import zmq
from fuzz.traffic import Frames
from integration.bare_trainer import BareTrainer
from integration.images import rows_in, write_images

from feedline import ProducerPool
from feedline.errors import BatchError, StarvedError

NUM_ROWS, BATCH = 24, 4
PRODUCER = (sys.executable, "-m", "feedline.producer", "--unsupervised")


@dataclass
class Recording:
    """What was said, in order."""

    of_producer: list[Frames] = field(default_factory=list)
    of_trainer: list[Frames] = field(default_factory=list)

    def save(self, path: Path) -> Path:
        """Write it to a file."""
        path.write_bytes(msgpack.packb([self.of_producer, self.of_trainer]))
        return path

    @classmethod
    def load(cls, path: Path) -> Recording:
        """Undo `save`."""
        return cls(*msgpack.unpackb(path.read_bytes()))


class Relay(threading.Thread):
    """Sits between one producer and its pool. It ends with `stop`."""

    def __init__(self, pool_endpoint: str, recording: Recording) -> None:
        super().__init__(name="relay")
        self._recording = recording
        self._over = threading.Event()
        self._context = zmq.Context()
        self._front, self._back = self._context.socket(zmq.ROUTER), self._context.socket(zmq.DEALER)
        self._front.bind("tcp://127.0.0.1:*")
        self._back.connect(pool_endpoint)
        self.endpoint = self._front.getsockopt_string(zmq.LAST_ENDPOINT)

    def run(self) -> None:
        """Hand everything on."""
        producer = b""
        while not self._over.is_set():
            self._front.poll(5)
            with suppress(zmq.Again):
                while True:
                    producer, *frames = self._front.recv_multipart(zmq.NOBLOCK)
                    self._recording.of_producer.append(frames)
                    self._back.send_multipart(frames)
            with suppress(zmq.Again):
                while True:
                    frames = self._back.recv_multipart(zmq.NOBLOCK)
                    self._recording.of_trainer.append(frames)
                    self._front.send_multipart([producer, *frames])

    def stop(self) -> None:
        """End it."""
        self._over.set()
        self.join()
        self._context.destroy(linger=0)


def record(folder: Path) -> Recording:
    """Have two epochs and a file that is missing served, once in shared memory and once in frames."""
    recording = Recording()
    names = write_images(folder, NUM_ROWS)
    for transport in ("auto", "frames"):
        with ProducerPool("tcp://127.0.0.1:*", transport=transport) as pool:
            relay = Relay(pool.endpoint, recording)
            relay.start()
            command = [
                *PRODUCER,
                "--connect",
                relay.endpoint,
                "--data-root",
                str(folder),
                "--name",
                "recorded",
            ]
            producer = subprocess.Popen(command, stderr=subprocess.DEVNULL)
            try:
                trainer = BareTrainer(pool, folder, names, batch_size=BATCH)
                assert len(list(trainer.epochs(2))) == 2 * trainer.num_steps
                trainer.close()
                with suppress(BatchError, StarvedError):
                    BareTrainer(pool, folder, ["missing.png"]).fetch(0, timeout_s=1.0)
            finally:
                producer.terminate()
                producer.wait()
                relay.stop()
    assert all(len(said) > 20 for said in (recording.of_producer, recording.of_trainer))
    return recording


def check_rows(arrays: dict[str, np.ndarray], step: int) -> None:
    """Fail if a batch is not that of its step."""
    expected = list(range(NUM_ROWS))[step * BATCH : (step + 1) * BATCH]
    assert arrays["y"].tolist() == expected, f"labels {arrays['y'].tolist()} instead of {expected}"
    assert rows_in(arrays["x"]) == expected, f"images {rows_in(arrays['x'])} instead of {expected}"
