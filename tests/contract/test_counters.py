"""What every kind of counters does: in memory and in Redis, word for word the same."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from parlour.limits.levels import (
    Amount,
    Bounds,
    Counters,
    Done,
    Granted,
    Level,
    LimitName,
    Moment,
    Refused,
    Seed,
    Subject,
    Unseeded,
    Want,
)
from parlour.limits.memory import MemoryCounters
from parlour.limits.redis import RedisCounters

NOON = 20_500 * 86_400 + 43_200.0
TTL_S = 180.0
AT = Moment(NOON)


@pytest.fixture(params=["memory", "redis"])
async def counters(request: pytest.FixtureRequest, redis_url: str) -> AsyncIterator[Counters]:
    made: Counters
    if request.param == "memory":
        made = MemoryCounters()
    else:
        made = RedisCounters(redis_url, prefix=secrets.token_hex(6))
    yield made
    await made.close()


def ann(**bounds: int) -> Subject:
    return Subject("acme", "ann", Bounds(**bounds))


def acme(**bounds: int) -> Subject:
    return Subject("acme", None, Bounds(**bounds))


def want(turn: str, *, sure: int = 0, most: int = 0, hold: str = "", question: bool = True) -> Want:
    name = hold or f"{turn}:1"
    held = Amount(sure, sure * 10), Amount(most, most * 10)
    return Want(turn, name, *held, TTL_S, enters=question, question=question)


def later(seconds: float) -> Moment:
    return Moment(NOON + seconds)


async def ready(counters: Counters, *subjects: Subject, seed: Seed | None = None) -> None:
    for subject in subjects:
        await counters.seed(subject, AT, seed or Seed())


async def level(counters: Counters, subject: Subject, at: Moment = AT) -> Level:
    levels = await counters.look([subject], at)
    assert not isinstance(levels, Unseeded)
    return levels[0]


async def refused(counters: Counters, subject: Subject, it: Want, at: Moment = AT) -> LimitName:
    answer = await counters.take([subject], at, it)
    assert isinstance(answer, Refused)
    return answer.limit


async def test_whoever_is_not_known_is_not_let_in(counters: Counters) -> None:
    subjects = [ann(tokens_per_day=10), acme(tokens_per_day=10)]
    assert await counters.take(subjects, AT, want("t")) == Unseeded((0, 1))
    await counters.seed(subjects[1], AT, Seed())
    assert await counters.take(subjects, AT, want("t")) == Unseeded((0,))
    assert await counters.look(subjects, AT) == Unseeded((0,))
    assert await counters.settle(subjects, AT, Done("t")) == Unseeded((0,))


async def test_questions_are_counted_over_any_sixty_minutes(counters: Counters) -> None:
    it = ann(requests_per_hour=2)
    await ready(counters, it)
    for number in range(2):
        assert isinstance(await counters.take([it], later(number), want(f"t{number}")), Granted)
    assert await refused(counters, it, want("t2"), later(3_599)) == "requests_per_hour"
    assert (await level(counters, it, later(3_599))).oldest == NOON
    assert isinstance(await counters.take([it], later(3_600.5), want("t3")), Granted)
    assert await refused(counters, it, want("t4"), later(3_600.6)) == "requests_per_hour"


async def test_what_goes_on_after_a_decision_takes_a_place_and_is_no_question(
    counters: Counters,
) -> None:
    it = ann(requests_per_hour=1, turns_at_once=2)
    await ready(counters, it)
    assert isinstance(await counters.take([it], AT, want("t1")), Granted)
    goes_on = replace(want("t2"), question=False)
    assert isinstance(await counters.take([it], AT, goes_on), Granted)
    now = await level(counters, it)
    assert (now.requests, now.turns) == (1, 2)
    assert await refused(counters, it, replace(goes_on, turn="t3")) == "turns_at_once"


async def test_a_turn_that_another_process_goes_on_with_is_not_in_its_own_way(
    counters: Counters,
) -> None:
    it = ann(requests_per_hour=1, turns_at_once=1)
    await ready(counters, it)
    assert isinstance(await counters.take([it], AT, want("t1")), Granted)
    answer = await counters.take([it], later(60), want("t1"))
    assert isinstance(answer, Granted)
    assert (answer.levels[0].requests, answer.levels[0].turns) == (1, 1)
    assert answer.levels[0].oldest == NOON  # it was asked then, and leaves the hour so
    assert await refused(counters, it, want("t2"), later(60)) == "turns_at_once"
    await counters.settle([it], later(60), Done("t1", leave=True))
    assert await refused(counters, it, want("t2"), later(60)) == "requests_per_hour"


async def test_a_question_that_was_asked_of_another_process_counts_and_is_never_one_too_many(
    counters: Counters,
) -> None:
    it = ann(requests_per_hour=1)
    await ready(counters, it)
    assert isinstance(await counters.take([it], AT, want("t1")), Granted)
    answer = await counters.take([it], later(60), replace(want("t2"), asked=True))
    assert isinstance(answer, Granted)
    assert answer.levels[0].requests == 2
    assert await refused(counters, it, want("t3"), later(60)) == "requests_per_hour"


async def test_answers_at_once_are_bounded_and_given_back(counters: Counters) -> None:
    it = ann(turns_at_once=1)
    await ready(counters, it)
    assert isinstance(await counters.take([it], AT, want("t1")), Granted)
    assert await refused(counters, it, want("t2")) == "turns_at_once"
    await counters.settle([it], AT, Done("t1", leave=True))
    assert isinstance(await counters.take([it], AT, want("t2")), Granted)


async def test_the_prompt_has_to_fit_and_only_the_reply_may_go_over(counters: Counters) -> None:
    it = ann(tokens_per_day=100)
    await ready(counters, it, seed=Seed(day_tokens=60))
    assert await refused(counters, it, want("t1", sure=41)) == "tokens_per_day"
    assert isinstance(await counters.take([it], AT, want("t2", sure=40, most=500)), Granted)
    assert (await level(counters, it)).held_tokens == 540
    assert await refused(counters, it, want("t3", sure=1)) == "tokens_per_day"


async def test_what_was_really_used_takes_the_place_of_what_was_held(counters: Counters) -> None:
    it = ann(tokens_per_day=1_000)
    await ready(counters, it)
    await counters.take([it], AT, want("t1", sure=100, most=400))
    settled = await counters.settle([it], AT, Done("t1", "t1:1", Amount(120, 7)))
    assert not isinstance(settled, Unseeded)
    assert (settled[0].day_tokens, settled[0].day_nanos, settled[0].held_tokens) == (120, 7, 0)
    assert (settled[0].month_tokens, settled[0].month_nanos) == (120, 7)
    # Told twice, its hold is free once.
    again = await counters.settle([it], AT, Done("t1", "t1:1"))
    assert not isinstance(again, Unseeded)
    assert again[0].held_tokens == 0


async def test_money_is_held_and_bounded_like_tokens(counters: Counters) -> None:
    it = ann(dollars_per_day=1_000, dollars_per_month=1_500)
    await ready(counters, it, seed=Seed(day_nanos=100, month_nanos=1_400))
    assert await refused(counters, it, want("t1", sure=91)) == "dollars_per_day"
    assert await refused(counters, it, want("t1", sure=11)) == "dollars_per_month"
    assert isinstance(await counters.take([it], AT, want("t1", sure=10, most=3)), Granted)
    assert (await level(counters, it)).held_nanos == 130


async def test_big_sums_of_money_stay_exact(counters: Counters) -> None:
    it = ann(dollars_per_month=9_007_199_254_740_991)
    seed = Seed(month_nanos=9_007_199_254_740_000)
    await ready(counters, it, seed=seed)
    await counters.settle([it], AT, Done("t", spent=Amount(1, 123)))
    assert (await level(counters, it)).month_nanos == 9_007_199_254_740_123


async def test_asked_for_again_a_hold_is_replaced_and_a_refusal_leaves_it(
    counters: Counters,
) -> None:
    it = ann(tokens_per_day=100)
    await ready(counters, it)
    await counters.take([it], AT, want("t1", sure=10, most=5))
    await counters.take([it], AT, want("t1", sure=30, most=5, question=False))
    assert (await level(counters, it)).held_tokens == 35
    assert await refused(counters, it, want("t1", sure=101, question=False)) == "tokens_per_day"
    assert (await level(counters, it)).held_tokens == 35
    assert (await level(counters, it)).requests == 1


async def test_all_subjects_are_asked_or_none(counters: Counters) -> None:
    user, everybody = ann(tokens_per_day=1_000), acme(tokens_per_day=10)
    await ready(counters, user, everybody)
    answer = await counters.take([user, everybody], AT, want("t1", sure=11))
    assert isinstance(answer, Refused)
    assert (answer.place, answer.limit) == (1, "tokens_per_day")
    assert await level(counters, user) == Level()
    other = Subject("acme", "bob", Bounds(tokens_per_day=1_000))
    await ready(counters, other)
    await counters.take([user, everybody], AT, want("t2", sure=6))
    assert await refused(counters, everybody, want("t3", sure=5)) == "tokens_per_day"
    assert (await level(counters, other)).held_tokens == 0


async def test_a_day_and_a_month_end_at_midnight_utc(counters: Counters) -> None:
    it = ann(tokens_per_day=10, tokens_per_month=20)
    month_end = Moment(Moment(NOON).end_of_month())
    last = Moment(month_end.seconds - 60)
    await counters.seed(it, last, Seed(day_tokens=10, month_tokens=20))
    assert await refused(counters, it, want("t1", sure=1), last) == "tokens_per_day"
    next_day = Moment(last.end_of_day())
    assert next_day.day == last.day + 1
    assert isinstance(await counters.take([it], month_end, want("t1", sure=1)), Granted)
    fresh = await level(counters, it, month_end)
    assert (fresh.day_tokens, fresh.month_tokens) == (0, 0)


@pytest.mark.promise("P11")
async def test_a_clock_that_goes_back_gives_nothing_back(counters: Counters) -> None:
    it = ann(tokens_per_day=10)
    await counters.seed(it, AT, Seed(day_tokens=10))
    for hours in (-1, -23, -24 * 31):
        moment = later(hours * 3_600)
        assert await refused(counters, it, want("t1", sure=1), moment) == "tokens_per_day"


async def test_what_a_dead_process_held_runs_out(counters: Counters) -> None:
    it = ann(tokens_per_day=100, turns_at_once=1)
    await ready(counters, it)
    await counters.take([it], AT, want("t1", sure=10, most=90))
    assert await refused(counters, it, want("t2", sure=1), later(TTL_S - 1)) == "turns_at_once"
    assert isinstance(await counters.take([it], later(TTL_S + 1), want("t2", sure=1)), Granted)
    assert (await level(counters, it, later(TTL_S + 1))).held_tokens == 1


async def test_a_question_that_never_came_to_be_is_taken_out_of_the_count(
    counters: Counters,
) -> None:
    it = ann(requests_per_hour=1)
    await ready(counters, it)
    await counters.take([it], AT, want("t1"))
    await counters.settle([it], AT, Done("t1", "t1:1", leave=True, forget=True))
    assert await level(counters, it) == Level()


async def test_the_ledger_can_only_add_to_what_is_counted(counters: Counters) -> None:
    it = ann(tokens_per_day=100, requests_per_hour=3)
    await counters.seed(it, AT, Seed(day_tokens=50, requests=(NOON - 60, NOON - 4_000)))
    await counters.settle([it], AT, Done("t", spent=Amount(30)))
    await counters.seed(it, AT, Seed(day_tokens=70, requests=(NOON - 60,)))
    now = await level(counters, it)
    assert (now.day_tokens, now.requests, now.oldest) == (80, 1, NOON - 60)
    await counters.seed(it, AT, Seed(day_tokens=90))
    assert (await level(counters, it)).day_tokens == 90


@pytest.mark.promise("P17")
async def test_200_at_once_at_the_last_1000_tokens_are_over_by_one_reply_at_most(
    counters: Counters,
) -> None:
    it, reply_max = ann(tokens_per_day=100_000), 4_096
    await counters.seed(it, AT, Seed(day_tokens=99_000))
    answers = await asyncio.gather(
        *(counters.take([it], AT, want(f"t{n}", sure=200, most=reply_max)) for n in range(200))
    )
    granted = [n for n, answer in enumerate(answers) if isinstance(answer, Granted)]
    assert len(granted) == 1
    for n in granted:
        await counters.settle([it], AT, Done(f"t{n}", f"t{n}:1", Amount(200 + reply_max)))
    spent = (await level(counters, it)).day_tokens
    assert spent - 100_000 <= reply_max
    assert await refused(counters, it, want("late", sure=1)) == "tokens_per_day"


@pytest.mark.promise("P17")
async def test_small_replies_use_the_last_tokens_up(counters: Counters) -> None:
    it = ann(tokens_per_day=1_000)
    await ready(counters, it)
    asked = 0
    while isinstance(
        await counters.take([it], AT, want(f"t{asked}", sure=90, most=4_096)), Granted
    ):
        await counters.settle([it], AT, Done(f"t{asked}", f"t{asked}:1", Amount(100), leave=True))
        asked += 1
    assert asked == 10
    assert (await level(counters, it)).day_tokens == 1_000


async def test_names_with_every_character_are_kept_apart(counters: Counters) -> None:
    one = Subject("a:b}", "c:{d", Bounds(tokens_per_day=5))
    two = Subject("a", "b}:c:{d", Bounds(tokens_per_day=5))
    await ready(counters, one, two)
    await counters.settle([one], AT, Done("t", spent=Amount(5)))
    assert (await level(counters, two)).day_tokens == 0
