"""One contender in a process of its own: reads orders, one JSON object a line, and answers.

``{"do": "measure", "seconds": 2, "step_s": 0}``, ``{"do": "plain", "num": 16, "to": "x.npy"}``, ``{"do":
"settle"}``; the end of input ends it. Run as ``python -P -m feedline.trainer.bench.child NAME CASE``.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import IO, Any

import numpy as np

from feedline.trainer.bench.case import Case
from feedline.trainer.bench.contenders import make
from feedline.trainer.bench.contenders.base import Contender
from feedline.trainer.bench.processes import sleep_exactly, wait_until_quiet
from feedline.trainer.console.quiet import quiet_import

SETTLE_S = 4.0


def main(name: str, case: Case) -> None:
    """Make the contender, then do as told until the orders end."""
    # Libraries print what they like: answers have a way of their own.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sleep_exactly()
    began = time.perf_counter()
    try:
        with quiet_import():
            contender = make(name, case)
    except Exception:  # noqa: BLE001 - it goes to whoever started this process
        _say(answers, {"error": traceback.format_exc()})
        return
    _say(answers, {"versions": contender.versions(), "open_s": time.perf_counter() - began})
    try:
        for line in sys.stdin:
            _say(answers, _obeyed(contender, json.loads(line)))
    finally:
        contender.close()


def _obeyed(contender: Contender, order: dict[str, Any]) -> dict[str, Any]:
    orders: dict[str, Callable[[], dict[str, Any]]] = {
        "measure": lambda: contender.measure(order["seconds"], order["step_s"]).to_json(),
        "plain": lambda: _save_plain(contender, order["num"], order["to"]),
        "settle": _settle,
    }
    try:
        return orders[order["do"]]()
    except Exception:  # noqa: BLE001 - it goes to whoever gave the order
        return {"error": traceback.format_exc()}


def _save_plain(contender: Contender, num: int, path: str) -> dict[str, Any]:
    np.save(path, contender.plain(num))
    return {}


def _settle() -> dict[str, Any]:
    wait_until_quiet(SETTLE_S)
    return {}


def _say(answers: IO[str], answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


if __name__ == "__main__":
    main(sys.argv[1], Case.from_json(sys.argv[2]))
