"""Who a tool server is told is asking: a token of its own for each user, and nobody else's."""

from __future__ import annotations

import asyncio
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from parlour import parts
from parlour.domain import Principal, ToolRequest, UserId, WorkspaceId
from parlour.errors import ConfigurationError
from parlour.settings import Settings
from parlour.tools.config import ServerConfig, ToolLimits
from parlour.tools.identity import TokenRule
from parlour.tools.toolbox import Toolbox
from tests.journey.conftest import OpenHouse
from tests.journey.test_garbage import SECRET, token
from tests.live.recorder import KEY, Recorder

LIMITS = ToolLimits(list_wait_s=15)


def person(user: str, workspace: str = "acme", **claims: object) -> Principal:
    return Principal(WorkspaceId(workspace), UserId(user), name=user, claims=dict(claims))


def toolbox(recorder: Recorder, **rule: object) -> Toolbox:
    given: dict[str, object] = {"key": KEY, "audience": recorder.url, **rule}
    config = ServerConfig("web", url=recorder.url, token=TokenRule(**given))  # type: ignore[arg-type]
    return Toolbox([config], limits=LIMITS)


async def ask(box: Toolbox, who: Principal, word: str = "") -> dict[str, object]:
    outcome = await box.call(who, ToolRequest("1", "web__whoami", {"word": word}))
    assert outcome.ok, outcome.text
    return outcome.widget["data"]


@pytest.mark.promise("P21")
async def test_two_users_who_race_are_each_themselves_in_every_request() -> None:
    async with Recorder().serving() as recorder:
        box = toolbox(recorder)
        people = [person("ada"), person("bob"), person("ada", "other")]

        async def one(number: int) -> tuple[str, str]:
            who = people[number % 3]
            outcome = await box.call(
                who, ToolRequest("1", "web__whoami", {"word": f"{who.user}{number}"})
            )
            return outcome.text, f"{who.user} {who.user}{number}"

        pairs = await asyncio.gather(*(one(number) for number in range(90)))
        connections = box.servers()[1].connections
        await box.close()

    assert all(got == wanted for got, wanted in pairs)
    assert connections == 3
    said = [recorder.claims(headers) for headers in recorder.requests]
    assert {claims["sub"] for claims in said} == {"ada", "bob"}
    assert all(claims["exp"] - claims["iat"] <= 300 for claims in said)
    assert {claims["iss"] for claims in said} == {"parlour"}


async def test_the_hosts_own_token_never_reaches_a_tool_server(open_house: OpenHouse, monkeypatch):
    monkeypatch.setenv("WEB_KEY", KEY)
    script = [{"when": "go", "rounds": [[{"calls": [{"name": "web__whoami"}]}], [{"text": "."}]]}]
    async with Recorder().serving() as recorder:
        rule = {"key": "env:WEB_KEY", "claims": ["email"]}
        server = {"url": recorder.url, "token": rule, "no_approve": ["whoami"]}
        hosts = token("ann", email="ann@example.com")
        async with open_house(script, token=hosts, secret=SECRET, mcp={"web": server}) as house:
            await house.ask("c1", "go")
    everything = repr(recorder.requests)
    assert recorder.requests
    assert hosts not in everything
    assert hosts.rpartition(".")[2] not in everything
    claims = recorder.claims(recorder.requests[-1])
    assert claims["email"] == "ann@example.com"
    assert claims["aud"] == recorder.url
    with pytest.raises(jwt.InvalidTokenError):  # it opens nothing of ours
        jwt.decode(
            recorder.requests[-1]["authorization"].removeprefix("Bearer "),
            SECRET,
            algorithms=["HS256"],
            audience="parlour",
        )


async def test_a_private_key_in_a_file_signs_what_the_public_one_checks(tmp_path: Path) -> None:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    async with Recorder(public.decode(), "RS256").serving() as recorder:
        box = toolbox(recorder, key=pem, algorithm="RS256", subject="login")
        said = await ask(box, person("7", login="ada@acme"))
        await box.close()
    assert said["sub"] == "ada@acme"


async def test_a_user_whose_claims_change_gets_a_connection_that_says_so() -> None:
    async with Recorder().serving() as recorder:
        box = toolbox(recorder, claims=("team",))
        before = await ask(box, person("ada", team="red"))
        after = await ask(box, person("ada", team="blue"))
        await box.close()
    assert (before["team"], after["team"]) == ("red", "blue")


async def test_a_token_signed_with_another_key_is_a_failed_call_in_words() -> None:
    async with Recorder().serving() as recorder:
        box = toolbox(recorder, key="x" * 32)
        outcome = await box.call(person("ada"), ToolRequest("1", "web__whoami", {}))
        await box.close()
    assert not outcome.ok
    assert "401" in outcome.text


def test_the_key_of_parlours_own_tokens_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_KEY", SECRET)
    server = {"url": "http://127.0.0.1:1/mcp", "token": {"key": "env:WEB_KEY"}}
    settings = Settings.model_validate({"secret": SECRET, "mcp": {"web": server}})
    with pytest.raises(ConfigurationError, match="sign in as anybody"):
        parts.tool_servers(settings)
