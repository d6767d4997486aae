"""Fuzzing of what reads bytes of others: ``python -m fuzz.decoder --seconds 60`` in ``tests``.

With atheris, which looks for inputs that reach new lines. Whatever comes, nothing but RemoteProtocolError may
be raised; and what was read as a message must be written as the same.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import FunctionType
from typing import Any

import numpy as np
from fuzz.gauge import Limits
from fuzz.recording import Recording, record
from fuzz.traffic import Frames, mutated, noise

from feedline.common.batch import packed
from feedline.common.batch.packed import PackedBatch
from feedline.common.job import images, kinds, sequences
from feedline.common.job.sequences import Survey
from feedline.common.wire import encoding
from feedline.common.wire.encoding import encode
from feedline.common.wire.protocol import VERSION, Hello, OpenJob
from feedline.errors import RemoteProtocolError

PACKED = PackedBatch.of(
    (np.zeros((2, 3), np.float32), {"y": np.arange(2), "z": [np.zeros(20_000, np.uint8)]})
)


def read_message(frames: Frames) -> bool:
    """Read a message, and the job in it; whether there was one. Raises what must not be raised."""
    try:
        session, message = encoding.decode(frames)
        if isinstance(message, OpenJob):
            _ = kinds.job_from_wire(message.job).slot_bytes
    except RemoteProtocolError:
        return False
    if isinstance(message, Hello) and message.version != VERSION:
        return True
    again = encoding.decode([bytes(frame) for frame in encode(session, message)])
    # What is no number equals nothing, itself neither.
    assert repr(again) == repr((session, message)), (again, (session, message))
    return True


def read_packed(data: bytes) -> bool:
    """Read a batch that says itself what is in it, or a survey; whether it was one."""
    memory = np.frombuffer(data, np.uint8)
    found = 0
    for read in (packed.unpack, Survey.read):
        try:
            read(memory)
            found += 1
        except RemoteProtocolError:
            pass
    return bool(found)


def packed_bytes() -> bytes:
    """A packed batch as it lies in memory."""
    memory = np.zeros(PACKED.num_bytes, np.uint8)
    PACKED.write(memory)
    return memory.tobytes()


def survey_bytes() -> bytes:
    """A survey as it lies in memory."""
    memory = np.zeros(1 << 10, np.uint8)
    Survey(3, 4096, "float32 (2, 2)", "ab" * 32, 0.5).write(memory)
    return memory.tobytes()


@dataclass(slots=True)
class Tally:
    """How much was read, and what of it was something."""

    num: int = 0
    num_good: int = 0

    def __str__(self) -> str:
        """One line."""
        return f"{self.num:,} inputs, {self.num_good:,} of them well formed"


def mutate(recording: Recording, seed: int, num: int) -> Tally:
    """Read `num` mutated messages: a pure function of the seed."""
    draw, tally = Random(seed), Tally()
    said = recording.of_producer + recording.of_trainer
    wholes = [packed_bytes(), survey_bytes()]
    for nth in range(num):
        if nth % 4 == 3:
            good = read_packed(mutated([draw.choice(wholes)], draw)[0])
        elif nth % 40 == 0:
            good = read_message(noise(draw))
        else:
            frames = draw.choice(said)
            for _ in range(draw.choice((1, 1, 2, 4))):
                frames = mutated(frames, draw)
            good = read_message(frames)
        tally.num += 1
        tally.num_good += good
    return tally


def explore(limits: Limits, corpus: Path) -> None:
    """Let atheris look for inputs; does not return. The first byte says what is read."""
    import atheris

    readers: list[Callable[[bytes], Any]] = [read_packed, lambda data: read_message(parted(data))]

    def read(data: bytes) -> None:
        if data:
            readers[data[0] % 2](data[1:])

    for module in (encoding, packed, kinds, images, sequences):
        for name, function in vars(module).items():
            if isinstance(function, FunctionType) and function.__module__ == module.__name__:
                setattr(module, name, atheris.instrument_func(function))
    words = [
        "fuzz",
        str(corpus),
        f"-max_total_time={max(1, int(limits.seconds))}",
        f"-seed={limits.seed + 1}",
    ]
    words += ["-max_len=65536", "-rss_limit_mb=2048", "-timeout=30", f"-artifact_prefix={corpus}/"]
    if limits.messages < 1 << 40:
        words.append(f"-runs={limits.messages}")
    atheris.Setup(words, read)
    atheris.Fuzz()


def joined(frames: Frames) -> bytes:
    """Frames as one input: how many bytes each has, then they."""
    return b"".join(len(frame).to_bytes(3, "little") + frame for frame in frames)


def parted(data: bytes) -> Frames:
    """Undo `joined`, of whatever bytes."""
    frames = []
    while len(data) >= 3 and len(frames) < 40:
        end = 3 + int.from_bytes(data[:3], "little")
        frames.append(data[3:end])
        data = data[end:]
    return frames or [b""]


def fuzz(limits: Limits) -> str:
    """Mutate for half of the time, and explore for the other; a summary of both."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "images").mkdir()
        (folder / "corpus").mkdir()
        recording = record(folder / "images")
        said = recording.of_producer[::3] + recording.of_trainer[::3]
        for nth, frames in enumerate(said):
            (folder / "corpus" / str(nth)).write_bytes(b"\x01" + joined(frames))
        for nth, data in enumerate((packed_bytes(), survey_bytes())):
            (folder / "corpus" / f"p{nth}").write_bytes(b"\x00" + data)
        tally = mutate(recording, limits.seed, min(limits.messages, int(limits.seconds * 2000)))
        words = [
            "--seconds",
            str(limits.seconds / 2),
            "--messages",
            str(limits.messages),
            "--seed",
            str(limits.seed),
        ]
        command = [sys.executable, "-m", "fuzz.decoder", "explore", str(folder / "corpus"), *words]
        run = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
        lines = run.stderr.splitlines()
        assert run.returncode == 0, run.stderr[-5000:]
        return (
            f"mutated: {tally}\nexplored: {next((line for line in lines[::-1] if 'DONE' in line), lines[-1])}"
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["explore"]:
        explore(Limits.of_command(sys.argv[3:]), Path(sys.argv[2]))
    print(fuzz(Limits.of_command()))
