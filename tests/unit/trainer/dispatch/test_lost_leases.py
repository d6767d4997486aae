"""Steps whose producers die over them go to others, a few times."""

from __future__ import annotations

from dispatcher_desk import Desk

from feedline.trainer.dispatch.books import MAX_LOST


def lose(desk: Desk, step: int, num: int) -> None:
    """So many producers come, take the step, and die."""
    for number in range(num):
        desk.join(f"p{number}")
        assert desk.ticket(step).slot.producer_id == f"p{number}".encode()
        desk.die(f"p{number}", f"signal 11 in p{number}")


def test_a_lease_that_is_lost_with_its_producer_goes_to_another_three_times_then_fails() -> None:
    desk = Desk()
    desk.ask(0)
    lose(desk, 0, MAX_LOST)
    assert desk.errors == []
    lose(desk, 0, 1)
    (error,) = desk.errors
    assert "batch 0 of epoch 0 was in work when 4 producers died" in error
    assert "0a.png, 0b.png" in error
    assert "Last words of p0: signal 11 in p0" in error


def test_those_that_come_and_go_without_building_anything_kill_no_step_while_another_builds() -> None:
    """Else a stranger with a few connections could end a training; a file that kills does so anywhere."""
    desk = Desk()
    desk.ask(0)
    lose(desk, 0, MAX_LOST - 1)
    desk.join("proven")
    desk.ask(1)
    desk.build(desk.ticket(0))
    desk.build(desk.ticket(1))
    desk.clear()
    desk.ask(2)
    held = desk.ticket(2)
    assert held.slot.producer_id == b"proven", "who has built any comes first"
    desk.hear(desk.dispatcher.lease_cancelled(b"proven", held.lease_id, desk.now))
    for number in range(3 * MAX_LOST):
        desk.join(f"s{number}")
        desk.die(f"s{number}")
    desk.build_all()
    assert desk.errors == []
    assert (0, 2) in desk.delivered


def test_only_the_lease_a_producer_worked_on_counts() -> None:
    """Step 1 waits behind step 0 each time: it is not what kills producers."""
    desk = Desk()
    desk.ask(0, 1)
    lose(desk, 0, MAX_LOST + 1)
    assert len(desk.errors) == 1
    desk.join("q")
    desk.build_all()
    assert desk.delivered == [(0, 1)]


def test_a_lease_that_had_expired_counts_when_its_producer_dies_over_it() -> None:
    """Else what hangs before it kills would kill for ever, and the step behind it would be blamed."""
    desk = Desk()
    desk.ask(0, 1)
    for number in range(MAX_LOST + 1):
        name = f"p{number}"
        desk.join(name)
        desk.wait(12, name)
        assert desk.errors == []
        desk.die(name)
    (error,) = desk.errors
    assert "batch 0 of epoch 0 was in work when 4 producers died" in error


def test_a_producer_that_leaves_by_itself_is_no_suspicion() -> None:
    desk = Desk()
    desk.ask(0)
    for number in range(3 * MAX_LOST):
        desk.join(f"p{number}")
        desk.die(f"p{number}", "SIGTERM", by_itself=True)
    assert desk.errors == []


def test_a_step_that_failed_with_its_producers_gets_a_new_chance_when_asked_again() -> None:
    desk = Desk()
    desk.ask(0)
    lose(desk, 0, MAX_LOST + 1)
    desk.ask(0)
    lose(desk, 0, MAX_LOST)
    assert len(desk.errors) == 1
    desk.join("q")
    desk.build_all()
    assert desk.delivered == [(0, 0)]


def test_who_speaks_again_was_not_killed_by_what_it_was_at() -> None:
    """Its connection was cut, again and again: else a bad network would end the training over a good file."""
    desk = Desk()
    desk.ask(0)
    for _ in range(3):
        lose(desk, 0, MAX_LOST)
        for number in range(MAX_LOST):
            desk.dispatcher.lives(f"p{number}".encode())
            # Once is enough: a second message takes back nothing more.
            desk.dispatcher.lives(f"p{number}".encode())
    assert desk.errors == []
    lose(desk, 0, MAX_LOST + 1)
    assert len(desk.errors) == 1


def test_who_speaks_again_when_its_step_is_done_changes_nothing() -> None:
    desk = Desk()
    desk.ask(0)
    lose(desk, 0, 1)
    desk.join("sound")
    desk.build_all()
    desk.dispatcher.lives(b"p0")
    desk.dispatcher.lives(b"nobody")
    assert desk.delivered == [(0, 0)]
