"""What may differ from workspace to workspace: one frozen tree of plain, validated values.

`[policy.<section>]` of the settings holds for every workspace, `[workspaces.<id>.<section>]`
changes single fields for one. Rooms ask `Policies.of(workspace)` and never see the settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any, Literal, Self, cast

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from parlour.policy_disclosure import DisclosurePolicy
from parlour.policy_safety import (
    FollowupPolicy,
    InjectionPolicy,
    OutputPolicy,
    PrivacyPolicy,
    TopicsPolicy,
)


class Section(BaseModel):
    """A part of the policy; frozen, and every field documented."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class QuestionPolicy(Section):
    """How much one question may take. At a limit the model gets no more tools, answers with what it
    has and says what was not done; `limits.turn_s_max` ends the turn."""

    tool_calls_max: int = Field(3, ge=0, description="Tool calls for one question.")
    rounds_max: int = Field(
        6,
        ge=1,
        description="Model calls for one question; the last one has no tools, and a model that "
        "asks for some all the same ends the turn (`question_limit`).",
    )
    greeting_tools: bool = Field(
        False,
        description="Whether a message that is but a greeting, thanks or farewell may call tools.",
    )
    tools_s_max: float = Field(
        90,
        gt=0,
        description="Seconds of a question in which tools run; one that runs longer is given up. "
        "At most three quarters of `limits.turn_s_max`, so that time for the answer is left.",
    )
    same_result_at: int = Field(
        3,
        ge=2,
        description="A call that gave the same result each time is not made this time any more.",
    )
    same_call_at: int = Field(
        6,
        ge=2,
        description="The same call, whatever its results, is not made this time any more, unless "
        "the tool is in its server's `pollable`.",
    )


class LinksPolicy(Section):
    """Which addresses an answer may show as links; all others are shown as words."""

    allow: tuple[str, ...] = Field(
        (),
        description="Addresses that are links although no tool gave them: an origin "
        "(`https://docs.example.com`) or a beginning (`https://example.com/help/`), with all that "
        "lies below.",
    )


class TurnPolicy(Section):
    """What happens around a turn."""

    second_message: Literal["refuse", "queue", "stop"] = Field(
        "refuse",
        description="A message while the conversation answers another: `refuse` it (409), `queue` "
        "it, or `stop` the first.",
    )
    queue_s: float = Field(
        60, ge=0, description="Seconds that a queued message waits; then it is refused."
    )
    queued_max: int = Field(
        3, ge=1, description="Messages that wait for one conversation; more are refused."
    )


class RoutePolicy(Section):
    """Which routes (`[routes.<name>]`) may serve, and whether another may take over."""

    mode: Literal["pinned", "ordered"] = Field(
        "pinned",
        description="`pinned`: the first route or none. `ordered`: the next one when a route "
        "fails before the first word.",
    )
    use: tuple[str, ...] = Field(
        (),
        description="Names of the approved routes, first choice first; empty = the model that "
        "`model` names, as the only route.",
    )


class ModelPrices(Section):
    """What a model costs: US dollars for a million tokens."""

    input: Decimal = Field(ge=0, description="Tokens that the model reads.")
    output: Decimal = Field(ge=0, description="Tokens that it says, thinking included.")
    cache_read: Decimal | None = Field(
        None, ge=0, description="Tokens read from the provider's cache; empty = as `input`."
    )
    cache_write: Decimal | None = Field(
        None, ge=0, description="Tokens written to its cache; empty = as `input`."
    )


class LedgerPolicy(Section):
    """What is paid for model calls."""

    prices: dict[str, ModelPrices] = Field(
        default_factory=dict[str, ModelPrices],
        description="Your own prices, by model (`openai:gpt-5.1`) or pattern (`openai:acme-*`); "
        "they win over the list of prices that Parlour comes with.",
    )


class PagePolicy(Section):
    """How much of the page context that the host sends reaches the model; more is cut."""

    value_chars_max: int = Field(
        300, ge=10, description="Characters of one value: kind, id, title, a field or its name."
    )
    text_chars_max: int = Field(
        4_000, ge=10, description="Characters of the selection, and of the free text."
    )
    chars_max: int = Field(8_000, ge=100, description="Characters of all values together.")
    fields_max: int = Field(50, ge=0, description="Fields, and items of one list in a field.")


class ToolsPolicy(Section):
    """Which tools there are, by `server__tool` or pattern, and how long their results are kept."""

    allow: tuple[str, ...] = Field((), description="Tools to offer, e.g. `files__*`; empty = all.")
    deny: tuple[str, ...] = Field(
        (), description="Tools not to offer; stronger than `allow`, and at once for running turns."
    )
    hold_new: bool = Field(
        False,
        description="Whether tools that were never seen wait for an administrator too, not only "
        "those that are described differently than before.",
    )
    results_days: float = Field(
        7, gt=0, le=365, description="Days that a result too long for the model is kept whole."
    )


class Tier(Section):
    """The limits of a user of a tier, or of a whole workspace; empty = none."""

    requests_per_hour: int | None = Field(
        None, ge=1, description="Questions in any 60 minutes; the same one sent again is one."
    )
    turns_at_once: int | None = Field(None, ge=1, description="Answers being made at once.")
    tokens_per_day: int | None = Field(
        None, ge=1, description="Tokens of a UTC day, read and said, cached and not."
    )
    tokens_per_month: int | None = Field(None, ge=1, description="Tokens of a UTC month.")
    dollars_per_day: Decimal | None = Field(
        None, gt=0, description="US dollars of a UTC day; models without a price are refused then."
    )
    dollars_per_month: Decimal | None = Field(
        None, gt=0, description="US dollars of a UTC month; likewise."
    )
    routes: tuple[str, ...] = Field(
        ("*",), description="Models that may answer, by name or pattern (`openai:*`)."
    )
    features: tuple[str, ...] = Field(
        ("*",), description="What the tier has, by name or pattern; `tools`: tools may be called."
    )

    def has(self, feature: str) -> bool:
        """Whether the tier has a feature."""
        return any(fnmatchcase(feature, pattern) for pattern in self.features)

    def may_use(self, *names: str) -> bool:
        """Whether a route of one of these names may answer."""
        return any(fnmatchcase(name, pattern) for name in names for pattern in self.routes)


DEFAULT_TIER = "free"
TIERS: dict[str, dict[str, Any]] = {
    DEFAULT_TIER: {"requests_per_hour": 50, "tokens_per_day": 100_000, "turns_at_once": 4},
    "pro": {"requests_per_hour": 500, "tokens_per_day": 2_000_000, "turns_at_once": 16},
    "custom": {},
}


class LimitsPolicy(Section):
    """How much may be used, by tier (`tier` in the host's token) and by the whole workspace.

    `free`, `pro` and `custom` are there; others may be added, and single fields changed. A tier
    that is not here counts as `free`.
    """

    tiers: dict[str, Tier] = Field(
        default_factory=lambda: {name: Tier.model_validate(t) for name, t in TIERS.items()},
        description="The tiers, by name.",
    )
    workspace: Tier = Field(
        default_factory=lambda: Tier.model_validate({}),
        description="Limits of everybody in the workspace together.",
    )
    warn_percent: int = Field(
        80, ge=1, le=100, description="Used so much of a limit, people are told once."
    )

    @field_validator("tiers", mode="before")
    @classmethod
    def _beside_the_defaults(cls, given: Any) -> Any:
        return (
            _merged(TIERS, cast("Mapping[str, Any]", given)) if isinstance(given, dict) else given
        )

    def tier(self, name: str) -> Tier:
        """The tier of that name."""
        return self.tiers.get(name) or self.tiers[DEFAULT_TIER]


class MemoryPolicy(Section):
    """How much of a conversation the model is sent, and what becomes of the rest."""

    window_messages: int = Field(
        20, ge=2, description="Last messages of the conversation that the model sees."
    )
    context_tokens: int = Field(
        4_000,
        ge=200,
        description="Tokens of the summary and these messages together; the question itself, the "
        "page and the rules are not counted, and never cut.",
    )
    summaries: bool = Field(
        True, description="Summarise what the model is not sent any more, after an answer."
    )
    summary_after_tokens: int = Field(
        3_500, ge=100, description="Tokens of context from which older messages are summarised."
    )
    summary_tokens_max: int = Field(500, ge=50, description="Tokens of one summary.")
    summary_days: float = Field(
        30, gt=0, description="Days that a summary is kept after it was made; then it is made anew."
    )

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.summary_after_tokens > self.context_tokens:
            raise ValueError("summary_after_tokens is at most context_tokens")
        return self


class ApprovalPolicy(Section):
    """When a person is asked before a tool acts."""

    writes: Literal["ask", "refuse"] = Field(
        "ask",
        description="Tools that change something: `ask` a person, or `refuse` them altogether.",
    )
    expires_s: float = Field(
        900, gt=0, le=86_400, description="Seconds to decide; then it is declined."
    )
    after_untrusted_text: Literal["ask", "ignore"] = Field(
        "ask",
        description="Once a tool's result, a document or the page's context has been read, tools "
        "that write or send out need approval even where settings let them pass. `ignore` gives "
        "that up: text that others wrote may then make the assistant act.",
    )
    trusted_results: tuple[str, ...] = Field(
        (),
        description="Tools (`server__tool`, patterns too) whose results only your own people "
        "write: reading them changes nothing.",
    )


class Policy(Section):
    """All that may differ per workspace."""

    question: QuestionPolicy = Field(default_factory=lambda: QuestionPolicy.model_validate({}))
    links: LinksPolicy = Field(default_factory=lambda: LinksPolicy.model_validate({}))
    turns: TurnPolicy = Field(default_factory=lambda: TurnPolicy.model_validate({}))
    routes: RoutePolicy = Field(default_factory=lambda: RoutePolicy.model_validate({}))
    disclosure: DisclosurePolicy = Field(
        default_factory=lambda: DisclosurePolicy.model_validate({})
    )
    privacy: PrivacyPolicy = Field(default_factory=lambda: PrivacyPolicy.model_validate({}))
    injection: InjectionPolicy = Field(default_factory=lambda: InjectionPolicy.model_validate({}))
    topics: TopicsPolicy = Field(default_factory=lambda: TopicsPolicy.model_validate({}))
    output: OutputPolicy = Field(default_factory=lambda: OutputPolicy.model_validate({}))
    followups: FollowupPolicy = Field(default_factory=lambda: FollowupPolicy.model_validate({}))
    ledger: LedgerPolicy = Field(default_factory=LedgerPolicy)
    memory: MemoryPolicy = Field(default_factory=lambda: MemoryPolicy.model_validate({}))
    page: PagePolicy = Field(default_factory=lambda: PagePolicy.model_validate({}))
    tools: ToolsPolicy = Field(default_factory=lambda: ToolsPolicy.model_validate({}))
    limits: LimitsPolicy = Field(default_factory=lambda: LimitsPolicy.model_validate({}))
    approvals: ApprovalPolicy = Field(default_factory=lambda: ApprovalPolicy.model_validate({}))


class Policies:
    """The policy of each workspace. One for the process."""

    def __init__(
        self, default: Policy | None = None, workspaces: Mapping[str, Policy] | None = None
    ) -> None:
        self._default = default or Policy()
        self._workspaces = dict(workspaces or {})

    def of(self, workspace: str) -> Policy:
        """The policy that holds in a workspace; one without words of its own has the default."""
        return self._workspaces.get(workspace, self._default)

    def all(self) -> tuple[Policy, ...]:
        """Every policy that holds somewhere, the default first."""
        return (self._default, *self._workspaces.values())


def changed(default: Policy, changes: Mapping[str, Any]) -> Policy:
    """`default` with single fields changed. Raises `pydantic.ValidationError`."""
    return Policy.model_validate(_merged(default.model_dump(), changes))


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in changes.items():
        inner = merged.get(name)
        if isinstance(inner, Mapping) and isinstance(value, Mapping):
            value = _merged(cast("Mapping[str, Any]", inner), cast("Mapping[str, Any]", value))
        merged[name] = value
    return merged
