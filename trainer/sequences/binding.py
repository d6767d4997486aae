"""Which step of which epoch Keras means when it asks for an index.

Keras never says where it stands: it peeks at ``[0]`` and ``[1]`` before training, shuffles the
indices itself, begins epochs it does not run, and leaves epochs it does not end. Two rules make
every epoch whole all the same.

*Binding.* When the sequence shuffles, an index is bound, at its first request in an epoch, to the
next free step: whatever order Keras picks is a bijection, and steps are asked for in plan order.
When it does not, index i is step i.

*Advance.* An epoch ends only when every index has been asked for since it began, and then only at

- ``on_epoch_begin``;
- an ``on_epoch_end`` that closes no begun epoch;
- ``iter(sequence)``;
- a request for an index already asked for, or the first of a new iterator, if Keras has begun no
  epoch in this one, or has ended it (manual loops).

An ``on_epoch_end`` that closes no begun epoch, before any was begun in this one, forgets what was
asked (the peeks) and keeps the bindings.

*Peeks.* Of a sequence whose batches have several sizes, index 0 and 1, asked for right after an iterator may
have begun and before an epoch has, are shown in sizes that tell Keras which sides change:
`feedline.common.job.sizes`. A fit that was stopped leaves its epoch begun; an epoch has one iterator, so the
second is another fit's.

*Iterators.* Keras reads ``num_batches`` whenever one of its iterators begins. What was asked before
it, such as by a fit that was stopped, does not help to make an epoch whole: else the epoch would end
while ``steps_per_epoch`` holds the new iterator midway, and the rest would come from the next one.
"""

from __future__ import annotations

from feedline.common.job.sizes import NUM_PEEKS, peek_at
from feedline.trainer.plan.epochs import StepKey


class IndexBinding:
    """Turns Keras' requests into (epoch, step). Not thread-safe; the sequence holds a lock.

    Parameters
    ----------
    num_steps : int
        Length of the sequence, at least 1.
    in_plan_order : bool
        Bind indices at their first request (a shuffled sequence), or index i to step i.
    shows_sizes : bool
        Answer peeks apart.

    Attributes
    ----------
    epoch : int
        The present one.
    is_jumping : bool
        The last request, in an epoch begun by Keras, did not follow the one before.
    """

    def __init__(self, num_steps: int, *, in_plan_order: bool, shows_sizes: bool = False) -> None:
        self._num_steps = num_steps
        self._next_peek = NUM_PEEKS
        self._shows_sizes = shows_sizes
        self._in_plan_order = in_plan_order
        self.epoch = 0
        self._steps: dict[int, int] = {}
        self._asked: set[int] = set()
        self._begun_any = False
        self._begun_now = False
        self._last = -1
        self.is_jumping = False
        self._is_keras_in_it = False
        self._has_iterator = False
        self._new_iterator = False
        self._was_whole = False

    def request(self, index: int) -> StepKey:
        """`__getitem__(index)`, 0 <= index < num_steps."""
        self._has_iterator = self._begun_now
        self.is_jumping = self._begun_now and index not in {0, self._last + 1}
        self._last = index
        if (self._new_iterator or index in self._asked) and not self._is_keras_in_it:
            self._advance_if_whole()
        if self._new_iterator:
            self._was_whole, self._new_iterator = self._is_whole, False
            self._asked.clear()
        self._asked.add(index)
        step = self._bind(index)
        if index == self._next_peek < NUM_PEEKS:
            self._next_peek += 1
            step = peek_at(step, index)
        return StepKey(self.epoch, step)

    def epoch_begins(self) -> None:
        """Keras' `on_epoch_begin`."""
        self._advance_if_whole()
        self._begun_any = self._begun_now = self._is_keras_in_it = True
        self._has_iterator = False
        self._next_peek = NUM_PEEKS

    def epoch_ends(self) -> list[StepKey]:
        """Keras' `on_epoch_end`; returns the peeked steps that will be asked for again."""
        if self._begun_now:
            self._begun_now = False
            self._is_keras_in_it = not self._is_whole
            return []
        if self._begun_any:
            self._advance_if_whole()
            return []
        peeked = [StepKey(self.epoch, self._bind(index)) for index in sorted(self._asked)]
        self._asked.clear()
        return peeked

    def iterator_may_begin(self) -> None:
        """Keras read `num_batches`: the next request may be the first of a new iterator."""
        self._new_iterator = True
        if self._shows_sizes and (self._has_iterator or not self._begun_now):
            self._next_peek = 0

    def iteration_begins(self) -> None:
        """`iter(sequence)`."""
        self._advance_if_whole()
        self._new_iterator = True
        self._next_peek = NUM_PEEKS

    def reset(self) -> None:
        """Give up the epoch, however far it got: the next request opens a new one."""
        if self._asked or self._steps:
            self._advance()

    @property
    def _is_whole(self) -> bool:
        return self._was_whole or len(self._asked) == self._num_steps

    def _advance_if_whole(self) -> None:
        if self._is_whole:
            self._advance()

    def _advance(self) -> None:
        self.epoch += 1
        self._steps.clear()
        self._asked.clear()
        self._begun_any = self._begun_now = self._is_keras_in_it = self._was_whole = False

    def _bind(self, index: int) -> int:
        if not self._in_plan_order:
            return index
        return self._steps.setdefault(index, len(self._steps))
