"""Windows are what a user may mean by them, or are refused."""

from __future__ import annotations

import re
from typing import Any

import pytest

from feedline.common.sample.ct import NAMED_WINDOWS, CTWindows
from feedline.errors import ConfigurationError


def test_windows_are_pairs_or_names() -> None:
    windows = CTWindows(["brain", [80, 200], (40, 380.0), "bone"])

    assert windows.windows == ((40.0, 80.0), (80.0, 200.0), (40.0, 380.0), (600.0, 2800.0))
    assert windows == CTWindows(windows.windows) == CTWindows(windows.to_wire())


def test_the_windows_of_the_haemorrhage_competition_have_names() -> None:
    assert CTWindows(["brain", "subdural", "soft"]) == CTWindows([(40, 80), (80, 200), (40, 380)])
    assert list(NAMED_WINDOWS) == ["brain", "subdural", "soft", "bone"]


@pytest.mark.parametrize(
    ("windows", "text"),
    [
        ("brain", "takes a list of windows.*'brain'"),
        (40, "takes a list of windows.*40"),
        ([], "1 to 4 windows, got 0"),
        ([(40, 80)] * 5, "1 to 4 windows, got 5"),
        (["lung"], "'lung': choose from.*'brain'"),
        ([(40, 0)], re.escape("above 0, got (level, width)=(40, 0)")),
        ([(40, -80)], "above 0"),
        ([(40, 80, 1)], re.escape("(level, width)")),
        ([40, 80], re.escape("each window must be a pair (level, width), or a name; got 40")),
        ([(float("nan"), 80)], "level of a window must be a finite number"),
        ([(40, "80")], "width of a window must be a finite number, got '80'"),
    ],
)
def test_what_is_no_window_is_quoted(windows: Any, text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        CTWindows(windows)
