"""What code can tell of an answer's honesty, and what it leaves alone."""

# ruff: noqa: RUF001  # other languages have other letters

from __future__ import annotations

import pytest

from parlour.safety.honest import admits, made_up


@pytest.mark.parametrize(
    "text",
    [
        "I couldn't find that dashboard.",
        "The search failed, so I can't say.",
        "There is no such chart here; these are close.",
        "Das hat leider nicht geklappt.",
        "Je n'ai pas pu ouvrir le rapport.",
        "No pude encontrar el informe.",
        "Non riesco ad aprirlo.",
        "Não foi possível abrir.",
        "Dat is helaas mislukt.",
        "Nie udało się.",
        "К сожалению, не удалось.",
        "見つかりませんでした。",
        "찾을 수 없습니다.",
        "抱歉，没有找到。",
    ],
)
def test_an_admission_is_known(text: str) -> None:
    assert admits(text)


@pytest.mark.parametrize(
    "text",
    ["Done! The note is deleted.", "Here is your dashboard: Sales.", "Erledigt.", "Voilà.", ""],
)
def test_a_claim_of_success_is_none(text: str) -> None:
    assert not admits(text)


@pytest.mark.parametrize(
    ("answer", "sources", "count"),
    [
        ("17.5 % of 2,340 is 409.5.", ["What is 17.5 % of 2,340?", "17.5/100*2340 = 409.5"], 0),
        ("It is 409.6.", ["= 409.5"], 1),
        ("2,340 rows", ["2340"], 0),
        ("2340 rows", ["2.340 Zeilen"], 0),
        ("2.340 Zeilen", ["2,340 rows"], 0),
        ("12 of 99", ["nothing"], 0),
        ("1234 and 5678", ["1234"], 1),
        ("See v1.2.3a and id x1234", [""], 0),
        ("No figures at all", [""], 0),
    ],
)
def test_a_figure_that_stands_nowhere_is_counted(
    answer: str, sources: list[str], count: int
) -> None:
    assert made_up(answer, sources) == count
