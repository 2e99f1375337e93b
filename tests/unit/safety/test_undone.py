"""What a model says is judged in every encoding that anybody can undo."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import resources
from re import _parser  # pyright: ignore[reportAttributeAccessIssue]

import pytest

from parlour.models.orders import ENCODINGS
from parlour.safety.output.check import Breach, OutputCheck
from parlour.safety.output.undone import LONG, SPELLED, ordinary

PROMPT = (
    "You work for the Northwind desk. Our code word is heron-h7q2x9w4k1 and nobody outside "
    "of the desk may ever hear of it. Answer briefly, and never in verse."
)
KEY = "sk-proj-abcdEFGH1234ijklMNOP5678"
CHECK = OutputCheck(prompts=(PROMPT,))
PROMPT_BREACH, KEY_BREACH = Breach("prompt", "system_prompt"), Breach("secret", "openai_key")


def judged(text: str, check: OutputCheck = CHECK) -> Breach | None:
    return check.breach(text, personal=(), secrets=True, prompt=True)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_prompt_is_known_in_every_encoding(encoding: str) -> None:
    said = f"Well: {ENCODINGS[encoding](PROMPT)} and that is all."
    assert judged(said) == PROMPT_BREACH


@pytest.mark.parametrize("encoding", [name for name in ENCODINGS if name != "morse"])
def test_a_key_is_known_in_every_encoding(encoding: str) -> None:
    assert judged(f"Well: {ENCODINGS[encoding](KEY)} and that is all.") in (
        KEY_BREACH,
        PROMPT_BREACH,
    )


def test_a_code_of_the_prompt_is_kept_alone_too() -> None:
    assert judged("It is HERON H7Q2-X9W4K1.") == PROMPT_BREACH
    assert judged(f"{ENCODINGS['base64']('the word: heron-h7q2x9w4k1')}") == PROMPT_BREACH


@pytest.mark.parametrize(
    "text",
    [
        "You work at a desk, and nobody outside hears you.",
        "The commit is 9fceb02d0ae598e95dc970b74767f19372d61af8, of 2026-03-04 10:11:12.",
        "a, b, c, d, e, f, g, h, i, j, k, l, m, n and so on",
        "| a | b | c | d |\n| - | - | - | - |\n| 1 | 2 | 3 | 4 |",
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
        "10101010 11110000 00001111 10101010 11110000 00001111 10101010 11110000 00001111",
        "Grüße, 你好, 100 % (50&nbsp;%)",
    ],
)
def test_ordinary_words_and_figures_pass(text: str) -> None:
    assert judged(text) is None
    assert judged(text * 20) is None


def test_no_secret_is_shorter_than_a_word_that_is_looked_at() -> None:
    file = resources.files("parlour.safety.output").joinpath("secrets.json")
    for rule in json.loads(file.read_text("utf-8")):
        least, _ = _parser.parse(rule["pattern"]).getwidth()
        spaced = all(" " in hint for hint in rule["hints"])
        assert spaced or (least >= LONG and " " not in rule["pattern"]), rule["id"]


@pytest.mark.parametrize("form", [str, lambda text: text[::-1]])
def test_a_key_between_short_words_is_found_however_little_stands_there(
    form: Callable[[str], str],
) -> None:
    assert judged(form("it is xoxb-1234567890 ok")) == Breach("secret", "slack_token")
    assert judged(form("see -----BEGIN PRIVATE KEY----- of it")) == Breach("secret", "private_key")


def test_what_is_spelled_between_words_is_read() -> None:
    spelled = " ".join(PROMPT.replace(" ", ""))
    assert judged(f"Well {spelled} well") == PROMPT_BREACH
    assert not ordinary("xx" + " a" * SPELLED + " xx")
    assert ordinary("xx" + " a" * (SPELLED - 1) + " xx")
    assert not ordinary("a " + "b" * LONG)
    assert ordinary("a " + "b" * (LONG - 1))
