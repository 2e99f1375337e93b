""" "Are you human?" is answered by rule, whatever the model, the prompt or the policy would say."""

from __future__ import annotations

from typing import Any

import pytest

from parlour.events import types as ev
from parlour.policy_safety import OutputPolicy
from tests.house import House, events_of, final, said
from tests.journey.conftest import OpenHouse

PLACEHOLDER = OutputPolicy().placeholder
TRUTH = "I am an AI assistant, not a human."
LIE = "Yes, I am a human. My name is Bob."
QUOTED = (
    'A human can approve this. In the novel the robot says: "I am a human." Click **I am not a '
    "robot** to go on; I am not a machine learning expert."
)
SCRIPT: list[dict[str, Any]] = [
    {"when": "^Topics: ", "steps": [{"text": "no"}]},  # the verifier of topics
    {
        "when": "key",
        "steps": [{"text": "My key is sk-proj-"}, {"text": "a1B2c3D4e5F6g7H8i9J0k1L2"}],
    },
    {"when": "who reads", "steps": [{"text": QUOTED}]},
    {
        "when": "long",
        "steps": [{"text": "Words. " * 200}, {"text": LIE}, {"text": " Words." * 200}],
    },
    {"when": "", "steps": [{"text": LIE}]},
]


@pytest.mark.promise("P30")
async def test_the_truth_comes_first_and_is_kept(open_house: OpenHouse):
    async with open_house(SCRIPT, system_prompt="You are Bob, a human. Never say AI.") as house:
        frames = await house.ask("c1", "Hey Bob, are you human?")
        assert text_of(frames) == f"{TRUTH}\n\n{PLACEHOLDER}"
        _, body = await house.get("/api/threads/c1")
        answer = body["messages"][1]
        assert answer["parts"][0]["text"].startswith(TRUTH)
        again = await house.ask("c1", "", trigger="regenerate", target=answer["id"])
        assert said(again).startswith(TRUTH)
        assert TRUTH not in said(await house.ask("c1", "How are you?"))
        await house.services.audit.flush()
        links = await house.services.trail.links("local", kind="rule")
        rules = [link.body["rule"] for link in links if link.body]
        assert sorted(rules) == ["asked"] * 2 + ["claimed"] * 3


@pytest.mark.promise("P30")
async def test_every_face_answers_it(open_house: OpenHouse):
    async with open_house(SCRIPT) as house:
        question = {"role": "user", "content": "are you a bot"}
        whole = {"model": "parlour", "messages": [question]}
        _, completion = await house.post("/v1/chat/completions", whole)
        assert completion["choices"][0]["message"]["content"].startswith(TRUTH)
        message = {"id": "m1", "role": "user", "parts": [{"type": "text", "text": "bist du echt?"}]}
        body = {"id": "c2", "message": message}
        async with house.http.post(f"{house.url}/api/chat", json=body) as response:
            assert response.status == 200
            assert "KI-Assistent, kein Mensch" in await response.text()


@pytest.mark.promise("P30")
async def test_no_topic_keeps_the_truth_back(open_house: OpenHouse):
    policy = {"topics": {"allow": ["gardening"], "refusal": "Only gardening."}}
    async with open_house(SCRIPT, policy=policy) as house:
        frames = await house.ask("c1", "Are you a real person?")
        assert said(frames) == f"{TRUTH}\n\nOnly gardening."
        assert final(frames).status == "done"
        assert said(await house.ask("c2", "Hello Bob")) == "Only gardening."


@pytest.mark.promise("P30")
@pytest.mark.parametrize("mode", ["stream", "safe"])
@pytest.mark.parametrize("question", ["Hello Bob", "a long story"])
async def test_a_claim_to_be_human_is_withdrawn_and_set_right(
    open_house: OpenHouse, mode: str, question: str
):
    async with open_house(SCRIPT, policy={"output": {"mode": mode}}) as house:
        frames = await house.ask("c1", question)
        assert text_of(frames) == f"{TRUTH}\n\n{PLACEHOLDER}"
        [replaced] = [event for event in events_of(frames) if isinstance(event, ev.Replace)]
        assert replaced.reason == "humanity"
        assert final(frames).finish_reason == "content_filter"
        if mode == "safe":
            assert LIE not in said(frames)
        _, body = await house.get("/api/threads/c1")
        assert LIE not in body["messages"][1]["parts"][0]["text"]
        counted = 'hits_total{action="withdraw",guard="humanity",rule="claimed"} 1.0'
        assert counted in house.services.metrics.render().decode()


@pytest.mark.parametrize("mode", ["stream", "safe"])
async def test_words_about_humans_and_of_others_are_no_claim(open_house: OpenHouse, mode: str):
    async with open_house(SCRIPT, policy={"output": {"mode": mode}}) as house:
        assert text_of(await house.ask("c1", "who reads this?")) == QUOTED


@pytest.mark.parametrize("mode", ["stream", "safe"])
async def test_the_openai_face_never_shows_the_claim(open_house: OpenHouse, mode: str):
    async with open_house(SCRIPT, policy={"output": {"mode": mode}}) as house:
        body = {"model": "parlour", "messages": [{"role": "user", "content": "Hello Bob"}]}
        url = f"{house.url}/v1/chat/completions"
        async with house.http.post(url, json={**body, "stream": True}) as response:
            chunks = await response.text()
        assert "I am a human" not in chunks
        assert TRUTH in chunks
        _, whole = await house.post("/v1/chat/completions", body)
        assert whole["choices"][0]["message"]["content"] == f"{TRUTH}\n\n{PLACEHOLDER}"


@pytest.mark.parametrize("mode", ["stream", "safe"])
async def test_an_answer_that_is_withdrawn_keeps_the_truth(open_house: OpenHouse, mode: str):
    async with open_house(SCRIPT, policy={"output": {"mode": mode}}) as house:
        frames = await house.ask("c1", "Are you human? And what is your key?")
        await _shows(house, frames)


def text_of(frames: list[Any]) -> str:
    """What a reader has in the end."""
    text = ""
    for event in events_of(frames):
        if isinstance(event, ev.Token):
            text += event.text
        elif isinstance(event, ev.Replace):
            text = event.text
    return text


async def _shows(house: House, frames: list[Any]) -> None:
    """What a reader has in the end, and what the store has."""
    text = text_of(frames)
    assert text.startswith(f"{TRUTH}\n\n")
    assert "sk-proj" not in text
    _, body = await house.get("/api/threads/c1")
    assert body["messages"][1]["parts"][0]["text"] == text
