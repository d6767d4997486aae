"""What is shown of a pool, from made-up facts."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from made_facts import facts, of_one_name

from feedline.trainer.monitor.facts import MOST_EVENTS, Chronicle, EventKind, Facts, JobFacts
from feedline.trainer.monitor.history import KEPT_S, History
from feedline.trainer.monitor.recorder import Recorder
from feedline.trainer.monitor.view import MOST_BAD, view_of


def history_of(*all_facts: Facts) -> History:
    history = History()
    for one in all_facts:
        history.add(one)
    return history


def test_a_view_is_plain_json_and_says_what_the_verdict_says() -> None:
    latest = facts(2.0)
    view = view_of(latest, history_of(facts(1.0), latest))
    assert json.loads(json.dumps(view, allow_nan=False)) == view
    assert latest.report is not None
    assert view["verdict"]["sentence"] == latest.report.sentence
    assert view["verdict"]["bound"] == "trainer-bound"
    assert view["num_wanted"] == latest.report.verdict.num_wanted


def test_a_pool_that_has_told_nothing_yet_has_a_view_too() -> None:
    view = view_of(Facts(0.0), History())
    assert view["verdict"]["bound"] == "warming up"
    assert view["producers"] == view["jobs"] == view["history"] == []
    assert json.dumps(view, allow_nan=False)


def test_images_made_are_those_of_the_last_second_and_wanted_is_the_headspace() -> None:
    latest = facts(3.0, num_images=1000)
    view = view_of(latest, history_of(facts(1.0, num_images=400), latest))
    assert view["rates"]["made"] == 300
    assert view["history"] == [[3.0, 300, view["rates"]["wanted"]]]
    assert latest.report is not None
    assert view["rates"]["wanted"] == latest.report.verdict.headspace


def test_a_job_says_when_its_epoch_ends_by_how_fast_it_got_on() -> None:
    standing = facts(0.0).jobs[0].standing
    told = [facts(float(at), jobs=(JobFacts(standing, 0, at),)) for at in range(1, 11)]
    (job,) = view_of(told[-1], history_of(*told))["jobs"]
    assert job["steps_per_s"] == 1.0
    assert job["eta_s"] == 40.0
    assert job["ready"] == standing.num_ready


def test_a_job_that_went_back_to_an_earlier_step_has_no_pace_until_it_goes_on() -> None:
    standing = facts(0.0).jobs[0].standing
    places = [(0, 10), (0, 30), (0, 0), (0, 5)]
    told = [facts(at + 1.0, jobs=(JobFacts(standing, *place),)) for at, place in enumerate(places)]
    (back,) = view_of(told[-2], history_of(*told[:-1]))["jobs"]
    (on,) = view_of(told[-1], history_of(*told))["jobs"]
    assert back["eta_s"] is None
    assert on["steps_per_s"] == 5.0


def test_a_producer_has_its_rate_of_the_last_seconds_and_what_is_wrong_with_it() -> None:
    first, second = view_of(facts(1.0), history_of(facts(1.0)), memory_of=lambda one: one.pid)["producers"]
    assert first["images_per_s"] == 60
    assert second["images_per_s"] == 20
    assert (first["is_straggler"], second["is_straggler"]) == (False, True)
    assert second["last_error"] == "b.png"
    assert second["memory_bytes"] == 12


def test_two_of_one_name_on_one_host_have_each_its_own_numbers() -> None:
    shown = view_of(of_one_name(1.0), history_of(of_one_name(1.0)))["producers"]
    assert [(one["name"], one["pid"], one["images_per_s"]) for one in shown] == [
        ("node1/0", 11, 60),
        ("node1/0", 12, 20),
    ]


def test_bad_samples_and_events_come_with_the_latest_first() -> None:
    view = view_of(facts(5.0), history_of(facts(5.0)))
    assert [(one["path"], one["reason"], one["epoch"], one["step"]) for one in view["bad"]] == [
        ("a.png", "not a whole image", 1, 3)
    ]
    assert [(event["kind"], event["ago_s"]) for event in view["events"]] == [("died", 1.0), ("joined", 2.0)]


def test_a_bad_file_has_a_number_that_stays_its_own_and_by_which_it_is_found() -> None:
    standing = facts(0.0).jobs[0].standing
    found = tuple(replace(standing.found[0], path=f"{nth}.png") for nth in range(MOST_BAD + 2))
    many = replace(standing, found=(*found, replace(found[0], path="/there/a.png")), folder="/data")
    told, recorder = facts(1.0, jobs=(JobFacts(many),)), Recorder()
    recorder.tell(lambda: told)
    listed = recorder.view()["bad"]
    assert [(one["job"], one["number"]) for one in listed] == [(1, nth) for nth in range(MOST_BAD + 2, 2, -1)]
    assert recorder.bad_file(1, 3) == "/data/3.png"
    assert recorder.bad_file(1, MOST_BAD + 2) == "/there/a.png"
    assert recorder.bad_file(1, MOST_BAD + 3) is None
    assert recorder.bad_file(2, 0) is None


def test_of_many_bad_files_the_latest_of_all_jobs_are_shown() -> None:
    standing = facts(0.0).jobs[0].standing
    nums = {1: 2 * MOST_BAD, 2: 3, 3: 0, 4: 2 * MOST_BAD}
    jobs = tuple(
        JobFacts(replace(standing, job_id=of, found=standing.found * num)) for of, num in nums.items()
    )
    told = facts(1.0, jobs=jobs)
    listed = [(one["job"], one["number"]) for one in view_of(told, history_of(told))["bad"]]
    assert listed[:4] == [(1, nums[1] - 1), (2, 2), (4, nums[4] - 1), (1, nums[1] - 2)]
    assert len(listed) == MOST_BAD
    assert [number for job, number in listed if job == 2] == [2, 1, 0]
    assert sum(job == 1 for job, _ in listed) == sum(job == 4 for job, _ in listed) + 1


def test_a_training_that_is_started_anew_is_known_by_its_view() -> None:
    first, second = Recorder(), Recorder()
    assert first.view()["pool"] == first.view()["pool"] != second.view()["pool"]


def test_only_embedded_producers_can_be_scaled_here() -> None:
    assert not view_of(facts(1.0), History(), can_scale=True)["can_scale"]
    assert view_of(facts(1.0, num_asked=2), History(), can_scale=True)["can_scale"]
    assert not view_of(facts(1.0, num_asked=2), History())["can_scale"]


def test_ten_minutes_are_kept_and_not_more_events_than_are_shown() -> None:
    history = history_of(*(facts(float(at)) for at in range(2 * KEPT_S)))
    assert len(history.points()) == KEPT_S
    assert len(history.points(2 * KEPT_S - 4.0)) == 3
    chronicle = Chronicle()
    for at in range(2 * MOST_EVENTS):
        chronicle.add(at, EventKind.NOTE, "")
    assert len(chronicle.events) == MOST_EVENTS


def test_a_recorder_shows_what_it_was_told_last_and_judges_when_it_is_asked() -> None:
    recorder, judged = Recorder(), []

    def tell(at_s: float) -> None:
        recorder.tell(lambda: judged.append(at_s) or facts(at_s))  # type: ignore[func-returns-value]

    tell(1.0)
    tell(2.0)
    assert judged == []
    view = recorder.view()
    assert judged == [1.0, 2.0]
    assert view["at_s"] == 2.0
    assert len(view["history"]) == 1
    assert recorder.view(since_s=2.0)["history"] == []


def test_an_error_of_a_judgement_is_heard_and_what_was_told_later_is_taken_in() -> None:
    recorder = Recorder()

    def judge_wrongly() -> Facts:
        raise IndexError("no such job")

    recorder.tell(lambda: facts(1.0))
    recorder.tell(judge_wrongly)
    recorder.tell(lambda: facts(3.0))
    with pytest.raises(IndexError, match="no such job"):
        recorder.review()
    assert recorder.view()["at_s"] == 3.0
