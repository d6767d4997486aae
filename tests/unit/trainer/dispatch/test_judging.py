"""Bad samples: what counts at once, what only when nobody can, and when it is too much."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from dispatcher_desk import Desk

from feedline.common.wire.protocol import BadFile, Failure, FailureKind
from feedline.errors import BadSamplesError
from feedline.trainer.dispatch.answers import Grace
from feedline.trainer.dispatch.bad_samples import BadSamples
from feedline.trainer.dispatch.instructions import Reject, Report, SendTicket
from feedline.trainer.dispatch.slots import SlotNeed
from feedline.trainer.dispatch.works import Opening
from feedline.trainer.plan.epochs import EpochPlan, StepKey
from feedline.trainer.plan.lineups import Lineups, OnError

READ, DECODE = FailureKind.READ, FailureKind.DECODE
NUM_ROWS, BATCH = 24, 4


class JudgingDesk(Desk):
    """Job 1 goes on without bad samples; its tickets have lineups, and files are named for their rows."""

    def __init__(
        self,
        *names: str,
        on_error: OnError = OnError.REPLACE,
        max_share: float = 0.5,
        grace: Grace | None = None,
    ) -> None:
        self.bad = BadSamples(
            Lineups(EpochPlan(NUM_ROWS, BATCH), 1, on_error),
            max_share,
            lambda row: (f"{row}.png", f"{row}m.png"),
        )
        super().__init__(*names, grace=grace or Grace())

    def open_job(self, job_id: int, **_: int) -> None:
        """Open it with what is known of its bad samples."""
        opening = Opening(job_id, "job", NUM_ROWS // BATCH, SlotNeed(1, 10), lambda _: [], bad=self.bad)
        self.hear(self.dispatcher.job_opened(opening, self.now))

    def hear(self, instructions: list) -> list:  # type: ignore[type-arg]
        """Take down what is said, and make the tickets."""
        for one in super().hear(instructions):
            if isinstance(one, SendTicket):
                lineup = self.bad.lineups.of(one.key)
                self.bad.lined_up(one.key, lineup)
                self.dispatcher.lined_up(one.slot.producer_id, one.lease_id, lineup)
        return instructions

    def finds(self, ticket: SendTicket, *bad: tuple[int, FailureKind], file: int = 0) -> None:
        """A producer says which samples of a ticket are bad, by their places."""
        self.open.pop(ticket.lease_id, None)
        files = tuple(BadFile(place, file, kind, f"is bad {place}") for place, kind in bad)
        kind = DECODE if any(one is DECODE for _, one in bad) else READ
        failure = Failure(1, ticket.lease_id, kind, "a.png", "is bad", "", files)
        self.hear(self.dispatcher.batch_failed(ticket.slot.producer_id, ticket.lease_id, failure, self.now))

    @property
    def bad_rows(self) -> list[int]:
        """Rows that are known to be bad."""
        return [row for row, bad in enumerate(self.bad.lineups.is_bad) if bad]


def paths_of(desk: JudgingDesk) -> Sequence[str]:
    return [one.path for one in desk.bad.found]


def test_what_is_no_image_is_bad_at_once_and_the_step_is_ordered_again() -> None:
    desk = JudgingDesk("p")
    desk.ask(1)
    desk.finds(desk.ticket(1), (0, DECODE), (2, DECODE))
    assert desk.bad_rows == [4, 6]
    assert desk.of(Report)
    assert any("4.png: is bad 0; 6.png: is bad 2" in note for note in desk.notes)
    desk.build(desk.ticket(1))
    assert desk.delivered == [(0, 1)]
    assert not desk.errors


def test_each_file_is_told_once_however_often_it_is_met() -> None:
    desk = JudgingDesk("p")
    first, second = desk.ticket(0), desk.ticket(1)
    desk.finds(first, (3, DECODE))
    desk.ask(0, epoch=0)
    desk.finds(second, (1, DECODE), file=1)
    desk.finds(desk.ticket(0), (3, DECODE))
    assert paths_of(desk) == ["3.png", "5m.png"]
    one, other = desk.bad.found
    assert (one.key, one.place, one.row, one.producer) == (StepKey(0, 0), 3, 3, "p")
    assert (other.key, other.place, other.row) == (StepKey(0, 1), 1, 5)


def test_a_file_that_one_producer_cannot_read_is_tried_by_all_and_is_good_if_one_can() -> None:
    desk = JudgingDesk("p", "q")
    desk.ask(0)
    first = desk.ticket(0)
    desk.finds(first, (1, READ))
    second = desk.ticket(0)
    assert second.slot.producer_id != first.slot.producer_id
    desk.build(second)
    assert desk.bad_rows == []
    assert (0, 0) in desk.delivered


def test_a_file_that_no_producer_can_read_is_bad() -> None:
    desk = JudgingDesk("p", "q")
    desk.ask(0)
    desk.finds(desk.ticket(0), (1, READ), (2, READ))
    assert desk.bad_rows == []
    desk.finds(desk.ticket(0), (1, READ))
    assert desk.bad_rows == [1]
    # What the other has read is no bad file, whoever could not.
    desk.build(desk.ticket(0))
    assert desk.delivered == [(0, 0)]


def test_prefetch_goes_on_past_a_file_that_nobody_can_read() -> None:
    desk = JudgingDesk("p")
    desk.finds(desk.ticket(0), (0, READ))
    assert desk.bad_rows == [0]
    assert desk.ticket(0)


def test_files_of_which_each_producer_lacks_another_are_no_bad_files() -> None:
    desk = JudgingDesk("p", "q")
    desk.ask(0)
    desk.finds(desk.ticket(0), (1, READ))
    desk.finds(desk.ticket(0), (2, READ))
    assert desk.bad_rows == []
    assert "no producer can read batch 0 of epoch 0" in desk.errors[0]


def wait_in_vain(desk: JudgingDesk, seconds: float, *alive: str) -> None:
    """Time passes, in which producers try step 0 again, and do not find the file of its second sample."""
    for _ in range(int(2 * seconds)):
        desk.wait(0.5, *alive)
        for ticket in desk.tickets():
            if ticket.key == (0, 0) and not desk.bad_rows:
                desk.finds(ticket, (1, READ))


def test_others_are_waited_for_that_may_have_the_file_but_not_for_each_file_anew() -> None:
    desk = JudgingDesk("p", grace=Grace(one_file_s=5.0, everything_s=60.0))
    desk.ask(0)
    desk.finds(desk.ticket(0), (1, READ))
    wait_in_vain(desk, 4.0, "p")
    assert desk.bad_rows == []
    wait_in_vain(desk, 1.5, "p")
    assert desk.bad_rows == [1]
    desk.build(desk.ticket(0))
    desk.ask(1)
    desk.finds(desk.ticket(1), (0, READ))
    assert desk.bad_rows == [1, 4]


def test_one_that_joins_late_is_waited_for_by_whoever_waits_longer_than_that() -> None:
    desk = JudgingDesk("p", grace=Grace(one_file_s=5.0, everything_s=5.0))
    desk.ask(0)
    desk.finds(desk.ticket(0), (1, READ))
    wait_in_vain(desk, 4.0, "p")
    desk.join("q")
    desk.finds(desk.ticket(0), (1, READ))
    wait_in_vain(desk, 4.0, "p", "q")
    assert (desk.bad_rows, desk.errors) == ([], [])
    wait_in_vain(desk, 1.5, "p", "q")
    assert (desk.bad_rows, desk.errors) == ([1], [])


def test_more_than_the_share_ends_the_training_with_the_first_ten_named() -> None:
    desk = JudgingDesk("p", max_share=0.5)
    desk.ask(0, 1, 2, 3)
    for step in range(3):
        desk.finds(desk.ticket(step), *((place, DECODE) for place in range(BATCH)))
    assert len(desk.bad_rows) == 12
    assert not desk.errors
    desk.finds(desk.ticket(3), (0, DECODE))
    (error, *_) = [one.error for one in desk.of(Reject)]
    assert isinstance(error, BadSamplesError)
    text = str(error)
    assert "13 of 24 samples are bad, and max_bad_share=0.5 allows 12" in text
    assert text.count(".png: is bad") == 10
    assert "and 3 more" in text
    desk.clear()
    desk.ask(5)
    assert "13 of 24 samples are bad" in desk.errors[0]


@pytest.mark.parametrize(("on_error", "ends"), [(OnError.SKIP, True), (OnError.REPLACE, False)])
def test_where_all_are_bad_only_what_stays_blank_goes_on(on_error: OnError, ends: bool) -> None:
    desk = JudgingDesk("p", on_error=on_error, max_share=1.0)
    desk.ask(*range(6))
    for _ in range(40):
        for ticket in [] if desk.errors else desk.tickets():
            lineup = desk.bad.lineups.of(ticket.key)
            places = [place for place in range(len(lineup)) if not lineup.is_blank[place]]
            desk.now += 0.01
            if places:
                desk.finds(ticket, *((place, DECODE) for place in places))
            else:
                desk.build(ticket)
    assert bool(desk.errors) is ends
    assert len(desk.delivered) == (0 if ends else 6)


def test_places_that_the_ticket_did_not_have_fail_the_batch_and_make_nothing_bad() -> None:
    desk = JudgingDesk("p")
    desk.ask(0)
    desk.finds(desk.ticket(0), (99, DECODE))
    assert desk.bad_rows == []
    assert "batch 0 of epoch 0 failed" in desk.errors[0]


def test_a_job_that_raises_takes_no_sample_for_bad() -> None:
    desk = JudgingDesk("p", on_error=OnError.RAISE)
    desk.ask(0)
    desk.finds(desk.ticket(0), (0, DECODE))
    assert desk.bad_rows == []
    assert "batch 0 of epoch 0 failed: a.png: is bad" in desk.errors[0]


def test_a_producer_that_reads_some_files_of_each_batch_goes_on_getting_tickets() -> None:
    desk = JudgingDesk("p", max_share=1.0)
    desk.ask(*range(6))
    for _ in range(24):
        ticket = desk.tickets()[0]
        blank = desk.bad.lineups.of(ticket.key).is_blank.tolist()
        if blank.count(False) > 1:
            desk.finds(ticket, (blank.index(False), READ))
        else:
            desk.build(ticket)
    assert len(desk.bad_rows) > 15
    assert not any("gets no more tickets" in note for note in desk.notes)


def test_a_step_at_which_a_producer_died_is_ordered_with_care() -> None:
    desk = JudgingDesk("p", "q")
    desk.ask(0)
    assert not desk.ticket(0).careful
    desk.die(desk.ticket(0).slot.producer_id.decode())
    assert desk.ticket(0).careful


def test_what_was_delivered_is_remembered_though_a_file_of_it_goes_bad_later() -> None:
    desk = JudgingDesk("p", on_error=OnError.SKIP)
    desk.bad.delivered(StepKey(0, 0), desk.bad.lineups.of(StepKey(0, 0)))
    desk.bad.lineups.mark([0, 5])
    assert desk.bad.order(0).tolist() == [0, 1, 2, 3, 4, *range(6, NUM_ROWS)]
    assert desk.bad.order(1).tolist() == [1, 2, 3, 4, *range(6, NUM_ROWS)]
