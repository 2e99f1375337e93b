"""Prometheus metrics: what an operator looks at. Names are stable; docs/reference/metrics.md."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class Metrics:
    """All metrics of one process, on a registry of their own."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self.turns = Counter(
            "parlour_turns_total", "Turns ended.", ["status", "code"], registry=registry
        )
        self.turns_running = Gauge("parlour_turns_running", "Turns running.", registry=registry)
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
        self.streams_open = Gauge(
            "parlour_streams_open", "Event streams that are being read.", registry=registry
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
        self.loop_lag_seconds = Gauge(
            "parlour_loop_lag_seconds",
            "How late the event loop runs its timers.",
            registry=registry,
        )

    def turn_ended(
        self, *, status: str, code: str, elapsed_ms: int, first_token_ms: int | None
    ) -> None:
        """Count one ended turn; `code` is the error's, empty when there was none."""
        self.turns.labels(status, code).inc()
        self.turn_seconds.observe(elapsed_ms / 1000)
        if first_token_ms is not None:
            self.first_token_seconds.observe(first_token_ms / 1000)

    def render(self) -> bytes:
        """The text format that Prometheus scrapes."""
        return generate_latest(self.registry)
