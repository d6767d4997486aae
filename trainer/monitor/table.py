"""A view as text in a terminal: what is drawn, and in which order."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from feedline.trainer.monitor.view import View

NUM_EVENTS = 5
"""So many of the last are shown."""

BAR_COLUMNS = 20


@dataclass(frozen=True, slots=True)
class Order:
    """What producers are sorted by.

    Attributes
    ----------
    words : str
        What it is called.
    key : callable
        Of a producer in the view.
    """

    words: str
    key: Callable[[View], Any]


def _natural(text: str) -> tuple[tuple[str, int], ...]:
    """``node2`` before ``node10``."""
    return tuple((word, int(digits or 0)) for word, digits in re.findall(r"(\D*)(\d*)", text))


ORDERS = {
    "n": Order("name", lambda one: _natural(one["name"])),
    "i": Order("images/s, the slowest first", lambda one: one["images_per_s"]),
    "b": Order("busy, the busiest first", lambda one: -one["busy_share"]),
    "f": Order("failures, the most first", lambda one: -one["failures"]),
    "m": Order("memory, the most first", lambda one: -(one["memory_bytes"] or 0)),
}
"""By the key that is pressed."""

Columns: TypeAlias = tuple[tuple[str, Callable[[View], RenderableType]], ...]


def drawn(view: View, order: str = "n", *, has_keys: bool = False) -> RenderableType:
    """Draw a view.

    Parameters
    ----------
    order : str
        One of `ORDERS`.
    has_keys : bool
        Whether keys can be pressed: says which.
    """
    parts: list[RenderableType] = [_verdict(view), _table("Jobs", JOBS, view["jobs"])]
    producers = sorted(view["producers"], key=ORDERS[order].key)
    title = f"{len(producers)} producers, by {ORDERS[order].words}"
    parts.append(_table(title, PRODUCERS, producers))
    parts += [_event(event) for event in view["events"][:NUM_EVENTS]]
    if has_keys:
        keys = ", ".join(f"{key} {one.words.partition(',')[0]}" for key, one in ORDERS.items())
        parts.append(Text(f"sort by: {keys}; q ends", style="dim"))
    return Group(*parts)


def _verdict(view: View) -> Panel:
    verdict, rates = view["verdict"], view["rates"]
    wanted = "not known" if rates["wanted"] is None else f"{rates['wanted']:,.0f}"
    numbers = f"{rates['made']:,.0f} images/s made, {wanted} wanted; {view['num_bad']} bad files"
    style = "red" if verdict["is_bad"] else "green"
    return Panel(
        Group(Text(verdict["sentence"]), Text(numbers, style="dim")),
        title=escape(verdict["bound"]),
        title_align="left",
        border_style=style,
    )


def _table(title: str, columns: Columns, rows: list[View]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", expand=True, box=None)
    for nth, (name, _) in enumerate(columns):
        table.add_column(name, justify="left" if nth == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*(cell(row) for _, cell in columns))
    return table


def _event(event: View) -> Text:
    style = "red" if event["kind"] in {"died", "note"} else ""
    return Text(f"{duration(event['ago_s'])} ago  {event['kind']}: {event['text']}", style=style)


def _state(one: View) -> Text:
    if not one["is_able"]:
        return Text(f"cannot read: {one['last_error']}", style="red")
    if one["is_straggler"]:
        return Text(f"slow {one['doing']}".rstrip(), style="red")
    return Text(one["last_error"] or "ok", style="" if one["last_error"] else "green")


def duration(seconds: float) -> str:
    """In two units at most: 3 min 20 s."""
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {left} s" if minutes else f"{left} s"


def _ends_in(job: View) -> str:
    if job["is_resting"]:
        return "rests"
    return "-" if job["eta_s"] is None else duration(job["eta_s"])


def _memory(one: View) -> str:
    return "-" if one["memory_bytes"] is None else f"{one['memory_bytes'] / 1e6:,.0f} MB"


JOBS: Columns = (
    ("job", lambda job: Text(job["name"])),
    ("epoch", lambda job: str(job["epoch"])),
    ("step", lambda job: f"{job['step']} of {job['num_steps']}"),
    ("", lambda job: ProgressBar(job["num_steps"], job["step"], BAR_COLUMNS)),
    ("epoch ends in", _ends_in),
    ("ready", lambda job: str(job["ready"])),
)

PRODUCERS: Columns = (
    ("producer", lambda one: Text(one["name"])),
    ("host", lambda one: Text(one["host"])),
    ("images/s", lambda one: f"{one['images_per_s']:,.0f}"),
    ("busy", lambda one: f"{100 * one['busy_share']:.0f} %"),
    ("in flight", lambda one: str(one["in_flight"])),
    ("failures", lambda one: str(one["failures"])),
    ("memory", _memory),
    ("state", _state),
)
