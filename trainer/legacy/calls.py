"""Keras 2's ``fit_generator``, ``evaluate_generator`` and ``predict_generator``, on Keras 3.

Signatures and defaults are those of Keras 2.3; docs/migrating.md has what becomes of each argument.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from feedline.common.arguments import whole
from feedline.common.signatures import suggests
from feedline.trainer.legacy.arguments import (
    MAX_QUEUE_SIZE,
    OF_KERAS_1,
    WORKERS,
    class_weights,
    epochs_to_validate,
)
from feedline.trainer.legacy.feeds import Supply, judged, training, validation, warn_of_others


@suggests(**OF_KERAS_1)
def fit_generator(
    model: Any,
    generator: Any,
    steps_per_epoch: float | None = None,
    epochs: int = 1,
    verbose: int = 1,
    callbacks: Sequence[Any] | None = None,
    validation_data: Any = None,
    validation_steps: float | None = None,
    validation_freq: int | Container[int] = 1,
    class_weight: Mapping[int, float] | None = None,
    max_queue_size: int = MAX_QUEUE_SIZE,
    workers: int = WORKERS,
    use_multiprocessing: bool = False,
    shuffle: bool = True,
    initial_epoch: int = 0,
) -> Any:
    """Train, as Keras 2's ``model.fit_generator(generator, ...)``.

    Parameters
    ----------
    model : keras.Model
        Compiled.
    generator : DataGenerator or BatchSequence
        Anything else goes to ``fit`` as it is, with one warning.
    steps_per_epoch : float, optional
        Batches of a Keras epoch, rounded up, by default the generator's length. With another number the
        next Keras epoch goes on where the last one stopped.
    epochs, verbose, callbacks, initial_epoch
        As in ``fit``.
    validation_data : DataGenerator, BatchSequence or tuple of arrays, optional
        A generator is neither shuffled nor augmented for it.
    validation_steps : float, optional
        Batches to validate on, the first of the generator, rounded up; not more than it has.
    validation_freq : int or container of int
        Validate after every so many epochs, or after those listed, counted from 1.
    class_weight : mapping of int to float, optional
        Weight of each class.
    max_queue_size : int
        Batches that one producer may have in hand; at least 2, one to build and one to wait, also for 1.
    workers : int
        Producer processes; 0 is 1. The default leaves as many as there are.
    use_multiprocessing : bool
        Producers are processes anyway.
    shuffle : bool
        Ask for an unshuffled generator's batches in random order, unless `steps_per_epoch` is given.

    Returns
    -------
    keras.callbacks.History

    Raises
    ------
    ConfigurationError
        An argument that cannot work, quoted.
    """
    supply = Supply(workers, max_queue_size, use_multiprocessing)
    span = (
        whole("initial_epoch", initial_epoch, at_least=0),
        whole("epochs", epochs, at_least=0),
    )
    warn_of_others(generator=generator, validation_data=validation_data)
    with ExitStack() as stack:
        trained = training(generator, steps_per_epoch, supply, shuffle=shuffle)
        validated = validation(validation_data, validation_steps, supply, stack)
        return model.fit(
            trained.data,
            steps_per_epoch=trained.steps,
            epochs=epochs,
            verbose=verbose,
            callbacks=callbacks,
            validation_data=validated.data,
            validation_steps=validated.steps,
            validation_freq=epochs_to_validate(validation_freq, *span),
            class_weight=class_weights(class_weight),
            shuffle=trained.shuffle,
            initial_epoch=initial_epoch,
        )


@suggests(**OF_KERAS_1)
def evaluate_generator(
    model: Any,
    generator: Any,
    steps: float | None = None,
    callbacks: Sequence[Any] | None = None,
    max_queue_size: int = MAX_QUEUE_SIZE,
    workers: int = WORKERS,
    use_multiprocessing: bool = False,
    verbose: int = 0,
) -> Any:
    """Evaluate, as Keras 2's ``model.evaluate_generator(generator, ...)``.

    Parameters are those of `fit_generator`; `steps` is as `validation_steps`. A `DataGenerator` is
    neither shuffled nor augmented for it.

    Returns
    -------
    float or list of float
        The loss, or the loss and the metrics.
    """
    supply = Supply(workers, max_queue_size, use_multiprocessing)
    warn_of_others(generator=generator)
    with ExitStack() as stack:
        feed = judged("steps", generator, steps, supply, stack)
        return model.evaluate(feed.data, steps=feed.steps, callbacks=callbacks, verbose=verbose)


@suggests(**OF_KERAS_1)
def predict_generator(
    model: Any,
    generator: Any,
    steps: float | None = None,
    callbacks: Sequence[Any] | None = None,
    max_queue_size: int = MAX_QUEUE_SIZE,
    workers: int = WORKERS,
    use_multiprocessing: bool = False,
    verbose: int = 0,
) -> Any:
    """Predict, as Keras 2's ``model.predict_generator(generator, ...)``.

    Parameters are those of `evaluate_generator`.

    Returns
    -------
    ndarray, or a list of them for a model of several outputs
        One row for each ID in the order of ``generator.list_IDs``, though the generator shuffles, or leaves
        bad samples out: these have the prediction for an image of zeros. See `predictions_frame`.
    """
    supply = Supply(workers, max_queue_size, use_multiprocessing)
    warn_of_others(generator=generator)
    with ExitStack() as stack:
        feed = judged("steps", generator, steps, supply, stack, every_row=True)
        return model.predict(feed.data, steps=feed.steps, callbacks=callbacks, verbose=verbose)
