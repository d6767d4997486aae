"""From snapshots, made up and recorded, to verdicts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from made_spans import producer, span

from feedline.common.errors import ConfigurationError
from feedline.common.stages import Stages
from feedline.trainer.verdict.snapshot import Certainty, ProducerSpan, Snapshot
from feedline.trainer.verdict.verdict import Bound, judge


def bound(snapshot: Snapshot) -> Bound:
    return judge(snapshot).bound


@pytest.mark.parametrize(("wait_s", "expected"), [(0.49, Bound.TRAINER), (0.51, Bound.DECODE)])
def test_a_trainer_that_waits_less_than_a_twentieth_of_its_time_is_the_limit(
    wait_s: float, expected: Bound
) -> None:
    assert bound(span(wait_s=wait_s)) is expected


@pytest.mark.parametrize(
    ("stage", "expected"),
    [("read_us", Bound.READ), ("decode_us", Bound.DECODE), ("transform_us", Bound.TRANSFORM)],
)
def test_producers_that_never_rest_are_why_and_their_longest_stage_is_named(
    stage: str, expected: Bound
) -> None:
    stages = {"read_us": 2_000_000, "decode_us": 2_000_000, "transform_us": 2_000_000, stage: 5_000_000}
    assert bound(span(producers=(producer(1.0, **stages),) * 2)) is expected


def test_producers_that_rest_while_their_batches_are_on_the_way_have_a_slow_network() -> None:
    slow = replace(producer(0.2), num_framed=50, frame_bytes=50 << 20, transfer_s=18.0)
    assert bound(span(producers=(slow,) * 2)) is Bound.NETWORK


def test_without_frames_there_is_no_network_to_be_slow() -> None:
    slow = replace(producer(0.2), transfer_s=18.0)
    assert bound(span(producers=(slow,) * 2)) is Bound.HAND_OVER


def test_a_first_frame_before_memory_is_shared_does_not_make_a_network() -> None:
    once = replace(producer(0.2), num_framed=1, frame_bytes=1 << 20, transfer_s=18.0)
    assert bound(span(producers=(once,) * 2)) is Bound.HAND_OVER


def test_a_trainer_that_only_hands_batches_on_has_too_many_of_them() -> None:
    framed = replace(producer(0.3), num_framed=50, frame_bytes=5000, transfer_s=18.0)
    busy_thread = span(producers=(framed,) * 2, thread_cpu_s=2.5, hand_over_s=2.0)
    assert bound(busy_thread) is Bound.HAND_OVER


@pytest.mark.parametrize(("num", "able"), [(0, 0), (2, 0)])
def test_no_producer_and_none_that_can_read_is_starvation(num: int, able: int) -> None:
    verdict = judge(_idle(num, able))
    assert verdict.bound is Bound.STARVED
    assert verdict.fewer is verdict.more is verdict.headspace is verdict.num_wanted is None


def _idle(num: int, able: int) -> Snapshot:
    return Snapshot(10.0, 0, 0, 10.0, producers=(producer(0.0),) * num, num_able=able)


def test_few_batches_say_nothing() -> None:
    assert bound(Snapshot(1.0, 7, 224, 0.9, producers=(producer(1.0),), num_able=1)) is Bound.WARMING_UP


def test_what_was_built_before_says_nothing_of_why_the_trainer_waits_now() -> None:
    fresh = replace(producer(1.0), num_batches=2)
    assert bound(Snapshot(1.0, 12, 384, 0.5, producers=(fresh,), num_able=1)) is Bound.WARMING_UP


def test_producers_that_are_the_limit_are_forecast_in_proportion() -> None:
    verdict = judge(span(wait_s=5.0))
    assert verdict.fewer is not None
    assert verdict.more is not None
    assert (verdict.fewer.num_producers, verdict.more.num_producers) == (1, 3)
    assert verdict.fewer.images_per_s == pytest.approx(160)
    assert verdict.more.images_per_s == pytest.approx(480)
    assert verdict.headspace == pytest.approx(640)
    assert verdict.num_wanted == 4


def test_no_forecast_is_above_what_the_trainer_takes() -> None:
    verdict = judge(span(wait_s=1.0))
    assert verdict.headspace == pytest.approx(320 / 0.9)
    assert verdict.more is not None
    assert verdict.more.images_per_s == verdict.headspace
    assert verdict.more.wait_share == pytest.approx(0)
    assert verdict.num_wanted == 3


def test_a_fed_trainer_needs_only_so_many_producers_as_feed_it() -> None:
    verdict = judge(span(4, busy=0.3, wait_s=0.0))
    assert verdict.bound is Bound.TRAINER
    assert verdict.num_wanted == 2
    assert verdict.fewer is not None
    assert verdict.fewer.images_per_s == pytest.approx(verdict.snapshot.images_per_s)


def test_producers_that_decode_share_the_cores_there_are() -> None:
    all_day = Stages(decode_us=10_000_000, cpu_us=9_900_000)
    verdict = judge(span(producers=(ProducerSpan("p", "h", 10.0, 50, all_day),) * 2, cores=2))
    assert verdict.more is not None
    assert verdict.more.images_per_s < 1.05 * verdict.snapshot.images_per_s
    assert verdict.num_wanted is None


def test_one_of_more_producers_than_cores_may_go_without_loss() -> None:
    """Three share two cores: a batch takes each half as long again as it would on a core of its own."""
    shared = Stages(decode_us=10_000_000, cpu_us=6_600_000)
    verdict = judge(span(producers=(ProducerSpan("p", "h", 10.0, 34, shared),) * 3, num_able=3, cores=2))
    assert verdict.fewer is not None
    assert verdict.fewer.images_per_s == pytest.approx(verdict.snapshot.images_per_s, rel=0.05)


def test_a_producer_whose_batches_are_handed_on_slowly_could_make_more() -> None:
    """Both rest for most of the time, and one would rest less: a batch takes it its CPU time."""
    resting = Stages(decode_us=3_000_000, cpu_us=4_500_000)
    both = (ProducerSpan("p", "h", 10.0, 50, resting),) * 2
    verdict = judge(span(producers=both, thread_cpu_s=2.5, hand_over_s=2.0, trainer_cpu_s=10.0))
    assert verdict.bound is Bound.HAND_OVER
    assert verdict.fewer is not None
    assert verdict.fewer.images_per_s == pytest.approx(verdict.snapshot.images_per_s)


def test_small_batches_do_not_fill_the_cores_with_more_producers_either() -> None:
    """Each costs 0.1 s of two cores, of which waking up leaves a tenth: 18 a second, not 20."""
    resting = Stages(decode_us=3_000_000, cpu_us=4_500_000)
    both = (ProducerSpan("p", "h", 10.0, 50, resting),) * 2
    handed_on = {"thread_cpu_s": 0.5, "hand_over_s": 4.0, "trainer_cpu_s": 1.0}
    verdict = judge(span(wait_s=9.9, producers=both, cores=2, **handed_on))
    assert verdict.bound is Bound.HAND_OVER
    assert verdict.more is not None
    assert verdict.more.images_per_s == pytest.approx(18 * 32)


def test_producers_that_sleep_in_their_transforms_need_no_core_of_their_own() -> None:
    asleep = Stages(transform_us=10_000_000, cpu_us=400_000)
    verdict = judge(span(producers=(ProducerSpan("p", "h", 10.0, 50, asleep),) * 2, cores=2))
    assert verdict.more is not None
    assert verdict.more.images_per_s == pytest.approx(480)


def test_a_full_line_gives_no_more_with_more_producers_and_no_less_with_one_fewer() -> None:
    slow = replace(producer(0.2), num_framed=50, frame_bytes=50 << 20, transfer_s=18.0)
    verdict = judge(span(producers=(slow,) * 2))
    assert verdict.fewer is not None
    assert verdict.more is not None
    assert verdict.fewer.images_per_s == verdict.more.images_per_s == verdict.snapshot.images_per_s


def test_where_somebody_reads_ahead_it_is_not_known_how_fast_the_trainer_would_be() -> None:
    verdict = judge(span(certainty=Certainty.AT_MOST))
    assert verdict.bound is Bound.DECODE
    assert verdict.headspace is verdict.num_wanted is None
    assert verdict.more is not None


@pytest.mark.parametrize(("wait_s", "much"), [(1.99, False), (2.0, True)])
def test_a_fifth_of_the_time_is_much(wait_s: float, much: bool) -> None:
    assert judge(span(wait_s=wait_s)).waits_much is much


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seconds": 0.0}, "above 0 seconds, got 0.0"),
        ({"wait_s": -1.0}, "got -1.0"),
        ({"num_able": 3}, "got 3"),
    ],
)
def test_numbers_that_no_span_has_are_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        replace(span(), **change)


RECORDED = {
    # seconds, batches, wait, hand-over, thread CPU, trainer CPU; then of each producer: batches, stages, way
    Bound.TRANSFORM: ((1.1, 39, 0.24, 0.018, 0.03, 0.1), [(20, (0, 0, 13, 39, 1065, 80), 0.056)] * 2, 0),
    Bound.DECODE: ((7.2, 39, 6.33, 0.013, 0.05, 0.2), [(39, (0, 0, 329, 6776, 59, 6100), 0.15)], 0),
    Bound.TRAINER: ((2.1, 39, 0.006, 0.005, 0.03, 0.1), [(20, (1700, 0, 10, 32, 399, 60), 0.07)] * 2, 0),
    Bound.HAND_OVER: ((1.7, 1279, 1.64, 0.65, 0.5, 1.1), [(640, (900, 0, 333, 358, 96, 600), 0.85)] * 2, 0),
    Bound.NETWORK: ((8.1, 39, 7.2, 0.044, 0.09, 0.3), [(20, (8000, 0, 8, 52, 8, 50), 16.5)] * 2, 20),
}
"""As measured on two cores with planted bottlenecks; milliseconds of the stages."""


@pytest.mark.parametrize("expected", RECORDED)
def test_recorded_spans_are_judged_as_what_was_planted(expected: Bound) -> None:
    (seconds, num, *rest), producers, num_framed = RECORDED[expected]
    spans = tuple(
        ProducerSpan("p", "h", seconds, built, Stages(*(1000 * ms for ms in stages)), way, num_framed)
        for built, stages, way in producers
    )
    wait_s, *counters = rest
    names = ("hand_over_s", "thread_cpu_s", "trainer_cpu_s")
    snapshot = Snapshot(
        seconds,
        int(num),
        8 * int(num),
        wait_s,
        **dict(zip(names, counters, strict=True)),
        producers=spans,
        num_able=len(spans),
        cores=2,
    )
    assert bound(snapshot) is expected
