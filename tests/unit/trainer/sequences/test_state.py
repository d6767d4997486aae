"""A state is short, plain, and only fits the training that it is of."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from feedline.errors import ConfigurationError
from feedline.trainer.sequences.state import SequenceState

STATE = SequenceState(
    3, 17, seed=7, batch_size=32, shard_count=1, num_steps=20, job={"files": "#12345678", "dtype": "uint8"}
)


def refusal(state: SequenceState, other: SequenceState) -> str:
    """What is said of a state that is of another training."""
    with pytest.raises(ConfigurationError) as refused:
        state.check_is_of(other)
    return str(refused.value)


def test_it_survives_json() -> None:
    assert SequenceState.from_dict(json.loads(json.dumps(STATE.to_dict()))) == STATE


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"batch_size": 64}, "batch_size was 32 and is 64"),
        ({"num_steps": 19}, 'an epoch had 20 batches and has 19, because shard_remainder="drop" leaves out'),
        ({"seed": 8, "num_steps": 19}, "seed was 7 and is 8"),
        ({"seed": 8}, "seed was 7 and is 8"),
        ({"job": STATE.job | {"files": "#87654321"}}, "files changed"),
        ({"job": STATE.job | {"dtype": "float32"}}, "dtype was 'uint8' and is 'float32'"),
        ({"job": {"files": "#12345678"}}, "dtype was 'uint8' and is None"),
        ({"batch_size": 64, "seed": 8}, "seed was 7 and is 8; batch_size was 32 and is 64"),
        ({"shard_count": 2}, "the global batch, batch_size * shard_count, was 32 * 1 and is 32 * 2"),
    ],
)
def test_of_another_training_it_says_what_differs(changes: dict[str, Any], text: str) -> None:
    said = refusal(STATE, replace(STATE, **changes))
    assert said.startswith(f"the state is of another training: {text}")
    assert ". Make the sequence as it was" in said


@pytest.mark.parametrize(("batch_size", "shard_count"), [(16, 2), (8, 4), (1, 32)])
def test_the_number_of_ranks_may_differ_where_the_global_batch_does_not(
    batch_size: int, shard_count: int
) -> None:
    other = replace(STATE, batch_size=batch_size, shard_count=shard_count)
    STATE.check_is_of(other)
    other.check_is_of(STATE)


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (None, "a state is what state_dict() returned, got None"),
        ({"epoch": 3}, "a state is what state_dict() returned, got {'epoch': 3}"),
        (STATE.to_dict() | {"version": 1}, "the state has version 1, and this Feedline reads 2"),
        (STATE.to_dict() | {"epoch": -1}, "epoch must be a whole number, at least 0, got -1"),
        (STATE.to_dict() | {"step": 1.5}, "step must be a whole number, at least 0, got 1.5"),
        (STATE.to_dict() | {"job": [1]}, "job= of a state must be a dict, got [1]"),
    ],
)
def test_what_is_no_state_is_refused_in_words(state: Any, text: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        SequenceState.from_dict(state)
    assert text in str(refused.value)
