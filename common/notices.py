"""Warnings that point at the line of the user's own that called Feedline, however deep it was noticed."""

from __future__ import annotations

import sys
import warnings

_OURS = "feedline."


def warn(text: str) -> None:
    """Issue a UserWarning at the nearest caller outside Feedline."""
    depth, frame = 1, sys._getframe()  # noqa: SLF001 - its own documentation is for uses like this
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(_OURS):
        depth, frame = depth + 1, frame.f_back
    warnings.warn(text, stacklevel=depth)
