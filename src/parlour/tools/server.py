"""Parlour's own MCP server: the abilities that need nobody else's system.

`build_server` makes one for one way of asking who is there: in process each connection has its own
server that knows its principal; over HTTP (`HttpFace`, mounted at /mcp) the principal comes with
each request, put there by whoever checked the token. Every tool only reads, but for the one that
gives the conversation another name; it is there only within a conversation.

Written on the SDK's low-level server: its high-level one configures the process's logging when it
is made, and each call costs more.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from mcp import types
from mcp.server import Server, ServerRequestContext
from mcp.server.caching import CacheHint
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings

import parlour
from parlour.domain import Principal
from parlour.store.threads import Threads
from parlour.store.tool_results import ToolResults
from parlour.tools.calculator import CalculatorError, calculate
from parlour.tools.clock import UnknownZone, moment
from parlour.tools.naming import name_conversation
from parlour.tools.own import NAMING, TOOLS, done, failed
from parlour.tools.reading_on import read_on

NAME = "parlour"
SCOPE_KEY = "parlour.principal"  # where the HTTP face finds the Principal in the ASGI scope
BODY_BYTES_MAX = 262_144  # Arguments here are one line of text; 256 KB is generous.
LIST_TTL_MS = 3_600_000  # The tools change only with a release.

Context = ServerRequestContext[Any, Any]
PrincipalOf = Callable[[Context], Principal]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def build_server(
    principal_of: PrincipalOf,
    results: ToolResults | None = None,
    threads: Threads | None = None,
) -> Server[dict[str, Any]]:
    """The server; `principal_of` answers who asks, from the request at hand.

    `results` are those that are kept whole; without them nothing can be read on. Without `threads`
    there is no conversation to name.
    """
    offered = [*TOOLS, *([NAMING] if threads else [])]

    async def list_tools(
        context: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=offered)

    async def call_tool(
        context: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        arguments = params.arguments or {}
        match params.name:
            case "calculator":
                return _calculator(arguments)
            case "current_time":
                return _current_time(arguments, principal_of(context))
            case "get_user_data":
                return _user_data(principal_of(context))
            case "search_knowledge_base":
                return _nothing_indexed()
            case "read_result":
                return await read_on(results, principal_of(context), arguments, context.meta)
            case "name_conversation":
                who = principal_of(context)
                return await name_conversation(threads, who, arguments, context.meta)
            case _:
                return failed(f"There is no tool named {params.name!r}.")

    return Server(
        NAME,
        version=parlour.__version__,
        title="Parlour",
        instructions="Exact arithmetic, the time, and what is known about the user.",
        cache_hints={"tools/list": CacheHint(ttl_ms=LIST_TTL_MS, scope="public")},
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


class HttpFace:
    """The server over streamable HTTP, as an ASGI app to mount.

    Keep `running()` entered while requests are served. Each request must carry its Principal in
    `scope["parlour.principal"]`. It keeps no sessions, so any process answers any request.
    """

    def __init__(
        self,
        *,
        results: ToolResults | None = None,
        allowed_hosts: Sequence[str] = (),
        allowed_origins: Sequence[str] = (),
    ) -> None:
        """`allowed_hosts` guards a server without tokens against DNS rebinding; empty = any."""
        server = build_server(_from_scope, results)
        self._sessions = StreamableHTTPSessionManager(
            server,
            json_response=True,
            stateless=True,
            max_request_body_size=BODY_BYTES_MAX,
            security_settings=TransportSecuritySettings(
                enable_dns_rebinding_protection=bool(allowed_hosts),
                allowed_hosts=list(allowed_hosts),
                allowed_origins=list(allowed_origins),
            ),
        )

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Serve until the block ends. One use only, as the SDK has it."""
        async with self._sessions.run():
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI request."""
        await self._sessions.handle_request(scope, receive, send)


def _from_scope(context: Context) -> Principal:
    request: Any = context.request  # Any: the web framework's request, whose type ends at the edge
    return request.scope[SCOPE_KEY]


def _calculator(arguments: dict[str, Any]) -> types.CallToolResult:
    expression = arguments.get("expression")
    if not isinstance(expression, str):
        return failed("`expression` must be text, e.g. `17.5 % of 2340`.")
    try:
        answer = calculate(expression)
    except CalculatorError as error:
        return failed(str(error))
    text = f"{answer.expression} = {answer.text}"
    return done(
        f"{text} ({answer.note})" if answer.note else text,
        {
            "expression": answer.expression,
            "result": answer.text,
            "exact": answer.exact,
            "note": answer.note,
        },
    )


def _current_time(arguments: dict[str, Any], principal: Principal) -> types.CallToolResult:
    asked = arguments.get("timezone") or principal.claims.get("zoneinfo") or "UTC"
    try:
        now = moment(str(asked))
    except UnknownZone as error:
        return failed(str(error))
    return done(
        f"{now.words}; {now.iso}",
        {
            "iso": now.iso,
            "words": now.words,
            "timezone": now.zone,
            "utc_offset": now.offset,
            "weekday": now.weekday,
        },
    )


def _user_data(principal: Principal) -> types.CallToolResult:
    data: dict[str, Any] = {
        "name": principal.name,
        "workspace": principal.workspace,
        "roles": sorted(principal.roles),
        "locale": principal.locale,
    }
    words = [
        f"Name: {principal.name or 'not known'}",
        f"workspace: {principal.workspace}",
        f"roles: {', '.join(data['roles']) or 'none'}",
        f"locale: {principal.locale}",
    ]
    return done("; ".join(words) + ".", data)


def _nothing_indexed() -> types.CallToolResult:
    return done(
        "Nothing is indexed yet: there are no documents to search. Tell the user so.",
        {"results": [], "documents": 0},
    )
