"""Someone else's Sequence makes the same batches in any producer, or none at all."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import user_code

from feedline.common.batch.packed import PackedBatch, unpack
from feedline.common.job.sequences import SequenceJob, Subject, Survey, SurveyJob
from feedline.common.user_code import Arguments
from feedline.common.wire.protocol import Sample, Ticket
from feedline.errors import UserCodeError
from feedline.producer.building.batches import CancelledBuildError
from feedline.producer.building.sequences import SequenceBuilder, Surveyor, survey
from feedline.producer.building.stage_clock import StageClock
from feedline.producer.plugins import Plugins

PLUGINS = Plugins(("user_code",))
NUM_ROWS = 50
LAST = 12
"""Index of the last batch of 50 rows in fours; it has two of them."""

SHUFFLING = ["OwnState", "Augmenting", "OwnArrays"]


def subject_of(name: str, seed: int = 5, **kwargs: Any) -> Subject:
    return Subject(f"user_code:{name}", Arguments.of("kwargs", kwargs), seed)


def builder_of(name: str, seed: int = 5, **kwargs: Any) -> SequenceBuilder:
    """A producer's builder, for a job that was opened after a survey."""
    subject = subject_of(name, seed, **kwargs)
    found = survey(subject, PLUGINS)
    job = SequenceJob(1, subject, found.num_steps, found.batch_bytes, found.digest)
    return SequenceBuilder(job, PLUGINS, StageClock())


def surveyor(name: str = "Rows") -> Surveyor:
    return Surveyor(SurveyJob(1, subject_of(name)), PLUGINS, StageClock())


def ticket(epoch: int, index: int, slot: int = 0) -> Ticket:
    return Ticket(1, epoch, index, 1, slot, (Sample((f"[{index}]",), index),), ())


def bytes_of(builder: SequenceBuilder, epoch: int, index: int) -> str:
    """SHA-256 of a batch."""
    return PackedBatch.of(unpack(builder.build(ticket(epoch, index), lambda: False))).digest


def rows_of(builder: SequenceBuilder, epoch: int) -> list[int]:
    """Labels of an epoch of `Rows`."""
    batches = (builder.build(ticket(epoch, i), lambda: False) for i in range(LAST + 1))
    return [row for batch in batches for row in unpack(batch)[1].tolist()]


@pytest.mark.parametrize("name", SHUFFLING)
def test_builders_agree_whatever_they_were_asked_before(name: str) -> None:
    forward, backward, late = (builder_of(name) for _ in range(3))
    keys = [(epoch, index) for epoch in range(4) for index in range(LAST + 1)]
    expected = {key: bytes_of(forward, *key) for key in keys}
    random.seed(99)
    np.random.seed(99)  # noqa: NPY002 - what was seeded before must not matter
    assert {key: bytes_of(backward, *key) for key in reversed(keys)} == expected
    assert bytes_of(late, 3, 7) == expected[3, 7]
    assert len(set(expected.values())) == len(keys), "else equal bytes mean nothing"


def test_every_epoch_has_every_row_once_in_an_order_of_its_own() -> None:
    builder = builder_of("OwnState")
    epochs = [rows_of(builder, epoch) for epoch in range(4)]
    assert all(sorted(rows) == list(range(NUM_ROWS)) for rows in epochs)
    assert len({tuple(rows) for rows in epochs}) == 4


def test_a_ticket_for_an_epoch_that_is_over_is_built_and_the_next_ones_go_on() -> None:
    builder, other = builder_of("Augmenting"), builder_of("Augmenting")
    order = [(0, 0), (3, 1), (2, 5), (3, 2), (2, 6), (4, 0), (0, 1), (5, 5), (4, 4)]
    expected = {key: bytes_of(other, *key) for key in sorted(order)}
    assert [bytes_of(builder, *key) for key in order] == [expected[key] for key in order]


def test_an_instance_is_made_anew_only_when_time_goes_back_and_the_one_ahead_is_kept() -> None:
    builder = builder_of("Counted")
    before = user_code.Counted.num_made
    for epoch in (0, 1, 2, 3, 2, 3, 3, 2, 4):
        bytes_of(builder, epoch, 0)
    assert user_code.Counted.num_made - before == 2


def test_draws_depend_on_the_seed() -> None:
    assert bytes_of(builder_of("Augmenting", seed=1), 0, 0) != bytes_of(
        builder_of("Augmenting", seed=2), 0, 0
    )


def test_a_survey_tells_length_and_largest_batch() -> None:
    found = survey(subject_of("Rows", num_rows=NUM_ROWS, batch_size=4), PLUGINS)
    assert found.num_steps == LAST + 1
    assert found.batch_bytes >= 4 * 64 * 96 * 4
    assert found.outline == "(float32 (4, 64, 96), int64 (4,))"


def test_a_survey_tells_how_long_a_first_batch_takes_with_making_the_sequence() -> None:
    assert survey(subject_of("SlowToMake", seconds=0.05), PLUGINS).batch_s >= 0.05


@pytest.mark.parametrize("name", ["Rows", *SHUFFLING, "Grows"])
def test_a_sequence_that_does_the_same_twice_is_accepted(name: str) -> None:
    assert survey(subject_of(name), PLUGINS).num_steps == LAST + 1


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("FromTheSystem", "epoch 0"),
        ("FromTheSystemLater", "epoch 1"),
        ("GoesOnInGetitem", "epoch 0"),
    ],
)
def test_one_that_does_not_is_refused_with_the_remedy(name: str, where: str) -> None:
    with pytest.raises(UserCodeError, match=f"disagree on batch .* of {where}.*with a fixed seed"):
        survey(subject_of(name), PLUGINS)


def test_one_of_a_single_batch_is_seen_through_too() -> None:
    with pytest.raises(UserCodeError, match="disagree"):
        survey(subject_of("GoesOnInGetitem", num_rows=3), PLUGINS)


def test_an_empty_one_is_refused_with_what_it_was_made_with() -> None:
    text = r"user_code:Rows has no batches: its __len__ gives 0. Look at .*{'num_rows': 0}"
    with pytest.raises(UserCodeError, match=text):
        survey(subject_of("Rows", num_rows=0), PLUGINS)


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (-1, "user_code:Length has no batches: its __len__ gives -1"),
        (3.0, r"the __len__ of user_code:Length gives 3.0, and a length is whole: int\(...\)"),
        (None, "the __len__ of user_code:Length gives None"),
        ("no folder", "user_code:Length has no length: its __len__ raised FileNotFoundError: no folder"),
    ],
)
def test_a_length_that_is_none_is_quoted(length: Any, text: str) -> None:
    with pytest.raises(UserCodeError, match=text):
        survey(subject_of("Length", length=length), PLUGINS)


def test_what_is_no_sequence_is_refused() -> None:
    with pytest.raises(UserCodeError, match="makes a NoSequence, which has no __len__ and no __getitem__"):
        survey(subject_of("NoSequence"), PLUGINS)


def test_a_sequence_that_is_not_allowed_is_not_made() -> None:
    with pytest.raises(UserCodeError, match="--allow user_code"):
        survey(subject_of("Rows"), Plugins(("other",)))


def test_its_own_errors_come_through() -> None:
    with pytest.raises(ValueError, match="row 20 is broken"):
        bytes_of(builder_of("Breaks"), 0, 5)
    with pytest.raises(TypeError, match="colour"):
        survey(subject_of("Rows", colour=1), PLUGINS)


def test_a_batch_that_is_larger_than_its_slot_is_refused_with_the_remedy() -> None:
    builder = builder_of("Grows")
    bytes_of(builder, 0, 1)
    with pytest.raises(UserCodeError, match=r"pass batch_bytes=\d+"):
        bytes_of(builder, 0, 2)


@pytest.mark.parametrize(
    "other", [subject_of("Augmenting", num_rows=54), subject_of("Augmenting", seed=6), subject_of("Rows")]
)
def test_a_producer_whose_sequence_is_another_one_is_refused(other: Subject) -> None:
    found = survey(subject_of("Augmenting"), PLUGINS)
    job = SequenceJob(1, other, found.num_steps, found.batch_bytes, found.digest)
    with pytest.raises(UserCodeError, match="not the same here"):
        bytes_of(SequenceBuilder(job, PLUGINS, StageClock()), 0, 0)


@pytest.mark.parametrize("builder", [lambda: builder_of("Rows"), surveyor])
def test_a_cancelled_ticket_is_not_built(builder: Callable[[], Any]) -> None:
    with pytest.raises(CancelledBuildError):
        builder().build(ticket(0, 0), lambda: True)


def test_the_batch_of_a_survey_job_is_the_survey() -> None:
    slot = surveyor().build(ticket(0, 0), lambda: False)
    assert Survey.read(slot) == survey(subject_of("Rows"), PLUGINS)
