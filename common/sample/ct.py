"""Windows on Hounsfield units: which part of a CT's range becomes the 256 values of a channel."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from feedline.common.arguments import number
from feedline.common.errors import ConfigurationError
from feedline.common.signatures import suggests

Window = tuple[float, float]
"""(level, width) in Hounsfield units: from level - width / 2 to level + width / 2."""

NAMED_WINDOWS: dict[str, Window] = {
    "brain": (40.0, 80.0),
    "subdural": (80.0, 200.0),
    "soft": (40.0, 380.0),
    "bone": (600.0, 2800.0),
}
"""Within the ranges that Radiopaedia's article "Windowing (CT)" gives: brain W:80 L:40, subdural W:130-300
L:50-100, soft tissues W:350-400 L:20-60, temporal bones W:2800 L:600."""

AIR = -1000
"""Hounsfield units of air, which is what surrounds a scan."""

MAX_WINDOWS = 4
"""What OpenCV resizes and warps in one go."""


@dataclass(frozen=True, slots=True, init=False)
class CTWindows:
    """One uint8 channel for each window: a `color_mode` for DICOM files of a CT.

    A channel is ``255 * (units - (level - width / 2)) / width``, clipped to 0..255 and rounded to the
    nearest: the function LINEAR_EXACT of DICOM PS3.3, C.11.2.1.3.2.

    Attributes
    ----------
    windows : tuple of (float, float)
        1 to 4 pairs (level, width) in Hounsfield units, the width above 0; or names: ``"brain"``,
        ``"subdural"``, ``"soft"``, ``"bone"``.

    Raises
    ------
    ConfigurationError
        If a window is neither, or there are too many; quotes it.

    Examples
    --------
    >>> CTWindows(["brain", (80, 200)])
    CTWindows(windows=((40.0, 80.0), (80.0, 200.0)))
    """

    windows: tuple[Window, ...]

    @suggests()
    def __init__(self, windows: Iterable[Window | str]) -> None:
        if isinstance(windows, str) or not isinstance(windows, Iterable):
            raise ConfigurationError(
                f"CTWindows takes a list of windows, such as [(40, 80), 'bone'], got {windows!r}"
            )
        object.__setattr__(self, "windows", tuple(_window(value) for value in windows))
        if not 1 <= len(self.windows) <= MAX_WINDOWS:
            raise ConfigurationError(f"CTWindows takes 1 to {MAX_WINDOWS} windows, got {len(self.windows)}")

    @property
    def air(self) -> tuple[float, ...]:
        """What air becomes in each channel: black, unless the window reaches down to it."""
        shades = (255 * (AIR - (level - width / 2)) / width for level, width in self.windows)
        return tuple(float(round(min(max(shade, 0.0), 255.0))) for shade in shades)

    def to_wire(self) -> list[list[float]]:
        """Plain values for msgpack."""
        return [list(window) for window in self.windows]


def _window(value: Any) -> Window:
    if isinstance(value, str):
        if value not in NAMED_WINDOWS:
            raise ConfigurationError(
                f"no window is called {value!r}: choose from {list(NAMED_WINDOWS)}, or give (level, width)"
            )
        return NAMED_WINDOWS[value]
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise ConfigurationError(f"each window must be a pair (level, width), or a name; got {value!r}")
    level, width = (
        number(f"{name} of a window", given) for name, given in zip(("level", "width"), value, strict=True)
    )
    if width <= 0:
        raise ConfigurationError(f"the width of a window must be above 0, got (level, width)={value!r}")
    return level, width
