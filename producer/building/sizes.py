"""Ticket -> batch, of a job whose batches have one of several sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from feedline.common.job.images import Job
from feedline.common.job.sizes import SizesJob
from feedline.common.sample.image import Size
from feedline.common.wire.protocol import Ticket
from feedline.producer.building.batches import BatchBuilder
from feedline.producer.building.slots import OwnSlots


class SizesBuilder:
    """Hands each ticket to the builder of its size, all of which write into the same slots.

    Parameters
    ----------
    job : SizesJob
        What to build.
    builder_of : callable
        Makes the builder of a job of one size, when the first ticket of that size comes.
    """

    def __init__(self, job: SizesJob, builder_of: Callable[[Job], BatchBuilder]) -> None:
        self._job = job
        self._builder_of = builder_of
        self._builders: dict[Size, BatchBuilder] = {}
        self._slots = OwnSlots(job.slot_bytes)

    def build(
        self,
        ticket: Ticket,
        is_cancelled: Callable[[], bool],
        memory: npt.NDArray[np.uint8] | None = None,
    ) -> npt.NDArray[np.uint8]:
        """See `BatchBuilder.build`."""
        size = self._job.size_of(ticket.epoch, ticket.step)
        if size not in self._builders:
            self._builders[size] = self._builder_of(self._job.of_size(size))
        slot = self._slots[ticket.slot] if memory is None else memory
        return self._builders[size].build(ticket, is_cancelled, slot)

    def forget(self, slots: Sequence[int]) -> None:
        """See `TicketBuilder`."""
        self._slots.forget(slots)

    def close(self) -> None:
        """See `BatchBuilder.close`."""
        for builder in self._builders.values():
            builder.close()
