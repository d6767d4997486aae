"""Shows a view in a terminal, anew each second, until q or Ctrl-C; where there is no terminal, once."""

from __future__ import annotations

import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from feedline.common.errors import FeedlineError
from feedline.trainer.monitor.table import ORDERS, drawn
from feedline.trainer.monitor.view import View

EVERY_S = 1.0
QUIT = "q"
COLUMNS = 120
"""Of what is written where there is no terminal."""


def show(view_now: Callable[[], View]) -> None:
    """Show what `view_now` returns.

    Raises
    ------
    FeedlineError
        It has raised it the first time that it was called; later that is shown.
    """
    view = view_now()
    if not sys.stdout.isatty():
        Console(width=COLUMNS).print(drawn(view))
        return
    with _keys() as pressed:
        _show_live(view, view_now, pressed)


def _show_live(
    view: View, view_now: Callable[[], View], pressed: Callable[[float], str | None] | None
) -> None:
    order, trouble = "n", ""
    with Live(drawn(view, has_keys=pressed is not None), screen=True, auto_refresh=False) as live:
        while True:
            key = _wait(pressed)
            if key == QUIT:
                return
            order = key if key in ORDERS else order
            try:
                view, trouble = view_now(), ""
            except FeedlineError as error:
                trouble = str(error)
            shown: RenderableType = drawn(view, order, has_keys=pressed is not None)
            live.update(Text(trouble, style="red") if trouble else shown, refresh=True)


def _wait(pressed: Callable[[float], str | None] | None) -> str:
    """Until it is time to look again, or a key was pressed, which is returned."""
    if pressed is None:
        time.sleep(EVERY_S)
        return ""
    return pressed(EVERY_S) or ""


@contextmanager
def _keys() -> Iterator[Callable[[float], str | None] | None]:
    """Have keys without Enter: (seconds to wait) -> the key; None where no keyboard is."""
    if not sys.stdin.isatty():
        yield None
        return
    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    try:
        yield lambda wait_s: sys.stdin.read(1) if select.select([sys.stdin], [], [], wait_s)[0] else None
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
