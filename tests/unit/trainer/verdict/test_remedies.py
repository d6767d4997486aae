"""A remedy is named only if it can work."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_spans import producer, span

from feedline.common.stages import Stages
from feedline.trainer.verdict.remedies import Lever, Possible
from feedline.trainer.verdict.report import Report
from feedline.trainer.verdict.snapshot import CacheState, Certainty, Snapshot

ALL = Possible(jpeg_scaling=True, cache="memory", cache_bytes=3_100_000_000, small_dtype=True, batch_size=32)


def levers(snapshot: Snapshot, possible: Possible = ALL) -> list[Lever]:
    return [remedy.lever for remedy in Report.of(snapshot, lambda: possible).remedies]


def test_a_sentence_says_how_much_why_and_what_would_help() -> None:
    report = Report.of(span(4, wait_s=2.9, cores=8), lambda: ALL)
    assert report.sentence == (
        "the trainer waits 29 % of its time; decoding is why; 6 producers instead of 4 would do,"
        " or jpeg_scaling=True, or cache='memory' (3.1 GB, fits)"
    )
    assert report.remedies[0].value == 6


def test_embedded_producers_are_never_more_than_cores() -> None:
    report = Report.of(span(4, wait_s=5.0, cores=5), lambda: ALL)
    assert report.remedies[0].value == 5
    assert "5 producers instead of 4 would give up to 800 images/s" in report.sentence
    assert Lever.PRODUCERS not in levers(span(4, wait_s=5.0, cores=4))


def test_producers_elsewhere_may_be_more_than_cores_here() -> None:
    report = Report.of(span(4, wait_s=5.0, cores=4, embedded=False), lambda: ALL)
    assert report.remedies[0].value == 8


def test_what_cannot_be_changed_is_not_named() -> None:
    assert levers(span(), Possible()) == [Lever.PRODUCERS]


def test_a_cache_that_is_there_is_not_named_but_said_to_fill() -> None:
    report = Report.of(span(cache=CacheState.FILLING), lambda: ALL)
    assert Lever.CACHE not in [remedy.lever for remedy in report.remedies]
    assert "the cache is being filled" in report.sentence


def test_neither_jpeg_scaling_nor_a_cache_makes_transforms_faster() -> None:
    stages = {"transform_us": 10_000_000}
    assert levers(span(producers=(producer(1.0, **stages),) * 2)) == [Lever.PRODUCERS]


def test_a_queue_that_was_too_short_is_named_first() -> None:
    possible = replace(ALL, longer_queue=True)
    report = Report.of(span(4, wait_s=2.9, cores=8, short_s=1.0), lambda: possible)
    assert (
        "max_queue_size='auto' (1.0 s: producers had stood still before, with full queues)" in report.sentence
    )
    assert [one.lever for one in report.remedies][:2] == [Lever.MAX_QUEUE_SIZE, Lever.PRODUCERS]
    assert Lever.MAX_QUEUE_SIZE not in levers(span(4, wait_s=2.9, cores=8, short_s=0.1), possible)
    assert Lever.MAX_QUEUE_SIZE not in levers(span(4, wait_s=2.9, cores=8, short_s=1.0))


def test_producers_that_mostly_rest_are_said_to_have_had_no_room() -> None:
    resting = span(busy=0.3, wait_s=3.0, short_s=2.0)
    report = Report.of(resting, lambda: replace(ALL, longer_queue=True))
    assert "no room for more batches are why; max_queue_size='auto'" in report.sentence
    assert [one.lever for one in report.remedies] == [Lever.MAX_QUEUE_SIZE]


def test_a_queue_that_sizes_itself_needs_no_larger_batches() -> None:
    assert levers(span(busy=0.3, wait_s=3.0, short_s=2.0)) == []


def test_a_cache_helps_where_reading_is_slow() -> None:
    stages = {"read_us": 10_000_000}
    assert levers(span(producers=(producer(1.0, **stages),) * 2)) == [Lever.PRODUCERS, Lever.CACHE]


@pytest.mark.parametrize("small", [True, False])
def test_a_slow_network_wants_fewer_bytes_if_there_can_be_fewer(small: bool) -> None:
    slow = replace(producer(0.2), num_framed=50, frame_bytes=50 << 20, transfer_s=18.0)
    found = levers(span(producers=(slow,) * 2), replace(ALL, small_dtype=small))
    assert (Lever.DTYPE in found) is small


def test_too_few_slots_want_more_memory_and_too_many_batches_larger_ones() -> None:
    resting = {"producers": (producer(0.2),) * 2}
    short = span(**resting, slot_bytes=1 << 20, memory_budget=5 << 20)
    assert levers(short) == [Lever.MEMORY_BUDGET]
    assert Report.of(short).remedies[0].value == 6 << 20
    assert levers(span(**resting, slot_bytes=1 << 20, memory_budget=1 << 30)) == [Lever.BATCH_SIZE]


def test_nothing_is_looked_for_where_nothing_is_wrong() -> None:
    def fail() -> Possible:
        raise AssertionError("files were looked at")

    assert Report.of(span(wait_s=0.0), fail).remedies == ()


def test_a_starved_trainer_is_told_what_to_start() -> None:
    elsewhere = Snapshot(10.0, 0, 0, 10.0, embedded=False)
    assert "there are no producers; start a producer: feedline-producer" in Report.of(elsewhere).sentence
    blind = Snapshot(10.0, 0, 0, 10.0, producers=(producer(0.0),))
    assert "no producer can read the files; start producers whose --data-root" in Report.of(blind).sentence


def test_a_wait_that_is_not_known_is_said_to_be_at_most_so_long() -> None:
    sentence = Report.of(span(certainty=Certainty.AT_MOST, cores=4)).sentence
    assert "at most 50 % of its time (FeedMonitor tells exactly)" in sentence
    assert "4 producers instead of 2 would give up to 640 images/s" in sentence


def test_a_report_has_the_numbers_that_it_is_from() -> None:
    text = str(Report.of(replace(span(), hand_over_s=0.1), epoch=3))
    assert text.startswith("epoch 3: decode-bound: the trainer waits 50 % of its time")
    assert "320 images/s over 10.0 s, 100 batches" in text
    assert "by number of producers: 1: 160, 3: 480; without any waiting: 640" in text
    assert "decode 200.00" in text
    assert "step 50.00" in text
    assert "p/0 on here: 50 batches, busy 100 %" in text


def test_of_many_producers_the_first_are_listed_and_the_others_counted() -> None:
    assert "... and 30 producers more" in str(Report.of(span(50)))


def test_a_trainer_that_does_nothing_has_no_limit_of_its_own() -> None:
    assert "no limit in the trainer" in str(Report.of(span(wait_s=10.0)))


def test_stages_of_two_moments_are_subtracted_field_by_field() -> None:
    assert Stages(6, 5, 4, 3, 2, 1) - Stages(1, 1, 1, 1, 1, 1) == Stages(5, 4, 3, 2, 1, 0)
