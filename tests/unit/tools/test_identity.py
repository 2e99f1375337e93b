"""Tokens for tool servers: what is in them, how long they live, and which keys are refused."""

from __future__ import annotations

from typing import Any

import jwt
import pytest

from parlour.domain import Principal, UserId, WorkspaceId
from parlour.errors import ConfigurationError
from parlour.mcp_settings import McpToken
from parlour.tools.config import ServerConfig
from parlour.tools.identity import Mint, TokenRule

KEY = "k" * 32
ADA = Principal(WorkspaceId("acme"), UserId("ada"), claims={"login": "ada@acme", "team": "red"})


def claims(rule: TokenRule, who: Principal = ADA) -> dict[str, Any]:
    header = Mint(rule, who).headers()[rule.header]
    return jwt.decode(
        header.removeprefix("Bearer "), rule.key, algorithms=["HS256"], audience=rule.audience
    )


def test_a_token_says_the_user_the_server_and_a_short_time() -> None:
    said = claims(TokenRule(key=KEY, audience="web"))
    assert (said["sub"], said["aud"], said["exp"] - said["iat"]) == ("ada", "web", 300)
    assert "team" not in said


def test_named_claims_are_passed_on_and_others_are_not() -> None:
    rule = TokenRule(key=KEY, audience="web", subject="login", claims=("team", "absent"))
    said = claims(rule)
    assert (said["sub"], said["team"]) == ("ada@acme", "red")
    assert "absent" not in said
    assert "login" not in said


def test_a_token_is_used_again_until_half_its_life_is_over(monkeypatch) -> None:
    now = [1_000_000.0]
    monkeypatch.setattr("parlour.tools.identity.time.time", lambda: now[0])
    mint = Mint(TokenRule(key=KEY, audience="web", seconds=100), ADA)
    first = mint.headers()
    now[0] += 49
    assert mint.headers() == first
    now[0] += 2
    second = mint.headers()
    assert second != first
    now[0] -= 3_600  # a clock that was put right
    assert mint.headers() != second


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"key": "k" * 31}, "31 characters"),
        ({"seconds": 301}, "1 to 300 seconds"),
        ({"claims": ("exp",)}, "cannot pass on exp"),
        ({"algorithm": "RS256"}, "no RS256 key"),
    ],
)
def test_a_rule_that_is_no_good_is_refused_in_words(rule: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        TokenRule(**{"key": KEY, "audience": "web", **rule})


def test_a_token_needs_a_url_and_a_header_of_its_own() -> None:
    rule = TokenRule(key=KEY, audience="web")
    with pytest.raises(ConfigurationError, match="has a token but no url"):
        ServerConfig("web", command="x", token=rule)
    with pytest.raises(ConfigurationError, match="both a static header"):
        ServerConfig("web", url="http://x", headers={"authorization": "y"}, token=rule)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("plain", "has to be `env:NAME`"),
        ("env:NOT_THERE", "NOT_THERE, which is not set"),
        ("file:/not/there", "cannot be read"),
    ],
)
def test_a_key_that_is_not_there_is_named(key: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        McpToken(key=key).signing_key("web")


def test_the_key_is_in_no_printed_rule() -> None:
    assert KEY not in repr(TokenRule(key=KEY, audience="web"))
