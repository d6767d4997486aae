"""Draws depend on what they are for, and on nothing else."""

from __future__ import annotations

import random
from itertools import product

import numpy as np
import pytest

from feedline.common.draws import Purpose, UniformStream, raw, uniforms

MASK = (1 << 64) - 1


def philox(counter: list[int], key: list[int]) -> list[int]:
    """One block of Philox 4x64-10, written from the paper (Salmon et al., SC'11)."""
    for _ in range(10):
        high, low = divmod(0xD2E7470EE14C6C93 * counter[0], 1 << 64)
        high2, low2 = divmod(0xCA5A826395121157 * counter[2], 1 << 64)
        counter = [high2 ^ counter[1] ^ key[0], low2, high ^ counter[3] ^ key[1], low]
        key = [(key[0] + 0x9E3779B97F4A7C15) & MASK, (key[1] + 0xBB67AE8584CAA73B) & MASK]
    return counter


def test_the_words_are_pinned() -> None:
    """A golden value: if it changes, every seed of every user means something else."""
    assert [hex(word) for word in raw(Purpose.ORDER, 0, 0, 4)] == [
        "0x363c6d54f81ba26e",
        "0x372e02c93de0b01e",
        "0xc182a0e88e99b6d5",
        "0x8893b0f0fb6673dc",
    ]
    assert [hex(word) for word in raw(Purpose.TRANSFORM, 7, 3, 3, row=5, occurrence=2)] == [
        "0x3b8b108a535ccb71",
        "0x21014ce7905fc234",
        "0x2730b8290cab682f",
    ]


def test_the_floats_are_pinned() -> None:
    """A golden value, see above; the exact floats, not nearly those."""
    assert uniforms(Purpose.TRANSFORM, 7, 3, 3, row=5, occurrence=2).tolist() == [
        0.23259070756045042,
        0.12892609265725152,
        0.15308714868721796,
    ]


def test_the_words_are_those_of_philox() -> None:
    """The known answer of the reference implementation first, to trust the one above."""
    assert philox([0] * 4, [0] * 2) == [
        0x16554D9ECA36314C,
        0xDB20FE9D672D0FDC,
        0xD7E772CEE186176B,
        0x7E68B68AEC7BA23B,
    ]
    expected = [word for block in (1, 2) for word in philox([block, 2, 4, 9], [11, 5])]
    assert raw(Purpose.TRANSFORM, 11, 5, 8, row=9, occurrence=4).tolist() == expected


def test_neither_the_order_of_calls_nor_global_state_matters() -> None:
    keys = list(product(Purpose, (0, 7), (0, 1), (0, 3)))
    first = {key: raw(*key[:3], 5, row=key[3]).tolist() for key in keys}
    for key in reversed(keys):
        np.random.seed(1)  # noqa: NPY002 - the global state that must not matter
        random.seed(1)
        assert raw(*key[:3], 5, row=key[3]).tolist() == first[key]


def test_fewer_words_are_the_first_of_more() -> None:
    many = raw(Purpose.TRANSFORM, 1, 2, 100, row=3).tolist()
    for num in (0, 1, 3, 4, 5, 99):
        assert raw(Purpose.TRANSFORM, 1, 2, num, row=3).tolist() == many[:num]


def test_every_part_of_the_key_makes_another_stream() -> None:
    """Seeds, epochs, rows and occurrences that differ in one place share no word of a thousand."""
    keys = [
        (purpose, seed, epoch, row, nth)
        for purpose, seed, epoch, row, nth in product(Purpose, (0, 1, 2**63), (0, 1), (0, 1, 2**40), (0, 1))
    ]
    words = [raw(p, seed, epoch, 1000, row=row, occurrence=nth) for p, seed, epoch, row, nth in keys]
    assert len(np.unique(np.concatenate(words))) == 1000 * len(keys)


def test_seed_and_epoch_do_not_stand_in_for_each_other() -> None:
    assert raw(Purpose.ORDER, 3, 4, 2).tolist() != raw(Purpose.ORDER, 4, 3, 2).tolist()


@pytest.mark.parametrize("seed", [-1, -(2**63), 2**64 + 5])
def test_seeds_of_any_size_are_taken_modulo_two_to_the_64(seed: int) -> None:
    assert raw(Purpose.SPLIT, seed, 0, 3).tolist() == raw(Purpose.SPLIT, seed % 2**64, 0, 3).tolist()


def test_words_and_floats_have_the_promised_types_and_shapes() -> None:
    assert (raw(Purpose.ORDER, 1, 1, 3).dtype, raw(Purpose.ORDER, 1, 1, 3).shape) == (np.uint64, (3,))
    assert (uniforms(Purpose.ORDER, 1, 1, 3).dtype, uniforms(Purpose.ORDER, 1, 1, 0).shape) == (
        np.float64,
        (0,),
    )


def test_floats_fill_the_unit_interval_evenly() -> None:
    floats = uniforms(Purpose.TRANSFORM, 1, 1, 100_000)
    assert floats.min() >= 0.0
    assert floats.max() < 1.0
    counts = np.histogram(floats, bins=10, range=(0, 1))[0]
    assert np.abs(counts - 10_000).max() < 400


def test_a_stream_draws_the_same_whatever_it_drew_before() -> None:
    stream = UniformStream(Purpose.TRANSFORM, -7)
    cases = list(product((0, 3, 1 << 40), (0, 1, 5), (0, 9), (0, 2)))
    for epoch, num, row, occurrence in [*cases, *reversed(cases)]:
        expected = uniforms(Purpose.TRANSFORM, -7, epoch, num, row=row, occurrence=occurrence)
        np.testing.assert_array_equal(stream.draw(epoch, num, row=row, occurrence=occurrence), expected)
