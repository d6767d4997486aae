"""What is decided from two spans, and what is learned of a change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from feedline.common.errors import ConfigurationError
from feedline.common.stages import Stages
from feedline.trainer.verdict.sizing import Decision, Evidence, Memory, Workers, decide, shed
from feedline.trainer.verdict.snapshot import ProducerSpan, Snapshot

AUTO = Workers(1, 16)
SECONDS = 10.0


def span(
    num: int,
    build_s: float,
    step_s: float,
    *,
    cores: int | None = None,
    core_share: float = 0.01,
    cpu_s: float = 0.0,
) -> Snapshot:
    """Ten seconds of so many producers, and a trainer that uses `cpu_s` of its cores beside them."""
    per_s = min(num / build_s, 1 / step_s)
    num_batches = round(SECONDS * per_s)
    build_us = int(build_s * num_batches / num * 1e6)
    stages = Stages(transform_us=build_us, cpu_us=int(core_share * build_us))
    one = ProducerSpan("p", "h", SECONDS, round(num_batches / num), stages)
    wait_s = max(0.0, SECONDS - num_batches * step_s)
    return Snapshot(
        SECONDS,
        num_batches,
        32 * num_batches,
        wait_s,
        producers=(one,) * num,
        num_able=num,
        cores=cores,
        trainer_cpu_s=cpu_s,
    )


def after(seen: Snapshot, num: int, memory: Memory = Memory(), now: float = 0.0) -> Decision:  # noqa: B008
    """What is decided when twice the same was seen."""
    return decide(AUTO, num, Evidence(seen, seen), memory, now)


def grown(before: Snapshot, num: int) -> Decision:
    """From one producer to more, which is still to be judged."""
    decision = after(before, 1)
    assert decision.num == num
    return decision


def test_one_jump_goes_to_what_the_trainer_takes_and_says_why() -> None:
    decision = after(span(1, 0.2, 0.05), 1)
    assert decision.num == 5
    assert decision.reason == (
        "the trainer waits 75 % of its time, transform-bound: it takes 20 batches/s,"
        " and a producer makes 5 batches/s"
    )


def test_what_one_span_alone_shows_is_a_hiccup() -> None:
    fed, slow = span(1, 0.03, 0.05), span(1, 0.5, 0.05)
    for evidence in (Evidence(fed, slow), Evidence(slow, fed)):
        assert decide(AUTO, 1, evidence, Memory(), 0.0).num == 1
    assert decide(AUTO, 1, Evidence(span(1, 0.1, 0.05), slow), Memory(), 0.0).num == 3


def test_producers_that_need_a_core_each_are_not_more_than_cores() -> None:
    assert after(span(1, 0.2, 0.05, cores=4, core_share=1.0), 1).num == 4
    assert after(span(1, 0.2, 0.005, cores=4, core_share=0.5), 1).num == 8


def test_a_growth_that_brings_nothing_is_undone_and_not_tried_again() -> None:
    before = span(1, 0.2, 0.05)
    decision = grown(before, 5)
    # One disk reads as fast for five as for one.
    decision = after(span(5, 1.0, 0.05), 5, decision.memory)
    assert (decision.num, decision.reason) == (1, "more of them brought 0 % more images/s")
    assert after(before, 1, decision.memory).num == 1
    assert after(span(1, 0.22, 0.05), 1, decision.memory).num == 1


def test_those_without_memory_for_their_batches_go_and_are_not_missed() -> None:
    before = span(1, 0.2, 0.05)
    decision = shed(AUTO, 5, 2, Evidence(before, before), grown(before, 5).memory)
    assert (decision.num, decision.reason) == (3, "memory_budget has slots for no more")
    assert after(span(3, 0.2, 0.05), 3, decision.memory).num == 3
    assert shed(Workers(5, 8), 5, 2, Evidence(before, before), Memory()).num == 5


def test_what_was_learned_of_one_load_is_not_held_against_another() -> None:
    decision = grown(span(1, 0.2, 0.05), 5)
    decision = after(span(5, 1.0, 0.05), 5, decision.memory)
    assert after(span(1, 0.1, 0.05), 1, decision.memory).num == 3
    assert after(span(1, 0.2, 0.1), 1, decision.memory).num == 3


def test_a_growth_that_brings_less_than_it_should_is_kept_and_is_the_last() -> None:
    decision = grown(span(1, 0.4, 0.05), 9)
    half = span(9, 1.5, 0.05)
    decision = after(half, 9, decision.memory)
    assert decision.num == 9
    assert after(half, 9, decision.memory).num == 9
    assert after(half, 9).num > 9, "without what was learned there would be more"


def test_a_trainer_that_gets_slower_beside_more_producers_has_one_less() -> None:
    decision = grown(span(1, 0.1, 0.05, cores=4), 3)
    slower = span(3, 0.1, 0.06, cores=4, cpu_s=39.0)
    decision = after(slower, 3, decision.memory)
    assert decision.num == 2
    assert "step takes 20 % longer since more joined: they share its cores" in decision.reason
    assert after(span(2, 0.1, 0.05, cores=4), 2, decision.memory).num == 2


def test_a_trainer_that_gets_slower_while_cores_are_free_has_other_reasons() -> None:
    decision = grown(span(1, 0.1, 0.05, cores=4), 3)
    assert after(span(3, 0.1, 0.06, cores=4, cpu_s=10.0), 3, decision.memory).num == 3


def test_fewer_are_wanted_only_after_they_were_too_many_for_long() -> None:
    light, memory = span(5, 0.04, 0.05), Memory()
    for now in (0.0, 10.0, 29.0):
        decision = after(light, 5, memory, now)
        assert decision.num == 5
        memory = decision.memory
    assert after(light, 5, memory, 31.0).num == 1
    busy = after(span(5, 0.24, 0.05), 5, memory, 30.0)
    assert after(light, 5, busy.memory, 31.0).num == 5, "they were needed in between"


def test_fewer_are_as_many_as_were_needed_at_most_meanwhile() -> None:
    memory = after(span(5, 0.1, 0.05), 5, Memory(), 0.0).memory
    decision = after(span(5, 0.02, 0.05), 5, memory, 31.0)
    assert decision.num == 3
    assert "a producer makes 50 batches/s" in decision.reason


def test_bounds_the_wrong_way_round_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"workers must be \(min, max\), got \(4, 2\)"):
        Workers(4, 2)
    with pytest.raises(ConfigurationError):
        replace(AUTO, least=0)
