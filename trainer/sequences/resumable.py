"""Sequences that know how far the training is, and go on from there in another process."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from feedline.common.arguments import whole
from feedline.common.errors import ConfigurationError
from feedline.trainer.plan.epochs import StepKey
from feedline.trainer.pool.job_source import JobSource
from feedline.trainer.pool.producer_pool import ProducerPool
from feedline.trainer.sequences.fingerprint import Fields
from feedline.trainer.sequences.served import ServedSequence
from feedline.trainer.sequences.service import Service
from feedline.trainer.sequences.state import SequenceState
from feedline.trainer.verdict.remedies import NOTHING, Possible


class ResumableSequence(ServedSequence):
    """A sequence whose place can be kept: what was trained, not what was delivered.

    Prefetch, and TensorFlow, are ahead of the training. So the place moves only when somebody says so:
    `feedline.callbacks.ResumeTraining` in ``fit``, `commit` in loops of your own.
    """

    def __init__(
        self,
        service: Service,
        source_of: Callable[[ProducerPool], JobSource],
        first_epoch: int = 0,
        chances: Callable[[ProducerPool], Possible] = lambda _: NOTHING,
    ) -> None:
        super().__init__(service, source_of, first_epoch, chances)
        self._committed = StepKey(first_epoch, 0)

    def state_dict(self) -> dict[str, Any]:
        """The place after what was trained, as plain values: less than 1 KB of JSON.

        Returns
        -------
        dict
            ``epoch`` and ``step`` of the first batch that was not committed, the seed, and what the data set
            and the job are known by. Without a `commit`: where the sequence began.
        """
        return self._state(self._committed).to_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was: the next sweep has what is left of that epoch, later ones follow.

        ``for batch in sequence`` then has so many batches fewer, once. An index means what it always does,
        so that a loop over indices goes on with ``range(state["step"], len(sequence))``. How many producers
        there are, where, their transport and their cache may differ; so may the number of ranks, if
        ``batch_size * shard_count`` is what it was.

        Raises
        ------
        ConfigurationError
            It is no such dict, or of another data set or job: says what differs.
        ClosedError
            The sequence was closed.
        """
        loaded = SequenceState.from_dict(state)
        loaded.check_is_of(self._state(StepKey(0, 0)))
        if loaded.step >= len(self):
            raise ConfigurationError(f"the state is at batch {loaded.step} of a sequence of {len(self)}")
        self.begin_at(*loaded.key)

    def begin_at(self, epoch: int, step: int) -> None:
        """Have the next sweep begin with a step; what comes before it counts as trained."""
        key = StepKey(epoch, step)
        self._begin_at(key)
        self._committed = key

    @property
    def next_step(self) -> tuple[int, int]:
        """Epoch and step that the next sweep begins with."""
        return self._binding.next_step

    def commit(self, epoch: int | None = None, step: int | None = None) -> None:
        """Say that what was handed out is trained, so that `state_dict` is the place after it.

        Without arguments: all batches that the present loop was given. Not in ``fit``, which reads ahead:
        `feedline.callbacks.ResumeTraining` says it there.

        Parameters
        ----------
        epoch, step : int, optional
            Instead: all batches before this step of this epoch, in the order of delivery.

        Raises
        ------
        ConfigurationError
            There is no such step; or ``fit`` asks, or the loop took batches out of order, so that what was
            handed out does not say what was trained.
        """
        if (epoch is None) != (step is None):
            raise ConfigurationError(f"commit needs both epoch and step or neither, got {epoch=}, {step=}")
        key = self._taken() if epoch is None else _checked(epoch, step, len(self))
        self._committed = StepKey(key.epoch + 1, 0) if key.step == len(self) else key

    def set_epoch(self, epoch: int) -> None:
        """See `ServedSequence.set_epoch`; what comes before `epoch` counts as trained."""
        super().set_epoch(epoch)
        self._committed = self._binding.next_step

    def _taken(self) -> StepKey:
        with self._lock:
            key, is_keras = self._binding.taken(), self._binding.is_led_by_keras
        if is_keras:
            raise ConfigurationError(
                "fit reads ahead of what it trains, so commit() cannot say how far it is: use ResumeTraining."
                " After a fit that was stopped, call on_epoch_end() first"
            )
        if key is None:
            raise ConfigurationError(
                "the loop took batches out of order, so that commit() cannot say which are left: take them in"
                " order, or commit when the epoch is over"
            )
        return key

    def _state(self, key: StepKey) -> SequenceState:
        plan = self._plan
        return SequenceState(*key, plan.seed, plan.batch_size, plan.shard_count, plan.num_steps, self._fields)

    @property
    def shard_index(self) -> int:
        """Which share of each epoch it delivers."""
        return self._plan.shard_index

    @cached_property
    def _fields(self) -> Fields:
        return self._decisive()

    @abstractmethod
    def _decisive(self) -> Fields:
        """What decides which bytes come, beside the seed and the sizes of batch and shards."""


def _checked(epoch: Any, step: Any, num_steps: int) -> StepKey:
    return StepKey(whole("epoch", epoch, at_least=0), whole("step", step, at_least=0, at_most=num_steps))
