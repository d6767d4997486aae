"""Which step of which epoch is meant when somebody asks for an index.

Nobody says where he stands. Keras peeks at ``[0]`` and ``[1]`` before training, shuffles the indices itself,
begins epochs it does not run, and leaves epochs it does not end. A callback of a ``fit`` may sweep the
sequence that is trained on. A loop by hand says nothing at all. These rules make every sweep whole.

*Binding.* When the sequence shuffles, an index is bound, at its first request in a sweep, to the next free
step: whatever order Keras picks is a bijection, and steps are asked for in plan order. When it does not,
index i is step i.

*Sweeps.* Each pass has an epoch to itself, the next that no other has, and keeps it however many begin
meanwhile.

- A *loop* is a generator that reads ``num_batches`` and then asks: Keras' own are, and that of
  ``iter(sequence)``. It is a sweep from its first request on, wherever it is run and whoever runs beside it:
  its requests are known by the generator that they come from, see `trainer.sequences.callers`. One that
  goes round has a sweep for each round.
- All other requests are *by hand*, and make one sweep together.

*By hand* an index means the same batch until the sweep is over. It is over

- at ``on_epoch_end``, and at the next ``on_epoch_begin`` if it was begun by one, however much was asked for;
- at the first request after every index was asked for, but not at the next of those that count up from 0,
  nor at the last of them once more;
- at a repeated request after another sweep has begun.

It uses up its epoch only then: a look before ``fit`` costs nothing. And if a loop is under way when it
begins, it sees the epoch of that loop, and what was asked for there is the same batch here: a look from a
callback disturbs nobody.

*Peeks.* What is asked for by hand right after ``num_batches`` was read, ``[0]`` and then ``[1]``, are Keras'
peeks if it ends there, and use up no epoch. When Keras turns to a sequence it reads ``num_batches`` and at
once calls ``on_epoch_end``: that ends nothing. If it has just begun an epoch, to see a batch or two of it,
that epoch comes again. Of a sequence whose batches have several sizes, peeks are shown in sizes that tell
Keras which sides change: `feedline.common.job.sizes`.

*Resuming.* A sweep may begin with another step than the first, because those before it were trained in
another run. A loop is then told so many fewer, and its index 0 is that step; by hand, indices mean what they
always do, and those before it count as asked for.

*What cannot be told apart:* two loops by hand at the same time, unless they keep step; an epoch that Keras
begins to see a batch from one that it trains, if reading ahead makes it whole, or it has one step; in a
sequence of three steps or fewer, the last index once more from the first of a next pass in random order.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from feedline.common.job.sizes import NUM_PEEKS, peek_at
from feedline.trainer.plan.epochs import StepKey
from feedline.trainer.sequences.sweeps import Sweep


class IndexBinding:
    """Turns requests into (epoch, step). Not thread-safe; the sequence holds a lock.

    Parameters
    ----------
    num_steps : int
        Length of the sequence, at least 1.
    in_plan_order : bool
        Bind indices at their first request (a shuffled sequence), or index i to step i.
    shows_sizes : bool
        Answer peeks apart.
    first_epoch : int
        Of the first sweep.

    Attributes
    ----------
    epoch : int
        That of the last request.
    is_jumping : bool
        The last request, of a loop that reads `num_batches`, did not follow the one before.
    is_crossing : bool
        The last request was of a sweep during which another has begun.
    """

    def __init__(
        self, num_steps: int, *, in_plan_order: bool, shows_sizes: bool = False, first_epoch: int = 0
    ) -> None:
        self._num_steps = num_steps
        self._in_plan_order = in_plan_order
        self._shows_sizes = shows_sizes
        self.epoch = first_epoch
        self._next = StepKey(first_epoch, 0)
        self._last: Sweep | None = None
        self.is_jumping = self.is_crossing = False
        self._loops: dict[Hashable, Sweep | None] = {}
        self._latest: Sweep | None = None
        self._by_hand: Sweep | None = None
        self._another_began = False
        self._peeks: Sweep | None = None
        self._next_peek = NUM_PEEKS
        # What Keras said last.
        self._is_begun = self._has_loop = self._is_begun_by_hand = False
        self._num_reads = 0
        self._just_read = False

    # --- requests -----------------------------------------------------------------------------

    def request(self, index: int, callers: Iterable[Hashable] = ()) -> StepKey:
        """`__getitem__(index)`, 0 <= index < num_steps, called by `callers`, the nearest first."""
        self.is_jumping = self.is_crossing = False
        loop = next((caller for caller in callers if caller in self._loops), None)
        if loop is not None:
            return self._ask(self._sweep_of_loop(loop, index), index)
        self._just_read = False
        if index == self._next_peek < min(NUM_PEEKS, self._num_steps):
            return self._peek(index)
        return self._ask(self._sweep_by_hand(index), index)

    def begin_at(self, key: StepKey) -> bool:
        """The next sweep begins with this step; those under way go on. Returns whether it would not have."""
        self._finish_by_hand(only_whole=True)
        self._last = None
        if key == self._next:
            return False
        self._next = key
        self._latest = self._by_hand = self._peeks = None
        return True

    @property
    def next_step(self) -> StepKey:
        """What the next sweep begins with."""
        return self._next

    @property
    def is_led_by_keras(self) -> bool:
        """Whether Keras goes through an epoch that it has begun: it reads ahead of what it trains."""
        return self._is_begun and self._has_loop

    def taken(self) -> StepKey | None:
        """The step after all that the sweep of the last request was given; None if it left some out.

        Before the first request since `begin_at`, `next_step`.
        """
        sweep = self._last
        if sweep is None:
            return self._next
        return StepKey(sweep.epoch, sweep.end) if sweep.is_gapless else None

    def _ask(self, sweep: Sweep, index: int) -> StepKey:
        self.epoch = sweep.epoch
        self._last = sweep
        return sweep.ask(index)

    # --- loops --------------------------------------------------------------------------------

    def _sweep_of_loop(self, loop: Hashable, index: int) -> Sweep:
        self._has_loop = self._is_begun
        sweep = self._loops[loop]
        if sweep is None or sweep.is_over_at(index):
            sweep = self._begin_sweep(loop)
        self.is_jumping = sweep.jumps_to(index)
        self.is_crossing = self._latest is not None and self._latest.epoch > sweep.epoch
        return sweep

    def _begin_sweep(self, loop: Hashable) -> Sweep:
        self._finish_by_hand(only_whole=True)
        self._peeks, self._another_began = None, True
        sweep = self._latest = self._new(self._next.epoch)
        sweep.first = self._next.step
        self._next = StepKey(sweep.epoch + 1, 0)
        self._loops = {other: one for other, one in self._loops.items() if one is None or not one.is_whole}
        self._loops[loop] = sweep
        return sweep

    def _new(self, epoch: int) -> Sweep:
        return Sweep(epoch, self._num_steps, self._in_plan_order)

    # --- what Keras says ----------------------------------------------------------------------

    def iterator_may_begin(self, callers: Iterable[Hashable] = ()) -> int:
        """`num_batches` was read: by a loop that will ask, or by Keras when it turns to the sequence.

        Returns how many there are: for a loop, those that are left of the epoch.
        """
        loop = next(iter(callers), None)
        if loop is not None:
            # Keras read just before, to see whether there is an end.
            self._num_reads, self._just_read = 0, False
            self._loops[loop] = None
            return self._num_steps - self._next.step
        self._num_reads += 1
        self._just_read = True
        if self._has_loop or not self._is_begun:
            self._next_peek = 0
        return self._num_steps

    def epoch_begins(self) -> None:
        """`on_epoch_begin`."""
        if self._is_begun_by_hand:
            self._finish_by_hand()
        self._peeks, self._next_peek = None, NUM_PEEKS
        self._is_begun, self._has_loop, self._is_begun_by_hand = True, False, False
        self._num_reads, self._just_read = 0, False

    def epoch_ends(self) -> list[StepKey]:
        """`on_epoch_end`; returns the steps that were looked at and will be asked for again."""
        looked_at: list[StepKey] = []
        if self._just_read:
            looked_at = self._forget_what_was_seen()
        elif not self._has_loop:
            self._adopt_peeks()
            self._finish_by_hand()
        self._is_begun = self._has_loop = self._is_begun_by_hand = self._just_read = False
        self._next_peek = NUM_PEEKS
        return looked_at

    def _forget_what_was_seen(self) -> list[StepKey]:
        """Keras turns to the sequence: what it has seen until now was to know what a batch looks like."""
        seen, self._peeks = self._peeks, None
        latest = self._latest
        # A fit that was stopped leaves its epoch begun, too, but the next one reads more than once. And where
        # Keras reads at the end of an epoch, to make its next generator, the epoch is whole.
        if self._has_loop and self._num_reads == 1 and latest is not None and not latest.is_whole:
            seen, self._latest = latest, None
            self._next = StepKey(latest.epoch, latest.first)
        return [] if seen is None or seen.epoch != self._next.epoch else seen.keys

    def _peek(self, index: int) -> StepKey:
        """An index that Keras may be peeking at."""
        if index == 0 or self._peeks is None:
            self._adopt_peeks()
            self._finish_by_hand(only_whole=True)
            self._peeks = self._begin_beside()
        self._next_peek += 1
        key = self._ask(self._peeks, index)
        return StepKey(key.epoch, peek_at(key.step, index)) if self._shows_sizes else key

    def _adopt_peeks(self) -> None:
        """They were none, but the first requests of a loop by hand."""
        if self._peeks is not None:
            self._by_hand, self._peeks = self._peeks, None

    # --- by hand ------------------------------------------------------------------------------

    def _sweep_by_hand(self, index: int) -> Sweep:
        """The sweep that a request by hand belongs to."""
        self._next_peek = NUM_PEEKS
        self._adopt_peeks()
        if self._is_begun and not self._has_loop and not self._is_begun_by_hand:
            self._is_begun_by_hand = True
            self._finish_by_hand(only_whole=True)
            self._by_hand = None
        sweep = self._by_hand
        if sweep is not None and sweep.is_over_at(index):
            self._finish_by_hand()
        elif sweep is not None and self._another_began and index in sweep.asked:
            self._by_hand = None
        self._another_began = False
        self._by_hand = self._by_hand or self._begin_beside()
        return self._by_hand

    def _begin_beside(self) -> Sweep:
        """A sweep that uses up no epoch: of the one under way, or else of the next."""
        if self._latest is not None and not self._latest.is_whole:
            return self._latest.beside()
        return self._new(self._next.epoch).pass_over(self._next.step)

    def _finish_by_hand(self, *, only_whole: bool = False) -> None:
        """The sweep by hand is over, and its epoch used up; or only if every index was asked for."""
        sweep = self._by_hand
        if sweep is not None and (sweep.is_whole or not only_whole):
            self._next = max(self._next, StepKey(sweep.epoch + 1, 0))
            self._by_hand = self._latest = None
