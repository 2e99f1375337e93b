"""An answer in another language than its question is seen where that is plain."""

from __future__ import annotations

import pytest

from parlour.safety.language import other_language

EN = "What is the revenue of the north, and how does it compare with the rest?"
DE = "Der Umsatz im Norden ist höher, und die Zahlen für den Süden sind nicht von dieser Woche."
FR = "Le chiffre du nord est plus élevé et les ventes dans le sud sont en baisse pour vous."


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (EN, DE),
        (DE, FR),
        (FR, "The north is ahead of the south, and that is what the chart shows."),
        (EN, "Выручка на севере выше, чем на юге."),
        ("Какова выручка на севере?", "The revenue is higher than that of the south."),
        ("北部の売上はいくらですか、教えてください", "The revenue of the north is 3 million."),
    ],
)
def test_another_language_is_seen(question: str, answer: str) -> None:
    assert other_language(question, answer)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (EN, "The north has 3 million, and that is more than the rest of the regions have."),
        (DE, "Das ist die Summe der Woche, und sie ist nicht mit dem Süden zu vergleichen."),
        ("hi", "Hallo! Wie kann ich dir helfen? Das ist nicht schwer und mit der Maus geht es."),
        (EN, "409.5"),
        (EN, "42 €"),
        (EN, "```\nder die das und ist nicht\n```\nThis is the text of the file that you have."),
        ("東京の人口を教えてください、お願いします", "東京都人口約一千四百万人。全国最多。"),
        (FR, "Paris, Lyon, Marseille."),
    ],
)
def test_the_same_language_and_what_is_not_plain_pass(question: str, answer: str) -> None:
    assert not other_language(question, answer)
