"""What the bench prints: a table on the terminal, and the same in Markdown. Pure text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from feedline.trainer.bench.contenders import TITLES
from feedline.trainer.bench.figures import (
    Figure,
    cpu_per_1000,
    first_wait_ms,
    per_batch_ms,
    rates,
    ratio,
    utilisation,
)
from feedline.trainer.bench.verdicts import report_of

Row = Sequence[str]
Results = Sequence[Mapping[str, Any]]

HEADINGS = ("", "images/s", "spread", "of OpenCV", "CPU s/1000 workers", "trainer", "pixels ±")


def case_title(case: Mapping[str, Any]) -> str:
    """One line that says what was done."""
    extra = [f"cache={case['cache']}"] * bool(case["cache"]) + ["jpeg_scaling"] * case["jpeg_scaling"]
    extra += ["Feedline with OpenCV alone"] * (not case["fast"])
    extra += [f"over {case['over']}"] * (case.get("over", "embedded") != "embedded")
    size = f"{case['height']}x{case['width']} {case['color_mode']}"
    parts = [case["name"], size, f"batches of {case['batch_size']}", f"{case['workers']} workers", *extra]
    return ", ".join([*parts, f"through {case['through']}"])


def comparison_rows(results: Results) -> list[Row]:
    """One row for each contender of one case, as in `HEADINGS`."""
    limit = next((r for r in results if r["name"] == "limit" and r["rounds"]), None)
    return [_row(result, limit) for result in results]


def _row(result: Mapping[str, Any], limit: Mapping[str, Any] | None) -> Row:
    rounds = result["rounds"]
    if not rounds:
        return [TITLES[result["name"]], "failed", *[""] * (len(HEADINGS) - 2)]
    figure = Figure.of(rates(rounds))
    of_limit = f"{ratio(rates(rounds), rates(limit['rounds'])).median:.2f}" if limit else ""
    return [
        TITLES[result["name"]],
        f"{figure.median:,.0f}",
        f"{figure.spread:.0%}",
        of_limit,
        f"{cpu_per_1000(rounds, 'workers'):.2f}",
        f"{cpu_per_1000(rounds, 'trainer'):.2f}",
        "" if result["difference"] is None else str(result["difference"]),
    ]


def stage_rows(results: Results) -> list[Row]:
    """Where the time of Feedline's batches went; milliseconds a batch."""
    return [
        [stage, f"{ms:.2f}"]
        for result in results
        if result["name"] == "feedline" and result["rounds"]
        for stage, ms in per_batch_ms(result["rounds"]).items()
    ]


def verdict_lines(results: Results) -> list[str]:
    """Why Feedline was not faster, in the last round: what `BatchSequence.report` says of a training."""
    found = [report_of(r["rounds"][-1]) for r in results if r["name"] == "feedline" and r["rounds"]]
    return [f"{report.verdict.bound}: {report.sentence}" for report in found if report is not None]


def memory_rows(results: Results) -> list[Row]:
    """What Feedline's producers weigh, in MB each."""
    sizes = [
        size
        for result in results
        if result["name"] == "feedline" and result["rounds"]
        for size in result["rounds"][-1]["details"]["after"]["memory_mb"]
    ]
    kinds = ("resident", "private", "shared", "slots")
    return [[f"memory, {kind}", " / ".join(f"{size[kind]:.0f}" for size in sizes)] for kind in kinds if sizes]


def step_rows(results: Results) -> list[Row]:
    """Emulated steps: utilisation and first waits, of those that were measured that way."""
    return [_step_row(r) for r in results if r["rounds"] and r["rounds"][0]["device_s"]]


def _step_row(result: Mapping[str, Any]) -> Row:
    rounds = result["rounds"]
    busy = Figure.of([utilisation(measured) for measured in rounds]).median
    return [TITLES[result["name"]], f"{busy:.1%}", f"{first_wait_ms(rounds):.1f} ms"]


def plain_table(rows: Sequence[Row]) -> str:
    """Columns under each other: the first to the left, numbers to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  " + _line(row, widths) for row in rows)


def _line(row: Row, widths: Sequence[int]) -> str:
    first, *others = (
        cell.ljust(width) if place == 0 else cell.rjust(width)
        for place, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "   ".join([first, *others]).rstrip()


def markdown_table(rows: Sequence[Row]) -> str:
    """The same for a page of documentation; the first row is the heading."""
    heading, *body = ("| " + " | ".join(row) + " |" for row in rows)
    rule = "| --- |" + " ---: |" * (len(rows[0]) - 1)
    return "\n".join([heading, rule, *body])


def by_case(results: Results) -> list[list[Mapping[str, Any]]]:
    """Results of one case together, in the order of the run."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for result in results:
        groups.setdefault(case_title(result["case"]), []).append(result)
    return list(groups.values())


def markdown(document: Mapping[str, Any]) -> str:
    """Everything that a JSON file of the bench holds, as tables: no number is typed by hand."""
    parts = [_machine_line(document["machine"])]
    for group in by_case(document.get("results", ())):
        parts += [f"### {case_title(group[0]['case'])}", markdown_table([HEADINGS, *comparison_rows(group)])]
        stages = stage_rows(group) + memory_rows(group)
        if stages:
            parts.append(markdown_table([("Feedline, ms a batch; MB a producer", ""), *stages]))
        parts += [f"Feedline is {line}." for line in verdict_lines(group)]
    verdicts = verdict_rows(document)
    if verdicts:
        parts += ["### What the design promises", markdown_table(verdicts)]
    return "\n\n".join(parts) + "\n"


CHECK_HEADINGS = ("", "measured", "asked", "")


def verdict_rows(document: Mapping[str, Any]) -> list[Row]:
    """The ratios that the design promises, and whether they were met; nothing of turns too short to tell."""
    checks = [] if document.get("quick") else document.get("checks", [])
    rows = [[c["what"], c["measured"], c["asked"], "yes" if c["met"] else "no"] for c in checks]
    return [CHECK_HEADINGS, *rows] if rows else []


def _machine_line(machine: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in sorted(machine["versions"].items()))
    return (
        f"{machine['cpu']}, {machine['cores']} cores usable, load {machine['load']:.1f} at the beginning;"
        f" {machine['when']}; Python {machine['python']}; {versions}."
    )
