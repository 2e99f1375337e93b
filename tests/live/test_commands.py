"""The command line beside `serve`: what it says, and what it says when a setting is wrong."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parlour.cli import main
from parlour.store.database import Database
from parlour.store.tool_pins import Seen, ToolPins
from tests.live.process import Served, environment, run, served
from tests.postgres import fresh_database
from tests.upstream import Reply, Upstream

PASSWORD = "hunter2"
SECRET = "a secret of at least thirty-two characters"


@pytest.fixture
async def empty_database(postgres: str) -> AsyncIterator[str]:
    async with fresh_database(postgres, migrated=False) as url:
        yield url


async def test_your_database_is_migrated_when_you_say_so(tmp_path: Path, empty_database: str):
    settings = {"PARLOUR_DATABASE_URL": empty_database}
    code, _, said = await run("serve", folder=tmp_path, **settings)
    assert code == 1
    assert "parlour migrate" in one_sentence(said)
    assert await run("migrate", folder=tmp_path, **settings) == (
        0,
        "The database has been brought up to date.\n",
        "",
    )
    code, again, _ = await run("migrate", folder=tmp_path, **settings)
    assert (code, again) == (0, "The database is up to date.\n")
    async with served(tmp_path, **settings) as it:
        assert (await it.get("/health/ready"))[0] == 200


async def limits_of(it: Served, token: str) -> dict[str, int]:
    _, told = await it.get("/api/limits", authorization=f"Bearer {token}")
    return {limit["limit"]: limit["allowed"] for limit in told["limits"]}


async def test_a_token_of_the_command_opens_the_door(tmp_path: Path, database_url: str):
    settings = {"PARLOUR_SECRET": SECRET, "PARLOUR_DATABASE_URL": database_url}
    code, token, _ = await run("token", "ann", "--workspace", "acme", folder=tmp_path, **settings)
    assert code == 0
    async with served(tmp_path, **settings) as it:
        assert (await it.get("/api/me"))[0] == 401
        status, me = await it.get("/api/me", authorization=f"Bearer {token.strip()}")
        assert status == 200
        assert (me["user"]["id"], me["user"]["workspace"]) == ("ann", "acme")
        told = await limits_of(it, token.strip())
        assert told["requests_per_hour"] == 50
        _, pro, _ = await run("token", "bob", "--tier", "pro", folder=tmp_path, **settings)
        assert (await limits_of(it, pro.strip()))["requests_per_hour"] == 500
    code, _, said = await run("token", "ann", folder=tmp_path)
    assert code == 1
    assert "PARLOUR_SECRET" in one_sentence(said)


async def test_the_doctor_finds_what_is_there(tmp_path: Path, database_url: str):
    _, found, _ = await run("doctor", folder=tmp_path, PARLOUR_DATABASE_URL=database_url)
    lines = {line.split()[1]: line for line in found.splitlines()}
    assert lines["database"].startswith("✓")
    assert "PARLOUR_DATABASE_URL: answers" in lines["database"]
    assert lines["access"].startswith("✓")
    assert "scripted" in lines["model"]
    assert any("parlour" in line and "tools" in line for line in found.splitlines())


async def test_the_doctor_says_what_is_wrong(tmp_path: Path):
    nowhere = "postgresql://nobody@127.0.0.1:9/none"
    code, found, said = await run("doctor", folder=tmp_path, PARLOUR_DATABASE_URL=nowhere)
    assert code == 1
    (line,) = [line for line in found.splitlines() if line.startswith("✗ database")]
    assert "PARLOUR_DATABASE_URL" in line
    assert "Traceback" not in found + said


async def test_the_doctor_asks_the_model_for_one_word(tmp_path: Path, database_url: str):
    async with Upstream() as upstream:
        settings = {
            "PARLOUR_DATABASE_URL": database_url,
            "PARLOUR_MODEL": "openai:mock-1",
            "OPENAI_API_KEY": "sk-test",
            "OPENAI_BASE_URL": upstream.openai_url,
        }
        code, found, _ = await run("doctor", folder=tmp_path, **settings)
        assert (code, len(upstream.requests)) == (0, 1)
        assert upstream.requests[0].body["max_tokens"] == 64
        assert "✓ model        openai:mock-1 answers, as mock-1" in found
        upstream.next(Reply(fault="bad_key"))
        code, found, _ = await run("doctor", folder=tmp_path, **settings)
        assert code == 1
        assert "(upstream_key_rejected)" in found
    code, found, said = await run("doctor", folder=tmp_path, **settings)
    assert code == 1
    assert "(upstream_unreachable)" in found
    assert "sk-test" not in found + said


WRONG: dict[str, tuple[dict[str, str], list[str]]] = {
    "a port that is no number": ({"PARLOUR_PORT": "eighty"}, ["PARLOUR_PORT"]),
    "a port that cannot be": ({"PARLOUR_PORT": "70000"}, ["PARLOUR_PORT"]),
    "a short secret": ({"PARLOUR_SECRET": "short"}, ["PARLOUR_SECRET", "32"]),
    "a host without a secret": ({"PARLOUR_HOST": "0.0.0.0"}, ["PARLOUR_HOST", "PARLOUR_SECRET"]),
    "an unknown provider": ({"PARLOUR_MODEL": "oracle:delphi"}, ["PARLOUR_MODEL", "oracle"]),
    "a model without a name": ({"PARLOUR_MODEL": "gpt"}, ["PARLOUR_MODEL"]),
    "a missing script": (
        {"PARLOUR_MODEL": "scripted:/none/script.json"},
        ["PARLOUR_MODEL", "/none/script.json"],
    ),
    "no such TOML file": ({"PARLOUR_CONFIG": "/none/parlour.toml"}, ["PARLOUR_CONFIG"]),
    "a limit below its least": ({"PARLOUR_LIMITS__TURNS_MAX": "0"}, ["PARLOUR_LIMITS__TURNS_MAX"]),
    "no database there": (
        {"PARLOUR_DATABASE_URL": f"postgresql://nobody:{PASSWORD}@127.0.0.1:9/none"},
        ["PARLOUR_DATABASE_URL"],
    ),
    "no URL of a database": ({"PARLOUR_DATABASE_URL": PASSWORD}, ["PARLOUR_DATABASE_URL"]),
    "no URL of a Redis": ({"PARLOUR_REDIS_URL": PASSWORD}, ["PARLOUR_REDIS_URL"]),
    "a port of a database that is none": (
        {"PARLOUR_DATABASE_URL": f"postgresql://nobody:{PASSWORD}@127.0.0.1:five/none"},
        ["PARLOUR_DATABASE_URL", "port"],
    ),
    "a port of a Redis that is none": (
        {"PARLOUR_REDIS_URL": f"redis://:{PASSWORD}@127.0.0.1:five/0"},
        ["PARLOUR_REDIS_URL", "port"],
    ),
    "a port that Kubernetes has set": (
        {"PARLOUR_PORT": "tcp://10.0.0.1:80"},
        ["PARLOUR_PORT", "enableServiceLinks"],
    ),
    "a host of another machine": (
        {"PARLOUR_HOST": "203.0.113.1", "PARLOUR_SECRET": "s" * 32},
        ["PARLOUR_HOST", "203.0.113.1"],
    ),
    "an address that is none": (
        {"OPENAI_API_KEY": PASSWORD, "OPENAI_BASE_URL": "localhost:11434/v1"},
        ["OPENAI_BASE_URL", "http://"],
    ),
    "an address with a space": (
        {"ANTHROPIC_API_KEY": PASSWORD, "ANTHROPIC_BASE_URL": "https://a b"},
        ["ANTHROPIC_BASE_URL"],
    ),
    "a provider without its key": (
        {"PARLOUR_MODEL": "openai:gpt-5.1"},
        ["PARLOUR_MODEL", "OPENAI_API_KEY"],
    ),
    "a key of two lines": (
        {"PARLOUR_MODEL": "openai:gpt-5.1", "OPENAI_API_KEY": f"{PASSWORD}\nb"},
        ["OPENAI_API_KEY", "line break"],
    ),
    "a list that is no JSON": (
        {"PARLOUR_MCP__DOCS__COMMAND": "docs", "PARLOUR_MCP__DOCS__ARGS": "a b"},
        ["PARLOUR_MCP__DOCS__ARGS", "JSON"],
    ),
    "a log level that is none": ({"PARLOUR_LOG_LEVEL": "loud"}, ["PARLOUR_LOG_LEVEL"]),
}


@pytest.mark.parametrize(("settings", "words"), WRONG.values(), ids=WRONG)
def test_a_wrong_setting_is_a_sentence_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], words: list[str]
):
    sentence = refused(tmp_path, monkeypatch, settings)
    assert all(word in sentence for word in words), sentence
    assert PASSWORD not in sentence
    assert not list(tmp_path.rglob("postmaster.pid"))


FILES = {
    "no TOML": ("port = [", ["parlour.toml"]),
    "an unknown setting": ("colour = 'red'", ["colour"]),
    "an unknown setting in a section": ("[limits]\nturns = 3", ["limits.turns"]),
    "a wrong value": ("shutdown_s = 'long'", ["shutdown_s"]),
    "an unknown setting of a workspace": (
        "[workspaces.acme.question]\ntool_call_max = 8",
        ["workspaces.acme.question.tool_call_max", "not a setting"],
    ),
    "an address of a server that is none": (
        "[mcp.docs]\nurl = 'example.com/mcp'",
        ["mcp.docs.url", "http://"],
    ),
    "a header of a server with two lines": (
        "[mcp.docs]\nurl = 'http://127.0.0.1:9/mcp'\nheaders = { A = \"x\\ny\" }",
        ["mcp.docs.headers.A", "line break"],
    ),
    "an address of prices that is none": ("[prices]\nurl = 'none'", ["prices.url"]),
    "an address of traces that is none": ("[traces]\nendpoint = 'none'", ["traces.endpoint"]),
    "an own address that is none": ("public_url = 'none'", ["public_url"]),
    "a route without a model": (
        "[routes.eu]\nprovider = 'openai'\n[policy.routes]\nuse = ['eu']",
        ["routes.eu.model"],
    ),
    "a route of one workspace that is not there": (
        "[workspaces.acme.routes]\nuse = ['eu']",
        ["workspaces.acme.routes.use", "'eu'"],
    ),
    "a route of the topic check that is not there": (
        "[workspaces.acme.topics]\nroute = 'small'",
        ["workspaces.acme.topics.route", "small"],
    ),
    "names that nothing would find": (
        "[workspaces.acme.privacy]\nperson = 'mask'",
        ["workspaces.acme.privacy", "Presidio"],
    ),
    "clear values for a server that is not there": (
        "[policy.privacy]\nclear_arguments = ['crm']",
        ["policy.privacy.clear_arguments", "'crm'"],
    ),
    "a server without an address": ("[mcp.docs]\nargs = ['x']", ["docs", "command", "url"]),
}


@pytest.mark.parametrize(("text", "words"), FILES.values(), ids=FILES)
def test_a_wrong_file_is_a_sentence_that_names_the_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, words: list[str]
):
    (tmp_path / "parlour.toml").write_text(text, encoding="utf-8")
    sentence = refused(tmp_path, monkeypatch, {})
    assert all(word in sentence for word in words), sentence


def refused(folder: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]) -> str:
    """What `parlour serve` says when it refuses to start; in this process, to be quick."""
    for name in [name for name in os.environ if name.startswith(("PARLOUR_", "OPENAI_"))]:
        monkeypatch.delenv(name)
    for name, value in environment(folder, **settings).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.argv", ["parlour", "serve"])
    with pytest.raises(SystemExit) as left:
        main()
    sentence = str(left.value.code)
    assert sentence.startswith("parlour: ")
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


async def test_a_variable_that_is_no_setting_is_said_and_stops_nobody(tmp_path: Path):
    others = {"PARLOUR_SERVICE_HOST": "10.0.0.1", "PARLOUR_PORT_80_TCP_ADDR": "10.0.0.1"}
    code, out, _ = await run("doctor", folder=tmp_path, PARLOUR_PROT="9000", **others)
    said = [line for line in out.splitlines() if "environment" in line]
    assert len(said) == 1
    assert "PARLOUR_PROT is not a setting of Parlour; PARLOUR_PORT is." in said[0]
    assert code == 1


async def test_the_doctor_has_the_last_words_of_a_tool_server(tmp_path: Path):
    (tmp_path / "parlour.toml").write_text(
        "[mcp.broken]\n"
        f"command = {json.dumps(sys.executable)}\n"
        "args = ['-c', 'import no_such_package']\n"
        "[mcp.absent]\n"
        "command = 'no-such-program --stdio'\n",
        encoding="utf-8",
    )
    _, out, _ = await run("doctor", folder=tmp_path)
    said = {line.split()[2]: line for line in out.splitlines() if " mcp " in line}
    assert "No module named 'no_such_package'" in said["broken"]
    assert "no program 'no-such-program --stdio'; arguments belong into" in said["absent"]


async def test_limits_says_who_has_none_and_what_is_no_tier(tmp_path: Path, database_url: str):
    given = {"folder": tmp_path, "PARLOUR_DATABASE_URL": database_url}
    _, out, _ = await run("limits", "local", "--workspace", "local", **given)
    assert "no limits" in out
    _, out, _ = await run("limits", "ann", "--tier", "gold", **given)
    assert "gold (not there, so free)" in out


async def test_a_refusal_is_all_that_is_printed(tmp_path: Path):
    code, out, said = await run("serve", folder=tmp_path, PARLOUR_SECRET="short")
    assert (code, out) == (1, "")
    assert "PARLOUR_SECRET" in one_sentence(said)


async def test_a_taken_port_is_said_before_anything_starts(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, _, said = await run("serve", folder=tmp_path, PARLOUR_PORT=port)
    assert code == 1
    sentence = one_sentence(said)
    assert port in sentence
    assert "PARLOUR_PORT" in sentence
    assert not (tmp_path / "postgres").exists()


def one_sentence(said: str) -> str:
    """What a person reads of an error: one line that begins with the program's name."""
    lines = said.strip().splitlines()
    assert len(lines) == 1, said
    assert lines[0].startswith("parlour: "), said
    assert lines[0].endswith((".", "?", "'")), said
    return lines[0]


async def test_routes_shows_who_may_answer_whom(tmp_path: Path, database_url: str):
    (tmp_path / "parlour.toml").write_text(
        """
        [routes.eu]
        provider = "openai"
        model = "gpt-5.1"
        region = "eu"
        [workspaces.acme.routes]
        use = ["eu"]
        """
    )
    settings = {"PARLOUR_DATABASE_URL": database_url}
    code, shown, _ = await run("routes", folder=tmp_path, **settings)
    assert code == 0
    assert "eu: openai:gpt-5.1 (at https://api.openai.com/v1, region eu)" in shown
    assert "acme: pinned: eu" in shown
    code, _, said = await run("routes", "t_none", folder=tmp_path, **settings)
    assert code == 1
    assert "t_none" in one_sentence(said)


async def test_a_policy_that_names_no_route_is_refused_in_a_sentence(tmp_path: Path):
    (tmp_path / "parlour.toml").write_text('[policy.routes]\nuse = ["nowhere"]\n')
    code, _, said = await run("routes", folder=tmp_path)
    assert code == 1
    assert "nowhere" in one_sentence(said)


async def test_a_conversation_in_the_terminal_knows_the_page(tmp_path: Path, database_url: str):
    script = [{"when": "", "steps": [{"text": "{{message}}"}]}]
    (tmp_path / "script.json").write_text(json.dumps(script))
    (tmp_path / "page.json").write_text('{"title": "Revenue"}')
    settings = {
        "PARLOUR_DATABASE_URL": database_url,
        "PARLOUR_MODEL": f"scripted:{tmp_path}/script.json",
    }
    chat = ("chat", "--thread", "c1", "--page", "page.json")
    code, _, _ = await run(*chat, folder=tmp_path, said="explain this\n", **settings)
    assert code == 0
    async with served(tmp_path, **settings) as it:
        _, body = await it.get("/api/threads/c1")
        assert body["messages"][0]["metadata"] == {"page": {"title": "Revenue"}}
    for wrong in ('{"title": 5}', "{", "[1]"):
        (tmp_path / "page.json").write_text(wrong)
        code, _, said = await run(*chat, folder=tmp_path, **settings)
        assert code == 1
        one_sentence(said)


async def test_tools_that_changed_are_shown_and_approved(
    tmp_path: Path, database: Database, database_url: str
):
    pins = ToolPins(database)
    for words in ("Reads.", "Reads. Also \u202esends."):
        seen = Seen("files", "read_file", words.rjust(20, "0"), {"description": words})
        await pins.see("acme", [seen], hold=False)
    settings = {"PARLOUR_DATABASE_URL": database_url}
    acme = ("--workspace", "acme")
    _, listed, _ = await run("tools", "list", *acme, folder=tmp_path, **settings)
    assert "✓ read_file" in listed
    assert "✗ read_file" in listed
    assert "description was: 'Reads.'" in listed
    assert "description is:  'Reads. Also \\u202esends.'" in listed  # nothing hides
    _, approved, _ = await run("tools", "approve", "files", *acme, folder=tmp_path, **settings)
    assert approved.startswith("approved: files read_file")
    _, again, _ = await run("tools", "approve", "files", *acme, folder=tmp_path, **settings)
    assert again == "Nothing of that waits for approval.\n"
    code, _, said = await run("tools", "burn", folder=tmp_path, **settings)
    assert code == 1
    assert "list or approve" in one_sentence(said)
