"""The view as metrics, read back as Prometheus would."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_facts import facts, of_one_name
from prometheus_client.parser import text_string_to_metric_families

from feedline.trainer.monitor.history import History
from feedline.trainer.monitor.metrics import ROWS, exposition
from feedline.trainer.monitor.view import View, view_of

ROOT = Path(__file__).parents[4]
USED = re.compile(r"\bfeedline_\w+")


Series = tuple[str, tuple[str, ...]]
"""The name of a metric, and the values of its labels by their names."""


def samples(view: View) -> Iterator[tuple[Series, float]]:
    for family in text_string_to_metric_families(exposition(view)[0].decode()):
        for s in family.samples:
            yield (s.name, tuple(value for _, value in sorted(s.labels.items()))), s.value


def scraped(view: View) -> dict[Series, float]:
    return dict(samples(view))


def the_view() -> View:
    history = History()
    for at_s in (1.0, 2.0):
        history.add(facts(at_s))
    return view_of(facts(2.0), history, memory_of=lambda _: 1000)


def test_metrics_are_the_numbers_of_the_view() -> None:
    view, found = the_view(), scraped(the_view())
    assert found["feedline_images_total", ()] == view["totals"]["images"]
    assert found["feedline_producers_wanted", ()] == view["num_wanted"]
    assert found["feedline_producers", ()] == 2
    assert found["feedline_verdict", ("trainer-bound",)] == 1
    assert found["feedline_verdict", ("starved",)] == 0
    assert found["feedline_slots", ("ready",)] == 3
    assert found["feedline_job_ready_batches", ("1", "sequence 1")] == 7
    assert found["feedline_producer_straggler", ("node1", "12", "node1/1")] == 1
    assert found["feedline_producer_memory_bytes", ("node1", "11", "node1/0")] == 1000


def test_what_is_not_known_is_left_out() -> None:
    found = scraped(view_of(facts(1.0, report=None), History()))
    assert not {"feedline_producers_wanted", "feedline_producer_memory_bytes"} & {name for name, _ in found}


def test_two_producers_of_one_name_on_one_host_are_no_series_twice() -> None:
    view = view_of(of_one_name(1.0), History(), memory_of=lambda one: one.pid)
    often = Counter(series for series, _ in samples(view))
    assert not [series for series, times in often.items() if times > 1]
    found = scraped(view)
    for pid in ("11", "12"):
        assert found["feedline_producer_memory_bytes", ("node1", pid, "node1/0")] == int(pid)
        assert ("feedline_producer_stage_seconds_total", ("node1", pid, "node1/0", "read")) in found


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_each_metric_is_in_the_docs_with_its_meaning(row: object) -> None:
    page = (ROOT / "docs" / "monitoring.md").read_text()
    labels = ", ".join(f"`{label}`" for label in row.labels)  # type: ignore[attr-defined]
    assert f"| `{row.shown_name}` | {labels} |" in page  # type: ignore[attr-defined]
    assert row.meaning in page  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["alerts.yml", "grafana.json"])
def test_what_is_deployed_uses_metrics_that_there_are(name: str) -> None:
    used = set(USED.findall((ROOT / "deploy" / name).read_text()))
    assert used
    assert used <= {row.shown_name for row in ROWS}
