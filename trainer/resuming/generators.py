"""The generators of random numbers that are the process's: Python's, NumPy's, and torch's where it is used.

Layers with seeds of their own are no concern of these: their seeds are variables of the model. But on torch
`keras.layers.Dropout` draws from the process's.
"""

from __future__ import annotations

import random
import sys
from typing import Any

import numpy as np

from feedline.trainer.resuming.variables import Arrays


def drawn_so_far() -> tuple[dict[str, Any], Arrays]:
    """Where they stand, as plain values and as arrays."""
    name, words, *rest = np.random.get_state(legacy=True)  # noqa: NPY002 - that of others' code
    plain = {"python": random.getstate(), "numpy": [name, np.asarray(words).tolist(), *rest]}
    return plain, _of_torch()


def draw_on(plain: dict[str, Any], arrays: Arrays) -> None:
    """Have them go on where they stood."""
    version, words, gauss = plain["python"]
    random.setstate((version, tuple(words), gauss))
    name, numbers, *rest = plain["numpy"]
    np.random.set_state((name, np.array(numbers, np.uint32), *rest))  # noqa: NPY002 - as above
    torch = sys.modules.get("torch")
    if torch is not None and "torch" in arrays:
        torch.set_rng_state(torch.from_numpy(arrays["torch"].copy()))
        for device in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
            if f"torch/{device}" in arrays:
                torch.cuda.set_rng_state(torch.from_numpy(arrays[f"torch/{device}"].copy()), device)


def _of_torch() -> Arrays:
    torch = sys.modules.get("torch")
    if torch is None:
        return {}
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    found = {f"torch/{device}": state.cpu().numpy() for device, state in enumerate(devices)}
    return {"torch": torch.get_rng_state().numpy(), **found}
