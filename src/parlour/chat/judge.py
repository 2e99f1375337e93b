"""Judges what comes in and what goes out of a turn, beside the model and never in its way.

In: orders in the text (chat/orders.py) and the topic (a small model), while the first model call
runs; nothing is shown and no tool is called before the verdict. Out: the answer, as the workspace
wants it: whole before it is shown (`safe`), or as it streams and at its end (`stream`), where what
fails is withdrawn. A verdict against ends the turn: its sentence is said and the model call is
closed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from time import monotonic

import structlog

from parlour.agent.graph import Answer
from parlour.chat.holds import Blocks, Hold
from parlour.chat.orders import WARNING, Orders
from parlour.chat.outflow import OutFilter
from parlour.chat.rule_hits import RuleHits
from parlour.chat.running import Running
from parlour.errors import Problem
from parlour.events.types import Notice
from parlour.models.port import (
    ChatMessage,
    Model,
    ModelReply,
    ModelRequest,
    ModelSink,
    Unheard,
    Warmable,
)
from parlour.models.routed import Router
from parlour.models.routing import DEFAULT
from parlour.policy import Policies
from parlour.policy_safety import OutputPolicy, TopicsPolicy
from parlour.safety import topics
from parlour.safety.disclosures.engine import Disclosures
from parlour.safety.output.check import Breach, OutputCheck
from parlour.telemetry import traces as tr
from parlour.telemetry.traces import Traces

log = structlog.get_logger("parlour.judge")


class Over(Exception):
    """The turn ends here; what is to be said has been said."""


class Judge:
    """One for the process."""

    def __init__(
        self,
        *,
        policies: Policies,
        router: Router,
        check: OutputCheck,
        disclosures: Disclosures,
        orders: Orders,
        hits: RuleHits,
        traces: Traces,
    ) -> None:
        self._policies = policies
        self._router = router
        self.check = check
        self._disclosures = disclosures
        self.orders = orders
        self._hits = hits
        self.traces = traces

    # --- in ---

    def begin(self, running: Running, orders: tuple[str, ...]) -> None:
        """A turn begins: what is to be held, and until when, is known from here on."""
        policy = self._policies.of(running.principal.workspace)
        case = running.case
        case.orders = orders
        if orders and policy.injection.user == "warn":
            running.hear(Notice(kind="injection", text=WARNING))
        asks_topic = bool(policy.topics.allow) and not running.judged
        if asks_topic or self.orders.classifies(running):
            case.holds = (Hold(), Hold())
        if policy.output.mode == "safe":
            case.answer_holds = (Hold(), Hold())

    async def warm(self) -> None:
        """Let embedded models read what every question to the verifier begins with."""
        asked = [policy for policy in self._policies.all() if policy.topics.allow]
        routes = {p.topics.route or next(iter(p.routes.use), DEFAULT): p.topics for p in asked}
        for route, topic in routes.items():  # the examples are the same for all topics
            model = self._router.client(route)
            if isinstance(model, Warmable):
                await model.stream(_to_verifier(topic, topics.WARM, ""), Unheard())

    def filters(self, running: Running) -> tuple[list[OutFilter], list[OutFilter]]:
        """What the answer and the reasoning pass last: the output's holds, then the question's."""
        policy, case = self._policies.of(running.principal.workspace).output, running.case
        answer: list[OutFilter] = []
        reasoning: list[OutFilter] = []
        if case.answer_holds:
            answer.append(case.answer_holds[0])
            reasoning.append(case.answer_holds[1])
        elif policy.mode == "stream" and running.ask.irrevocable:
            for flow in (answer, reasoning):
                flow.append(Blocks(lambda text: self._passes(running, text)))
        elif policy.mode == "stream":
            running.sink.watch(lambda text: self._passes(running, text))
        if case.holds:
            answer.append(case.holds[0])
            reasoning.append(case.holds[1])
        return answer, reasoning

    def model(self, running: Running, model: Model, prompt: Sequence[ChatMessage]) -> Model:
        """The model of a turn with its judge beside it; the verdict on the question begins now."""
        case = running.case
        if case.holds:
            work = self._judge_question(running, *_last_words(prompt))
            case.verdict = asyncio.create_task(work, name=f"verdict {running.turn}")
        return _JudgedModel(self, running, model)

    async def over(self, running: Running) -> Answer | None:
        """The answer of a turn that a verdict has ended; None when none has, or somebody's stop."""
        if not running.case.over or running.stopping:
            return None
        if running.task is not None and running.task.cancelling():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0)  # Python 3.11 and 3.12 keep one that was not delivered yet
            running.task.uncancel()
        return Answer(finish_reason="content_filter", served_by="", rounds=0)

    async def end(self, running: Running) -> None:
        """The turn is over: whoever still judges may stop."""
        verdict = running.case.verdict
        if verdict is not None and not verdict.done():
            verdict.cancel()
            await asyncio.gather(verdict, return_exceptions=True)

    def gives_away(self, arguments: bytes) -> bool:
        """Whether arguments (as JSON) hold a secret or the system prompt, in whatever encoding."""
        text = arguments.decode("utf-8", "replace")
        return self.check.breach(text, personal=(), secrets=True, prompt=True) is not None

    # --- the verdict on a question ---

    async def _judge_question(self, running: Running, asked: str, before: str) -> None:
        """Open what is held, or end the turn."""
        policy = self._policies.of(running.principal.workspace)
        try:
            on_topic, ends = await asyncio.gather(
                self._on_topic(running, asked, before), self.orders.clean(running, asked)
            )
        except Exception:
            log.exception("verdict_failed")
            on_topic, ends = policy.topics.unsure == "answer", ""
        if on_topic and not ends:
            for hold in running.case.holds:
                hold.open()
            running.sink.settle(monotonic())  # what was said meanwhile waits for no further piece
            return
        sentence = ends if on_topic else policy.topics.refusal
        self._end_turn(running, sentence, "topic" if not on_topic else "injection", shown=False)

    async def _on_topic(self, running: Running, asked: str, before: str) -> bool:
        policy = self._policies.of(running.principal.workspace).topics
        if not policy.allow or topics.passes(asked):
            return True
        with self.traces.span("input.topic") as span:
            verdict = await self._ask_topic(running, asked, before)
            span.set(tr.VERDICT, "none" if verdict is None else str(verdict).lower())
        if verdict is None:
            self._note(running, "topic", "unsure", policy.unsure)
            return policy.unsure == "answer"
        if not verdict:
            self._note(running, "topic", "off_topic", "refuse")
        return verdict

    async def _ask_topic(self, running: Running, text: str, before: str = "") -> bool | None:
        """The verifier's verdict on a text; None when it gives none in time."""
        workspace = running.principal.workspace
        policy = self._policies.of(workspace).topics
        request = _to_verifier(policy, text, before)
        model: Model = self._router.model(
            workspace, turn=running.turn, meter=running.tab.meter("verifier")
        )
        if policy.route:
            route, client = self._router.route(policy.route), self._router.client(policy.route)
            model = running.tab.meter("verifier")(route, client)
        try:
            async with asyncio.timeout(policy.timeout_s):
                reply = await model.stream(request, Unheard())
        except (Problem, TimeoutError) as error:
            log.warning("verifier_failed", error=type(error).__name__)
            return None
        return topics.verdict(reply.text)

    # --- the verdict on an answer ---

    async def round_over(self, running: Running, reply: ModelReply) -> None:
        """A reply is whole: judge it, and show what was held. Raises `Over`."""
        case = running.case
        if case.verdict is not None:
            await asyncio.shield(case.verdict)
        if case.over:
            raise Over
        policy = self._policies.of(running.principal.workspace).output
        if policy.mode == "off":
            return
        with self.traces.span("output.validate"):
            breach = self._breach(policy, f"{reply.reasoning}\n{reply.text}")
            breach = breach or self.check.claim(reply.text, whole=True)
            asked = breach is None and policy.topic and not reply.tool_calls and reply.text != ""
            verdict = await self._ask_topic(running, reply.text) if asked else None
            if verdict is False:
                breach = Breach("topic", "off_topic")
        if breach is not None:
            self._withdraw(running, breach)
            raise Over
        for hold in case.answer_holds:
            hold.open()
        running.sink.drain()
        for hold in case.answer_holds:
            hold.close()

    def _passes(self, running: Running, text: str) -> bool:
        """Whether some of an answer may stay; withdraws it when not."""
        policy = self._policies.of(running.principal.workspace).output
        breach = self._breach(policy, text) or self.check.claim(text, whole=False)
        if breach is not None and not running.case.over:
            self._withdraw(running, breach)
            if running.task is not None:
                running.task.cancel()  # the model call is closed; `over` takes it from there
        return breach is None

    def _breach(self, policy: OutputPolicy, text: str) -> Breach | None:
        return self.check.breach(
            text, personal=policy.personal, secrets=policy.secrets, prompt=policy.prompt
        )

    def _withdraw(self, running: Running, breach: Breach) -> None:
        policy = self._policies.of(running.principal.workspace).output
        self._note(running, breach.check, breach.rule, "withdraw")
        running.case.over = True
        instead = policy.placeholder
        if breach.language and not running.sink.opened:  # what was said is set right, too
            who, surface = running.principal, running.ask.surface
            instead = f"{self._disclosures.answer(who, surface, breach.language)}\n\n{instead}"
        running.sink.replace(instead, breach.check)

    def _end_turn(self, running: Running, sentence: str, reason: str, *, shown: bool) -> None:
        running.case.over = True
        if shown:
            running.sink.replace(sentence, reason)
        else:
            running.sink.instead(sentence)
        if running.task is not None:
            running.task.cancel()

    def _note(self, running: Running, guard: str, rule: str, action: str) -> None:
        self._hits.guard(running.principal, guard, rule, action, turn=running.turn)


class _JudgedModel:
    """A model whose replies are judged before the turn goes on with them."""

    def __init__(self, judge: Judge, running: Running, model: Model) -> None:
        self._judge = judge
        self._running = running
        self._model = model

    @property
    def name(self) -> str:
        return self._model.name

    async def stream(self, request: ModelRequest, sink: ModelSink) -> ModelReply:
        with self._judge.traces.span(
            f"chat {self.name}", **{tr.OPERATION: "chat", tr.REQUEST_MODEL: self.name}
        ) as span:
            reply = await self._model.stream(request, sink)
            span.set(tr.RESPONSE_MODEL, reply.served_by or self.name)
            span.set(tr.FINISH_REASONS, [reply.finish_reason])
            span.set(tr.INPUT_TOKENS, reply.usage.input + reply.usage.cache_read)
            span.set(tr.OUTPUT_TOKENS, reply.usage.output)
        await self._judge.round_over(self._running, reply)
        return reply

    async def close(self) -> None:
        """The model belongs to the process."""


def _to_verifier(policy: TopicsPolicy, text: str, before: str) -> ModelRequest:
    messages = topics.question(policy.allow, text, before)
    return ModelRequest(messages=list(messages), max_tokens=topics.TOKENS_MAX, temperature=0)


def _last_words(prompt: Sequence[ChatMessage]) -> tuple[str, str]:
    """The question, and what the assistant said before it; masked, as the model gets them."""
    asked = next((str(m["content"]) for m in reversed(prompt) if m["role"] == "user"), "")
    said = next((str(m["content"]) for m in reversed(prompt) if m["role"] == "assistant"), "")
    return asked, said
