"""Measure how to make YOLOv3's targets, for decision 0010: `python -m docs.figures.measure_yolo_targets`.

A batch of 32 images of 416 x 416, 80 classes, seven boxes an image. Times are the best of several rounds.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt
import zmq

from feedline.common.batch.layout import empty_buffer
from feedline.trainer.targets.yolo import YoloTargets

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf

Array = npt.NDArray[Any]

SIZE, BATCH, MAX_BOXES, NUM_BOXES = (416, 416), 32, 20, 7
TARGETS = YoloTargets(80)
ROUNDS, REPEATS = 5, 20


def main() -> None:
    """Measure and print."""
    boxes = some_boxes()
    made = TARGETS.encode(boxes, SIZE)
    targets_bytes, x_bytes = sum(y.nbytes for y in made), BATCH * SIZE[0] * SIZE[1] * 3
    both_bytes = x_bytes + targets_bytes
    print(f"bytes of a batch: images {x_bytes:,}, targets {targets_bytes:,}, boxes {boxes.nbytes:,}")
    print(
        f"batches in 1 GiB: {(1 << 30) // x_bytes} of images, {(1 << 30) // both_bytes} of images and targets"
    )
    slot = empty_buffer(targets_bytes)
    show("zeros into a slot, in the producer", best(lambda: slot.fill(0)))
    show("encode, in the trainer", best(lambda: TARGETS.encode(boxes, SIZE)))
    show("TensorFlow is handed targets in a slot", handed_over(lambda: made))
    show("... encoded in the trainer", handed_over(lambda: TARGETS.encode(boxes, SIZE)))
    show("a frame over TCP with images alone", sent(x_bytes))
    show("... with images and targets", sent(both_bytes))


def show(what: str, seconds: float) -> None:
    """Print one line."""
    print(f"{what:40} {1e3 * seconds:6.1f} ms")


def some_boxes() -> Array:
    """Boxes of any size, and rows of -1 behind them, as they come in a batch."""
    rng = np.random.RandomState(0)
    boxes = np.full((BATCH, MAX_BOXES, 5), -1, np.float32)
    edges = np.sort(rng.uniform(0, 416, (BATCH, NUM_BOXES, 2, 2)), axis=2)
    boxes[:, :NUM_BOXES, :4] = edges.reshape(BATCH, NUM_BOXES, 4)
    boxes[:, :NUM_BOXES, 4] = rng.randint(0, 80, (BATCH, NUM_BOXES))
    return boxes


def best(work: Callable[[], Any]) -> float:
    """Seconds of one call, in the best of all rounds."""

    def one_round() -> float:
        began = perf_counter()
        for _ in range(REPEATS):
            work()
        return (perf_counter() - began) / REPEATS

    return min(one_round() for _ in range(ROUNDS))


def handed_over(make: Callable[[], tuple[Array, ...]]) -> float:
    """Seconds until TensorFlow has a batch, by the generator that ``fit`` reads a Sequence through."""

    def generate() -> Iterator[tuple[Array, ...]]:
        for _ in range(REPEATS):
            yield make()

    signature = tuple(tf.TensorSpec((None, *shape), tf.float32) for shape in TARGETS.shapes(SIZE))
    data = tf.data.Dataset.from_generator(generate, output_signature=signature)
    rounds = []
    for _ in range(ROUNDS):
        batches = iter(data)
        next(batches)
        began = perf_counter()
        num = sum(1 for _ in batches)
        rounds.append((perf_counter() - began) / num)
    return min(rounds)


def sent(num_bytes: int) -> float:
    """Seconds of one frame of so many bytes from one thread to another, over TCP on this machine."""
    frame = bytes(num_bytes)
    with zmq.Context() as context, context.socket(zmq.DEALER) as near, context.socket(zmq.DEALER) as far:
        near.set_hwm(2)
        far.connect(f"tcp://127.0.0.1:{near.bind_to_random_port('tcp://127.0.0.1')}")
        sender = threading.Thread(
            target=lambda: [near.send(frame, copy=False) for _ in range(ROUNDS * REPEATS)]
        )
        sender.start()
        for _ in range(REPEATS):
            far.recv(copy=False)
        rounds = []
        for _ in range(ROUNDS - 1):
            began = perf_counter()
            for _ in range(REPEATS):
                far.recv(copy=False)
            rounds.append((perf_counter() - began) / REPEATS)
        sender.join()
    return min(rounds)


if __name__ == "__main__":
    main()
