"""The arenas that producers offered and this trainer has mapped. Used by the pool's thread alone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence

from feedline.common.errors import RemoteProtocolError
from feedline.common.memory.arena import ArenaView
from feedline.common.processes.children import keep_memory
from feedline.common.wire.protocol import ArenaOffer, Buffer
from feedline.trainer.dispatch.slots import Owner, SlotId
from feedline.trainer.pool.handover.delivery import Frame, Payload, SharedSlot

logger = logging.getLogger(__name__)


class Arenas:
    """By producer and job.

    Parameters
    ----------
    share_memory : bool
        False declines all offers: batches travel as frames.
    """

    def __init__(self, *, share_memory: bool) -> None:
        self._share_memory = share_memory
        self._views: dict[Owner, ArenaView] = {}
        self._retired: dict[Owner, ArenaView] = {}

    def attach(self, producer_id: bytes, offer: ArenaOffer) -> bool:
        """Map an arena; whether it is memory that both sides see."""
        if not self._share_memory:
            return False
        try:
            view = ArenaView(offer.name, offer.nonce, offer.slot_bytes, offer.num_slots)
        except (OSError, RemoteProtocolError) as error:
            logger.info(f"no shared memory with a producer ({error}): batches come as frames")
            return False
        self._views[producer_id, offer.job_id] = view
        return True

    def has(self, producer_id: bytes, job_id: int) -> bool:
        """Whether memory is shared with a producer for a job."""
        return (producer_id, job_id) in self._views

    def has_whole(self, producer_id: bytes, job_id: int) -> bool:
        """Whether memory is shared with a producer for a job, and is as long as it was."""
        view = self._views.get((producer_id, job_id))
        return view is not None and view.is_whole

    def payload(self, slot: SlotId, frame: Buffer | None) -> Payload:
        """Where the bytes of a batch that came are: in its frame, or in its shared slot."""
        if frame is None:
            return SharedSlot(self._views[slot.owner], slot.index)
        # ZeroMQ makes new memory for each: that its pages have to be mapped takes half as long as its bytes.
        keep_memory()
        return Frame(frame)

    def give_back(self, owner: Owner, indices: Sequence[int]) -> None:
        """Slots are gone: their memory goes back to the system."""
        view = self._views.get(owner) or self._retired.get(owner)
        if view is not None:
            view.give_back(indices)

    def drop_producer(self, producer_id: bytes) -> None:
        """A producer is gone; memory that is still read stays mapped."""
        self._retire(owner for owner in self._views if owner[0] == producer_id)

    def drop_job(self, job_id: int) -> None:
        """A job was closed; memory that is still read stays mapped."""
        self._retire(owner for owner in self._views if owner[1] == job_id)

    def let_go(self, has_slots: Callable[[Owner], bool]) -> None:
        """Forget those that were retired, once all of their slots were given back."""
        self._retired = {owner: view for owner, view in self._retired.items() if has_slots(owner)}

    def close(self) -> None:
        """The pool is closed; memory that is still read stays mapped."""
        self._views, self._retired = {}, {}

    def _retire(self, owners: Iterable[Owner]) -> None:
        for owner in list(owners):
            self._retired[owner] = self._views.pop(owner)
