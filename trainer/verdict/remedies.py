"""What would help: only what can work, with numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from feedline.trainer.console.units import in_bytes
from feedline.trainer.verdict.snapshot import CacheState
from feedline.trainer.verdict.verdict import Bound, Verdict

GAIN = 1.05
"""What gives less than so many times the images is no remedy."""

SLOTS_ENOUGH = 3
"""A producer with fewer slots for a sequence stands still when the trainer is away for a moment."""


class Lever(Enum):
    """What can be changed."""

    MAX_QUEUE_SIZE = "max_queue_size"
    PRODUCERS = "producers"
    JPEG_SCALING = "jpeg_scaling"
    CACHE = "cache"
    DTYPE = "dtype"
    BATCH_SIZE = "batch_size"
    MEMORY_BUDGET = "memory_budget"
    DATA_ROOT = "data_root"


@dataclass(frozen=True, slots=True)
class Remedy:
    """One change that would help.

    Attributes
    ----------
    lever : Lever
        What is changed.
    text : str
        To what, and what that gives; part of a sentence.
    value : int, float, str, bool or None
        What the argument of that name is to be, where there is one.
    """

    lever: Lever
    text: str
    value: int | str | bool | None = None


@dataclass(frozen=True, slots=True)
class Possible:
    """What could be changed about a sequence; nothing, of a pool whose sequences are not known.

    Attributes
    ----------
    jpeg_scaling : bool
        Its files are JPEG, and at least twice as high and wide as its images; and it is off.
    cache : str
        ``"memory"`` or ``"disk"``, if all its decoded samples fit there; else empty.
    cache_bytes : int
        What they take.
    small_dtype : bool
        Its images travel as float32 and could as uint8.
    batch_size : int
        Samples of its batches; 0 if they are somebody else's.
    longer_queue : bool
        It does not find out by itself how many batches should lie ready.
    """

    jpeg_scaling: bool = False
    cache: str = ""
    cache_bytes: int = 0
    small_dtype: bool = False
    batch_size: int = 0
    longer_queue: bool = False


NOTHING = Possible()


def remedies(verdict: Verdict, possible: Possible = NOTHING) -> tuple[Remedy, ...]:
    """What would help, the simplest first; empty if nothing is wrong or nothing is known to help."""
    return (*_longer_queue(verdict, possible), *_FOR.get(verdict.bound, _none)(verdict, possible))


def _none(_: Verdict, __: Possible) -> Iterator[Remedy]:
    return iter(())


def _longer_queue(verdict: Verdict, possible: Possible) -> Iterator[Remedy]:
    """For a trainer that is away for a while, and then takes more than lies ready."""
    short_s, seconds = verdict.snapshot.short_s, verdict.snapshot.seconds
    if possible.longer_queue and seconds >= GAIN * (seconds - short_s):
        text = f"max_queue_size='auto' ({short_s:.1f} s: producers had stood still before, with full queues)"
        yield Remedy(Lever.MAX_QUEUE_SIZE, text, "auto")


def _for_decode(verdict: Verdict, possible: Possible) -> Iterator[Remedy]:
    yield from _producers(verdict)
    if possible.jpeg_scaling:
        yield Remedy(Lever.JPEG_SCALING, "jpeg_scaling=True", value=True)
    yield from _cache(verdict, possible)


def _for_read(verdict: Verdict, possible: Possible) -> Iterator[Remedy]:
    yield from _producers(verdict)
    yield from _cache(verdict, possible)


def _for_transform(verdict: Verdict, _: Possible) -> Iterator[Remedy]:
    yield from _producers(verdict)


def _for_network(_: Verdict, possible: Possible) -> Iterator[Remedy]:
    if possible.small_dtype:
        text = "dtype='uint8', a quarter of the bytes, with a Rescaling in the model"
        yield Remedy(Lever.DTYPE, text, "uint8")
    yield Remedy(Lever.PRODUCERS, "producers on the trainer's own machine, or a faster line")


def _for_hand_over(verdict: Verdict, possible: Possible) -> Iterator[Remedy]:
    snapshot = verdict.snapshot
    wanted = SLOTS_ENOUGH * snapshot.num_able * snapshot.slot_bytes
    if snapshot.memory_budget and wanted > snapshot.memory_budget:
        text = f"memory_budget={wanted:,} instead of {snapshot.memory_budget:,} bytes"
        yield Remedy(Lever.MEMORY_BUDGET, text, wanted)
    elif verdict.lacks_room:
        return
    elif possible.batch_size:
        size = 2 * possible.batch_size
        text = f"batch_size={size} or more instead of {possible.batch_size}"
        yield Remedy(Lever.BATCH_SIZE, text, size)
    else:
        yield Remedy(Lever.BATCH_SIZE, "larger batches")


def _for_starved(verdict: Verdict, _: Possible) -> Iterator[Remedy]:
    if verdict.snapshot.producers:
        yield Remedy(Lever.DATA_ROOT, "start producers whose --data-root has the files; the log names those")
    elif not verdict.snapshot.embedded:
        yield Remedy(Lever.PRODUCERS, "start a producer: feedline-producer --connect ... --data-root DIR")


def _producers(verdict: Verdict) -> Iterator[Remedy]:
    """So many as are wanted, or as there are cores: embedded ones share those."""
    snapshot, now = verdict.snapshot, verdict.snapshot.num_able
    cores = snapshot.cores if snapshot.embedded else None
    wanted = verdict.num_wanted
    if wanted is not None and now < wanted <= (cores or wanted):
        yield Remedy(Lever.PRODUCERS, f"{_producers_text(wanted)} instead of {now} would do", wanted)
        return
    num = cores or now + 1
    forecast = verdict.with_producers(num) if num > now else None
    if forecast is None or forecast.images_per_s < GAIN * snapshot.images_per_s:
        return
    yield Remedy(
        Lever.PRODUCERS,
        f"{_producers_text(num)} instead of {now} would give up to {forecast.images_per_s:,.0f} images/s",
        num,
    )


def _producers_text(num: int) -> str:
    return f"{num} producer{'s' * (num != 1)}"


def _cache(verdict: Verdict, possible: Possible) -> Iterator[Remedy]:
    if possible.cache and verdict.snapshot.cache is CacheState.NONE:
        text = f"cache={possible.cache!r} ({in_bytes(possible.cache_bytes)}, fits)"
        yield Remedy(Lever.CACHE, text, possible.cache)


_FOR = {
    Bound.DECODE: _for_decode,
    Bound.TRANSFORM: _for_transform,
    Bound.READ: _for_read,
    Bound.NETWORK: _for_network,
    Bound.HAND_OVER: _for_hand_over,
    Bound.STARVED: _for_starved,
}

CAN_BE_HELPED = frozenset(_FOR)
"""The bounds that there are remedies for."""
