"""One pass over a sequence: the epoch that it has, and the step that each of its indices means."""

from __future__ import annotations

from dataclasses import dataclass, field

from feedline.trainer.plan.epochs import StepKey

IN_ORDER = 4
"""So many indices one after the other, from 0 on, are no chance: whoever asks for them begins at 0."""


@dataclass(slots=True, eq=False)
class Sweep:
    """What was asked of one epoch in one pass.

    Attributes
    ----------
    epoch : int
        Whose steps it has.
    num_steps : int
        Of the epoch, at least 1.
    in_plan_order : bool
        Bind an index, at its first request, to the next free step; else index i is step i.
    steps : dict of int to int
        The bindings, index to step: a bijection in the end, whatever the order of requests.
    asked : set of int
        Indices asked for.
    last : int
        The one asked for last; -1 before the first.
    run : int
        How many came one after the other, from 0 on, until now; the last may have come repeatedly.
    first : int
        The step that it begins with, when those before it were trained in another run: index 0 is that one.
    end : int
        The highest step asked for, plus 1.
    """

    epoch: int
    num_steps: int
    in_plan_order: bool
    steps: dict[int, int] = field(default_factory=dict)
    asked: set[int] = field(default_factory=set)
    last: int = -1
    run: int = 0
    first: int = 0
    end: int = 0

    def ask(self, index: int) -> StepKey:
        """Which step an index means; within a sweep always the same."""
        self.asked.add(index)
        self.last = index
        if index == self.run:
            self.run += 1
        elif index != self.run - 1:
            self.run = int(index == 0)
        step = self.bind(index)
        self.end = max(self.end, step + 1)
        return StepKey(self.epoch, step)

    def bind(self, index: int) -> int:
        """The step of an index, without asking for it."""
        nth = self.steps.setdefault(index, len(self.steps)) if self.in_plan_order else index
        return (self.first + nth) % self.num_steps

    def beside(self) -> Sweep:
        """Another sweep of the same epoch, in which each index means what it means in this one by now."""
        return Sweep(self.epoch, self.num_steps, self.in_plan_order, dict(self.steps), first=self.first)

    def pass_over(self, num: int) -> Sweep:
        """Take the first `num` indices for asked: they were, in another run. Returns the sweep itself."""
        for index in range(num):
            self.ask(index)
        return self

    @property
    def is_whole(self) -> bool:
        """Whether every index was asked for."""
        return len(self.asked) >= self.num_steps - self.first

    @property
    def is_gapless(self) -> bool:
        """Whether those asked for are all steps from the first to `end`."""
        return len(self.asked) == self.end - self.first

    def is_over_at(self, index: int) -> bool:
        """Whether a request for `index` is the first of a next sweep.

        That takes a whole one. Who counts up from 0 and asks for the last index once more, or looked at it
        before, still is in the same.
        """
        goes_on = self.run >= IN_ORDER and index in {self.run - 1, self.run}
        return self.is_whole and not goes_on

    def jumps_to(self, index: int) -> bool:
        """Whether `index` does not follow the one before."""
        return index not in {0, self.last + 1}

    @property
    def keys(self) -> list[StepKey]:
        """The steps asked for so far, in the order of their indices."""
        return [StepKey(self.epoch, self.bind(index)) for index in sorted(self.asked)]
