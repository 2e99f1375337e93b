"""Prometheus metrics: what an operator looks at.

Names are stable; docs/reference/metrics.md is generated from here. Labels have few values each:
nothing that a user or a model can invent becomes one. Nothing here runs for every token.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from parlour import __version__
from parlour.domain import Usage

UPSTREAM = "upstream_"  # how the codes of model failures begin
BUCKETS = ("input", "cache_read", "cache_write", "output", "reasoning")


class Metrics:
    """All metrics of one process, on a registry of their own."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self.turns = Counter(
            "parlour_turns_total",
            "Turns ended; `code` is the error's, empty without one.",
            ["status", "code"],
            registry=registry,
        )
        self.turns_running = Gauge("parlour_turns_running", "Turns running.", registry=registry)
        self.turns_taken_over = Counter(
            "parlour_turns_taken_over_total",
            "Turns of silent processes that this one has gone on with.",
            registry=registry,
        )
        self.turn_seconds = Histogram(
            "parlour_turn_seconds",
            "Seconds from accepting a message to its terminal event.",
            buckets=(0.1, 0.5, 1, 2.5, 5, 10, 20, 40, 60, 120),
            registry=registry,
        )
        self.first_token_seconds = Histogram(
            "parlour_first_token_seconds",
            "Seconds from accepting a message to the first token of its answer.",
            buckets=(0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 30),
            registry=registry,
        )
        self.upstream_failures = Counter(
            "parlour_upstream_failures_total",
            "Turns that ended because the model provider failed, by error code.",
            ["code"],
            registry=registry,
        )
        self.tool_calls = Counter(
            "parlour_tool_calls_total",
            "Tool calls answered, by MCP server; status is ok or failed.",
            ["server", "status"],
            registry=registry,
        )
        self.tool_seconds = Histogram(
            "parlour_tool_call_seconds",
            "Seconds of one tool call, by MCP server.",
            ["server"],
            buckets=(0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30),
            registry=registry,
        )
        self.breakers_open = Gauge(
            "parlour_breaker_open",
            "1 while a route is left alone after failures; `route` is the start of its digest.",
            ["route"],
            registry=registry,
        )
        self._guards(registry)
        self._beside(registry)
        self._money(registry)
        self._edge(registry)
        self._resources(registry)

    def _guards(self, registry: CollectorRegistry) -> None:
        """What was caught."""
        self.guardrails = Counter(
            "parlour_guardrail_hits_total",
            "What the guardrails found: the guard, its rule, and what was done about it.",
            ["guard", "rule", "action"],
            registry=registry,
        )
        self.rule_hits = Counter(
            "parlour_rule_hits_total",
            "What the rules (docs/reference/rules.md) have caught, by rule.",
            ["rule"],
            registry=registry,
        )

    def _beside(self, registry: CollectorRegistry) -> None:
        """What is done beside the answers."""
        self.summaries = Counter(
            "parlour_summaries_total",
            "Steps of summaries of long conversations: made, failed or skipped.",
            ["outcome"],
            registry=registry,
        )

    def _money(self, registry: CollectorRegistry) -> None:
        """What is spent, and what limits have refused."""
        self.tokens = Counter(
            "parlour_tokens_total",
            "Tokens of ended turns, in disjoint buckets.",
            ["bucket"],
            registry=registry,
        )
        self.spent_dollars = Counter(
            "parlour_spent_dollars_total",
            "Cost of model calls in US dollars, as far as their prices are known.",
            ["purpose"],
            registry=registry,
        )
        self.calls_unpriced = Counter(
            "parlour_calls_unpriced_total",
            "Model calls whose price is not known.",
            registry=registry,
        )
        self.limits_refused = Counter(
            "parlour_limits_refused_total",
            "Questions and model calls refused by a limit; scope is user or workspace.",
            ["limit", "scope"],
            registry=registry,
        )
        self.limits_unavailable = Counter(
            "parlour_limits_unavailable_total",
            "Times that limits could not be checked, so that nothing was spent.",
            registry=registry,
        )

    def _edge(self, registry: CollectorRegistry) -> None:
        """What comes and goes over HTTP."""
        self.streams_open = Gauge(
            "parlour_streams_open", "Event streams that are being read.", registry=registry
        )
        self.approvals = Counter(
            "parlour_approvals_total",
            "What was decided on tool calls that waited for a person, and why: by a person, "
            "expired, superseded or stopped.",
            ["decision", "cause"],
            registry=self.registry,
        )
        self.streams_dropped = Counter(
            "parlour_streams_dropped_total",
            "Readers dropped for reading nothing.",
            registry=registry,
        )
        self.requests = Counter(
            "parlour_http_requests_total",
            "HTTP requests answered.",
            ["method", "route", "status"],
            registry=registry,
        )

    def _resources(self, registry: CollectorRegistry) -> None:
        """What the process runs on."""
        self.loop_lag_seconds = Gauge(
            "parlour_loop_lag_seconds",
            "How late the event loop ran a timer, once a second.",
            registry=registry,
        )
        self.postgres = Gauge(
            "parlour_postgres_connections",
            "The pool for turns: connections open, connections idle, requests waiting.",
            ["state"],
            registry=registry,
        )
        self.redis_log = Gauge(
            "parlour_redis_log",
            "Counts of the event log in Redis since the start; absent without Redis.",
            ["count"],
            registry=registry,
        )
        self.build = Gauge(
            "parlour_build_info",
            "Always 1; the labels say what runs.",
            ["version", "python"],
            registry=registry,
        )
        self.build.labels(__version__, platform.python_version()).set(1)

    def turn_ended(
        self,
        *,
        status: str,
        code: str,
        elapsed_ms: int,
        first_token_ms: int | None,
        usage: Usage,
    ) -> None:
        """Count one ended turn; `code` is the error's, empty when there was none."""
        self.turns.labels(status, code).inc()
        if code.startswith(UPSTREAM):
            self.upstream_failures.labels(code).inc()
        self.turn_seconds.observe(elapsed_ms / 1000)
        if first_token_ms is not None:
            self.first_token_seconds.observe(first_token_ms / 1000)
        for bucket in BUCKETS:
            self.tokens.labels(bucket).inc(getattr(usage, bucket))

    def tool_called(self, server: str, *, ok: bool, elapsed_ms: int) -> None:
        """Count one answered tool call; `server` is a configured one."""
        self.tool_calls.labels(server, "ok" if ok else "failed").inc()
        self.tool_seconds.labels(server).observe(elapsed_ms / 1000)

    def breaker_changed(self, route: str, word: str) -> None:
        """A breaker opened or closed; `route` is the digest of a configured one."""
        self.breakers_open.labels(route[:12]).set(1 if word == "open" else 0)

    def guardrail(self, guard: str, rule: str, action: str, count: int = 1) -> None:
        """Count hits; all three are words of ours, never of a text."""
        self.guardrails.labels(guard, rule, action).inc(count)

    def read_when_scraped(self, gauge: Gauge, values: Mapping[str, Callable[[], float]]) -> None:
        """Ask for the values of `gauge`, by its one label, whenever somebody scrapes."""
        for label, read in values.items():
            gauge.labels(label).set_function(read)

    def render(self) -> bytes:
        """The text format that Prometheus scrapes."""
        return generate_latest(self.registry)
