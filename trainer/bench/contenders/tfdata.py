"""`tf.data`: the same work in TensorFlow's own operations and threads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from feedline.trainer.bench.case import DELTA, Case
from feedline.trainer.bench.contenders.base import Contender


def decoded(path: Any, case: Case) -> Any:
    """Decode and resize; rounded, as uint8."""
    image = tf.io.decode_image(tf.io.read_file(path), channels=case.channels, expand_animations=False)
    image.set_shape((None, None, case.channels))
    same = tf.reduce_all(tf.equal(tf.shape(image)[:2], (case.height, case.width)))
    image = tf.cond(same, lambda: image, lambda: _resized(image, case))
    return tf.ensure_shape(image, case.shape)


def augmented(path: Any, label: Any, case: Case) -> tuple[Any, Any]:
    """All of the work."""
    image = tf.image.random_flip_left_right(decoded(path, case))
    delta = tf.random.uniform((), -DELTA * 255, DELTA * 255)
    bright = tf.clip_by_value(tf.round(tf.cast(image, tf.float32) + delta), 0.0, 255.0)
    return tf.cast(bright, tf.uint8), label


def pipeline(case: Case) -> Any:
    """One epoch."""
    labels = np.arange(len(case.files)) % 10
    dataset = tf.data.Dataset.from_tensor_slices((case.files, labels))
    dataset = dataset.shuffle(len(case.files))
    dataset = dataset.map(lambda p, y: augmented(p, y, case), case.workers, deterministic=True)
    dataset = dataset.batch(case.batch_size)
    options = tf.data.Options()
    options.threading.private_threadpool_size = case.workers
    return dataset.prefetch(4).with_options(options)


def _resized(image: Any, case: Case) -> Any:
    values = tf.image.resize(image, (case.height, case.width))
    return tf.cast(tf.round(values), tf.uint8)


class TfData(Contender):
    """``map(num_parallel_calls=N)``, ``batch``, ``prefetch``."""

    packages: ClassVar[tuple[str, ...]] = ("tensorflow",)

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self._dataset = pipeline(case)

    @property
    def fit_source(self) -> Any:
        """The dataset."""
        return self._dataset

    def epoch(self) -> Iterator[Any]:
        """One epoch."""
        return iter(self._dataset.as_numpy_iterator())

    def plain(self, num: int) -> npt.NDArray[Any]:
        """By the same operations."""
        return np.stack([decoded(path, self.case).numpy() for path in self.case.files[:num]])
