"""Tables and verdicts from results that nobody measured."""

from __future__ import annotations

import json
from typing import Any

import pytest

from feedline.errors import ConfigurationError
from feedline.trainer.bench.case import Case
from feedline.trainer.bench.checks import at_least, at_most, case_checks, step_checks
from feedline.trainer.bench.report import (
    HEADINGS,
    by_case,
    case_title,
    comparison_rows,
    markdown,
    markdown_table,
    plain_table,
    verdict_rows,
)
from feedline.trainer.commands.bench import _contenders, _numbers


def result(name: str, *images_per_s: float, **case: Any) -> dict[str, Any]:
    rounds = [
        {
            "images_per_s": rate,
            "num_images": 1000,
            "seconds": 1.0,
            "device_s": 0.0,
            "workers_cpu_s": 2.0,
            "trainer_cpu_s": 0.5,
            "first_waits_ms": [],
            "details": {"before": EMPTY, "after": FULL},
        }
        for rate in images_per_s
    ]
    plain = json.loads(Case("png", "/data", **case).to_json())
    return {"name": name, "case": plain, "rounds": rounds, "difference": 0, "versions": {}, "error": ""}


STAGES = dict.fromkeys(("idle_us", "queued_us", "read_us", "decode_us", "transform_us"), 0)
EMPTY = {
    "producers": [{"num_batches": 0, "stages": STAGES, "transfer_s": 0.0}],
    "num_delivered": 0,
    "hand_over_s": 0.0,
    "thread_cpu_s": 0.0,
    "memory_mb": [],
}
FULL = EMPTY | {
    "producers": [{"num_batches": 10, "stages": STAGES | {"decode_us": 20_000}, "transfer_s": 0.01}],
    "num_delivered": 10,
    "thread_cpu_s": 0.002,
}


def test_a_row_says_the_median_the_spread_and_the_share_of_the_limit() -> None:
    rows = comparison_rows([result("limit", 1000, 1100), result("feedline", 950, 1045)])
    assert rows[1] == ["Feedline", "998", "10%", "0.95", "2.00", "0.50", "0"]


def test_who_failed_has_a_row_too() -> None:
    assert comparison_rows([result("torch")])[0][:2] == ["PyTorch DataLoader", "failed"]


def test_columns_stand_under_each_other() -> None:
    lines = plain_table([("", "images/s"), ("Feedline", "1,000")]).splitlines()
    assert len(lines[0]) == len(lines[1])


def test_a_markdown_table_has_a_rule_below_its_heading() -> None:
    assert markdown_table([("a", "b"), ("1", "2")]) == "| a | b |\n| --- | ---: |\n| 1 | 2 |"


def test_results_of_one_case_stand_together() -> None:
    groups = by_case([result("limit", 1), result("limit", 1, workers=4), result("feedline", 1)])
    assert [[r["name"] for r in group] for group in groups] == [["limit", "feedline"], ["limit"]]


def test_markdown_holds_every_number_of_the_file() -> None:
    machine = {"cpu": "x", "cores": 2, "load": 0.5, "when": "now", "python": "3", "versions": {"numpy": "2"}}
    checks = [at_least("PNG, of bare OpenCV", 0.95, 0.92).to_json()]
    text = markdown({"machine": machine, "results": [result("feedline", 950)], "checks": checks})
    for part in ("950", "decode", "2.00", "PNG, of bare OpenCV", "numpy 2", HEADINGS[1]):
        assert part in text


def test_turns_too_short_for_a_verdict_get_none_not_even_from_a_file() -> None:
    checks = [at_least("PNG, of bare OpenCV", 0.95, 0.92).to_json()]
    assert verdict_rows({"quick": True, "checks": checks}) == []
    assert verdict_rows({"quick": False, "checks": checks})[1][3] == "yes"


def test_a_promise_is_kept_at_its_bound() -> None:
    assert at_least("", 0.92, 0.92).met
    assert at_most("", 5.0, 5.0).met
    assert not at_least("", 0.91, 0.92).met


def test_promises_are_judged_for_those_who_took_part() -> None:
    results = [result("limit", 1000), result("feedline", 950), result("keras-mp", 200)]
    verdicts = {check.what: check.met for check in case_checks(results)}
    assert verdicts == {
        "PNG by OpenCV, of bare OpenCV": True,
        "PNG, over keras-mp": False,
        "pool thread, CPU a batch, shared memory": True,
    }


def test_more_is_asked_of_the_fast_decoder() -> None:
    results = [result("limit", 1000), result("feedline", 1700), result("feedline", 930, fast=False)]
    verdicts = {check.what: check.met for check in case_checks(results, fast=True)}
    assert not verdicts["PNG by Wuffs, of bare OpenCV"]
    assert verdicts["PNG by OpenCV, of bare OpenCV"]


def test_what_trust_costs_is_judged_beside_bare_tcp() -> None:
    rates = {"embedded": 2000, "tcp": 1000, "tcp-checksums": 960, "tcp-curve": 700}
    results = [result("feedline", rate, over=link) for link, rate in rates.items()]
    for one in results:
        one["case"]["name"] = "jpeg"
    verdicts = {check.what: (check.measured, check.met) for check in case_checks(results)}
    assert verdicts == {
        "JPEG to 224 over tcp-checksums, of bare tcp": ("0.96 times", False),
        "JPEG to 224 over tcp-curve, of bare tcp": ("0.70 times", True),
    }
    assert len({case_title(one["case"]) for one in results}) == len(rates)


def test_a_case_over_what_is_no_link_is_quoted() -> None:
    with pytest.raises(ConfigurationError, match="'udp'"):
        Case("png", "/data", over="udp")


def test_a_case_without_the_fast_decoder_says_so() -> None:
    titles = {case_title(result("feedline", 1, fast=fast)["case"]) for fast in (True, False)}
    assert len(titles) == 2


def test_a_busy_device_is_judged_by_its_waits() -> None:
    mine = result("feedline", 900)
    mine["rounds"][0] |= {"device_s": 0.99, "first_waits_ms": [7.0]}
    assert [check.met for check in step_checks("PNG", mine)] == [True, False]


def test_feedline_always_takes_part_and_the_limit_is_first() -> None:
    assert _contenders("keras,limit") == ["limit", "feedline", "keras"]


@pytest.mark.parametrize("words", ["two", "0", "1,,2"])
def test_workers_that_are_no_numbers_are_quoted(words: str) -> None:
    with pytest.raises(ConfigurationError, match=repr(words)):
        _numbers(words)


def test_a_name_that_is_none_is_quoted() -> None:
    with pytest.raises(ConfigurationError, match="dali"):
        _contenders("limit,dali")
