"""Which builder makes the batches of which kind of job."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from feedline.common.job.images import Job
from feedline.common.job.kinds import AnyJob
from feedline.common.job.sequences import SequenceJob, SurveyJob
from feedline.common.job.sizes import SizesJob
from feedline.common.wire.protocol import Ticket
from feedline.producer.building.batches import BatchBuilder
from feedline.producer.building.sequences import SequenceBuilder, Surveyor
from feedline.producer.building.sizes import SizesBuilder
from feedline.producer.building.stage_clock import StageClock
from feedline.producer.cache.folder import CacheSettings
from feedline.producer.plugins import Plugins
from feedline.producer.reading.roots import DataRoots


class TicketBuilder(Protocol):
    """Builds the batches of one job, in the thread of the producer that does nothing else."""

    def build(
        self,
        ticket: Ticket,
        is_cancelled: Callable[[], bool],
        memory: npt.NDArray[np.uint8] | None = None,
    ) -> npt.NDArray[np.uint8]:
        """Build the batch of a ticket into `memory`, or into memory of its own; see `BatchBuilder.build`."""

    def forget(self, slots: Sequence[int]) -> None:
        """Let memory of its own go that is for these slots. Called by the talking thread."""

    def close(self) -> None:
        """Give back whatever others could miss."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """What builders work with.

    Attributes
    ----------
    roots : DataRoots
        Where files may lie.
    cache : CacheSettings
        Where and how much caches may be.
    plugins : Plugins
        Which modules of its users a producer may import.
    clock : StageClock
        Told what the time goes into.
    """

    roots: DataRoots
    cache: CacheSettings
    plugins: Plugins
    clock: StageClock = field(default_factory=StageClock)

    def builder_of(self, job: AnyJob) -> TicketBuilder:
        """Make the builder of a job."""
        return BUILDERS[type(job)](job, self)


def _of_images(job: Job, shop: Workshop) -> BatchBuilder:
    return BatchBuilder(job, shop.roots, shop.cache, shop.clock, shop.plugins)


BUILDERS: dict[type, Callable[[Any, Workshop], TicketBuilder]] = {
    Job: _of_images,
    SizesJob: lambda job, shop: SizesBuilder(job, lambda one: _of_images(one, shop)),
    SurveyJob: lambda job, shop: Surveyor(job, shop.plugins, shop.clock),
    SequenceJob: lambda job, shop: SequenceBuilder(job, shop.plugins, shop.clock),
}
"""For each of `feedline.common.job.kinds.JOB_KINDS`."""
