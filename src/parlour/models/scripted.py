"""The scripted model: says what a script tells it, and is honest about being a script.

It is a real `Model`, made for tests, demos and the guided tour: no network, no weights, the same
words every time, and every way to fail on demand. `PARLOUR_MODEL=scripted:` plays the guide
(guide.json beside this file), `PARLOUR_MODEL=scripted:/path/to/script.json` plays yours.

A script is a list of rules, or an object `{"pace": 40, "rules": [...], "otherwise": {...}}`. The
first rule whose `when` (a regular expression, any case) is found in the last user message is
played:

    {"when": "what is the weather", "rounds": [
        [{"reasoning": "I need the weather."},
         {"calls": [{"name": "weather__today", "arguments": {"city": "Oslo"}}]}],
        [{"text": "It is {{result}} in Oslo."}]]}

Each round is one model call of the turn, so the second plays after the tools have answered; when
there are more calls than rounds, the last round plays again. `"steps": [...]` is short for one
round. docs/reference/scripted-model.md has every step and every template word.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import msgspec

from parlour.domain import ToolRequest, Usage
from parlour.errors import ConfigurationError
from parlour.models.failures import CutOff, ModelFailure, failure_of
from parlour.models.port import ChatMessage, ModelReply, ModelRequest, ModelSink

GUIDE = Path(__file__).with_name("guide.json")
CALLS_KEPT_MAX = 100  # of `requests`, so that a long-lived demo does not grow


class Call(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tool that the script calls. `raw` stands for arguments that are not JSON."""

    name: str
    arguments: dict[str, Any] = {}
    raw: str | None = None


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that happens. Exactly one of the fields before `pace` is given."""

    text: str | None = None
    reasoning: str | None = None
    calls: list[Call] | None = None
    wait_s: float | None = None
    gate: str | None = None
    fail: str | None = None
    cut: bool | None = None
    finish: str | None = None
    usage: Usage | None = None
    pace: float | None = None  # tokens a second of this step's text or reasoning

    def __post_init__(self) -> None:
        given = [name for name in _ACTIONS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"a step has one of {', '.join(_ACTIONS)}, not {given or 'none'}")
        if self.finish is not None and self.finish not in _FINISHES:
            raise ValueError(f"finish is one of {', '.join(_FINISHES)}, not {self.finish!r}")
        if self.fail is not None:
            try:
                failure_of(self.fail)
            except KeyError:
                raise ValueError(f"no failure has the code {self.fail!r}") from None


_ACTIONS = ("text", "reasoning", "calls", "wait_s", "gate", "fail", "cut", "finish", "usage")
_FINISHES = ("stop", "length", "content_filter", "tool_calls")


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to play when `when` is found in the last user message.

    `needs` names tools; without them in the request the rule is passed over, so that a script
    never calls a tool that is not there.
    """

    when: str = ""
    steps: list[Step] = []
    rounds: list[list[Step]] = []
    needs: list[str] = []

    def __post_init__(self) -> None:
        if bool(self.steps) == bool(self.rounds):
            raise ValueError("a rule has either steps or rounds")
        try:
            re.compile(self.when)
        except re.error as error:
            raise ValueError(f"{self.when!r} is not a regular expression: {error}") from None

    def round(self, number: int) -> list[Step]:
        """The steps of model call `number` of the turn, counted from 0."""
        rounds = self.rounds or [self.steps]
        return rounds[min(number, len(rounds) - 1)]


class Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole script. `pace` is tokens a second, 0 = as fast as readers can take them."""

    rules: list[Rule]
    otherwise: Rule = Rule(steps=[Step(text="The script has no answer to this.")])
    pace: float = 0
    about: str = ""


def read_script(source: Path | list[Any] | dict[str, Any]) -> Script:
    """A script from a JSON file or plain values. Raises `ConfigurationError` naming the mistake."""
    where = str(source) if isinstance(source, Path) else "The script"
    try:
        value = msgspec.json.decode(source.read_bytes()) if isinstance(source, Path) else source
        if isinstance(value, list):
            value = {"rules": cast("list[Any]", value)}
        return msgspec.convert(value, Script)
    except OSError as error:
        raise ConfigurationError(
            f"PARLOUR_MODEL names the script {where}, which cannot be read: {error.strerror}."
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{where} is not a script of the scripted model: {error}."
        ) from None


class ScriptedModel:
    """A model that plays a script. One object serves many calls at once.

    `pace` overrides the script's own (0 = at once). For tests: `requests` holds the last calls;
    `await reached(gate)` returns once a call has come to a `gate` step and `open(gate)` lets every
    call through it, now and later.
    """

    def __init__(
        self,
        script: Script | list[Any] | dict[str, Any] | Path = GUIDE,
        *,
        name: str = "scripted:",
        pace: float | None = None,
    ) -> None:
        self._script = script if isinstance(script, Script) else read_script(script)
        self._name = name
        self._pace = self._script.pace if pace is None else pace
        self._fixed_pace = pace is not None
        self._gates: dict[str, tuple[asyncio.Event, asyncio.Event]] = {}
        self.requests: deque[ModelRequest] = deque(maxlen=CALLS_KEPT_MAX)

    @property
    def name(self) -> str:
        """`scripted:` and the name of the script, if it is not the guide."""
        return self._name

    async def stream(self, request: ModelRequest, sink: ModelSink) -> ModelReply:
        """Play one round. Raises what the script says."""
        self.requests.append(request)
        messages = request.messages
        asked_at = max((i for i, m in enumerate(messages) if m["role"] == "user"), default=-1)
        asked = str(messages[asked_at]["content"]) if asked_at >= 0 else ""
        turn = messages[asked_at + 1 :]
        # What was called in this turn has been on offer, although a limit may have taken it away.
        tools = {tool.name for tool in request.tools}
        tools |= {message["name"] for message in turn if message["role"] == "tool"}
        rule, found = self._choose(asked, tools)
        words = _Words(asked, found, turn)
        number = sum(message["role"] == "assistant" for message in turn)
        play = _Play(sink, words, request.max_tokens, place=len(messages))
        request.tally.spent = lambda: play.usage(request, estimated=True)
        for step in rule.round(number):
            if step.gate is not None:
                await self._pass(step.gate)
            elif not await play.step(step, self._pace_of(step)):
                break
        return play.reply(request, self._name)

    async def reached(self, gate: str) -> None:
        """Wait until some call has come to the gate."""
        await self._gate(gate)[0].wait()

    def open(self, gate: str) -> None:
        """Let every call through the gate."""
        self._gate(gate)[1].set()

    async def close(self) -> None:
        """Nothing is held."""

    async def _pass(self, gate: str) -> None:
        reached, opened = self._gate(gate)
        reached.set()
        await opened.wait()

    def _gate(self, gate: str) -> tuple[asyncio.Event, asyncio.Event]:
        return self._gates.setdefault(gate, (asyncio.Event(), asyncio.Event()))

    def _pace_of(self, step: Step) -> float:
        return self._pace if self._fixed_pace or step.pace is None else step.pace

    def _choose(self, asked: str, tools: set[str]) -> tuple[Rule, re.Match[str] | None]:
        for rule in self._script.rules:
            found = re.search(rule.when, asked, re.IGNORECASE)
            if found and tools.issuperset(rule.needs):
                return rule, found
        return self._script.otherwise, None


class _Play:
    """One round as it is being played."""

    def __init__(self, sink: ModelSink, words: _Words, tokens_max: int, place: int) -> None:
        self._sink = sink
        self._words = words
        self._left = tokens_max
        self._place = place
        self._text: list[str] = []
        self._thought: list[str] = []
        self._calls: list[ToolRequest] = []
        self._finish = ""
        self._usage: Usage | None = None

    async def step(self, step: Step, pace: float) -> bool:
        """Do one step. False when the reply ends here, as its bound in tokens is reached."""
        if step.wait_s is not None:
            await asyncio.sleep(step.wait_s)
        elif step.fail is not None:
            raise self._failed(failure_of(step.fail))
        elif step.cut:
            raise self._failed(CutOff)
        elif step.text is not None:
            await self._say(step.text, pace, self._text, self._sink.text)
        elif step.reasoning is not None:
            await self._say(step.reasoning, pace, self._thought, self._sink.reasoning)
        elif step.calls is not None:
            for call in step.calls:
                self._calls.append(self._call(call))
        elif step.finish is not None:
            self._finish = step.finish
        elif step.usage is not None:
            self._usage = step.usage
        return self._left > 0

    def _failed(self, kind: type[ModelFailure]) -> ModelFailure:
        failure = kind("as the script says")
        failure.spoke = bool(self._text or self._thought)
        return failure

    async def _say(self, template: str, pace: float, said: list[str], say: Any) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        for token in _tokens(self._words.fill(template)):
            if self._left == 0:
                self._finish = "length"
                return
            self._left -= 1
            said.append(token)
            say(token)
            self._sink.flush()
            # Paced against the clock, so that slow readers and timers do not add up. Without a pace
            # other tasks still get their turn after each token, as with a real model.
            due += 1 / pace if pace else 0
            await asyncio.sleep(max(0, due - loop.time()) if pace else 0)

    def _call(self, call: Call) -> ToolRequest:
        # By place, so that the same script gives the same conversation every time.
        call_id = f"call_{self._place}_{len(self._calls) + 1}"
        if call.raw is not None:
            return ToolRequest(call_id, call.name, None, call.raw)
        arguments = self._words.fill_all(call.arguments)
        return ToolRequest(call_id, call.name, arguments, msgspec.json.encode(arguments).decode())

    def usage(self, request: ModelRequest, *, estimated: bool = False) -> Usage:
        """What the script says, else what was heard and said so far."""
        if self._usage is not None:
            return self._usage
        heard = sum(len(list(_tokens(str(m["content"])))) for m in request.messages)
        return Usage(heard, 0, 0, len(self._text), len(self._thought), estimated)

    def reply(self, request: ModelRequest, name: str) -> ModelReply:
        return ModelReply(
            text="".join(self._text),
            finish_reason=self._finish or ("tool_calls" if self._calls else "stop"),
            reasoning="".join(self._thought),
            tool_calls=tuple(self._calls),
            usage=self.usage(request),
            served_by=name,
        )


class _Words:
    """What the template words of a script stand for in one call."""

    def __init__(self, asked: str, found: re.Match[str] | None, turn: list[ChatMessage]) -> None:
        self._asked = asked
        self._found = found
        self._results = [message for message in turn if message["role"] == "tool"]

    def fill(self, template: str) -> str:
        """The text with every `{{word}}` replaced; an unknown word stays as it is."""
        return re.sub(r"\{\{\s*(\w+)(?::([\w.-]+))?\s*\}\}", self._word, template)

    def fill_all(self, value: Any) -> Any:
        """The same for every string within a JSON value."""
        if isinstance(value, str):
            return self.fill(value)
        if isinstance(value, dict):
            fields = cast("dict[str, Any]", value)
            return {key: self.fill_all(inner) for key, inner in fields.items()}
        if isinstance(value, list):
            return [self.fill_all(inner) for inner in cast("list[Any]", value)]
        return value

    def _word(self, match: re.Match[str]) -> str:
        word, which = match.group(1), match.group(2)
        if word == "message":
            return self._asked
        if word in ("result", "value"):
            results = [m for m in self._results if which is None or m["name"] == which]
            result = str(results[-1]["content"]) if results else ""
            # A calculator answers "12 * 12 = 144"; its value is what follows the last sign.
            return result.rpartition("=")[2].strip() if word == "value" else result
        if word == "results":
            return "\n".join(str(message["content"]) for message in self._results)
        if word == "group" and self._found is not None:
            try:
                return self._found.group(int(which) if which.isdecimal() else which) or ""
            except IndexError:
                return ""
        return match.group(0)


def _tokens(text: str) -> Iterator[str]:
    """Words with the white space before them, about what a real model's tokens are."""
    return (match.group(0) for match in re.finditer(r"\s*\S{1,12}|\s+", text))
