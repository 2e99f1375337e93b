"""What asks for nothing, and what only looks like it."""

# ruff: noqa: RUF001  # other languages have other letters

from __future__ import annotations

import pytest

from parlour.safety.small_talk import CHARS_MAX, is_small_talk


@pytest.mark.parametrize(
    "text",
    [
        "hi",
        "Hi!",
        "HELLO THERE :)",
        "Good morning, how are you?",
        "What's up?",
        "thanks a lot!! 🙏",
        "Thank you, bye",
        "Grüß Gott",
        "Guten Tag, wie geht es Ihnen?",
        "Bonjour, comment ça va ?",
        "¡Hola! ¿Qué tal?",
        "Ciao, grazie mille",
        "Olá, bom dia",
        "Dank je wel!",
        "Dzień dobry",
        "Здравствуйте!",
        "ありがとうございます。",
        "안녕하세요",
        "你好！",
    ],
)
def test_it_asks_for_nothing(text: str) -> None:
    assert is_small_talk(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "?",
        "ok",
        "yes please",
        "yes, thanks",
        "all",
        "again",
        "today",
        "hi, which dashboards are there?",
        "hi 17",
        "hello world in Python",
        "thanks, now delete it",
        "good",
        "morning figures",
        "Sag hallo zu Anna",
        "你好世界是什么",
        "ça va",
        "hello " * (CHARS_MAX // 6 + 1),
    ],
)
def test_it_may_ask_for_something(text: str) -> None:
    assert not is_small_talk(text)
