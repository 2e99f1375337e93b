"""The command line: each command is a function here, its work is in commands/.

Imports are late: `parlour --help` answers at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import secrets
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parlour import __version__
from parlour.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from parlour.settings import Settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Parlour: the AI assistant that product teams put inside their own product.",
)


def main() -> None:
    """Entry point of the `parlour` command; errors of configuration are one sentence."""
    # What is imported stays: to look at all of it again and again takes 0.3 s of the start.
    gc.set_threshold(100_000, 50, 100)
    try:
        app()
    except (ConfigurationError, Problem) as error:
        sys.exit(f"parlour: {error}")


def _settings() -> Settings:
    from parlour.settings import read_settings
    from parlour.telemetry import logs

    settings = read_settings()
    logs.configure(level=settings.log_level, json=settings.log_format == "json")
    return settings


def _run(work: Coroutine[Any, Any, Any]) -> None:
    try:
        import uvloop
    except ModuleNotFoundError:  # not on Windows
        asyncio.run(work)
    else:
        uvloop.run(work)


@app.callback(invoke_without_command=True)
def version(
    show: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Parlour's command line."""
    if show:
        print(__version__)
        raise typer.Exit


@app.command()
def serve() -> None:
    """Serve the page and the API; settings come from the environment and parlour.toml."""
    from parlour.commands.serve import serve as serve_until_stopped

    _run(serve_until_stopped(_settings()))


@app.command()
def worker() -> None:
    """Keep house without serving: end lost turns, delete what is kept no longer."""
    from parlour.commands.serve import work

    _run(work(_settings()))


@app.command()
def migrate() -> None:
    """Bring the database to this version's schema. Several at once are fine: one does it."""
    from parlour.commands.migrate import migrate_database

    print(asyncio.run(migrate_database(_settings())))


@app.command()
def restore(
    copy: Annotated[Path, typer.Argument(help="A file in `backups` of the data directory.")],
) -> None:
    """Put our own database back to the copy that was made before an update changed it."""
    from parlour.commands.migrate import restore_database

    print(asyncio.run(restore_database(_settings(), copy)))


@app.command()
def doctor() -> None:
    """Say what is configured, what is reachable and what is missing."""
    from parlour.commands.doctor import examine

    settings = _settings()
    findings = asyncio.run(examine(settings))
    for finding in findings:
        print(finding)
    if any(finding.wrong for finding in findings):
        raise typer.Exit(1)


@app.command()
def chat(
    thread: Annotated[str, typer.Option(help="Continue this conversation.")] = "",
    page: Annotated[
        Path | None,
        typer.Option(help="A JSON file with the page context, read anew for each message."),
    ] = None,
) -> None:
    """Talk to the assistant in the terminal; the page shows the same conversations."""
    from parlour.commands.terminal import converse

    _run(converse(_settings(), thread or f"c_{secrets.token_hex(10)}", page))


@app.command()
def token(
    user: Annotated[str, typer.Argument(help="Id of the user.")],
    workspace: Annotated[str, typer.Option(help="Id of the workspace.")] = "default",
    name: Annotated[str, typer.Option(help="Name of the user.")] = "",
    tier: Annotated[str, typer.Option(help="Tier of the user: which limits they have.")] = "free",
    minutes: Annotated[int, typer.Option(min=1, max=1440, help="How long it is valid.")] = 60,
) -> None:
    """Mint a token as a host would, for trying things out with PARLOUR_SECRET set."""
    import jwt

    settings = _settings()
    if settings.secret is None:
        raise ConfigurationError("PARLOUR_SECRET is not set: without it no token is needed.")
    claims: dict[str, Any] = {
        "sub": user,
        "workspace": workspace,
        "name": name or user,
        "tier": tier,
        "aud": settings.audience,
        "exp": int(time.time()) + minutes * 60,
    }
    print(jwt.encode(claims, settings.secret.get_secret_value(), algorithm="HS256"))


@app.command()
def routes(
    turn: Annotated[str, typer.Argument(help="Why this turn went where it went.")] = "",
) -> None:
    """Show which models may serve whom; with a turn, its routing decisions, made again."""
    from parlour.app import build
    from parlour.commands import routes as command

    async def show() -> list[str]:
        services = await build(_settings())
        try:
            return await command.of_turn(services, turn) if turn else command.overview(services)
        finally:
            await services.close()

    print("\n".join(asyncio.run(show())))


@app.command()
def tools(
    action: Annotated[str, typer.Argument(help="list or approve.")] = "list",
    server: Annotated[str, typer.Argument(help="Whose tools to approve.")] = "",
    tool: Annotated[str, typer.Argument(help="Which one; empty = all that wait.")] = "",
    workspace: Annotated[str, typer.Option(help="Id of the workspace.")] = "",
    digest: Annotated[str, typer.Option(help="Only this description, by its beginning.")] = "",
) -> None:
    """Show which descriptions of tools are approved, and approve those that wait."""
    from parlour.app import build
    from parlour.commands import tools as command
    from parlour.services import prepare_database

    if action not in {"list", "approve"}:
        raise ConfigurationError(f"`parlour tools {action}` is not known: list or approve.")

    async def done() -> list[str]:
        services = await build(_settings())
        try:
            await prepare_database(services.settings, services.postgres)
            if action == "list":
                return await command.list_tools(services, workspace)
            return await command.approve(services, workspace, server, tool, digest)
        finally:
            await services.close()

    print("\n".join(asyncio.run(done())))


@app.command()
def ledger(
    what: Annotated[str, typer.Argument(help="show, day or reconcile.")] = "show",
    file: Annotated[
        Path | None, typer.Argument(help="For reconcile: a usage export of the provider.")
    ] = None,
    by: Annotated[
        str,
        typer.Option(help="day, workspace, user, thread, turn, model, purpose or call."),
    ] = "workspace",
    workspace: Annotated[str | None, typer.Option(help="Only of this workspace.")] = None,
    user: Annotated[str | None, typer.Option(help="Only of this user.")] = None,
    thread: Annotated[str | None, typer.Option(help="Only of this conversation.")] = None,
    turn: Annotated[str | None, typer.Option(help="Only of this turn.")] = None,
    days: Annotated[float, typer.Option(help="Only of the last days.")] = 31,
    provider: Annotated[
        str, typer.Option(help="For reconcile: only calls of this API, as `openai`.")
    ] = "",
) -> None:
    """Show what was spent; day by day; or compare it with a provider's own export."""
    from parlour.commands import ledger as command

    settings = _settings()
    if what == "reconcile":
        if file is None:
            raise ConfigurationError("Name the export: parlour ledger reconcile usage.csv.")
        lines, same = asyncio.run(command.reconcile(settings, file, provider=provider))
        print("\n".join(lines))
        raise typer.Exit(0 if same else 1)
    which = command.Which(workspace, user, thread, turn, days)
    group = command.group("day" if what == "day" else by)
    if what not in {"show", "day"}:
        raise ConfigurationError(f"`parlour ledger {what}` is none of show, day and reconcile.")
    print("\n".join(asyncio.run(command.show(settings, group, which))))


@app.command()
def limits(
    user: Annotated[str, typer.Argument(help="Id of the user.")],
    workspace: Annotated[str, typer.Option(help="Id of the workspace.")] = "default",
    tier: Annotated[str, typer.Option(help="The tier in the user's token.")] = "free",
) -> None:
    """Show where somebody stands with every limit, as Redis or the ledger has it."""
    from parlour.app import build
    from parlour.commands import limits as command

    async def show() -> list[str]:
        services = await build(_settings())
        try:
            return await command.limits(services, workspace, user, tier)
        finally:
            await services.close()

    print("\n".join(asyncio.run(show())))


@app.command()
def audit(
    what: Annotated[str, typer.Argument(help="list, disclosures, verify or erase.")] = "list",
    user: Annotated[str | None, typer.Option(help="Id of the user.")] = None,
    workspace: Annotated[
        str, typer.Option(help="Id of the workspace; empty = the only one, or all to verify.")
    ] = "",
    date: Annotated[str, typer.Option(help="Of this day in UTC, as 2026-11-27.")] = "",
    kind: Annotated[
        str | None, typer.Option(help="For list: only of this kind, as `approval`.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="For list: how many, newest first.")] = 50,
    expect: Annotated[
        str, typer.Option(help="For verify: a head that you kept, as it was printed.")
    ] = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="For list and disclosures: one JSON object a line.")
    ] = False,
) -> None:
    """What was done and shown, whether the record is whole; or forget a person in it."""
    from parlour.commands import audit as command

    which = command.Which(workspace, user, kind, date, limit)
    if what == "verify":
        lines, whole = asyncio.run(command.verify(_settings(), workspace, expect))
        print("\n".join(lines))
        raise typer.Exit(0 if whole else 1)
    if what == "erase":
        print("\n".join(asyncio.run(command.erase(_settings(), workspace, user))))
        return
    if what not in {"list", "disclosures"}:
        known = "list, disclosures, verify and erase"
        raise ConfigurationError(f"`parlour audit {what}` is none of {known}.")
    show = command.listing if what == "list" else command.disclosures
    print("\n".join(asyncio.run(show(_settings(), which, as_json=as_json))))


@app.command("fetch-model")
def fetch_model(
    name: Annotated[str, typer.Argument(help="1.5b, 0.5b or 135m; empty = what fits.")] = "",
) -> None:
    """Fetch the embedded model's weights once, and check their hash; nothing when not needed."""
    from parlour.models.weights import fetch
    from parlour.models.weights_report import terminal_report

    settings = _settings()
    hosted = settings.openai_api_key or settings.anthropic_api_key
    wanted = settings.model == "local:" or not (settings.model or hosted)
    if not name and not wanted:
        print("model: another one is configured, so the embedded one is not fetched.")
        return
    path = fetch(name or settings.local_model, settings.cache_dir, terminal_report(sys.stderr))
    print(f"model: {path}")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
