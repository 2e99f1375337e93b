"""Counts what the rules (safety/rules) and guards have caught: a metric to watch, an audit row to
prove it."""

from __future__ import annotations

from typing import Any

from parlour.domain import Principal
from parlour.store.audit import Audit
from parlour.telemetry.metrics import Metrics


class RuleHits:
    """One for the process."""

    def __init__(self, *, metrics: Metrics, audit: Audit) -> None:
        self._metrics = metrics
        self._audit = audit

    def hit(
        self,
        principal: Principal,
        rule: str,
        *,
        count: int = 1,
        turn: str | None = None,
        **facts: Any,  # JSON, whatever says what was caught; never the words themselves
    ) -> None:
        """A rule has caught something `count` times in a turn."""
        self._metrics.rule_hits.labels(rule).inc(count)
        body = {"rule": rule, "count": count, **facts}
        self._audit.note(principal.workspace, principal.user, "rule", body, turn=turn)

    def guard(
        self,
        principal: Principal,
        guard: str,
        rule: str,
        action: str,
        *,
        turn: str | None = None,
        count: int = 1,
    ) -> None:
        """A guard has found something, and what was done about it. Never the words themselves."""
        self._metrics.guardrail(guard, rule, action, count)
        body: dict[str, Any] = {"guard": guard, "rule": rule, "action": action}
        if count > 1:
            body["count"] = count
        self._audit.note(principal.workspace, principal.user, "rule", body, turn=turn)
