"""A sequence as the pool sees it: the job its producers are told, and the tickets for its steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from common.batch import BatchLayout
from common.errors import ConfigurationError
from common.job_kinds import AnyJob
from common.protocol import Sample, Ticket
from trainer.plan import EpochPlan, StepKey
from trainer.slots import SlotNeed


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
        One array for each `Job.targets`, of shape (rows, ...) and its dtype; other jobs have none.
    max_slots : int
        Slots of one producer at most.
    """

    name: str
    job: AnyJob
    plan: EpochPlan
    paths: Sequence[str]
    targets: tuple[npt.NDArray[Any], ...]
    max_slots: int
    _layouts: dict[int, BatchLayout] = field(default_factory=dict, init=False, compare=False)

    @property
    def need(self) -> SlotNeed:
        """What the job wants of every producer."""
        return SlotNeed(self.job.slot_bytes, self.max_slots)

    def layout(self, key: StepKey) -> BatchLayout:
        """Where the arrays of a step lie."""
        size = self.plan.batch_size_of(key.step)
        if size not in self._layouts:
            self._layouts[size] = self.job.layout(size)
        return self._layouts[size]

    def samples_of(self, key: StepKey) -> list[str]:
        """The files of a step."""
        return [self.paths[row] for row in self.plan.rows(*key)]

    def ticket(self, lease_id: int, key: StepKey, slot: int) -> Ticket:
        """Order a step into a slot."""
        rows = self.plan.rows(*key)
        samples = tuple(Sample((self.paths[row],), row) for row in rows.tolist())
        targets = tuple(np.ascontiguousarray(values[rows]) for values in self.targets)
        return Ticket(self.job.job_id, key.epoch, key.step, lease_id, slot, samples, targets)


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
        return [path if path.startswith("/") else f"{base}/{path}" for path in paths]
    return [_relative(path, directory) for path in paths]


def _relative(path: str, directory: str | None) -> str:
    if not path.startswith("/"):
        return path
    try:
        return str(PurePosixPath(path).relative_to(directory or ""))
    except ValueError:
        raise ConfigurationError(
            f"producers elsewhere look files up under their own --data-root, so paths must be relative to"
            f" the dataset's directory ({directory!r}); got {path!r}"
        ) from None
