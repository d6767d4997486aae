"""Someone else's Sequence inside producers: exactly once and the same bytes, or a sentence why not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import keras
import pytest
from children import PATIENCE_S, connected, pool_of, producer, producers_elsewhere, wait_for_producers

from feedline import ProducerPool, RemoteSequence
from feedline.common.batch.packed import PackedBatch
from feedline.errors import BatchError, ConfigurationError
from feedline.trainer.dispatch import leases, works

TESTS = str(Path(__file__).parent.parent)
ALLOWED = ("--allow", "user_code", "--import-path", TESTS)
NUM_ROWS = 50
NUM_EPOCHS = 4
NAMES = [f"id-{row}" for row in range(48)]

SEQUENCES: dict[str, tuple[str, dict[str, Any]]] = {
    "the classic, from the global state": (
        "user_code:DataGenerator",
        {"list_IDs": NAMES, "labels": {name: int(name[3:]) for name in NAMES}, "batch_size": 4},
    ),
    "with a state of its own and a short last batch": ("user_code:OwnState", {"num_rows": NUM_ROWS}),
    "with dicts, tuples and noise": ("user_code:Augmenting", {"num_rows": NUM_ROWS}),
}

FIRST, *OTHERS = SEQUENCES
FIRST_OF_SEQUENCES = [FIRST, *(pytest.param(name, marks=pytest.mark.exhaustive) for name in OTHERS)]
"""One is enough for `make test`."""


def remote(name: str, pool: ProducerPool | None = None, **options: Any) -> RemoteSequence:
    """A Sequence of the table, or any of user_code's."""
    reference, kwargs = SEQUENCES.get(name, (f"user_code:{name}", {}))
    return RemoteSequence(reference, kwargs, pool=pool, timeout_s=PATIENCE_S, **options)


def digests_of(sequence: RemoteSequence) -> list[str]:
    """SHA-256 of each batch of an epoch."""
    return [PackedBatch.of(batch).digest for batch in sequence]


def epochs_of(sequence: RemoteSequence) -> list[list[str]]:
    return [digests_of(sequence) for _ in range(NUM_EPOCHS)]


def rows_of(batch: Any) -> list[int]:
    """The rows in a batch of any of `SEQUENCES`."""
    _, y = batch
    return (y[0] if isinstance(y, tuple) else y).tolist()


@pytest.fixture(scope="module")
def references() -> dict[str, list[list[str]]]:
    """What a single producer makes of each, epoch by epoch."""
    with pool_of(1) as pool:
        found = {}
        for name in SEQUENCES:
            with remote(name, pool) as sequence:
                found[name] = epochs_of(sequence)
    for epochs in found.values():
        every = [digest for epoch in epochs for digest in epoch]
        assert len(set(every)) == len(every), "else equal bytes mean nothing"
    return found


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", SEQUENCES)
def test_every_row_comes_once_per_epoch_in_an_order_of_its_own(name: str) -> None:
    with pool_of(2) as pool, remote(name, pool) as sequence:
        epochs = [[row for batch in sequence for row in rows_of(batch)] for _ in range(NUM_EPOCHS)]
    num_rows = len(NAMES) if "classic" in name else NUM_ROWS
    assert all(sorted(rows) == list(range(num_rows)) for rows in epochs)
    assert len({tuple(rows) for rows in epochs}) == NUM_EPOCHS


@pytest.mark.parametrize("name", FIRST_OF_SEQUENCES)
def test_three_producers_make_the_same_bytes_although_one_is_killed(
    name: str, references: dict[str, list[list[str]]]
) -> None:
    with pool_of(3) as pool, remote(name, pool, max_queue_size=2) as sequence:
        epochs = [digests_of(sequence)]
        batches = iter(sequence)
        begun = [PackedBatch.of(next(batches)).digest for _ in range(3)]
        next(iter(connected(pool).values())).kill()
        epochs.append(begun + [PackedBatch.of(batch).digest for batch in batches])
        epochs += [digests_of(sequence) for _ in range(NUM_EPOCHS - 2)]
    assert epochs == references[name]


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", SEQUENCES)
def test_a_producer_that_joins_at_epoch_3_makes_the_same_bytes(
    name: str, references: dict[str, list[list[str]]]
) -> None:
    with ProducerPool("tcp://127.0.0.1:*") as pool, ExitStack() as stack:
        first = stack.enter_context(producers_elsewhere(*producer(pool.endpoint, TESTS, "first"), *ALLOWED))
        sequence = stack.enter_context(remote(name, pool, max_queue_size=2))
        epochs = [digests_of(sequence) for _ in range(3)]
        stack.enter_context(producers_elsewhere(*producer(pool.endpoint, TESTS, "late", 2), *ALLOWED))
        wait_for_producers(pool, 3)
        first.terminate()
        wait_for_producers(pool, 2)
        epochs.append(digests_of(sequence))
    assert epochs == references[name]


def test_batches_are_the_same_as_frames(references: dict[str, list[list[str]]]) -> None:
    name = "with dicts, tuples and noise"
    with ProducerPool(workers=2, transport="frames") as pool, remote(name, pool) as sequence:
        assert epochs_of(sequence) == references[name]


def test_a_batch_that_kills_its_producer_once_is_built_by_another(tmp_path: Path) -> None:
    flag = tmp_path / "kill"
    with pool_of(2) as pool:
        with RemoteSequence("user_code:Kills", {"flag": str(flag)}, pool=pool) as sequence:
            flag.touch()
            rows = [row for batch in sequence for row in rows_of(batch)]
        assert not flag.exists()
    assert rows == list(range(NUM_ROWS))


def test_without_shuffle_an_index_is_that_of_the_sequence_and_with_it_a_step_of_the_plan() -> None:
    with pool_of(2) as pool, remote("Rows", pool) as plain, remote("Rows", pool, shuffle=True) as shuffled:
        assert rows_of(plain[7]) == [28, 29, 30, 31]
        assert rows_of(plain[-1]) == [48, 49]
        epochs = [[row for batch in shuffled for row in rows_of(batch)] for _ in range(2)]
    assert epochs[0] != epochs[1]
    assert all(sorted(rows) == list(range(NUM_ROWS)) for rows in epochs)


def test_other_producers_and_queues_make_the_same_bytes(references: dict[str, list[list[str]]]) -> None:
    name = "with a state of its own and a short last batch"
    with remote(name, workers=1) as sequence:
        epochs = [digests_of(sequence)]
        sequence.resize(workers=2, max_queue_size=3)
        epochs += [digests_of(sequence) for _ in range(NUM_EPOCHS - 1)]
    assert epochs == references[name]


def test_arrays_have_the_structure_dtypes_and_shapes_that_the_sequence_gave_them() -> None:
    with remote("Augmenting", workers=1) as sequence:
        x, (rows, noisy) = sequence[len(sequence) - 1]
        assert list(x) == ["image", "noise"]
        assert [(a.shape, a.dtype.name) for a in (x["image"], x["noise"], rows, noisy)] == [
            ((2, 64, 96), "float32"),
            ((2,), "float64"),
            ((2,), "int64"),
            ((2,), "float64"),
        ]
        assert sequence.stats.num_samples == 2


def test_all_batches_may_be_kept() -> None:
    with remote("Rows", workers=2, max_queue_size=2) as sequence:
        kept = [batch for _ in range(3) for batch in sequence]
    for x, rows in kept:
        assert (x == rows[:, None, None]).all()


def test_a_model_learns_from_named_inputs_and_a_short_last_batch() -> None:
    image, noise = keras.Input((64, 96), name="image"), keras.Input((), name="noise")
    mean = keras.layers.Reshape((1,))(keras.ops.mean(image, axis=(1, 2)))
    outputs = [keras.layers.Dense(1, name=name)(mean) for name in ("rows", "noisy")]
    model = keras.Model({"image": image, "noise": noise}, outputs)
    model.compile("sgd", ["mse", "mse"])
    with remote("Augmenting", workers=2, shuffle=True) as sequence:
        model.fit(sequence, epochs=2, verbose=0)
        assert model.optimizer.iterations == 2 * len(sequence)


def test_the_trainer_does_not_import_the_module_and_its_producers_find_it_where_it_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only_there.py").write_text(
        "import os\n"
        "class Pids:\n"
        "    def __len__(self): return 3\n"
        "    def __getitem__(self, index): return [[float(index)]], [float(os.getpid() != index)]\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with RemoteSequence("only_there:Pids", workers=1) as sequence:
        assert [x.tolist() for x, _ in sequence] == [[[0.0]], [[1.0]], [[2.0]]]
        assert repr(sequence) == (
            "RemoteSequence('only_there:Pids', 3 batches, (float64 (1, 1), float64 (1,)))"
        )
    assert "only_there" not in sys.modules


# --- refused ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pool() -> Iterator[ProducerPool]:
    with pool_of(1) as pool:
        yield pool


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("FromTheSystem", "disagree on batch .*os.urandom"),
        ("FromTheSystemLater", "disagree on batch .* of epoch 1.*os.urandom"),
        ("GoesOnInGetitem", "disagree on batch .*goes on and on"),
        ("NoSequence", "__len__ and __getitem__"),
        ("Nowhere", "no function or class 'Nowhere'"),
    ],
)
def test_a_sequence_that_cannot_be_served_is_refused_when_it_is_made(
    pool: ProducerPool, name: str, text: str
) -> None:
    with pytest.raises(BatchError, match=f"(?s)user_code:{name} cannot be served: .*{text}"):
        remote(name, pool)
    with remote("Rows", pool) as sequence:
        assert len(sequence) == 13


@pytest.mark.parametrize(
    ("name", "error"), [("Breaks", "ValueError: row 20 is broken"), ("Exits", "SystemExit: no such option")]
)
def test_a_batch_that_raises_is_named_with_its_traceback_and_the_others_still_come(
    pool: ProducerPool, name: str, error: str
) -> None:
    with remote(name, pool) as sequence:
        with pytest.raises(BatchError, match=rf"(?s)user_code:{name}\[5\]: {error}.*__getitem__"):
            sequence[5]
        assert rows_of(sequence[6]) == [24, 25, 26, 27]


def test_a_batch_larger_than_those_looked_at_is_refused_with_what_to_pass(pool: ProducerPool) -> None:
    with remote("Grows", pool) as sequence, pytest.raises(BatchError, match="pass batch_bytes=") as caught:
        sequence[2]
    needed = int(str(caught.value).split("batch_bytes=")[1].split(",")[0])
    with remote("Grows", pool, batch_bytes=needed) as sequence:
        assert sequence[2][0].shape == (4, 9 * 64, 96)


@pytest.mark.parametrize(
    "options",
    [
        (),
        *(pytest.param(("--allow", one), marks=pytest.mark.exhaustive) for one in ("user", "user_code.more")),
    ],
)
def test_a_producer_that_was_not_allowed_answers_with_its_operators_flag(options: tuple[str, ...]) -> None:
    with ProducerPool("tcp://127.0.0.1:*") as pool:
        command = producer(pool.endpoint, TESTS, "strict")
        refused = pytest.raises(BatchError, match=r"--allow user_code \(producer strict/0\)")
        with producers_elsewhere(*command, "--import-path", TESTS, *options), refused:
            remote("Rows", pool)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"reference": "user_code"}, "module:name"),
        ({"reference": "__main__:Mine"}, "file of its own"),
        ({"reference": "user_code:Rows", "kwargs": {"x": object()}}, "cannot travel"),
        ({"reference": "user_code:Rows", "batch_bytes": 0}, "batch_bytes"),
        ({"reference": "user_code:Rows", "seed": "7"}, "seed"),
        ({"reference": "user_code:Rows", "workers": 0}, "workers"),
        ({"reference": "user_code:Rows", "max_queue_size": 1}, "max_queue_size"),
    ],
)
def test_arguments_that_cannot_work_are_refused_before_anything_starts(
    arguments: dict[str, Any], text: str
) -> None:
    with pytest.raises(ConfigurationError, match=text):
        RemoteSequence(**arguments)


@pytest.mark.exhaustive
def test_batches_that_take_long_are_built_once_and_nobody_is_given_up_for_them(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where a lease is given up early, if nothing is known of its job; a survey takes longer than a batch."""
    monkeypatch.setattr(works, "OVERDUE_AFTER_S", 0.1)
    monkeypatch.setattr(leases, "OVERDUE_AFTER_S", 0.1)
    with (
        pool_of(2) as pool,
        RemoteSequence("user_code:Slow", {"num_rows": 16}, pool=pool, timeout_s=PATIENCE_S) as sequence,
    ):
        assert sorted(row for batch in sequence for row in rows_of(batch)) == list(range(16))
    assert "has not answered" not in caplog.text
