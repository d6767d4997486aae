"""What a trainer may say. A producer believes a trainer no more than a trainer believes it.

A ticket that does not fit its job fails in words, as one whose file is missing does. What no trainer says at
all raises RemoteProtocolError, and the producer turns away: it forgets all that it was told, and waits a
while before it says hello again to whoever is there then.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from feedline.common.errors import RemoteProtocolError
from feedline.common.job.images import Job
from feedline.common.job.kinds import AnyJob
from feedline.common.job.sequences import SequenceJob
from feedline.common.job.sizes import SizesJob
from feedline.common.wire.protocol import ID_BYTES, OpenJob, Session, Ticket

MAX_JOBS = 512
"""A trainer tells of no more at a time; it has closed those that it told of before."""

MAX_SLOTS = 1 << 14
"""... and gives a producer no more slots for each."""

MAX_TASKS = 1 << 10
"""... nor so many tickets that are not answered: it keeps a handful ahead."""

MIN_SLOTS = 2
"""A job needs room for so many batches."""

MAX_NUMBER = 1 << 62
"""Of jobs, leases, epochs and steps: what any language has whole numbers for."""


def memory_bytes() -> int:
    """What this machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def check_welcome(ids: Session) -> None:
    """Raise RemoteProtocolError if a welcome has no session to be welcomed to."""
    if len(ids.pool_id) != ID_BYTES:
        raise RemoteProtocolError(f"a welcome comes with the {ID_BYTES} bytes of a pool's id")


def number_of_job(message: OpenJob, num_known: int) -> int:
    """The number of a job that is told; RemoteProtocolError if no trainer tells of such a one."""
    job_id = message.job.get("job_id")
    if type(job_id) is not int or not 0 <= job_id <= MAX_NUMBER:
        raise RemoteProtocolError(f"a job has a job_id, a whole number, got {job_id!r:.80}")
    if num_known >= MAX_JOBS:
        raise RemoteProtocolError(f"a trainer tells of up to {MAX_JOBS} jobs at a time")
    if not 1 <= message.num_slots <= MAX_SLOTS:
        raise RemoteProtocolError(f"a job has up to {MAX_SLOTS} slots, got {message.num_slots}")
    return job_id


def why_too_large(job: AnyJob, limit_bytes: int) -> str:
    """Why batches of a job cannot be built here; empty if they can."""
    least = MIN_SLOTS * job.slot_bytes
    if least <= limit_bytes:
        return ""
    return (
        f"{MIN_SLOTS} batches of {job.slot_bytes:,} bytes are more than the {limit_bytes:,} bytes of memory"
        " that the producer's machine has: use smaller batches or images"
    )


def check_ticket(ticket: Ticket, leases: Iterable[int], num_tasks: int) -> None:
    """Raise RemoteProtocolError for a ticket that no trainer gives, whatever its job."""
    if num_tasks >= MAX_TASKS:
        raise RemoteProtocolError(f"a trainer waits for answers when {MAX_TASKS} tickets have none")
    if ticket.lease_id in leases:
        raise RemoteProtocolError(f"lease {ticket.lease_id} was given twice")
    if max(ticket.epoch, ticket.step, ticket.lease_id) > MAX_NUMBER:
        raise RemoteProtocolError("a ticket's epoch, step and lease are numbers of 62 bits")


def fault_of(ticket: Ticket, job: AnyJob, limit_bytes: int) -> str:
    """In what a ticket does not fit its job, or this machine; empty if it does.

    Slots that a consumer keeps are replaced by others, so there may be more than the job began with; for
    those that lie in no shared memory there is some of the producer's own.
    """
    if ticket.slot >= MAX_SLOTS or ticket.slot * job.slot_bytes >= limit_bytes:
        return f"slot {ticket.slot}, of {job.slot_bytes:,} bytes each, in {limit_bytes:,} bytes of memory"
    match job:
        case Job():
            return _fault_of_images(ticket, job)
        case SizesJob():
            return _fault_of_images(ticket, job.job)
        case _:
            return _fault_of_call(ticket, job)


def _fault_of_images(ticket: Ticket, job: Job) -> str:
    num_samples = len(ticket.samples)
    most = job.batch_size * job.num_sources
    if not 1 <= num_samples <= most or num_samples % job.num_sources:
        return f"{num_samples} samples for a job of {job.batch_size} times {job.num_sources} at most"
    has_files = [bool(sample.paths) for sample in ticket.samples]
    if any(
        len(set(has_files[at : at + job.num_sources])) > 1 for at in range(0, num_samples, job.num_sources)
    ):
        return "a sample without a file among others that it is mixed with"
    parts = job.parted(ticket.targets)
    expected = len(job.targets) + len(parts.boxes) + sum(map(len, parts.regions.values()))
    if expected != len(ticket.targets) or len(parts.boxes) != (0 if job.boxes is None else 2):
        return f"{len(ticket.targets)} buffers of targets"
    if any(len(two) != 2 for two in parts.regions.values()):
        return f"{len(ticket.targets)} buffers of targets"
    for spec, buffer in zip(job.targets, parts.targets, strict=False):
        got, wanted = memoryview(buffer).nbytes, spec.sample_bytes * num_samples
        if got != wanted:
            return f"{got} bytes of {spec.name!r} instead of {wanted}"
    return "" if len(parts.targets) == len(job.targets) else f"{len(ticket.targets)} buffers of targets"


def _fault_of_call(ticket: Ticket, job: AnyJob) -> str:
    """A batch of somebody's Sequence is named by one sample, whose row is its index."""
    if len(ticket.samples) != 1 or ticket.targets:
        return f"{len(ticket.samples)} samples and {len(ticket.targets)} buffers for one batch of a Sequence"
    if not ticket.samples[0].paths:
        return "a batch without a name"
    row = ticket.samples[0].row
    if isinstance(job, SequenceJob) and row >= job.num_steps:
        return f"batch {row} of a Sequence of {job.num_steps}"
    return ""
