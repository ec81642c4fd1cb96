"""Requests that have ended, as OpenTelemetry spans with the GenAI conventions.

Only this file knows OpenTelemetry, which is imported when an address is set to send spans to: it is an extra
(``geminid[otel]``). A request is one span with one child for each phase. Invariant: what was asked and
answered is never in a span unless the operator wants it there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import msgspec

from geminid.core.content import Part, Text, Thought, ToolCall, ToolResult
from geminid.core.errors import FailedPrecondition
from geminid.core.request import GenerateRequest
from geminid.service.generate import RequestRecord
from geminid.service.recorder import Phase, told_phases

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

OPERATIONS: dict[str, str] = {
    "generate": "generate_content",
    "embed": "embeddings",
    "transcribe": "transcription",
}
"""How the conventions call what was asked for."""
PROVIDER = "geminid"
TRACES_PATH = "/v1/traces"
NS_PER_MS = 1_000_000

_encode = msgspec.json.Encoder().encode


class Tracing:
    """Makes spans of what is returned to it. ``now_ns`` is the machine's time, in nanoseconds since 1970."""

    def __init__(
        self, processor: SpanProcessor, *, prompts: bool = False, now_ns: Callable[[], int] = time.time_ns
    ) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider

        named = {"service.name": "geminid", "service.version": version("geminid")}
        self._provider: TracerProvider = TracerProvider(resource=Resource.create(named))
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("geminid", version("geminid"))
        self._prompts = prompts
        self._now_ns = now_ns

    def observe(self, record: RequestRecord) -> None:
        """Send one request that has ended; it came as long ago as it took."""
        from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context

        whole_ns = round(max(record.took_s, record.settled_s) * 1000) * NS_PER_MS
        start_ns = self._now_ns() - whole_ns
        span = self._tracer.start_span(
            f"{OPERATIONS[record.verb]} {record.asked}",
            context=_parent(record.traceparent),
            kind=SpanKind.SERVER,
            start_time=start_ns,
            attributes={**attributes(record), **(words(record) if self._prompts else {})},
        )
        if record.outcome not in ("finished", "cancelled"):
            span.set_status(Status(StatusCode.ERROR, record.outcome))
        inside = set_span_in_context(span)
        for phase in told_phases(record):
            self._child(phase, inside, start_ns)
        span.end(start_ns + whole_ns)

    def close(self) -> None:
        """Send what is left; blocks until that is done or given up."""
        self._provider.shutdown()

    def _child(self, phase: Phase, inside: Context, start_ns: int) -> None:
        begun_ns = start_ns + phase.start_ms * NS_PER_MS
        child = self._tracer.start_span(f"geminid.{phase.name}", context=inside, start_time=begun_ns)
        child.end(begun_ns + phase.took_ms * NS_PER_MS)


def tracing_to(endpoint: str, *, prompts: bool) -> Tracing:
    """Return what sends spans to an OTLP collector over HTTP; an address without a path means its usual one.

    Raises ``FailedPrecondition`` where OpenTelemetry is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise FailedPrecondition(
            "telemetry.otlp_endpoint is set, but OpenTelemetry is not installed.\n"
            "hint: pip install 'geminid[otel]'"
        ) from error
    host = endpoint.rstrip("/").partition("://")[2]
    url = endpoint if "/" in host else endpoint.rstrip("/") + TRACES_PATH
    return Tracing(BatchSpanProcessor(OTLPSpanExporter(endpoint=url)), prompts=prompts)


def attributes(record: RequestRecord) -> dict[str, Any]:
    """Return what a span tells, by the names of the GenAI conventions, and our own for the rest."""
    usage = record.usage
    told: dict[str, Any] = {
        "gen_ai.operation.name": OPERATIONS[record.verb],
        "gen_ai.provider.name": PROVIDER,
        "gen_ai.request.model": record.asked,
        "gen_ai.response.model": record.model,
        "gen_ai.response.id": record.id,
        "gen_ai.usage.input_tokens": usage.prompt,
        "gen_ai.usage.cache_read.input_tokens": usage.cached,
        "gen_ai.usage.output_tokens": usage.candidates + usage.thoughts,
        "geminid.usage.thoughts_tokens": usage.thoughts,
        "geminid.project": record.project,
        "geminid.key": record.key_name,
        "geminid.tier": record.tier,
        "geminid.outcome": record.outcome,
    }
    if record.reasons:
        told["gen_ai.response.finish_reasons"] = [reason.value for reason in record.reasons]
    if record.outcome not in ("finished", "cancelled"):
        told["error.type"] = record.outcome
    if record.refused_by:
        told["geminid.refused_by"] = list(record.refused_by)
    if record.cost_nano is not None:
        told["geminid.cost_nano_dollars"] = record.cost_nano
    return told


def words(record: RequestRecord) -> dict[str, str]:
    """Return what was asked and answered, as the conventions spell it, as far as the record tells."""
    if (request := record.request) is None:
        return {}
    answer = {"role": "assistant", "parts": [{"type": "text", "content": "".join(record.answered)}]}
    told = {
        "gen_ai.input.messages": _encode(list(_messages(request))).decode(),
        "gen_ai.output.messages": _encode([answer]).decode(),
    }
    if request.system:
        parts = [{"type": "text", "content": part.text} for part in request.system]
        told["gen_ai.system_instructions"] = _encode(parts).decode()
    return told


def _messages(request: GenerateRequest) -> Iterator[dict[str, Any]]:
    for turn in request.turns:
        role = "user" if turn.role == "user" else "assistant"
        yield {"role": role, "parts": [_part(part) for part in turn.parts]}


def _part(part: Part) -> dict[str, Any]:
    """Media are named and not sent: they would be larger than all the rest."""
    match part:
        case Text(text):
            return {"type": "text", "content": text}
        case Thought(text):
            return {"type": "reasoning", "content": text}
        case ToolCall(name, args, id_):
            return {"type": "tool_call", "id": id_, "name": name, "arguments": args}
        case ToolResult(name, response, id_):
            return {"type": "tool_call_response", "id": id_, "name": name, "response": response}
        case _:
            return {"type": "uri" if hasattr(part, "uri") else "blob", "modality": _modality(part)}


def _modality(part: Part) -> str:
    mime_type: str = getattr(part, "mime_type", "")
    return mime_type or "image"


def _parent(traceparent: str) -> Context | None:
    if not traceparent:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract({"traceparent": traceparent})
