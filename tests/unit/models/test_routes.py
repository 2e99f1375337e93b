"""What a route is, what counts as served by it, and which one a call takes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlour.errors import ConfigurationError
from parlour.models.choice import Candidate, Decision, again, decide
from parlour.models.failures import WrongServer
from parlour.models.routes import OURS, Route

ROUTE = Route("eu", "openai", "gpt-5.1", base_url="https://eu.example.com/v1", region="eu", key="K")


def test_everything_that_matters_for_an_audit_changes_the_digest() -> None:
    changes: list[dict[str, Any]] = [
        {"provider": "anthropic"},
        {"model": "gpt-5.2"},
        {"base_url": "https://us.example.com/v1"},
        {"region": "us"},
        {"key": "OTHER"},
        {"retention": "30 days"},
        {"gateway": "openrouter"},
        {"upstream": "azure"},
        {"parameters": {"temperature": 0}},
        {"served": ("*",)},
    ]
    digests = {replace(ROUTE, **change).digest for change in changes} | {ROUTE.digest}
    assert len(digests) == len(changes) + 1


def test_a_routes_own_name_is_not_part_of_its_digest() -> None:
    assert replace(ROUTE, name="other").digest == ROUTE.digest


@pytest.mark.parametrize(
    "reported", ["gpt-5.1", "gpt-5.1-2025-11-13", "gpt-5.1-20251113", "gpt-5.1-latest"]
)
def test_the_model_and_its_snapshots_are_of_the_route(reported: str) -> None:
    assert ROUTE.serves(reported)


@pytest.mark.parametrize("reported", ["", "gpt-5.1-mini", "gpt-5", "gpt-5.10", "claude"])
def test_another_model_is_not_and_silence_is_no_proof(reported: str) -> None:
    assert not ROUTE.serves(reported)
    with pytest.raises(WrongServer):
        ROUTE.check(reported)


def test_further_names_and_patterns_are_taken_when_they_are_configured() -> None:
    assert replace(ROUTE, served=("house-*",)).serves("house-model")
    assert replace(ROUTE, served=("*",)).serves("")


def test_at_a_gateway_the_provider_behind_it_counts_too() -> None:
    route = replace(ROUTE, model="openai/gpt-5.1", gateway="openrouter", upstream="Azure")
    assert route.serves("openai/gpt-5.1-2025-11-13", "azure")
    assert not route.serves("openai/gpt-5.1", "other")


def test_a_gateway_is_told_to_pin_and_to_keep_nothing() -> None:
    route = replace(ROUTE, gateway="openrouter", upstream="azure", parameters={"top_p": 1})
    assert route.extra() == {
        "provider": {
            "order": ["azure"],
            "only": ["azure"],
            "allow_fallbacks": False,
            "require_parameters": True,
            "data_collection": "deny",
            "zdr": True,
        },
        "top_p": 1,
    }
    assert replace(ROUTE, gateway="litellm").extra() == {
        "disable_fallbacks": True,
        "num_retries": 0,
    }


def test_an_unknown_gateway_is_refused_in_a_sentence() -> None:
    with pytest.raises(ConfigurationError, match="openrouter"):
        replace(ROUTE, gateway="somewhere").extra()


@pytest.mark.parametrize("gateway", ["", "openrouter", "litellm"])
@pytest.mark.parametrize("name", sorted(OURS))
def test_parameters_cannot_say_otherwise_than_the_route(gateway: str, name: str) -> None:
    route = replace(ROUTE, gateway=gateway, upstream="azure", parameters={name: "x", "top_p": 1})
    with pytest.raises(ConfigurationError, match=f"routes.eu.parameters` has {name},"):
        route.extra()


@pytest.mark.parametrize(
    ("gateway", "name"),
    [
        ("openrouter", "provider"),
        ("openrouter", "models"),
        ("openrouter", "route"),
        ("litellm", "fallbacks"),
        ("litellm", "disable_fallbacks"),
        ("litellm", "num_retries"),
    ],
)
def test_what_pins_a_gateway_cannot_be_taken_back(gateway: str, name: str) -> None:
    route = replace(ROUTE, gateway=gateway, upstream="azure", parameters={name: ["x"]})
    with pytest.raises(ConfigurationError, match=name):
        route.extra()
    assert name in replace(route, gateway="").extra()  # with other servers they mean nothing


def test_a_gateway_with_many_providers_has_to_be_told_which() -> None:
    with pytest.raises(ConfigurationError, match="upstream"):
        replace(ROUTE, gateway="openrouter").extra()


def test_langchains_models_are_known_by_their_own_name() -> None:
    route = replace(ROUTE, provider="langchain", model="google_genai:gemini-2.5-flash")
    assert route.serves("gemini-2.5-flash")
    assert not route.serves("gemini-2.5-flash-lite")
    assert not route.serves("")


STATES = st.sampled_from(["closed", "trial", "open", "failed"])


@given(st.lists(STATES, max_size=5))
def test_a_pinned_policy_never_takes_another_route(states: list[Any]) -> None:
    candidates = tuple(Candidate(f"r{n}", f"d{n}", state) for n, state in enumerate(states))
    choice = decide("v", "pinned", candidates).choice
    may = bool(states) and states[0] in ("closed", "trial")
    assert choice == ("r0" if may else "")


@given(st.lists(STATES, max_size=5))
def test_an_ordered_policy_takes_the_first_that_may_be_called(states: list[Any]) -> None:
    candidates = tuple(Candidate(f"r{n}", f"d{n}", state) for n, state in enumerate(states))
    able = [c.route for c in candidates if c.state in ("closed", "trial")]
    assert decide("v", "ordered", candidates).choice == (able[0] if able else "")


@given(st.sampled_from(["pinned", "ordered"]), st.lists(STATES, max_size=5))
def test_a_decision_is_made_again_the_same(mode: Any, states: list[Any]) -> None:
    candidates = tuple(Candidate(f"r{n}", f"d{n}", state) for n, state in enumerate(states))
    assert again(decide("v", mode, candidates))


def test_a_decision_that_was_changed_afterwards_is_noticed() -> None:
    made = decide("v", "pinned", (Candidate("a", "d"), Candidate("b", "e")))
    assert not again(Decision(made.policy, made.mode, made.candidates, "b", made.reason))
