"""Whoever asks whether a human answers is told the truth first, in the rule's words.

The sentence is said before the model is heard and passes no filter, so that no model, prompt or
topic can keep it back; what is withdrawn later keeps it. The model is told that it was said.
"""

from __future__ import annotations

from collections.abc import Sequence

from parlour.chat.context import with_system
from parlour.chat.running import Running
from parlour.domain import Message, Role, TextPart
from parlour.models.port import ChatMessage
from parlour.safety.disclosures.engine import Disclosures
from parlour.safety.disclosures.humanity import Humanity
from parlour.store.audit import Audit
from parlour.telemetry.metrics import Metrics

TOLD = (
    "The user asks whether you are a human. Your answer begins with this sentence, which they can "
    "read already: {sentence} Go on after it, in one or two sentences, and never contradict it."
)


class Truth:
    """One for the process."""

    def __init__(
        self, *, disclosures: Disclosures, humanity: Humanity, metrics: Metrics, audit: Audit
    ) -> None:
        self._disclosures = disclosures
        self._humanity = humanity
        self._metrics = metrics
        self._audit = audit

    def begin(
        self, running: Running, prompt: list[ChatMessage], history: Sequence[Message]
    ) -> list[ChatMessage]:
        """Say the truth when it is asked for; the prompt, which then tells the model so."""
        language = self._humanity.asked(running.ask.text or question_of(history))
        if not language:
            return prompt
        principal = running.principal
        sentence = self._disclosures.answer(principal, running.ask.surface, language)
        told = with_system(prompt, TOLD.format(sentence=sentence))
        running.sink.open_with(f"{sentence}\n\n", said=running.judged)
        if running.judged or running.adopted:  # counted when it came in
            return told
        self._metrics.guardrail("humanity", "asked", "answer")
        body = {"guard": "humanity", "rule": "asked", "action": "answer", "said": sentence}
        self._audit.note(principal.workspace, principal.user, "rule", body, turn=running.turn)
        return told


def question_of(history: Sequence[Message]) -> str:
    """The last message of the person: what is answered anew has no text of its own."""
    asked = next((m for m in reversed(history) if m.role is Role.USER), None)
    return "".join(p.text for p in asked.parts if isinstance(p, TextPart)) if asked else ""
