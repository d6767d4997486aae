"""How far a training is in a sequence, in a form that outlives the process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from feedline.common.arguments import whole
from feedline.common.errors import ConfigurationError
from feedline.trainer.plan.epochs import StepKey
from feedline.trainer.sequences.fingerprint import Fields, differences

VERSION = 2
"""Of the dict: raised when an older Feedline could misread it."""

_LEAST = {"epoch": 0, "step": 0, "batch_size": 1, "shard_count": 1, "num_steps": 1}


@dataclass(frozen=True, slots=True)
class SequenceState:
    """A place in a training, and what it is a place of.

    Attributes
    ----------
    epoch, step : int
        The first step that was not trained.
    seed : int
        Of orders and draws.
    batch_size, shard_count : int
        Their product is the global batch, which the steps of all ranks with one number make together.
    num_steps : int
        Of an epoch.
    job : dict
        What else decides which bytes come: see `feedline.trainer.sequences.fingerprint`.
    """

    epoch: int
    step: int
    seed: int
    batch_size: int
    shard_count: int
    num_steps: int
    job: Fields

    @classmethod
    def from_dict(cls, state: Any) -> SequenceState:
        """Read what `to_dict` made; ConfigurationError if it did not."""
        names = cls.__dataclass_fields__.keys()
        is_state = isinstance(state, Mapping) and "version" in state
        if is_state and state["version"] != VERSION:
            raise ConfigurationError(
                f"the state has version {state['version']!r:.20}, and this Feedline reads {VERSION}: go on"
                " with the one that wrote it"
            )
        if not is_state or set(state) != {"version", *names}:
            raise ConfigurationError(f"a state is what state_dict() returned, got {state!r:.200}")
        if not isinstance(state["job"], Mapping):
            raise ConfigurationError(f"job= of a state must be a dict, got {state['job']!r:.200}")
        numbers = {
            name: whole(name, state[name], at_least=_LEAST.get(name)) for name in names if name != "job"
        }
        return cls(**numbers, job=dict(state["job"]))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"version": VERSION, **asdict(self)}

    @property
    def key(self) -> StepKey:
        """The first step that was not trained."""
        return StepKey(self.epoch, self.step)

    def check_is_of(self, other: SequenceState) -> None:
        """Raise a ConfigurationError unless both are places in the same training."""
        found = differences({"seed": self.seed}, {"seed": other.seed})
        found += self._other_batches(other) + differences(self.job, other.job)
        found += [] if found else self._other_steps(other)
        if found:
            raise ConfigurationError(
                f"the state is of another training: {'; '.join(found)}. Make the sequence as it was, or begin"
                " anew without the state"
            )

    def _other_steps(self, other: SequenceState) -> list[str]:
        """Say why epochs of the same samples and global batches have other lengths, if they do."""
        if self.num_steps == other.num_steps:
            return []
        lengths = f"an epoch had {self.num_steps} batches and has {other.num_steps}"
        return [f'{lengths}, because shard_remainder="drop" leaves out others with another number of ranks']

    def _other_batches(self, other: SequenceState) -> list[str]:
        if self.batch_size * self.shard_count == other.batch_size * other.shard_count:
            return []
        if self.shard_count == other.shard_count:
            return differences({"batch_size": self.batch_size}, {"batch_size": other.batch_size})
        was, now = (f"{one.batch_size} * {one.shard_count}" for one in (self, other))
        return [f"the global batch, batch_size * shard_count, was {was} and is {now}"]
