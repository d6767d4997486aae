"""A request is known by the generator that it comes from."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor

import keras

from feedline.trainer.sequences.callers import NEARBY, generators_asking


class Asked:
    """Tells who asks."""

    def __getitem__(self, index: int) -> list[Hashable]:
        return generators_asking()

    @property
    def num_batches(self) -> list[Hashable]:
        """Tells, too."""
        return generators_asking()


class Extended(Asked):
    """Stands between."""

    def __getitem__(self, index: int) -> list[Hashable]:
        return super().__getitem__(index)


def loop(asked: Asked) -> Iterator[list[Hashable]]:
    """Reads, then asks."""
    yield asked.num_batches
    while True:
        yield asked[0]


def test_a_function_is_no_loop() -> None:
    assert Asked()[0] == Asked().num_batches == []
    assert [Asked()[index] for index in range(2)] == [[], []]


def test_a_generator_has_one_name_as_long_as_it_lives() -> None:
    one, other = loop(Asked()), loop(Asked())
    names = [next(one), next(other), next(one), next(other)]
    assert names[0] == names[2] != names[1] == names[3]


def test_a_generator_has_the_same_name_in_any_thread() -> None:
    one = loop(Asked())
    with ThreadPoolExecutor(1) as thread:
        assert next(one) == thread.submit(next, one).result() == next(one)


def test_a_generator_is_known_behind_a_sequence_that_extends_another() -> None:
    one = loop(Extended())
    (name,) = next(one)
    assert name in next(one)


def test_a_generator_far_away_is_not_meant() -> None:
    def ask(levels: int) -> list[Hashable]:
        return ask(levels - 1) if levels else Asked()[0]

    def experiment() -> Iterator[list[Hashable]]:
        yield ask(NEARBY - 2)
        yield ask(NEARBY)

    near, far = experiment()
    assert near
    assert not far


def test_keras_own_loop_is_a_generator_that_reads_and_then_asks() -> None:
    """On which all of this is built: `iter` of any Sequence, and what `fit` makes of it."""
    seen = []

    class Watched(keras.utils.PyDataset):  # type: ignore[misc]  # Keras has no types
        @property
        def num_batches(self) -> int:
            seen.append(generators_asking())
            return 2

        def __getitem__(self, index: int) -> int:
            seen.append(generators_asking())
            return index

    assert list(Watched()) == [0, 1]
    assert seen[0]
    assert seen == [seen[0]] * 3
