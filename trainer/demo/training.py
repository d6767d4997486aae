"""The demo's training: two sequences, `fit` with validation, then `predict` in order."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial, reduce
from itertools import islice
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from feedline.common.declarations.color import RandomBrightness, RandomContrast
from feedline.common.declarations.geometry import RandomFlip, RandomRotation, RandomTranslation, RandomZoom
from feedline.common.errors import FeedlineError
from feedline.trainer.console.progress import EpochTimes, Progress
from feedline.trainer.datasets.dataset import ImageDataset
from feedline.trainer.demo.corpus import Corpus
from feedline.trainer.demo.model import small_cnn
from feedline.trainer.pool.producer_pool import ProducerPool
from feedline.trainer.pool.shared import MONITOR
from feedline.trainer.sequences.batch_sequence import BatchSequence

AUGMENTATION = (
    RandomFlip("horizontal"),
    RandomRotation(0.05),
    RandomTranslation(0.1, 0.1),
    RandomZoom(0.1),
    RandomBrightness(0.1),
    RandomContrast(0.2),
)
NUM_SHOWN = 3
"""Batches kept for the picture."""

SLACK = 0.01
"""Two forward passes may round a close call differently."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One batch, for the picture.

    Attributes
    ----------
    plain, augmented : ndarray of uint8
        The same images, shape (batch, height, width, 3).
    labels : ndarray of int32
        Shape (batch,).
    """

    plain: npt.NDArray[np.uint8]
    augmented: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Settings:
    """How to train.

    Attributes
    ----------
    epochs, batch_size : int
        As in Keras.
    image_size : int
        Side of the model's images, in pixels.
    seed : int
        Of the weights, the orders and the augmentation.
    workers : int
        Embedded producers, if there is no `endpoint`.
    endpoint : str or None
        Where producers that were started elsewhere connect.
    insecure : bool
        The endpoint may be one that other machines reach without keys.
    keys : str or None
        The folder of keys for the endpoint.
    """

    epochs: int
    batch_size: int
    image_size: int
    seed: int
    workers: int
    endpoint: str | None = None
    insecure: bool = False
    keys: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a training.

    Attributes
    ----------
    history : dict of str to list of float
        Keras' own, one value per epoch.
    epochs : list of EpochTimes
        One per epoch.
    accuracy : float
        Share of the validation images that `predict` put in the class that `labels` has in the same
        place, 0 to 1.
    shown : list of Shown
        The first batches of an epoch.
    """

    history: dict[str, list[float]]
    epochs: list[EpochTimes]
    accuracy: float
    shown: list[Shown] = field(repr=False)

    @property
    def steady(self) -> EpochTimes:
        """All epochs but the first, in which TensorFlow compiles and producers start."""
        first, *rest = self.epochs
        return reduce(operator.add, rest or [first])


def train(corpus: Corpus, settings: Settings) -> Outcome:
    """Train, validate in each epoch, and predict the validation images in order.

    Raises
    ------
    FeedlineError
        If batches cannot be had, or if images and labels do not belong together.
    """
    keras.utils.set_random_seed(settings.seed)
    with ExitStack() as stack:
        make = partial(_sequence, stack, _options(settings, stack))
        training = make(corpus.train, transforms=AUGMENTATION, shuffle=True)
        validation = make(corpus.validation, shuffle=False)
        stack.enter_context(_own_errors(training, validation))
        model, progress = _fit(training, validation, settings)
        accuracy = _accuracy(model, validation)
        _check_agreement(model.history.history["val_accuracy"][-1], accuracy)
        # Two new sequences with one seed deliver the same images, though one may augment them.
        shown = _shown(make(corpus.train), make(corpus.train, transforms=AUGMENTATION))
    return Outcome(model.history.history, progress.epochs, accuracy, shown)


def _options(settings: Settings, stack: ExitStack) -> dict[str, Any]:
    """What all sequences have in common, their producers above all."""
    size = settings.image_size
    options: dict[str, Any] = {
        "batch_size": settings.batch_size,
        "image_size": (size, size),
        "crop_to_aspect_ratio": True,
        "seed": settings.seed,
    }
    if settings.endpoint is None:
        return options | {"workers": settings.workers}
    pool = ProducerPool(
        settings.endpoint,
        keys=settings.keys,
        insecure=settings.insecure,
        monitor=os.environ.get(MONITOR) or None,
    )
    return options | {"pool": stack.enter_context(pool)}


def _sequence(stack: ExitStack, options: dict[str, Any], data: ImageDataset, **more: Any) -> BatchSequence:
    return stack.enter_context(BatchSequence(data, **options, **more))


def _fit(training: BatchSequence, validation: BatchSequence, settings: Settings) -> tuple[Any, Progress]:
    data = training.dataset
    model = small_cnn(settings.image_size, len(data.class_names or []), len(training) * settings.epochs)
    progress = Progress(training, len(data), settings.epochs)
    with closing(progress):
        model.fit(
            training,
            validation_data=validation,
            epochs=settings.epochs,
            callbacks=[_callback(progress)],
            verbose=0,
        )
    return model, progress


def _shown(plain: BatchSequence, augmented: BatchSequence) -> list[Shown]:
    pairs = zip(plain, augmented, strict=True)
    return [Shown(x, augmented_x, y) for (x, y), (augmented_x, _) in islice(pairs, NUM_SHOWN)]


@contextmanager
def _own_errors(*sequences: BatchSequence) -> Iterator[None]:
    """Raise the error that a sequence raised, instead of the one that Keras made of its text."""
    try:
        yield
    except Exception as error:
        for sequence in sequences:
            if sequence.failure is not None:
                raise sequence.failure from error
        raise


def _callback(progress: Progress) -> Any:
    return keras.callbacks.LambdaCallback(
        on_epoch_begin=progress.on_epoch_begin,
        on_train_batch_end=progress.on_train_batch_end,
        on_epoch_end=progress.on_epoch_end,
    )


def _accuracy(model: Any, validation: BatchSequence) -> float:
    predicted = model.predict(validation, verbose=0).argmax(axis=1)
    return float(np.mean(predicted == validation.labels))


def _check_agreement(in_batches: float, in_order: float) -> None:
    """`fit` compares with labels that came with the images, `predict` with those of the table."""
    if abs(in_batches - in_order) > SLACK:
        raise FeedlineError(
            f"images and labels have parted ways: with the labels that came in the batches {in_batches:.3f} "
            f"of the validation images are right, with those of the table in order {in_order:.3f}. "
            "Expected equal shares; this is a fault of Feedline, please report it"
        )
