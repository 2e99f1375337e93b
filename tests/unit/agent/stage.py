"""One turn of the real agent with the scripted model: what it called, said and was told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from parlour.agent.bounds import AgentLimits
from parlour.agent.gate import Gate, ProgressReport
from parlour.agent.graph import Agent, Answer, FoundTool, Run
from parlour.agent.saver import TurnSaver
from parlour.domain import ToolOutcome, ToolRequest, ToolSpec
from parlour.events import types as ev
from parlour.models.scripted import ScriptedModel

TOOL = ToolSpec("s__look", "Look.", {"type": "object"}, "Look closely")
Tool = Callable[[ToolRequest], Awaitable[str]]


def call(**arguments: Any) -> dict[str, Any]:
    return {"name": "s__look", "arguments": arguments}


async def same(request: ToolRequest) -> str:
    return f"seen {sorted((request.arguments or {}).items())}"


def counting() -> Tool:
    """A tool that never says the same twice."""
    calls = 0

    async def tool(request: ToolRequest) -> str:
        nonlocal calls
        calls += 1
        return f"number {calls}"

    return tool


@dataclass
class Stage:
    """Plays the rounds of a script, each a list of calls or a text; the last one plays again."""

    rounds: Sequence[list[dict[str, Any]] | str]
    tool: Tool = same
    limits: AgentLimits = field(default_factory=lambda: AgentLimits(6, 3, 1_000))
    pollable: bool = False
    gate: Gate | None = None
    words: list[str] = field(default_factory=list[str])
    events: list[ev.Event] = field(default_factory=list[ev.Event])
    made: list[dict[str, Any] | None] = field(default_factory=list[Any])
    caught: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        steps = [[{"text": r}] if isinstance(r, str) else [{"calls": r}] for r in self.rounds]
        self.model = ScriptedModel([{"rounds": steps}])

    def text(self, text: str) -> None:
        self.words.append(text)

    def reasoning(self, text: str) -> None: ...

    def flush(self) -> None: ...

    def event(self, event: ev.Event) -> None:
        self.events.append(event)

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def told(self) -> list[str]:
        """What the model was told after its question, in its last call."""
        return [str(m["content"]) for m in self.model.requests[-1].messages[1:]]

    async def play(self, asked: str = "go") -> Answer:
        async def resolve(request: ToolRequest) -> FoundTool:
            return FoundTool(request, TOOL.title, self.pollable)

        async def make(request: ToolRequest, report: ProgressReport) -> ToolOutcome:
            self.made.append(request.arguments)
            return ToolOutcome(ok=True, text=await self.tool(request))

        async def nothing(_: object = None) -> None: ...

        run = Run(
            prompt=[{"role": "user", "content": asked}],
            model=self.model,
            tools=(TOOL,),
            resolve_tool=resolve,
            call_tool=make,
            sink=self,
            limits=self.limits,
            stored=nothing,
            gate=self.gate,
            caught=self.caught.append,
        )
        return await Agent().run(run, saver=TurnSaver(save=nothing), thread="t")
