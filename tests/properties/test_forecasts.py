"""Whatever a span of time shows, there is a verdict on it, and its forecasts make sense."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from feedline.common.stages import Stages
from feedline.trainer.verdict.report import Report
from feedline.trainer.verdict.snapshot import CacheState, Certainty, ProducerSpan, Snapshot
from feedline.trainer.verdict.verdict import Bound, judge

counts = st.integers(0, 10_000)
seconds = st.floats(0, 1000)
producers = st.builds(
    ProducerSpan,
    name=st.just("p"),
    host=st.just("h"),
    present_s=seconds,
    num_batches=counts,
    stages=st.builds(Stages, *[st.integers(0, 10**9)] * 6),
    transfer_s=seconds,
    num_framed=counts,
    frame_bytes=counts,
)


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """Also such as no pool shows: counters are read one after another."""
    there = tuple(draw(st.lists(producers, max_size=4)))
    return Snapshot(
        seconds=draw(st.floats(1e-3, 1000)),
        num_batches=draw(counts),
        num_samples=draw(counts),
        wait_s=draw(seconds),
        certainty=draw(st.sampled_from(Certainty)),
        hand_over_s=draw(seconds),
        thread_cpu_s=draw(seconds),
        trainer_cpu_s=draw(seconds),
        producers=there,
        num_able=draw(st.integers(0, len(there))),
        cores=draw(st.none() | st.integers(1, 64)),
        embedded=draw(st.booleans()),
        slot_bytes=draw(counts),
        memory_budget=draw(counts),
        cache=draw(st.sampled_from(CacheState)),
    )


@given(snapshots())
def test_there_is_a_verdict_in_words_on_whatever_happened(snapshot: Snapshot) -> None:
    report = Report.of(snapshot)
    assert report.verdict.bound in Bound
    assert report.sentence
    assert str(report.verdict.bound) in str(report)


@given(snapshots(), st.integers(0, 64))
def test_one_producer_more_never_gives_less_and_nothing_gives_more_than_the_trainer_takes(
    snapshot: Snapshot, num: int
) -> None:
    verdict = judge(snapshot)
    few, more = verdict.with_producers(num), verdict.with_producers(num + 1)
    assert (few is None) == (more is None) == (verdict.bound in {Bound.STARVED, Bound.WARMING_UP})
    if few is not None and more is not None:
        assert 0 <= few.images_per_s <= more.images_per_s
        assert verdict.headspace is None or more.images_per_s <= verdict.headspace
        assert 0 <= more.wait_share <= few.wait_share <= 1


@given(snapshots())
def test_as_many_producers_as_are_wanted_feed_the_trainer_and_one_fewer_does_not(snapshot: Snapshot) -> None:
    verdict = judge(snapshot)
    wanted = verdict.num_wanted
    if wanted is None or not snapshot.build_s or not snapshot.num_samples:
        return
    enough = verdict.with_producers(wanted)
    assert enough is not None
    best = verdict.with_producers(4096)
    assert best is not None
    assert enough.images_per_s >= 0.97 * best.images_per_s
    if wanted > 1:
        short = verdict.with_producers(wanted - 1)
        assert short is not None
        assert short.images_per_s < enough.images_per_s
