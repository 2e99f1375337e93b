"""Traces: spans of a turn over OpenTelemetry, when the extra `[otel]` and an address are there.

The names follow the GenAI conventions as constants of our own: the published package of them is
marked deprecated and changes (docs/adr/0031). No span has a message text, an argument or a result.
Without an address every span is one shared object that does nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import Any, Protocol

from parlour import __version__
from parlour.errors import ConfigurationError

OPERATION = "gen_ai.operation.name"
REQUEST_MODEL = "gen_ai.request.model"
RESPONSE_MODEL = "gen_ai.response.model"
FINISH_REASONS = "gen_ai.response.finish_reasons"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
TOOL_NAME = "gen_ai.tool.name"
CONVERSATION = "gen_ai.conversation.id"
TURN = "parlour.turn"
WORKSPACE = "parlour.workspace"
STATUS = "parlour.status"
VERDICT = "parlour.verdict"
FOLLOWUPS = "parlour.followups"

QUEUE_MAX = 10_000  # spans that wait for the collector; more are dropped, no turn waits
EXPORT_S = 5.0  # one try


class Span(Protocol):
    """What is being timed."""

    def set(self, name: str, value: str | int | float | bool | list[str]) -> None:
        """Say something of it; never text of people, models or tools."""
        ...


class _Nothing:
    def set(self, name: str, value: str | int | float | bool | list[str]) -> None:
        """Nobody listens."""


_NOTHING = _Nothing()
_QUIET = contextlib.nullcontext(_NOTHING)


class _Recorded:
    def __init__(self, span: Any) -> None:  # Any: the extra may not be installed
        self._span = span

    def set(self, name: str, value: str | int | float | bool | list[str]) -> None:
        """Keep an attribute."""
        self._span.set_attribute(name, value)


class Traces:
    """Makes spans. One for the process; the one without an address makes none."""

    def __init__(self, endpoint: str = "", *, headers: dict[str, str] | None = None) -> None:
        self._tracer: Any = None  # Any: as above
        self._provider: Any = None
        if endpoint:
            self._begin(endpoint, headers or {})

    @property
    def on(self) -> bool:
        """Whether anybody listens."""
        return self._tracer is not None

    def span(
        self, name: str, **attributes: str | int | float | bool
    ) -> contextlib.AbstractContextManager[Span]:
        """Time what happens within; spans within it, also of tasks begun there, are below it."""
        if self._tracer is None:
            return _QUIET
        return self._span(name, attributes)

    @contextlib.contextmanager
    def _span(self, name: str, attributes: dict[str, str | int | float | bool]) -> Generator[Span]:
        # Errors are recorded by type alone: their words may have been a user's.
        with self._tracer.start_as_current_span(
            name, attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield _Recorded(span)
            except BaseException as error:
                span.set_attribute("error.type", type(error).__name__)
                raise

    def _begin(self, endpoint: str, headers: dict[str, str]) -> None:
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
                OTLPSpanExporter,
            )
            from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
            from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
            from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
        except ModuleNotFoundError:
            raise ConfigurationError(
                "`traces.endpoint` is set, but OpenTelemetry is not installed. "
                "Type: pip install 'parlour[otel]'"
            ) from None
        resource = Resource.create({"service.name": "parlour", "service.version": __version__})
        self._provider = TracerProvider(resource=resource)
        exporter = OTLPSpanExporter(endpoint=endpoint, headers=headers, timeout=EXPORT_S)
        self._provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=QUEUE_MAX))
        self._tracer = self._provider.get_tracer("parlour", __version__)

    def close(self) -> None:
        """Send what is left; blocks for a few seconds at most. Call it in a thread."""
        if self._provider is not None:
            self._provider.shutdown()
