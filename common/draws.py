"""Random numbers that depend on what is drawn for, never on who draws or when.

Philox is counter-based (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC'11): any
block of its output can be computed on its own. The key is (seed, epoch), the counter names the
purpose and the sample, so that every producer draws the same numbers for the same sample. Only
``random_raw`` is used, because NumPy promises its stream for ever (NEP 19), which it does not for
``Generator`` methods.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import numpy.typing as npt

_MASK = (1 << 64) - 1
_TWO_POW_MINUS_53 = 2.0**-53


class Purpose(IntEnum):
    """What the numbers are for: two purposes never share a stream."""

    ORDER = 1
    TRANSFORM = 2
    SPLIT = 3
    NOISE = 4
    SAMPLE = 5
    PARTNER = 6
    SEQUENCE = 7
    SIZE = 8
    REPLACEMENT = 9


def raw(
    purpose: Purpose, seed: int, epoch: int, num: int, *, row: int = 0, occurrence: int = 0
) -> npt.NDArray[np.uint64]:
    """Draw `num` 64-bit words, shape (num,), for one purpose, epoch and sample.

    Parameters
    ----------
    purpose : Purpose
        Keeps the streams of different uses apart.
    seed, epoch : int
        The key. Negative seeds are taken modulo 2**64.
    num : int
        How many words.
    row : int
        The sample's row in the dataset.
    occurrence : int
        How often the sample came before in the same epoch, for samplers that repeat samples.
    """
    bits = np.random.Philox(
        key=np.array([seed & _MASK, epoch & _MASK], dtype=np.uint64),
        counter=np.array([0, purpose, occurrence, row], dtype=np.uint64),
    )
    return bits.random_raw(num)


def uniforms(
    purpose: Purpose, seed: int, epoch: int, num: int, *, row: int = 0, occurrence: int = 0
) -> npt.NDArray[np.float64]:
    """Draw `num` floats in [0, 1), shape (num,), from the top 53 bits of each word of `raw`."""
    return _as_uniforms(raw(purpose, seed, epoch, num, row=row, occurrence=occurrence))


def beta(alpha: float, draw: float) -> float:
    """Turn a uniform into a number from the distribution Beta(`alpha`, `alpha`), in [0, 1].

    The uniform is the key of a generator, see `generator_of`: how many numbers a draw from Beta takes is not
    known beforehand.

    Parameters
    ----------
    alpha : float
        Above 0.
    draw : float
        In [0, 1).
    """
    return float(generator_of(draw, 0.0).beta(alpha, alpha))


def dirichlet(alpha: float, num: int, draw: float) -> npt.NDArray[np.float64]:
    """Turn a uniform into `num` shares from the distribution Dirichlet(`alpha`, ..., `alpha`).

    Parameters
    ----------
    alpha : float
        Above 0.
    num : int
        How many shares, at least 1; they add up to 1.
    draw : float
        In [0, 1): the key of a generator, as in `beta`.
    """
    return generator_of(draw, 0.0).dirichlet(np.full(num, alpha))


def generator_of(first: float, second: float) -> np.random.Generator:
    """The generator that two uniforms are the key of: the same wherever they are drawn.

    NumPy may change what its methods draw from one version to another, but not from one process to another.
    """
    key = np.array([first, second]) / _TWO_POW_MINUS_53
    return np.random.Generator(np.random.Philox(key=key.astype(np.uint64)))


class UniformStream:
    """`uniforms` for one purpose and seed, in a fifth of the time. Used by one thread.

    Parameters
    ----------
    purpose, seed : Purpose, int
        As in `uniforms`.
    """

    def __init__(self, purpose: Purpose, seed: int) -> None:
        self._purpose = purpose
        self._seed = seed & _MASK
        self._bits = np.random.Philox(key=0)
        self._state = self._bits.state

    def draw(self, epoch: int, num: int, *, row: int = 0, occurrence: int = 0) -> npt.NDArray[np.float64]:
        """Draw what ``uniforms(purpose, seed, epoch, num, row=row, occurrence=occurrence)`` draws."""
        self._state["state"] = {
            "key": np.array([self._seed, epoch & _MASK], dtype=np.uint64),
            "counter": np.array([0, self._purpose, occurrence, row], dtype=np.uint64),
        }
        # A new generator would ask the system for entropy that it does not use: most of the time of `raw`.
        self._bits.state = self._state
        return _as_uniforms(self._bits.random_raw(num))


def _as_uniforms(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.float64]:
    return (words >> np.uint64(11)).astype(np.float64) * _TWO_POW_MINUS_53
