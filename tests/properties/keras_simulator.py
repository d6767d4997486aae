"""How Keras 3.15 drives a Sequence, without Keras: who calls what, in which order.

Written from keras/src: trainers/epoch_iterator.py, trainers/data_adapters/py_dataset_adapter.py and
backend/{tensorflow,jax,torch}/trainer.py. What TensorFlow does in its own threads, reading ahead of
the training by as many batches as it likes, is left to chance.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from trainer.binding import IndexBinding
from trainer.plan import StepKey

READ_AHEAD = 9


class Backend(Enum):
    """What differs between backends: peeks, the fake epoch before the first, reading ahead."""

    TENSORFLOW = "tensorflow"
    MIRRORED = "tensorflow with a MirroredStrategy"
    JAX = "jax"
    JAX_GPU = "jax with one batch on its way to the device"
    TORCH = "torch"

    @property
    def peeks(self) -> bool:
        """Calls [0] and [1] for a spec and throws them away."""
        return self in {Backend.TENSORFLOW, Backend.MIRRORED}

    @property
    def begins_a_fake_epoch(self) -> bool:
        """Begins an epoch to build the model, takes one batch and never goes on."""
        return self is not Backend.TENSORFLOW


@dataclass(slots=True)
class Sweep:
    """What one iterator gave to the training: over several Keras epochs with `steps_per_epoch`."""

    length: int
    consumed: list[StepKey] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether the iterator was used to its end."""
        return len(self.consumed) == self.length


class Sequence:
    """The part of `BatchSequence` that matters here: it passes on what it is told."""

    def __init__(self, length: int, *, in_plan_order: bool) -> None:
        self.length = length
        self.binding = IndexBinding(length, in_plan_order=in_plan_order)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> StepKey:
        return self.binding.request(index)

    def __iter__(self) -> Iterator[StepKey]:
        self.binding.iteration_begins()
        return (self[index] for index in range(self.length))


class ReadingAhead:
    """An iterator that asks for more than it gives: `tf.data` prefetch, or JAX's one batch ahead."""

    def __init__(self, indices: list[int], sequence: Sequence, backend: Backend, rng: random.Random) -> None:
        self._indices = iter(indices)
        self._sequence = sequence
        self._backend = backend
        self._rng = rng
        self._ready: deque[StepKey] = deque()
        self._started = False
        self.sweep = Sweep(len(indices))

    def __next__(self) -> StepKey:
        self._started = True
        self._ask(1 - len(self._ready) + (self._backend is Backend.JAX_GPU))
        self.run_on()
        self.sweep.consumed.append(self._ready.popleft())
        self.run_on()
        return self.sweep.consumed[-1]

    def run_on(self) -> None:
        """TensorFlow's threads may go on at any time once they began, and read ahead by a few."""
        if self._started and self._backend.peeks:
            self._ask(self._rng.randint(0, READ_AHEAD - min(READ_AHEAD, len(self._ready))))

    def _ask(self, num: int) -> None:
        for _, index in zip(range(num), self._indices, strict=False):
            self._ready.append(self._sequence[index])


class EpochIterator:
    """Keras' class of this name, together with its data adapter."""

    def __init__(self, keras: Keras, sequence: Sequence, steps: int | None, *, shuffle: bool) -> None:
        self.keras, self.sequence, self.steps, self.shuffle = keras, sequence, steps, shuffle
        self._iterator: ReadingAhead | None = None
        self._seen = 0
        for index in range(min(2, len(sequence))) if keras.backend.peeks else ():
            sequence[index]

    def _new_iterator(self) -> ReadingAhead:
        indices = list(range(len(self.sequence)))
        if self.shuffle:
            self.keras.rng.shuffle(indices)
        iterator = ReadingAhead(indices, self.sequence, self.keras.backend, self.keras.rng)
        self.keras.sweeps.append(iterator.sweep)
        return iterator

    def reset(self) -> None:
        """Before each use; ends an epoch that was never begun."""
        self._iterator, self._seen = None, 0
        self.sequence.binding.epoch_ends()

    def __iter__(self) -> Iterator[ReadingAhead]:
        """One Keras epoch; whoever breaks out of it early never ends it."""
        self.sequence.binding.epoch_begins()
        if self._iterator is None or self.steps is None:
            self._iterator, self._seen = self._new_iterator(), 0
        for _ in range(self.steps or len(self.sequence)):
            if self._seen >= len(self.sequence):
                break
            self._seen += 1
            yield self._iterator
        self._iterator.run_on()
        if self._seen >= len(self.sequence):
            self._iterator, self._seen = self._new_iterator(), 0
        self.sequence.binding.epoch_ends()
        self._iterator.run_on()


@dataclass(slots=True)
class Keras:
    """A process that trains.

    Attributes
    ----------
    built : bool
        Whether the model is: an unbuilt one costs a fake epoch.
    sweeps : list of Sweep
        Of all iterators there ever were, in the order in which they were made.
    """

    backend: Backend
    rng: random.Random
    built: bool = False
    sweeps: list[Sweep] = field(default_factory=list)

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
        reset_at_begin: bool = False,
    ) -> None:
        """`model.fit`; `stop_after` batches a callback sets `stop_training`."""
        iterator = EpochIterator(self, sequence, steps_per_epoch, shuffle=shuffle)
        self._build(iterator)
        iterator.reset()
        if reset_at_begin:
            sequence.binding.reset()
        cached, left = None, stop_after
        for epoch in range(epochs):
            for batches in iterator:
                next(batches)
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
        if self.backend in {Backend.JAX, Backend.JAX_GPU} and not self.built:
            self._build(iterator)
            iterator.reset()
        for batches in iterator:
            next(batches)

    def _build(self, iterator: EpochIterator) -> None:
        if self.backend.begins_a_fake_epoch and not (self.built and self.backend is not Backend.MIRRORED):
            for batches in iterator:
                next(batches)
                break
        self.built = True


def complete_epochs(keras: Keras) -> list[int]:
    """Epochs of all complete sweeps, in order; fails if a sweep mixes epochs or repeats a step."""
    complete = [sweep for sweep in keras.sweeps if sweep.is_complete]
    for sweep in complete:
        assert len({key.epoch for key in sweep.consumed}) == 1, f"epochs are mixed: {sweep.consumed}"
        assert sorted(key.step for key in sweep.consumed) == list(range(sweep.length)), sweep.consumed
    return [sweep.consumed[0].epoch for sweep in complete]
