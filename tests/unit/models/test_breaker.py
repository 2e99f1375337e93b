"""When a route is left alone, and when it is tried again."""

from __future__ import annotations

from parlour.models.breaker import BreakerLimits, Breakers

ROUTE = "d1"


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def breakers(clock: Clock, changes: list[tuple[str, str]] | None = None) -> Breakers:
    heard = [] if changes is None else changes
    return Breakers(
        BreakerLimits(failures_max=3, open_s=60, trial_s=30),
        clock=clock,
        on_change=lambda route, word: heard.append((route, word)),
    )


def fail(them: Breakers, times: int) -> None:
    for _ in range(times):
        them.failed(ROUTE)


def test_two_failures_leave_it_closed_and_the_third_opens_it() -> None:
    them = breakers(Clock())
    fail(them, 2)
    assert them.enter(ROUTE) == "closed"
    fail(them, 1)
    assert them.look(ROUTE) == ("open", 60.0)
    assert them.enter(ROUTE) == "open"


def test_a_success_in_between_begins_the_count_anew() -> None:
    them = breakers(Clock())
    fail(them, 2)
    them.succeeded(ROUTE)
    fail(them, 2)
    assert them.enter(ROUTE) == "closed"


def test_after_its_time_one_call_tries_and_the_others_wait() -> None:
    clock = Clock()
    them = breakers(clock)
    fail(them, 3)
    clock.now += 59.9
    assert them.enter(ROUTE) == "open"
    clock.now += 0.1
    assert [them.enter(ROUTE) for _ in range(3)] == ["trial", "open", "open"]


def test_a_trial_that_succeeds_closes_it_and_one_that_fails_opens_it_again() -> None:
    clock = Clock()
    changes: list[tuple[str, str]] = []
    them = breakers(clock, changes)
    fail(them, 3)
    clock.now += 60
    assert them.enter(ROUTE) == "trial"
    them.failed(ROUTE)
    assert them.look(ROUTE) == ("open", 60.0)
    clock.now += 60
    assert them.enter(ROUTE) == "trial"
    them.succeeded(ROUTE)
    assert them.enter(ROUTE) == "closed"
    assert changes == [(ROUTE, "open"), (ROUTE, "open"), (ROUTE, "closed")]


def test_a_trial_that_was_stopped_lets_the_next_one_try() -> None:
    clock = Clock()
    them = breakers(clock)
    fail(them, 3)
    clock.now += 60
    assert them.enter(ROUTE) == "trial"
    them.leave(ROUTE)
    assert them.enter(ROUTE) == "trial"


def test_a_trial_that_never_ends_is_over_after_its_time() -> None:
    clock = Clock()
    them = breakers(clock)
    fail(them, 3)
    clock.now += 60
    assert them.enter(ROUTE) == "trial"
    clock.now += 30
    assert them.enter(ROUTE) == "trial"


def test_routes_do_not_open_one_another() -> None:
    them = breakers(Clock())
    fail(them, 3)
    assert them.enter("d2") == "closed"
