"""What Keras 3 is given for a generator of Keras 2."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from types import GeneratorType
from typing import Any

from feedline.common.arguments import whole
from feedline.common.errors import ConfigurationError
from feedline.common.notices import warn
from feedline.trainer.dispatch.slots import MIN_SLOTS
from feedline.trainer.legacy.arguments import MAX_QUEUE_SIZE, WORKERS, steps_of
from feedline.trainer.legacy.endless import Endless
from feedline.trainer.sequences.batch_sequence import BatchSequence
from feedline.trainer.sequences.served import ServedSequence


@dataclass(frozen=True, slots=True)
class Supply:
    """What a call says about those who make batches.

    Attributes
    ----------
    workers : int
        Producer processes; 0 is 1, for there is always one.
    max_queue_size : int
        Batches in hand at each; 1 is `MIN_SLOTS`.
    use_multiprocessing : bool
        Keras 2 chose between threads and processes by it.
    """

    workers: int
    max_queue_size: int
    use_multiprocessing: bool

    def __post_init__(self) -> None:
        whole("workers", self.workers, at_least=0)
        whole("max_queue_size", self.max_queue_size, at_least=1)
        if not isinstance(self.use_multiprocessing, bool):
            raise ConfigurationError(
                f"use_multiprocessing must be True or False, got {self.use_multiprocessing!r}"
            )

    def serve(self, sequence: ServedSequence) -> None:
        """Have a sequence served so from now on, as far as the call said anything."""
        sequence.resize(
            None if self.workers == WORKERS else max(self.workers, 1),
            None if self.max_queue_size == MAX_QUEUE_SIZE else max(self.max_queue_size, MIN_SLOTS),
        )


@dataclass(frozen=True, slots=True)
class Feed:
    """What goes to ``fit``, ``evaluate`` or ``predict``.

    Attributes
    ----------
    data : object
        Keras' ``x``, or its ``validation_data``.
    steps : int or None
        Batches to take; None: all.
    shuffle : bool
        Whether Keras is to ask in random order.
    """

    data: Any
    steps: int | None = None
    shuffle: bool = False


def training(generator: Any, steps_per_epoch: float | None, supply: Supply, *, shuffle: bool) -> Feed:
    """What to train on.

    Keras 2 shuffled batches only where `steps_per_epoch` was not given. A generator that shuffles samples
    is asked in order: then its seed alone says what is trained when.
    """
    steps = steps_of("steps_per_epoch", steps_per_epoch)
    if not isinstance(generator, ServedSequence):
        return _other("steps_per_epoch", generator, steps, shuffle=shuffle)
    supply.serve(generator)
    if steps is None:
        return Feed(generator, None, shuffle and not generator.shuffles)
    return Feed(generator) if steps == len(generator) else Feed(Endless(generator), steps)


def validation(data: Any, steps: float | None, supply: Supply, stack: ExitStack) -> Feed:
    """What to validate on. Of arrays Keras 2 took all, whatever `steps` was."""
    if data is None or isinstance(data, tuple | list):
        return Feed(data)
    return judged("validation_steps", data, steps, supply, stack)


def judged(
    name: str,
    generator: Any,
    steps: float | None,
    supply: Supply,
    stack: ExitStack,
    *,
    every_row: bool = False,
) -> Feed:
    """What a model is judged by: nothing random, and no image twice.

    Parameters
    ----------
    name : str
        What the call names `steps`, for errors.
    generator : object
        What the call was given.
    steps : float or None
        Batches to take; more than there are is all.
    supply : Supply
        Who makes the batches.
    stack : ExitStack
        Closes what is made here.
    every_row : bool
        Bad samples have places, too, though the generator leaves them out.
    """
    number = steps_of(name, steps)
    if not isinstance(generator, ServedSequence):
        return _other(name, generator, number)
    supply.serve(generator)
    if isinstance(generator, BatchSequence):
        fills = {"on_error": "replace"} if every_row and generator.on_error == "skip" else {}
        if fills or not generator.is_in_order:
            generator = stack.enter_context(generator.in_order(**fills))
    return Feed(generator, number if number is not None and number < len(generator) else None)


def warn_of_others(**data: Any) -> None:
    """Say in one warning what gets nothing out of Feedline."""
    ours = (ServedSequence, tuple, list, type(None))
    others = [f"{name} ({type(one).__name__})" for name, one in data.items() if not isinstance(one, ours)]
    if others:
        warn(
            f"given to Keras as it is: {' and '.join(others)}. It runs in this process; workers,"
            " max_queue_size and use_multiprocessing mean nothing to it. A DataGenerator or BatchSequence has"
            " producers",
        )


def _other(name: str, generator: Any, steps: int | None, *, shuffle: bool = False) -> Feed:
    """What is not ours goes to Keras as it is."""
    if not isinstance(generator, Iterator):
        return Feed(generator, steps, shuffle)
    if steps is None:
        raise ConfigurationError(
            f"a plain generator has no length: say with {name}= how many batches to take"
        )
    # Keras 2 took any iterator, Keras 3 knows generators alone.
    return Feed(generator if isinstance(generator, GeneratorType) else (one for one in generator), steps)
