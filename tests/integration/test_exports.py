"""A sequence as a `tf.data.Dataset` and as tensors of torch: the same batches, each epoch whole."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import numpy as np
import pytest
import tensorflow as tf
from images import SIZE, numbered, rows_in

from feedline import BatchSequence, ImageDataset
from feedline.trainer.sequences.exports import as_torch_dataset

NUM_ROWS = 10


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ImageDataset:
    """Images whose label is their row."""
    return numbered(tmp_path_factory.mktemp("images"), NUM_ROWS)


@pytest.fixture
def sequence(data: ImageDataset) -> Iterator[BatchSequence]:
    """Shuffled, its last batch short."""
    with BatchSequence(data, batch_size=4, image_size=SIZE, workers=1) as sequence:
        yield sequence


def test_each_pass_of_the_dataset_is_an_epoch_of_its_own_and_whole(sequence: BatchSequence) -> None:
    made = sequence.as_dataset()
    assert made.cardinality() == 3
    assert made.element_spec == (
        tf.TensorSpec((None, *SIZE, 3), tf.uint8),
        tf.TensorSpec((None,), tf.int64),
    )
    epochs = []
    for _ in range(2):
        labels = []
        for x, y in made.as_numpy_iterator():
            assert rows_in(x) == y.tolist()
            labels += y.tolist()
        epochs.append(labels)
        # What TensorFlow made of the generator is garbage in cycles, and holds arrays.
        del x, y
        gc.collect()
    assert [sorted(epoch) for epoch in epochs] == [list(range(NUM_ROWS))] * 2
    assert epochs[0] != epochs[1]


def test_the_signature_leaves_open_what_differs_between_batches(data: ImageDataset) -> None:
    sizes = [(24, 32), (48, 32)]
    with BatchSequence(data, batch_size=4, image_sizes=sizes, workers=1, shuffle=False) as sequence:
        made = sequence.as_dataset()
        assert made.element_spec[0].shape.as_list() == [None, None, 32, 3]
        assert [rows_in(x) for x, _ in made.as_numpy_iterator()] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_names_of_inputs_and_outputs_stay(data: ImageDataset) -> None:
    with BatchSequence(
        data, batch_size=4, image_size=SIZE, workers=1, input_names=["photo"], output_names=["row"]
    ) as sequence:
        x, y = next(iter(sequence.as_dataset().take(1)))
    assert rows_in(x["photo"].numpy()) == y["row"].numpy().tolist()


def test_it_is_distributed_among_devices(sequence: BatchSequence) -> None:
    strategy = tf.distribute.get_strategy()
    rows = [y for _, y in strategy.experimental_distribute_dataset(sequence.as_dataset())]
    assert sorted(np.concatenate(rows).tolist()) == list(range(NUM_ROWS))


@pytest.mark.all_backends
def test_tensors_of_torch_lie_where_the_arrays_do_and_a_loader_with_workers_is_refused(
    sequence: BatchSequence,
) -> None:
    import torch  # noqa: PLC0415 - installed by make test-all

    batches = sequence.as_torch(channels_first=True)
    assert len(batches) == 3
    seen = []
    for x, y in torch.utils.data.DataLoader(batches, batch_size=None):
        assert x.shape[1:] == (3, *SIZE)
        assert x.is_contiguous(memory_format=torch.channels_last)
        assert rows_in(x.permute(0, 2, 3, 1).numpy()) == y.tolist()
        seen += y.tolist()
    assert sorted(seen) == list(range(NUM_ROWS))
    with pytest.raises(Exception, match="needs num_workers=0"):
        list(torch.utils.data.DataLoader(batches, batch_size=None, num_workers=1))
    given = (np.zeros((2, *SIZE, 3), np.uint8), [np.zeros(2)])
    (taken,) = as_torch_dataset([given], channels_first=True)
    assert np.shares_memory(taken[0].numpy(), given[0])
    assert np.shares_memory(taken[1][0].numpy(), given[1][0])
