"""What a turn does between its claim and its end: the prompt, the model, the tools."""

from __future__ import annotations

import asyncio
from functools import partial

from parlour import tokens
from parlour.agent.bounds import AgentLimits
from parlour.agent.graph import Agent, Answer, FoundTool, ProgressReport, Run
from parlour.agent.loops import LoopLimits
from parlour.agent.prompt import system_prompt
from parlour.agent.saver import TurnSaver
from parlour.chat.conduct import look_at, wants_nothing
from parlour.chat.context import pinned, to_prompt
from parlour.chat.gatekeeper import GateParts, TurnGate
from parlour.chat.grounding import Grounding
from parlour.chat.humanity import Truth
from parlour.chat.judge import Judge, Over
from parlour.chat.outflow import Outflow
from parlour.chat.privacy import Privacy
from parlour.chat.running import Running, TurnLimits
from parlour.chat.settling import Settling
from parlour.domain import Message, Principal, ToolOutcome, ToolRequest, ToolSpec
from parlour.errors import TurnLost
from parlour.models.port import ChatMessage
from parlour.models.routed import Router
from parlour.policy import Policies
from parlour.safety.small_talk import is_small_talk
from parlour.store.turns import Turns
from parlour.telemetry import traces as tr
from parlour.telemetry.metrics import Metrics
from parlour.tools.toolbox import Guard, Toolbox

TOOLS_SHARE_MAX = 0.75  # of a turn's seconds; the rest is for the answer


class Answering:
    """Answers turns that are claimed. One for the process; it holds no state of any turn."""

    def __init__(
        self,
        *,
        store: Turns,
        agent: Agent,
        router: Router,
        toolbox: Toolbox,
        gate: GateParts,
        policies: Policies,
        privacy: Privacy,
        judge: Judge,
        truth: Truth,
        grounding: Grounding,
        settling: Settling,
        limits: TurnLimits,
        metrics: Metrics,
        own_words: str = "",
    ) -> None:
        self._store = store
        self._agent = agent
        self._router = router
        self._toolbox = toolbox
        self._gate = gate
        self._policies = policies
        self._privacy = privacy
        self._judge = judge
        self._truth = truth
        self._grounding = grounding
        self._settling = settling
        self._limits = limits
        self._metrics = metrics
        self._system = system_prompt(own_words)
        is_small_talk("hi")  # reads its words now, so that no turn waits for them

    async def answer(self, running: Running, history: tuple[Message, ...]) -> Answer:
        """Drive one turn to its answer. Raises what the model raises, and `TurnLost`."""
        policy = self._policies.of(running.principal.workspace)

        async def resolve_tool(request: ToolRequest) -> FoundTool:
            resolved = await self._toolbox.resolve(running.principal, request)
            title = self._grounding.words(running, resolved.title)
            return FoundTool(resolved.request, title, pollable=resolved.pollable)

        async def call_tool(request: ToolRequest, report: ProgressReport) -> ToolOutcome:
            # Nothing acts for a message that may yet fail to be stored.
            await asyncio.shield(running.committed)
            return await gate.perform(request, report)

        gate = TurnGate(
            running, self._gate, policy.approvals, history, partial(self._send, running)
        )
        self._filter(running)
        saver, waiting = (
            TurnSaver(save=partial(self._save, running), load=running.last_round),
            running.ask.waiting,
        )
        if waiting and running.masks is not None:  # what waits may name what no message does
            running.masks.learn(await self._privacy.load(running.principal, running.thread))
        words = await self._words(running.principal)
        await self._privacy.pinned(running)
        prompt = await self._privacy.prompt(running, self._prompt(running, words, history))
        model = self._router.model(
            running.principal.workspace,
            turn=running.turn,
            hear=running.hear,
            meter=running.tab.meter(),
        )
        told = self._truth.begin(running, prompt, history)
        run = Run(
            prompt=await self._judge.orders.told(running, told, history),
            model=self._judge.model(running, model, prompt),
            tools=await self._tools(running),
            resolve_tool=resolve_tool,
            call_tool=call_tool,
            sink=running.sink,
            stored=lambda: asyncio.shield(running.committed),
            limits=self._agent_limits(running, history),
            gate=gate.judge,
            settle=gate.settle,
            resume=saver.state(waiting.checkpoint) if waiting else None,
            caught=running.catch,
        )
        try:
            answer = await self._agent.run(run, saver=saver, thread=running.turn)
            look_at(running, answer, run.prompt)
            return answer
        except (asyncio.CancelledError, Over):
            over = await self._judge.over(running)
            if over is None:
                raise
            return over
        finally:
            self._grounding.end(running)
            await self._judge.end(running)

    async def _save(self, running: Running, data: bytes) -> None:
        # Before the commit there is no turn to keep it with, and a quick round gets here first.
        await asyncio.shield(running.committed)
        if not await self._store.save_checkpoint(running.turn, running.fence, data):
            raise TurnLost("Another process has taken over this answer.")

    async def _send(
        self, running: Running, request: ToolRequest, report: ProgressReport, guard: Guard
    ) -> ToolOutcome:
        """Make a call that the gate lets through: traced, counted, without personal data."""
        server = self._toolbox.server_of(request.name)
        request = self._privacy.arguments(running, server, request)
        report = self._privacy.progress(running, report)
        named = {tr.OPERATION: "execute_tool", tr.TOOL_NAME: request.name}
        with self._judge.traces.span(f"execute_tool {request.name}", **named) as span:
            outcome = await self._toolbox.call(
                running.principal, request, thread=running.thread, on_progress=report, guard=guard
            )
            span.set(tr.STATUS, "ok" if outcome.ok else "failed")
        self._metrics.tool_called(server, ok=outcome.ok, elapsed_ms=outcome.elapsed_ms)
        outcome = await self._privacy.result(running, outcome)
        judged = await self._judge.orders.result(running, outcome)
        return self._grounding.result(running, outcome, judged)

    async def _tools(self, running: Running) -> tuple[ToolSpec, ...]:
        return await self._toolbox.specs(running.principal) if running.tab.has("tools") else ()

    def _prompt(
        self, running: Running, words: str, history: tuple[Message, ...]
    ) -> list[ChatMessage]:
        """What is pinned, and as much of the conversation as fits."""
        system = pinned(words, running.principal, summary=running.summary, page=running.page)
        if running.ask.history is not None:  # the caller's own, who decides what is sent
            return to_prompt(system, history)
        memory = self._policies.of(running.principal.workspace).memory
        most = memory.context_tokens - tokens.count(running.summary)
        return to_prompt(system, history, most=most)

    def _filter(self, running: Running) -> None:
        """What the model says passes these, in this order: privacy, links, output, topic."""
        answer, reasoning = self._judge.filters(running)
        links, links_of_reasoning = self._grounding.filters(running)
        answer = [*self._privacy.filters(running), links, *answer]
        reasoning = [*self._privacy.filters(running), links_of_reasoning, *reasoning]
        held = partial(self._settling.watch, running.sink)
        running.sink.filter(Outflow(answer, held), Outflow(reasoning, held))

    async def _words(self, principal: Principal) -> str:
        """The system message: Parlour's words, the product's, then the tool servers' notes."""
        notes = await self._toolbox.instructions(principal)
        return f"{self._system}\n\n{notes}" if notes else self._system

    def _agent_limits(self, running: Running, history: tuple[Message, ...]) -> AgentLimits:
        question = self._policies.of(running.principal.workspace).question
        tools_s = min(question.tools_s_max, TOOLS_SHARE_MAX * self._limits.turn_s_max)
        now = asyncio.get_running_loop().time()
        return AgentLimits(
            rounds_max=question.rounds_max,
            tool_calls_max=question.tool_calls_max,
            reply_tokens_max=self._limits.reply_tokens_max,
            temperature=self._limits.temperature,
            tools_until=now + tools_s - running.sink.elapsed_ms / 1000,
            small_talk=not question.greeting_tools and wants_nothing(running, history),
            loops=LoopLimits(question.same_result_at, question.same_call_at),
        )
