"""The last ten minutes of a pool, a point for each second. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import isfinite

from feedline.trainer.monitor.facts import Facts

KEPT_S = 600
"""Points older than this are forgotten; there is one a second."""

PACE_S = 30.0
"""How fast a job gets on is judged by so many seconds."""


@dataclass(frozen=True, slots=True)
class Point:
    """One second.

    Attributes
    ----------
    at_s : float
        Its end, on the pool's clock.
    made : float
        Images delivered per second.
    wanted : float or None
        Images per second that the trainer would take if it never waited; None if it is not known.
    """

    at_s: float
    made: float
    wanted: float | None


class History:
    """Points, and how far each job was when. Not thread-safe."""

    def __init__(self) -> None:
        self._points: deque[Point] = deque(maxlen=KEPT_S)
        self._last: Facts | None = None
        self._places: dict[int, deque[tuple[float, int]]] = {}

    def add(self, facts: Facts) -> None:
        """A second went by; facts of an earlier moment than the last are left out."""
        before = self._last
        if before is not None and facts.at_s <= before.at_s:
            return
        self._last = facts
        if before is not None:
            made = max(0, facts.num_images - before.num_images) / (facts.at_s - before.at_s)
            self._points.append(Point(facts.at_s, made, wanted_of(facts)))
        self._note_places(facts)

    def points(self, since_s: float = float("-inf")) -> list[Point]:
        """Those after a moment, the oldest first."""
        return [point for point in self._points if point.at_s > since_s]

    def steps_per_s(self, job_id: int) -> float:
        """How fast a job gets on; 0 if it does not, or nobody knows yet."""
        places = self._places.get(job_id)
        if places is None or len(places) <= 1:
            return 0.0
        (began_s, first), (at_s, last) = places[0], places[-1]
        return max(0, last - first) / (at_s - began_s)

    def _note_places(self, facts: Facts) -> None:
        open_ids = {job.standing.job_id for job in facts.jobs}
        self._places = {job_id: kept for job_id, kept in self._places.items() if job_id in open_ids}
        for job in facts.jobs:
            places = self._places.setdefault(job.standing.job_id, deque())
            place = job.epoch * job.standing.num_steps + job.step
            if places and place < places[-1][1]:
                # It went back, such as to an earlier epoch: what was before says nothing.
                places.clear()
            places.append((facts.at_s, place))
            while facts.at_s - places[0][0] > PACE_S:
                places.popleft()


def wanted_of(facts: Facts) -> float | None:
    """Images per second that the trainer would take if it never waited; None if that is not known."""
    headspace = None if facts.report is None else facts.report.verdict.headspace
    return headspace if headspace is not None and isfinite(headspace) else None
