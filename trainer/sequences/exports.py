"""A `BatchSequence` as what other loops take: a `tf.data.Dataset`, and tensors of torch.

TensorFlow and torch are imported here when they are asked for, never before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from feedline.common.errors import ConfigurationError

Array = npt.NDArray[Any]


class Batches(Protocol):
    """What is exported: each ``iter`` of it is an epoch."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Any]: ...


def as_tf_dataset(sequence: Batches, blanks: Sequence[Any]) -> Any:
    """See `BatchSequence.as_dataset`.

    Parameters
    ----------
    sequence : sequence of batches
        What it iterates.
    blanks : sequence of batches
        One of each size that batches may have, such as zeros: what differs among them is left open.
    """
    import tensorflow as tf  # noqa: PLC0415 - see above

    spec = mapped(lambda *arrays: tf.TensorSpec(open_shape(arrays), arrays[0].dtype), *blanks)
    made = tf.data.Dataset.from_generator(lambda: map(_of_tuples, sequence), output_signature=spec)
    return _of_length(made, len(sequence))


def _of_length(dataset: Any, length: int) -> Any:
    """Have a dataset tell how many batches a pass has at most: one that goes on in the middle has fewer.

    Keras goes by what is told: of an unknown length it takes that of the first pass for that of all, and
    `assert_cardinality` has TensorFlow raise an error after a shorter one. So the batches are chosen from two
    datasets, always from the first. That the second is endless makes the length known, and it is never asked.
    """
    import tensorflow as tf  # noqa: PLC0415 - see above

    def blank(spec: Any) -> Any:
        return tf.zeros([side or 0 for side in spec.shape], spec.dtype)

    blanks = tf.nest.map_structure(blank, dataset.element_spec)
    datasets = [dataset, tf.data.Dataset.from_tensors(blanks).repeat()]
    first = tf.data.Dataset.from_tensors(tf.constant(0, tf.int64)).repeat()
    return tf.data.Dataset.choose_from_datasets(datasets, first).take(length)


def as_torch_dataset(sequence: Batches, *, channels_first: bool) -> Any:
    """See `BatchSequence.as_torch`."""
    import torch  # noqa: PLC0415 - see above

    def tensor(array: Array) -> Any:
        made = torch.from_numpy(array)
        return made.permute(0, 3, 1, 2) if channels_first and made.ndim == 4 else made

    class TorchBatches(torch.utils.data.IterableDataset):  # type: ignore[misc]  # torch is not looked into
        """Batches as tensors that lie where the arrays do."""

        def __iter__(self) -> Iterator[Any]:
            if torch.utils.data.get_worker_info() is not None:
                raise ConfigurationError(
                    "a DataLoader of Feedline's batches needs num_workers=0: its producers are the workers"
                )
            return (mapped(tensor, batch) for batch in sequence)

        def __len__(self) -> int:
            """Batches of a whole epoch, as of the sequence itself."""
            return len(sequence)

    return TorchBatches()


def mapped(change: Callable[..., Any], *batches: Any) -> Any:
    """Call `change` with the arrays at each place of some batches, and pack what it returns as they are.

    Lists become tuples: TensorFlow takes a list for an array.
    """
    first = batches[0]
    if isinstance(first, dict):
        return {name: mapped(change, *(batch[name] for batch in batches)) for name in first}
    if isinstance(first, tuple | list):
        return tuple(mapped(change, *parts) for parts in zip(*batches, strict=True))
    return change(*map(np.asarray, batches))


def open_shape(arrays: Sequence[Array]) -> tuple[int | None, ...]:
    """The shape that all have, None where it differs and for the first axis, which counts samples."""
    shapes = zip(*(array.shape[1:] for array in arrays), strict=True)
    return (None, *(sides[0] if len(set(sides)) == 1 else None for sides in shapes))


def _of_tuples(batch: Any) -> Any:
    return mapped(lambda array: array, batch)
