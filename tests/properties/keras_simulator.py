"""How Keras 3.15 drives a Sequence, without Keras: who calls what, in which order.

Written from keras/src: trainers/epoch_iterator.py, trainers/data_adapters/py_dataset_adapter.py and
backend/{tensorflow,jax,torch}/trainer.py. What TensorFlow does in its own threads, reading ahead of
the training by as many batches as it likes, is left to chance.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum

from feedline.trainer.plan.epochs import StepKey
from feedline.trainer.sequences.index_binding import IndexBinding

READ_AHEAD = 9


class Backend(Enum):
    """What differs between backends: peeks, the fake epoch before the first, reading ahead."""

    TENSORFLOW = "tensorflow"
    MIRRORED = "tensorflow with a MirroredStrategy"
    JAX = "jax"
    JAX_GPU = "jax with one batch on its way to the device"
    TORCH = "torch"

    @property
    def is_tensorflow(self) -> bool:
        """Peeks at [0] and [1] for a spec, and reads ahead in threads of its own."""
        return self in {Backend.TENSORFLOW, Backend.MIRRORED}

    @property
    def is_jax(self) -> bool:
        """Builds the model in `predict`, too."""
        return self in {Backend.JAX, Backend.JAX_GPU}


class Sequence:
    """The part of `BatchSequence` that matters here: it passes on what it is told, and by which generator."""

    def __init__(self, length: int, *, in_plan_order: bool = True) -> None:
        self.length = length
        self.binding = IndexBinding(length, in_plan_order=in_plan_order)

    def num_batches(self, *generators: object) -> int:
        """Keras reads this when it turns to a sequence, and in each of its generators."""
        self.binding.iterator_may_begin(generators)
        return self.length

    def ask(self, index: int, *generators: object) -> StepKey:
        """`sequence[index]`."""
        return self.binding.request(index, generators)

    def __getitem__(self, index: int) -> StepKey:
        return self.ask(index)

    def __iter__(self) -> Iterator[StepKey]:
        generator = object()
        for index in range(self.num_batches(generator)):
            yield self.ask(index, generator)


@dataclass(slots=True)
class Keras:
    """A process that trains.

    Attributes
    ----------
    built : bool
        Whether the model is: an unbuilt one costs a fake epoch, but on TensorFlow.
    sweeps : list of list of StepKey
        What each iterator gave to the training, in the order in which they began; over several
        Keras epochs with `steps_per_epoch`.
    """

    backend: Backend
    rng: random.Random
    built: bool = False
    sweeps: list[list[StepKey]] = field(default_factory=list)

    def fit(
        self,
        sequence: Sequence,
        epochs: int = 1,
        *,
        shuffle: bool = True,
        steps_per_epoch: int | None = None,
        validation: Sequence | None = None,
        validation_steps: int | None = None,
        validation_freq: int = 1,
        stop_after: int | None = None,
        callback: Callable[[], object] = lambda: None,
    ) -> None:
        """`model.fit`; `callback` runs after each batch, and training stops after `stop_after`."""
        iterator = EpochIterator(self, sequence, steps_per_epoch, shuffle=shuffle)
        self._build(iterator)
        iterator.reset()
        cached, left = None, stop_after
        for epoch in range(epochs):
            for batches in iterator:
                next(batches)
                callback()
                left = left - 1 if left is not None else None
                if left == 0:
                    break
            if validation is not None and (epoch + 1) % validation_freq == 0:
                cached = cached or EpochIterator(self, validation, validation_steps, shuffle=False)
                self._evaluate(cached)
            if left == 0:
                return

    def evaluate(self, sequence: Sequence, steps: int | None = None) -> None:
        """`model.evaluate`."""
        self._evaluate(EpochIterator(self, sequence, steps, shuffle=False))

    def _evaluate(self, iterator: EpochIterator) -> None:
        self._build(iterator)
        iterator.reset()
        for batches in iterator:
            next(batches)

    def predict(self, sequence: Sequence, steps: int | None = None) -> None:
        """`model.predict`: nothing is reset, unless JAX has to build the model."""
        iterator = EpochIterator(self, sequence, steps, shuffle=False)
        if self.backend.is_jax and not self.built:
            self._build(iterator)
            iterator.reset()
        for batches in iterator:
            next(batches)

    def loop(self, sequence: Sequence) -> None:
        """`for x, y in sequence`."""
        self.sweeps.append(list(sequence))

    def index_loop(self, sequence: Sequence) -> None:
        """`for i in range(len(sequence))` with `sequence[i]`."""
        self.sweeps.append([sequence[index] for index in range(sequence.length)])

    def old_loop(self, sequence: Sequence) -> None:
        """The same, with `sequence.on_epoch_end()` after it."""
        self.index_loop(sequence)
        sequence.binding.epoch_ends()

    def _build(self, iterator: EpochIterator) -> None:
        """Begin an epoch to see what a batch looks like, and never go on with it."""
        if self.backend is Backend.MIRRORED or not (self.built or self.backend.is_tensorflow):
            for batches in iterator:
                next(batches)
                self.sweeps.pop()
                break
        self.built = True


class EpochIterator:
    """Keras' class of this name, together with its data adapter."""

    def __init__(self, keras: Keras, sequence: Sequence, steps: int | None, *, shuffle: bool) -> None:
        self._keras, self._sequence, self._steps, self._shuffle = keras, sequence, steps, shuffle
        self._iterator: ReadingAhead | None = None
        self._seen = 0
        sequence.num_batches()
        for index in range(min(2, sequence.num_batches())) if keras.backend.is_tensorflow else ():
            sequence[index]

    def reset(self) -> None:
        """Before each use; ends an epoch that was never begun."""
        self._iterator, self._seen = None, 0
        self._sequence.num_batches()
        self._sequence.binding.epoch_ends()

    def __iter__(self) -> Iterator[ReadingAhead]:
        """One Keras epoch; whoever breaks out of it early never ends it."""
        length = self._sequence.length
        self._sequence.binding.epoch_begins()
        if self._iterator is None or self._steps is None:
            self._new_iterator()
        for _ in range(self._steps or length):
            if self._seen >= length:
                break
            self._seen += 1
            assert self._iterator is not None
            yield self._iterator
        assert self._iterator is not None
        self._iterator.run_on()
        if self._seen >= length:
            self._new_iterator()
        self._sequence.binding.epoch_ends()
        self._iterator.run_on()

    def _new_iterator(self) -> None:
        """Keras asks whether the sequence has an end; TensorFlow, when the first batch is wanted."""
        if not self._keras.backend.is_tensorflow:
            self._sequence.num_batches()
        self._iterator, self._seen = ReadingAhead(self._keras, self._sequence, shuffle=self._shuffle), 0


class ReadingAhead:
    """An iterator that asks for more than it gives: `tf.data` prefetch, or JAX's one batch ahead."""

    def __init__(self, keras: Keras, sequence: Sequence, *, shuffle: bool) -> None:
        self._keras, self._sequence, self._shuffle = keras, sequence, shuffle
        self._indices: Iterator[int] | None = None
        self._ready: deque[StepKey] = deque()
        self._sweep: list[StepKey] = []

    def __next__(self) -> StepKey:
        if self._indices is None:
            self._indices = self._order()
            self._keras.sweeps.append(self._sweep)
        self._ask(1 - len(self._ready) + (self._keras.backend is Backend.JAX_GPU))
        self.run_on()
        self._sweep.append(self._ready.popleft())
        self.run_on()
        return self._sweep[-1]

    def run_on(self) -> None:
        """TensorFlow's threads may go on at any time once they began, and read ahead by a few."""
        if self._keras.backend.is_tensorflow and self._indices is not None:
            self._ask(self._keras.rng.randint(0, READ_AHEAD - min(READ_AHEAD, len(self._ready))))

    def _order(self) -> Iterator[int]:
        if self._keras.backend.is_tensorflow:
            self._sequence.num_batches()
        indices = list(range(self._sequence.num_batches(self)))
        if self._shuffle:
            self._keras.rng.shuffle(indices)
        return iter(indices)

    def _ask(self, num: int) -> None:
        for _, index in zip(range(num), self._indices or (), strict=False):
            self._ready.append(self._sequence.ask(index, self))


def complete_epochs(keras: Keras, length: int) -> list[int]:
    """Epochs of all complete sweeps, in order; fails if one mixes epochs, or has not each step once."""
    complete = [sweep for sweep in keras.sweeps if len(sweep) == length]
    for sweep in complete:
        assert len({key.epoch for key in sweep}) == 1, f"epochs are mixed: {sweep}"
        assert sorted(key.step for key in sweep) == list(range(length)), f"not each step once: {sweep}"
    return [sweep[0].epoch for sweep in complete]
