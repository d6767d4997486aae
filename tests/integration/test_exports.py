"""A sequence as a `tf.data.Dataset` and as tensors of torch: the same batches, each epoch whole."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import keras
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


def test_a_dataset_of_a_sequence_that_goes_on_midway_has_what_is_left_and_then_whole_epochs(
    sequence: BatchSequence,
) -> None:
    """Also if it was made before anybody knew, and whatever is made of it."""
    made = sequence.as_dataset().map(lambda _, y: y).prefetch(1)
    assert made.cardinality() == 3
    for epoch in (1, 4):
        sequence.begin_at(epoch, 2)
        assert sequence.as_dataset().cardinality() == 3
        assert [len(y) for y in made.as_numpy_iterator()] == [2]
        assert sorted(np.concatenate(list(made.as_numpy_iterator()))) == list(range(NUM_ROWS))


def test_fit_takes_what_is_left_of_an_epoch_and_all_of_the_next_ones(sequence: BatchSequence) -> None:
    model = keras.Sequential([keras.layers.Input((*SIZE, 3)), keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=False)
    made = sequence.as_dataset()
    sequence.begin_at(0, 1)
    ended: list[int] = []
    steps: list[int] = []
    counting = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda step, logs: steps.append(step),  # noqa: ARG005 - Keras names it
        on_epoch_end=lambda *_: ended.append(len(steps)),
    )
    with pytest.warns(UserWarning, match="ran out of data") as caught:
        model.fit(made, epochs=3, shuffle=False, verbose=0, callbacks=[counting])
    assert ended == [2, 5, 8]
    assert len(caught) == 1
    assert counting.params["steps"] == 3


def test_batches_are_divided_among_several_devices(sequence: BatchSequence) -> None:
    sequence.begin_at(0, 1)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    made = strategy.experimental_distribute_dataset(sequence.as_dataset())
    rows = [
        np.concatenate([part.numpy() for part in strategy.experimental_local_results(y)]) for _, y in made
    ]
    assert [len(part) for part in rows] == [4, 2]


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
