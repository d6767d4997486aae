"""What the bench reads of processes."""

from __future__ import annotations

import os
import secrets

from feedline.common.memory.arena import Arena, arena_name
from feedline.trainer.bench.processes import memory_mb

MB = 1_000_000


def test_slots_are_told_from_a_processes_own_memory() -> None:
    before = memory_mb(os.getpid())
    arena = Arena(arena_name(secrets.token_bytes(8), secrets.token_bytes(8), 1), 20 * MB, 1)
    slot = arena.slot(0)
    assert slot is not None
    slot[:] = 1
    after = memory_mb(os.getpid())
    arena.unlink()
    gone = memory_mb(os.getpid())
    del slot
    assert after["slots"] - before["slots"] >= 20
    assert gone["slots"] - before["slots"] >= 20
    assert after["private"] - before["private"] < 20
