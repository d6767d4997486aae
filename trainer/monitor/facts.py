"""What a pool tells of itself once a second. Pure."""

from __future__ import annotations

import posixpath
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from feedline.common.stages import Stages
from feedline.trainer.dispatch.standings import JobStanding, ProducerStanding
from feedline.trainer.verdict.report import Report

MOST_EVENTS = 100
"""So many of the last ones are kept."""


class EventKind(StrEnum):
    """What can happen to a pool, as far as somebody who watches wants to know."""

    JOINED = "joined"
    LEFT = "left"
    """A producer said goodbye, or was sent away."""

    DIED = "died"
    """A producer's process ended, its connection was cut, or it fell silent."""

    SCALED = "scaled"
    """Another number of embedded producers was asked for."""

    NOTE = "note"
    """What the log has as a warning: a lease that was given up, a bad file, a wait that lasts."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    Attributes
    ----------
    at_s : float
        When, on the pool's clock.
    text : str
        In words.
    """

    at_s: float
    kind: EventKind
    text: str


class Chronicle:
    """The last events of a pool. Used by the pool's thread alone."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque(maxlen=MOST_EVENTS)

    def add(self, at_s: float, kind: EventKind, text: str) -> None:
        """Something happened."""
        self._events.append(Event(at_s, kind, text))

    @property
    def events(self) -> tuple[Event, ...]:
        """Those that are kept, the oldest first."""
        return tuple(self._events)


@dataclass(frozen=True, slots=True)
class ProducerFacts:
    """One producer that is connected.

    Attributes
    ----------
    name, host : str
        As in log lines; where it runs.
    pid : int
        Its process there.
    standing : ProducerStanding
        What it has in hand.
    num_batches, frame_bytes : int
        That came from it and were wanted; and the bytes of those that came over the socket. Since it joined.
    stages : Stages
        Where its time went since.
    num_failures : int
        Batches that it could not build.
    last_error : str
        Why not, of the last of them.
    """

    name: str
    host: str
    pid: int
    standing: ProducerStanding = field(default_factory=ProducerStanding)
    num_batches: int = 0
    frame_bytes: int = 0
    stages: Stages = field(default_factory=Stages)
    num_failures: int = 0
    last_error: str = ""


@dataclass(frozen=True, slots=True)
class JobFacts:
    """One sequence that is open.

    Attributes
    ----------
    standing : JobStanding
        What is in hand of it.
    epoch, step : int
        The batch that it will be asked for next; 0 and 0 before any.
    num_laid_out : int
        Batches that lie where the trainer takes them without asking.
    """

    standing: JobStanding
    epoch: int = 0
    step: int = 0
    num_laid_out: int = 0

    def bad_file(self, number: int) -> str | None:
        """Where one of its bad files lies for this process, or would; None if there is none of this number.

        Not absolute where nobody has told in which folder.
        """
        found, folder = self.standing.found, self.standing.folder
        return posixpath.join(folder, found[number].path) if number < len(found) else None


@dataclass(frozen=True, slots=True)
class Facts:
    """A pool at one moment.

    Attributes
    ----------
    at_s : float
        On the pool's clock.
    report : Report or None
        What the last seconds show; None in the first of all.
    num_images, num_batches : int
        Delivered to the trainer since the pool was made.
    wait_s : float
        Seconds that it had nothing to do meanwhile.
    producers, jobs : tuple
        In the order in which they came.
    slots : mapping of str to int
        How many are in which state.
    events : tuple of Event
        The last ones, the oldest first.
    num_asked : int or None
        Embedded producers that were asked for; None if producers are started elsewhere.
    memory_budget : int
        Bytes.
    refused : mapping of str to int
        Messages, by the rule that they broke.
    """

    at_s: float
    report: Report | None = None
    num_images: int = 0
    num_batches: int = 0
    wait_s: float = 0.0
    producers: tuple[ProducerFacts, ...] = ()
    jobs: tuple[JobFacts, ...] = ()
    slots: Mapping[str, int] = field(default_factory=dict)
    events: tuple[Event, ...] = ()
    num_asked: int | None = None
    memory_budget: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
