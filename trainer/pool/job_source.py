"""A sequence as the pool sees it: the job its producers are told, and the tickets for its steps."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from feedline.common.batch.layout import BatchLayout
from feedline.common.errors import ConfigurationError
from feedline.common.job.kinds import AnyJob
from feedline.common.job.sizes import SizesJob
from feedline.common.memory.arena import whole_pages
from feedline.common.sample import boxes, regions
from feedline.common.sample.boxes import Boxes
from feedline.common.sample.image import Size
from feedline.common.sample.regions import Regions
from feedline.common.wire.names import printable, to_wire
from feedline.common.wire.protocol import Sample, Ticket, as_sample
from feedline.trainer.datasets.stacks import Stacks
from feedline.trainer.dispatch.bad_samples import BadSamples
from feedline.trainer.dispatch.slots import SlotNeed
from feedline.trainer.plan.epochs import EpochPlan, StepKey
from feedline.trainer.plan.lineups import Lineup, Lineups


def _report_nothing() -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True)
class JobSource:
    """Everything a ticket of one job is made of.

    Attributes
    ----------
    name : str
        For log lines and errors.
    job : AnyJob
        What producers are told.
    plan : EpochPlan
        Which rows form which step.
    paths : sequence of str
        One file for each row, as the producers know it: see `ticket_paths`. Of a Sequence's batches, which
        are no files, what they are called in errors.
    targets : tuple of ndarray
        One array for each `Job.targets`, of shape (rows, ...) and its dtype.
    max_slots : int
        Slots of one producer at most.
    first_slots : int or None
        How many it begins with, if it gets more only where that helps.
    further_paths : tuple of sequence of str
        As `paths`, for each of `Job.companions` that lies in files.
    boxes : sequence of ndarray or None
        One for each row, see `feedline.common.sample.boxes`; there if `Job.boxes` is.
    stacks : Stacks or None
        The files of each row where it has several, as the producers know them.
    regions : tuple of sequence of ndarray
        One for each row, for each of `Job.companions` that is drawn.
    usual_s : float or None
        What a producer takes for one batch, in seconds, if that was found out.
    prefetches : bool
        Whether batches are wanted that nobody has asked for.
    weights_at : int or None
        Which of `targets` are the weights of the samples.
    bad : BadSamples
        Which samples are bad, and what comes in their place.
    report : callable
        Told, in the pool's thread, that `bad.found` is another.
    """

    name: str
    job: AnyJob
    plan: EpochPlan
    paths: Sequence[str]
    targets: tuple[npt.NDArray[Any], ...]
    max_slots: int
    further_paths: tuple[Sequence[str], ...] = ()
    boxes: Sequence[Boxes] | None = None
    stacks: Stacks | None = None
    regions: tuple[Sequence[Regions], ...] = ()
    usual_s: float | None = None
    prefetches: bool = True
    first_slots: int | None = None
    weights_at: int | None = None
    bad: BadSamples = None  # type: ignore[assignment]  # made of the plan where it is not given
    report: Callable[[], None] = _report_nothing
    _layouts: dict[tuple[int, Size | None], BatchLayout] = field(
        default_factory=dict, init=False, compare=False
    )

    def __post_init__(self) -> None:
        """Without a policy for bad samples, there is none that is known."""
        if self.bad is None:
            object.__setattr__(self, "bad", BadSamples(Lineups(self.plan, self.job.num_sources)))

    @property
    def need(self) -> SlotNeed:
        """What the job wants of every producer: memory comes in whole pages."""
        return SlotNeed(whole_pages(self.job.slot_bytes), self.max_slots)

    def anew(self, job_id: int, max_slots: int, first_slots: int | None) -> JobSource:
        """The same under another number, with other slots."""
        job = self.job.renumbered(job_id)
        return replace(self, job=job, max_slots=max_slots, first_slots=first_slots)

    def layout(self, key: StepKey, num_samples: int) -> BatchLayout:
        """Where the arrays of a step lie, of so many samples."""
        size = self.job.size_of(*key) if isinstance(self.job, SizesJob) else None
        if (num_samples, size) not in self._layouts:
            job = self.job.of_step(*key) if isinstance(self.job, SizesJob) else self.job
            self._layouts[num_samples, size] = job.layout(num_samples)
        return self._layouts[num_samples, size]

    def samples_of(self, key: StepKey) -> list[str]:
        """The files of a step, for errors: so a plan that fails, by a sampler of somebody's, has none."""
        try:
            rows = self.plan.rows(*key.planned)
        except Exception as error:  # noqa: BLE001 - whatever it is, the error that this was for comes first
            return [f"(no files are known, for its plan fails: {type(error).__name__}: {error})"]
        return [printable(self.paths[row]) for row in rows]

    def lineup(self, key: StepKey) -> Lineup:
        """The samples of a step, by all that is known of bad ones."""
        return self.bad.lineups.of(key)

    def ticket(
        self, lease_id: int, key: StepKey, slot: int, lineup: Lineup | None = None, *, careful: bool = False
    ) -> Ticket:
        """Order a step, with the samples of a lineup, into a slot."""
        lineup = self.lineup(key) if lineup is None else lineup
        rows = lineup.rows
        listed = rows.tolist()
        # Thousands are made in a second, so what goes through the samples one by one are C's loops.
        columns = self._files(listed), listed, lineup.occurrences.tolist()
        samples = tuple(map(as_sample, zip(*columns, strict=True)))
        buffers = [np.ascontiguousarray(values[rows]) for values in self.targets]
        own_boxes = None if self.boxes is None else [self.boxes[row] for row in listed]
        if lineup.has_blank:
            samples = self._blank(np.repeat(lineup.is_blank, lineup.num_sources), samples, buffers, own_boxes)
        if own_boxes is not None:
            buffers += boxes.pack(own_boxes)
        for drawn in self.regions:
            buffers += regions.pack([drawn[row] for row in listed])
        return Ticket(self.job.job_id, key.epoch, key.step, lease_id, slot, samples, tuple(buffers), careful)

    def _blank(
        self,
        is_blank: npt.NDArray[np.bool_],
        samples: Sequence[Sample],
        targets: list[npt.NDArray[Any]],
        own_boxes: list[Boxes] | None,
    ) -> tuple[Sample, ...]:
        """Leave the places of bad samples empty: they have labels, but no pixels, boxes and weight."""
        if self.weights_at is not None:
            targets[self.weights_at][is_blank] = 0
        blank = set(np.flatnonzero(is_blank).tolist())
        if own_boxes is not None:
            own_boxes[:] = [one[:0] if place in blank else one for place, one in enumerate(own_boxes)]
        return tuple(one._replace(paths=()) if place in blank else one for place, one in enumerate(samples))

    def _files(self, rows: Sequence[int]) -> Iterable[tuple[str, ...]]:
        """The files of each row: its own, then those of its companions."""
        further = [map(paths.__getitem__, rows) for paths in self.further_paths]
        if self.stacks is None:
            return zip(map(self.paths.__getitem__, rows), *further, strict=True)
        return (self.stacks[row] + tuple(others) for row, *others in zip(rows, *further, strict=True))


def ticket_paths(paths: Sequence[str], directory: str | None, *, embedded: bool) -> Sequence[str]:
    """The paths of a dataset as its producers are to read them.

    Embedded producers are the same user on the same machine: they get absolute paths. Others look
    up paths relative to the dataset's directory under their own data roots.

    Parameters
    ----------
    paths : sequence of str
        Relative to `directory`, or to the current one if that is None; or absolute.
    directory : str or None
        The dataset's.
    embedded : bool
        Whose tickets they are for.

    Raises
    ------
    ConfigurationError
        A path that is for others lies outside `directory`.
    """
    if embedded:
        base = str(Path(directory or ".").absolute()).rstrip("/")
        return to_wire(path if path.startswith("/") else f"{base}/{path}" for path in paths)
    below = [_relative(path, directory) for path in paths]
    outside = next((path for path in below if path.startswith("/") or _climbs(path)), None)
    if outside is not None:
        _refuse_outside(outside, paths, directory)
    return to_wire(below)


def _relative(path: str, directory: str | None) -> str:
    """The path below `directory`, or as it is if it lies elsewhere."""
    if not path.startswith("/") or directory is None:
        return path
    return path.removeprefix(f"{directory.rstrip('/')}/")


def _climbs(path: str) -> bool:
    """Whether it goes up anywhere; where that leads depends on links that only a producer sees."""
    return ".." in path and ".." in path.split("/")


def _refuse_outside(path: str, paths: Sequence[str], directory: str | None) -> NoReturn:
    folders = (Path(directory or "", one).parent.absolute() for one in paths)
    common = os.path.commonpath([os.path.normpath(folder) for folder in folders])
    remedy = "move or link the files below one folder"
    if common != "/":
        remedy = f"name all files from directory={common!r} on, below which they lie"
    raise ConfigurationError(
        "producers elsewhere look files up under their own --data-root, so paths must be relative to the"
        f" dataset's directory ({directory!r}), without '..'; got {path!r}: {remedy}"
    )
