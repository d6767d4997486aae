"""Which builder makes the batches of which kind of job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from common.job import Job
from common.job_kinds import AnyJob
from common.protocol import Ticket
from common.sequence_job import SequenceJob, SurveyJob
from common.sizes import SizesJob
from producer.build import BatchBuilder
from producer.cache_folder import CacheSettings
from producer.clock import StageClock
from producer.plugins import Plugins
from producer.roots import DataRoots
from producer.sequence import SequenceBuilder, Surveyor
from producer.sizes import SizesBuilder


class TicketBuilder(Protocol):
    """Builds the batches of one job, in the thread of the producer that does nothing else."""

    def build(
        self,
        ticket: Ticket,
        is_cancelled: Callable[[], bool],
        memory: npt.NDArray[np.uint8] | None = None,
    ) -> npt.NDArray[np.uint8]:
        """Build the batch of a ticket into `memory`, or into memory of its own; see `BatchBuilder.build`."""

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
"""For each of `common.job_kinds.JOB_KINDS`."""
