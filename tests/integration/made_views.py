"""Views of pools that are larger than a test can run: made up, and shown by the real server."""

from __future__ import annotations

import math
import time
from typing import Any

import cv2
import numpy as np

from feedline.trainer.monitor.reply import Reply

BAD: list[dict[str, Any]] = [
    {
        "path": "train/stage_2/ID_04cf.png",
        "reason": "not a whole image: the file ends before the image does",
        "producer": "node3/7",
        "job": 1,
        "number": 1,
        "epoch": 0,
        "step": 311,
    },
    {
        "path": "train/stage_2/ID_99a1.png",
        "reason": "there is no such file under a data root",
        "producer": "node1/2",
        "job": 1,
        "number": 0,
        "epoch": 0,
        "step": 12,
    },
]

EVENTS: list[dict[str, Any]] = [
    {
        "ago_s": 2.0,
        "kind": "note",
        "text": "producer node3/7 (reading train/0017.png for 31 s) has not answered for 31 s: batch"
        " 88 of epoch 2 goes to another",
    },
    {"ago_s": 75.0, "kind": "joined", "text": "producer node5/9 joined (process 4711 on node5)"},
    {"ago_s": 81.0, "kind": "died", "text": "producer node5/8 left: its connection was cut"},
    {
        "ago_s": 400.0,
        "kind": "scaled",
        "text": "50 embedded producers are wanted instead of 40",
    },
]


def crowded_view(num_producers: int, num_jobs: int, since_s: float) -> dict[str, Any]:
    """One with so many producers and jobs, of which some are in trouble."""
    now = time.monotonic()
    producers = [_producer(nth) for nth in range(num_producers)]
    history = [
        [at, 4200 + 300 * math.sin(at / 20), 5100 if at > now - 400 else 4400]
        for at in (now - nth for nth in range(599, -1, -1))
        if at > since_s
    ]
    return {
        "pool": "made up",
        "at_s": now,
        "verdict": {
            "bound": "decode-bound",
            "sentence": "the trainer waits 24 % of its time; decoding is why; 62 producers instead of 50"
            " would do, or jpeg_scaling=True, or cache='memory' (3.1 GB, fits)",
            "is_bad": True,
            "text": "decode-bound",
        },
        "rates": {"made": 4214.0, "wanted": 5100.0, "wait_share": 0.24},
        "history": history,
        "step_ms": {
            "read": 0.9,
            "decode": 31.2,
            "transform": 6.1,
            "on the way": 2.4,
            "hand-over": 0.3,
            "step": 6.2,
        },
        "slots": {"free": 12, "leased": 98, "ready": 31, "held": 9, "quarantined": 1},
        "jobs": [_job(nth) for nth in range(num_jobs)],
        "producers": producers,
        "num_asked": num_producers,
        "num_wanted": 62,
        "num_bad": 2,
        "bad": BAD,
        "events": EVENTS,
        "totals": {"images": 1_204_000, "batches": 37_625, "wait_s": 61.0},
        "memory_budget": 1 << 30,
        "refused": {},
        "can_scale": True,
    }


def cut_off() -> bytes:
    """A picture whose lower part is missing, as PNG."""
    picture = np.full((96, 128, 3), (215, 170, 110), np.uint8)
    cv2.circle(picture, (96, 20), 10, (120, 220, 250), -1)
    cv2.circle(picture, (40, 120), 84, (70, 120, 60), -1)
    picture[64:] = 128
    return bytes(cv2.imencode(".png", picture)[1])


def _producer(nth: int) -> dict[str, Any]:
    is_slow = nth == 37
    return {
        "name": f"node{nth // 10 + 1}/{nth % 10}",
        "host": f"node{nth // 10 + 1}",
        "pid": 4000 + nth,
        "images_per_s": 22.4 if is_slow else 84.0 + nth % 7,
        "busy_share": 0.99 if is_slow else 0.93 + nth % 5 / 100,
        "in_flight": 2,
        "doing": "reading train/0017.png for 31 s" if is_slow else "",
        "is_able": nth != 12,
        "is_straggler": is_slow,
        "failures": 21 if nth == 12 else 0,
        "last_error": "train/0017.png: there is no such file under a data root" if nth == 12 else "",
        "memory_bytes": 71_000_000 + 100_000 * nth,
        "batches": 752,
        "frame_bytes": 0,
        "stage_s": {"idle": 3.0, "read": 0.7, "decode": 23.5, "transform": 4.6},
    }


def _job(nth: int) -> dict[str, Any]:
    return {
        "job": nth + 1,
        "name": f"sequence {nth + 1} ({1000 * (nth + 1):,} batches of 32)".replace(",", ""),
        "epoch": 2 * nth,
        "step": 311,
        "num_steps": 1000 * (nth + 1),
        "steps_per_s": 43.9,
        "eta_s": 17.0 + 400 * nth,
        "ready": 11,
        "in_work": 30,
        "waited_for": 1,
        "is_resting": nth == 2,
        "num_bad": 2 if nth == 0 else 0,
    }


class CrowdedSource:
    """Shows a made-up view, as the source of a real server."""

    def view(self, since_s: float, _authorization: str) -> Reply:
        """See `Source`."""
        return Reply.json(crowded_view(50, 3, since_s))

    def picture(self, _job_id: int, _authorization: str) -> Reply:
        """See `Source`."""
        return Reply(204, "image/png", b"")

    def bad(self, _job_id: int, number: int, _authorization: str) -> Reply:
        """See `Source`."""
        return Reply(200, "image/png", cut_off()) if number else Reply(204, "image/png", b"")

    def metrics(self, _authorization: str) -> Reply:
        """See `Source`."""
        return Reply(200, "text/plain", b"")

    def scale(self, _body: bytes, _authorization: str) -> Reply:
        """See `Source`."""
        return Reply.json({"ok": True})

    def review(self) -> None:
        """See `Source`."""

    def close(self) -> None:
        """See `Source`."""
