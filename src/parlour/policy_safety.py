"""The sections of the policy that say what may come in and go out, and what is made of answers."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


Handling = Literal["off", "mask", "block"]


class PrivacyPolicy(_Section):
    """What happens to personal data in what people write: `off`, `mask` or `block`.

    Kinds with a checksum are masked by default: what is masked is hardly ever an ordinary figure.
    """

    email: Handling = Field("off", description="E-mail addresses.")
    phone: Handling = Field("off", description="Telephone numbers.")
    card: Handling = Field("mask", description="Payment card numbers (Luhn).")
    iban: Handling = Field("mask", description="Bank accounts (IBAN, modulo 97).")
    ip: Handling = Field("off", description="IP addresses, 4 and 6.")
    national_id: Handling = Field(
        "mask", description="National identity, tax and insurance numbers, with their checksums."
    )
    person: Handling = Field("off", description="Names of people; needs `presidio`.")
    place: Handling = Field("off", description="Places; needs `presidio`.")
    presidio: bool = Field(
        False, description="Ask Microsoft Presidio as well; needs the extra `[presidio]`."
    )
    tool_results: bool = Field(
        True, description="Mask what tools return, too, wherever a kind is `mask` or `block`."
    )
    clear_arguments: tuple[str, ...] = Field(
        (),
        description="MCP servers whose tools get the values themselves; others get placeholders.",
    )

    @model_validator(mode="after")
    def _can_be_found(self) -> Self:
        if not self.presidio and {self.person, self.place} != {"off"}:
            raise ValueError("`person` and `place` are found by Presidio alone: set `presidio`")
        return self

    def kinds(self, *handling: Handling) -> tuple[str, ...]:
        """The kinds that are handled in one of these ways."""
        return tuple(kind for kind in _PRIVACY_KINDS if getattr(self, kind) in handling)


_PRIVACY_KINDS = ("email", "iban", "card", "national_id", "ip", "phone", "person", "place")


Reaction = Literal["off", "label", "warn", "block"]


class InjectionPolicy(_Section):
    """What happens when a text tries to give the assistant orders.

    `label` counts it and tells the model, `warn` tells people too, `block` keeps the text out.
    """

    user: Reaction = Field("label", description="In what people write.")
    tool_results: Reaction = Field("label", description="In what tools return.")
    documents: Reaction = Field("label", description="In documents and pages.")
    classifier: bool = Field(
        False, description="Ask the classifier as well as the patterns; needs `[injection]`."
    )


class TopicsPolicy(_Section):
    """What the assistant may talk about."""

    allow: tuple[str, ...] = Field(
        (),
        description="Topics in a few words each; empty = any. A small prompt checks each question "
        "while the answer is being made.",
    )
    refusal: str = Field(
        "I can't help with that here. Ask me about what this product is for.",
        description="What is said to any other question.",
    )
    route: str = Field(
        "", description="The route whose model checks; empty = the one that answers."
    )
    timeout_s: float = Field(5, gt=0, description="Seconds to wait for the check.")
    unsure: Literal["answer", "refuse"] = Field(
        "answer", description="What to do when the check gives no verdict, or none in time."
    )


class OutputPolicy(_Section):
    """How answers are checked before they are shown (`safe`), or while (`stream`).

    In both a claim to be human is withdrawn; no setting but `off` allows it.
    """

    mode: Literal["off", "stream", "safe"] = Field(
        "stream",
        description="`safe` shows an answer once all of it was checked. `stream` checks every 100 "
        "pieces and at the end, and withdraws; for OpenAI clients, who cannot take back, it shows "
        "checked blocks.",
    )
    secrets: bool = Field(True, description="Keys, tokens and passwords.")
    personal: tuple[str, ...] = Field(
        ("card", "iban", "national_id"),
        description="Kinds of personal data, as in `privacy`; placeholders are none.",
    )
    prompt: bool = Field(True, description="Eight words in a row of the system prompt.")
    topic: bool = Field(
        False, description="Ask the topic check about the whole answer, too; takes a model call."
    )
    placeholder: str = Field(
        "This answer was withdrawn because of what was in it. Ask again in other words.",
        description="What stands in place of a withdrawn answer.",
    )


class FollowupPolicy(_Section):
    """What is made of an answer after it ended; takes one short model call."""

    questions: int = Field(
        0, ge=0, le=5, description="Follow-up questions to offer under an answer; 0 = none."
    )
    title: bool = Field(
        False, description="Ask for a title of the conversation instead of its first words."
    )
