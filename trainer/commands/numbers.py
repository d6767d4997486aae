"""Numbers as options have them, for `argparse`."""

from __future__ import annotations

import argparse
import math


class AtLeast:
    """Reads a whole number.

    Parameters
    ----------
    least : int
        Less is refused.
    """

    def __init__(self, least: int) -> None:
        self._least = least

    def __call__(self, text: str) -> int:
        """See `argparse.ArgumentParser.add_argument`, ``type``."""
        try:
            number = int(text)
        except ValueError:
            number = self._least - 1
        if number < self._least:
            raise argparse.ArgumentTypeError(
                f"expected a whole number of {self._least} or more, got {text!r}"
            )
        return number


def seconds(text: str) -> float:
    """Read a positive number."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"expected a positive number of seconds, got {text!r}")
    return number
