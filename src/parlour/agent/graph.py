"""The rounds of a turn, driven by LangGraph: model -> tools -> model ... until there is an answer.

LangGraph is the control layer only: one node call per model call and one per round of tools. Tokens
never pass through it; the model says them into the sink that the run context carries, which keeps
LangGraph's cost per turn (about a millisecond) and out of every token.

The state holds only the messages of this turn, as plain dictionaries: the conversation itself is
the store's. The graph is compiled once; each run gets a saver of its own by a shallow copy, because
a saver that is shared serialises all turns behind its lock.
"""

from __future__ import annotations

import asyncio
import copy
import math
import operator
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Protocol, TypedDict, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from parlour.agent import bounds
from parlour.agent.bounds import AgentLimits, Refusal
from parlour.agent.gate import Gate, Note, ProgressReport, Settle, Verdict, judged
from parlour.agent.loops import REFUSED, Wish
from parlour.domain import ToolOutcome, ToolRequest, ToolSpec
from parlour.events.types import Event, Notice, Progress, RoundEnd, Status, ToolCall, ToolResult
from parlour.models.port import ChatMessage, Model, ModelReply, ModelRequest, ModelSink

LATE = (
    "This was given up, because the time for tools in this question is over. Whether it took "
    "effect is not known; do not repeat it, and tell the user."
)

CallTool = Callable[[ToolRequest, ProgressReport], Awaitable[ToolOutcome]]


@dataclass(frozen=True, slots=True)
class FoundTool:
    """What a request really asks for (one tool may call another by name), and its title.

    `pollable`: it may be asked again and again.
    """

    request: ToolRequest
    title: str
    pollable: bool = False


ResolveTool = Callable[[ToolRequest], Awaitable[FoundTool]]


class AgentSink(ModelSink, Protocol):
    """Where the agent says what happens; the chat room keeps and publishes it."""

    def event(self, event: Event) -> None:
        """Something other than text happened."""
        ...


@dataclass(frozen=True, slots=True)
class Run:
    """What one turn brings: its prompt (system and history), model, tools and sink.

    `gate` judges calls before they are made. A turn that goes on after people have decided brings
    the state of the one that waited (`resume`) and how to `settle` what was asked.
    """

    prompt: list[ChatMessage]
    model: Model
    tools: tuple[ToolSpec, ...]
    resolve_tool: ResolveTool
    call_tool: CallTool
    sink: AgentSink
    limits: AgentLimits
    stored: Callable[[], Awaitable[object]]  # returns once the message is; nothing acts before
    first: ModelReply | None = None  # the first round's, when it was called before the graph
    gate: Gate | None = None
    settle: Settle | None = None
    resume: State | None = None
    caught: Callable[[str], None] = lambda rule: None  # hears each call that a rule refuses


class State(TypedDict):
    """What a checkpoint keeps: the messages of this turn, how much of the limits is used, and the
    calls that wait for a person."""

    messages: Annotated[list[ChatMessage], operator.add]
    rounds: int
    tool_calls: int
    finish_reason: str
    served_by: str
    pending: list[Note]


@dataclass(frozen=True, slots=True)
class Answer:
    """How a run ended: upstream's normalised finish reason and the model that really answered.

    `waiting`: the calls that a person has to decide on before it can go on.
    """

    finish_reason: str
    served_by: str
    rounds: int
    waiting: tuple[Note, ...] = ()


def _request(run: Run, state: State) -> ModelRequest:
    over = bounds.spent(
        run.limits, state["messages"], rounds=state["rounds"], calls=state["tool_calls"]
    )
    messages = run.prompt + state["messages"]
    if over and state["messages"]:
        messages = [*messages, {"role": "system", "content": bounds.words_of(over)}]
    return ModelRequest(
        messages=messages,
        tools=() if over else run.tools,
        max_tokens=run.limits.reply_tokens_max,
        temperature=run.limits.temperature,
    )


async def _model_round(state: State, runtime: Runtime[Run]) -> dict[str, Any]:
    run = runtime.context
    number = state["rounds"] + 1
    reply = run.first if number == 1 else None
    if reply is None:
        reply = await run.model.stream(_request(run, state), run.sink)
    if not reply.tool_calls:
        run.sink.event(RoundEnd(round=number, kind="answer"))
    return {
        "messages": [_as_message(reply)],
        "rounds": number,
        "finish_reason": reply.finish_reason,
        "served_by": reply.served_by,
    }


async def _tool_round(state: State, runtime: Runtime[Run]) -> dict[str, Any]:
    """All calls of a round side by side; those that a limit refuses are answered, not made, and
    those that need a person's approval are left for later."""
    run, messages = runtime.context, state["messages"]
    bounds.check_rounds(run.limits, state["rounds"], run.caught)
    asked = [
        ToolRequest(call["id"], call["name"], call["arguments"], call.get("raw", ""))
        for call in messages[-1]["tool_calls"]
    ]
    found = await asyncio.gather(*(run.resolve_tool(call) for call in asked))
    if not run.limits.small_talk:
        _announce(run, found)
    wishes = [Wish(ask, tool.pollable) for ask, tool in zip(asked, found, strict=True)]
    refused = bounds.refusals(run.limits, messages[:-1], wishes, calls=state["tool_calls"])
    allowed = [tool.request for tool, no in zip(found, refused, strict=True) if no is None]
    verdicts = iter(await judged(run.gate, allowed, messages))
    judgements = [
        (ask, tool.request, no or next(verdicts))
        for ask, tool, no in zip(asked, found, refused, strict=True)
    ]
    pending = [
        {**v.note, "asked": ask.name}
        for ask, _, v in judgements
        if isinstance(v, Verdict) and v.note is not None
    ]
    results = await asyncio.gather(
        *(
            _call(run, ask, call, v)
            for ask, call, v in judgements
            if isinstance(v, Refusal) or v.note is None
        )
    )
    _tell(run, messages, [no for no in refused if no is not None], results, found[-1].title)
    if not pending:
        run.sink.event(RoundEnd(round=state["rounds"], kind="reasoning"))
        run.sink.flush()
    return {
        "messages": results,
        "tool_calls": state["tool_calls"] + len(asked),
        "pending": pending,
    }


def _announce(run: Run, found: Sequence[FoundTool]) -> None:
    """Say which tools the model asks for."""
    for tool in found:
        call = tool.request
        run.sink.event(
            ToolCall(
                call_id=call.id,
                name=call.name,
                title=tool.title,
                arguments=call.arguments if call.arguments is not None else call.raw,
            )
        )
    run.sink.flush()


def _tell(
    run: Run,
    messages: Sequence[ChatMessage],
    refused: Sequence[Refusal],
    results: Sequence[ChatMessage],
    title: str,
) -> None:
    """Say what a limit kept from being done, and how far it is."""
    for refusal in refused:
        run.caught(refusal.rule)
    if notice := bounds.notice_of(messages, refused, run.limits):
        run.sink.event(Notice(kind="limit", text=notice))
    if status := bounds.so_far(messages, results, title):
        run.sink.event(Status(text=status))
    run.sink.flush()


async def _call(
    run: Run, asked: ToolRequest, call: ToolRequest, verdict: Verdict | Refusal
) -> ChatMessage:
    """Make one call, unless it is refused. The model hears of it by the name it used."""
    if isinstance(verdict, Refusal):
        if run.limits.small_talk:  # nobody asked for it, so nobody hears of it
            told = _as_result(call.id, asked.name, verdict.words)
        else:
            outcome = ToolOutcome(ok=False, text=verdict.words)
            told = _told(run, call.id, call.name, outcome, asked.name)
        return {**told, REFUSED: verdict.rule}
    outcome = ToolOutcome(ok=False, text=verdict.words)
    if verdict.answer == "allow":
        outcome = await _in_time(run, run.call_tool(call, _reporter(run, call.id)))
    return _told(run, call.id, call.name, outcome, asked.name)


async def _in_time(run: Run, calling: Awaitable[ToolOutcome]) -> ToolOutcome:
    """What came of a call, or that it was given up at the end of the time for tools."""
    began = asyncio.get_running_loop().time()
    until = run.limits.tools_until
    bound = asyncio.timeout_at(None if math.isinf(until) else until)
    try:
        async with bound:
            return await calling
    except TimeoutError:
        if not bound.expired():
            raise
        run.caught(bounds.LIMITS)
        elapsed_ms = round((asyncio.get_running_loop().time() - began) * 1000)
        return ToolOutcome(ok=False, text=LATE, elapsed_ms=elapsed_ms)


async def _decided_round(state: State, runtime: Runtime[Run]) -> dict[str, Any]:
    """What people have decided: the calls they allowed are made, the others are answered."""
    run = runtime.context
    results = await asyncio.gather(*(_settled(run, note) for note in state["pending"]))
    _tell(run, state["messages"], (), results, state["pending"][-1]["title"])
    run.sink.event(RoundEnd(round=state["rounds"], kind="reasoning"))
    run.sink.flush()
    return {"messages": results, "pending": []}


async def _settled(run: Run, note: Note) -> ChatMessage:
    assert run.settle is not None  # noqa: S101  # who resumes brings it
    outcome = await _in_time(run, run.settle(note, _reporter(run, note["call_id"])))
    return _told(run, note["call_id"], note["name"], outcome, note["asked"])


def _reporter(run: Run, call_id: str) -> ProgressReport:
    def progress(done: float, total: float, text: str) -> None:
        run.sink.event(Progress(call_id=call_id, done=done, total=total, text=text))
        run.sink.flush()

    return progress


def _told(run: Run, call_id: str, name: str, outcome: ToolOutcome, asked: str) -> ChatMessage:
    """Say what came of a call, to people and to the model."""
    run.sink.event(
        ToolResult(
            call_id=call_id,
            name=name,
            status="ok" if outcome.ok else "declined" if outcome.declined else "failed",
            text=outcome.text,
            widget=outcome.widget,
            elapsed_ms=outcome.elapsed_ms,
        )
    )
    run.sink.flush()
    return _as_result(call_id, asked, outcome.text)


def _as_result(call_id: str, asked: str, text: str) -> ChatMessage:
    return {"role": "tool", "call_id": call_id, "name": asked, "content": text}


def _as_message(reply: ModelReply) -> ChatMessage:
    message: ChatMessage = {"role": "assistant", "content": reply.text}
    if reply.tool_calls:
        message["tool_calls"] = [
            {"id": call.id, "name": call.name, "arguments": call.arguments, "raw": call.raw}
            for call in reply.tool_calls
        ]
    return message


# Async although it awaits nothing: LangGraph runs plain functions in a thread, 1 ms each.
async def _after_model(state: State) -> str:
    return "tools" if state["messages"][-1].get("tool_calls") else END


async def _after_tools(state: State) -> str:
    return END if state.get("pending") else "model"


async def _begin(state: State) -> str:
    return "decided" if state.get("pending") else "model"


def _build() -> Any:
    # Any: LangGraph's own types leave parameters open.
    graph = cast("Any", StateGraph(State, context_schema=Run))
    graph.add_node("model", _model_round)
    graph.add_node("tools", _tool_round)
    graph.add_node("decided", _decided_round)
    graph.add_conditional_edges(START, _begin, ["decided", "model"])
    graph.add_conditional_edges("model", _after_model, ["tools", END])
    graph.add_conditional_edges("tools", _after_tools, ["model", END])
    graph.add_edge("decided", "model")
    return graph.compile()


class Agent:
    """Runs turns. One for the process; it holds no state of any turn."""

    def __init__(self) -> None:
        self._graph = _build()

    async def run(self, run: Run, *, saver: BaseCheckpointSaver[Any], thread: str) -> Answer:
        """Drive one turn to its answer, or on from its last completed round.

        The first model call does not wait for the graph: it goes out before. When it asks for tools
        the graph begins with that reply, once the message is stored; when it does not, there are
        no rounds to drive. So the first words wait for none of the graph's work, and a turn that
        is one answer (nearly all are) pays for none of it.

        Raises what the model raises (`errors.Upstream`); cancelling stops the model and tools.
        """
        config: RunnableConfig = {
            "configurable": {"thread_id": thread},
            # Two supersteps a round, and two to begin; ours is the limit people see.
            "recursion_limit": 2 * run.limits.rounds_max + 3,
        }
        resumed = await saver.aget_tuple(config) is not None
        start: State | None = None
        if not resumed:
            start = run.resume or fresh_state()
            if start.get("pending"):
                await run.stored()
            else:
                first = await run.model.stream(_request(run, start), run.sink)
                await run.stored()
                if not first.tool_calls:
                    run.sink.event(RoundEnd(round=1, kind="answer"))
                    return Answer(first.finish_reason, first.served_by, 1)
                run = replace(run, first=first)
        graph = copy.copy(self._graph)  # its own `copy` checks the whole graph again, 0.1 ms
        graph.checkpointer = saver
        state: State = await graph.ainvoke(start, config, context=run, durability="sync")
        return Answer(
            state["finish_reason"],
            state["served_by"],
            state["rounds"],
            tuple(state.get("pending", ())),
        )


def fresh_state() -> State:
    """The state in which a turn begins."""
    return State(messages=[], rounds=0, tool_calls=0, finish_reason="", served_by="", pending=[])
