"""(seed, epoch) -> which samples form which step. A pure function: nothing is remembered but a cache."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from feedline.common.arguments import check_seed, one_of, whole, yes_or_no
from feedline.common.draws import Purpose, raw
from feedline.common.errors import ConfigurationError
from feedline.common.job.sizes import planned_step
from feedline.trainer.plan.drawings import Drawing, Quotas, Rows, Wheel, occurrences_of


class StepKey(NamedTuple):
    """A place in the whole training: step `step` of epoch `epoch`, or beside it; see `common.job.sizes`."""

    epoch: int
    step: int

    def __str__(self) -> str:
        return f"batch {self.planned.step} of epoch {self.epoch}"

    @property
    def planned(self) -> StepKey:
        """The step of the epoch whose samples it has: another one only if it is a peek."""
        return StepKey(self.epoch, planned_step(self.step))


class ShardRemainder(StrEnum):
    """What becomes of samples that cannot be divided evenly among shards: all shards have as many."""

    PAD = "pad"
    """None is left out; the first of the order come once more, in the shards that would have fewer."""

    DROP = "drop"
    """The last of the epoch's order are left out."""


@dataclass(frozen=True, slots=True)
class EpochPlan:
    """The order of samples in every epoch of a sequence.

    Step i of all shards together has the samples of step i of a plan of one shard whose batches are
    `shard_count` times as large, the shards' samples taken in turn. So what (seed, epoch, step) means does
    not depend on the number of shards, as long as that product, the global batch, stays the same.

    Attributes
    ----------
    num_samples : int
        Rows of the dataset, at least 1.
    batch_size : int
        Samples of a step; the last step of an epoch has what is left.
    shuffle : bool
        A new order each epoch; else the order of the dataset.
    seed : int
        Seed of the orders.
    drop_remainder : bool
        Leave out the last step when it would be short.
    shard_index, shard_count : int
        Take every `shard_count`-th sample of the order, from `shard_index` on. Shards of one
        (seed, epoch) are disjoint and together complete, but for `shard_remainder`; all have as many
        steps, and as many samples in each.
    drawing : Drawing, optional
        What a sampler made of the dataset: an epoch then has the rows that it draws, some of them
        repeatedly or not at all. Without `shuffle` they come in the order of the dataset, a repeated
        one several times in a row.
    shard_remainder : str
        A `ShardRemainder`, for what is left when samples are divided among shards.
    """

    num_samples: int
    batch_size: int
    shuffle: bool = False
    seed: int = 0
    drop_remainder: bool = False
    shard_index: int = 0
    shard_count: int = 1
    drawing: Drawing | None = None
    shard_remainder: str = ShardRemainder.PAD

    def __post_init__(self) -> None:
        """Bring every value into one form, or refuse it."""
        for name in ("shuffle", "drop_remainder"):
            object.__setattr__(self, name, yes_or_no(name, getattr(self, name)))
        for name, least in (("batch_size", 1), ("shard_index", None), ("shard_count", None)):
            object.__setattr__(self, name, whole(name, getattr(self, name), at_least=least))
        object.__setattr__(self, "seed", check_seed(self.seed))
        kept = one_of(ShardRemainder, "shard_remainder", self.shard_remainder)
        object.__setattr__(self, "shard_remainder", kept)
        if not 0 <= self.shard_index < self.shard_count:
            raise ConfigurationError(
                "shard_index must lie in [0, shard_count), got"
                f" shard_index={self.shard_index}, shard_count={self.shard_count}"
            )
        if self.num_steps < 1:
            raise ConfigurationError(
                f"{self.num_drawn} samples give no batch of {self.batch_size}"
                + (" with drop_remainder=True" if self.drop_remainder else "")
                + (f" in each of {self.shard_count} shards" if self.shard_count > 1 else "")
            )

    @property
    def shard_samples(self) -> int:
        """Samples of one epoch of this shard, or of any other, before a short last step is dropped."""
        if self.shard_remainder == ShardRemainder.DROP:
            return self.num_drawn // self.shard_count
        return -(-self.num_drawn // self.shard_count)

    @property
    def num_drawn(self) -> int:
        """Samples of one epoch before they are divided among shards."""
        return self.num_samples if self.drawing is None else self.drawing.num_samples

    @property
    def num_steps(self) -> int:
        """Steps of one epoch, the same in all epochs.

        Short is a step of which all shards together lack a sample, so that it is dropped for any number of
        them that has the same global batch.
        """
        if self.drop_remainder:
            return self.num_drawn // (self.batch_size * self.shard_count)
        return -(-self.shard_samples // self.batch_size)

    def order(self, epoch: int) -> Rows:
        """Rows in the order of delivery, shape (samples of an epoch,); read-only."""
        return _order(self, epoch)[0]

    def batch_size_of(self, step: int) -> int:
        """Samples of one step: fewer in the last one, if it is short."""
        return min(self.batch_size, self.shard_samples - step * self.batch_size)

    def rows(self, epoch: int, step: int) -> Rows:
        """Rows of one step, shape (batch size,) or shorter for the last."""
        return self.order(epoch)[self._places(step)]

    def occurrences(self, epoch: int, step: int) -> Rows:
        """How often each of `rows` came before in the epoch, in whatever shard; shape as `rows`."""
        return _order(self, epoch)[1][self._places(step)]

    def pools(self, epoch: int, row: int) -> list[Rows]:
        """Rows that may come in the place of one that the epoch has, each ascending; the best pool first."""
        match self.drawing:
            case None:
                return [np.arange(self.num_samples)]
            case Quotas() | Wheel():
                return self.drawing.pools(row)
            case _:
                # Of a sampler of somebody's nothing is known but what it draws.
                return [_distinct(self, epoch)]

    def _places(self, step: int) -> slice:
        if not 0 <= step < self.num_steps:
            raise IndexError(f"step {step} of an epoch of {self.num_steps}")
        return slice(step * self.batch_size, (step + 1) * self.batch_size)


@lru_cache(maxsize=8)
def _order(plan: EpochPlan, epoch: int) -> tuple[Rows, Rows]:
    """Rows and their occurrences, in the order of delivery.

    Sorts rows by random 64-bit words: stable for ever, unlike `Generator.permutation` (NEP 19).
    """
    rows = _drawn(plan, epoch)
    if plan.shuffle:
        rows = rows[np.argsort(raw(Purpose.ORDER, plan.seed, epoch, len(rows)), kind="stable")]
    # As many for all shards: what is beyond the end of the order begins it once more, or is left out.
    rows = np.resize(rows, plan.shard_samples * plan.shard_count)
    is_repeated = plan.drawing is not None or len(rows) > plan.num_drawn
    occurrences = occurrences_of(rows) if is_repeated else np.zeros_like(rows)
    return _share(plan, rows), _share(plan, occurrences)


@lru_cache(maxsize=8)
def _distinct(plan: EpochPlan, epoch: int) -> Rows:
    """The rows of an epoch, of all shards together, each once and ascending; read-only."""
    rows = np.unique(_drawn(plan, epoch))
    rows.flags.writeable = False
    return rows


def _drawn(plan: EpochPlan, epoch: int) -> Rows:
    """The rows of an epoch in the order of the dataset, of all shards together."""
    return np.arange(plan.num_samples) if plan.drawing is None else plan.drawing.rows(plan.seed, epoch)


def _share(plan: EpochPlan, values: Rows) -> Rows:
    """What is the shard's own of `values`, less a short last step if that is dropped; read-only."""
    share = values[plan.shard_index :: plan.shard_count][: plan.num_steps * plan.batch_size]
    share.flags.writeable = False
    return share
