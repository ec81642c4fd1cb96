"""Spans: named by the GenAI conventions, with phases inside, and with words only where they are wanted."""

import itertools
import json
import logging
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

import make
from geminid.cli.logs import JsonFormatter
from geminid.core.content import Blob, Text, Thought, ToolCall, ToolResult, Turn
from geminid.core.errors import FailedPrecondition
from geminid.core.events import FinishReason
from geminid.core.usage import Usage
from geminid.service.generate import RequestRecord
from geminid.tracing import Tracing, tracing_to

NOW_NS = 1_790_000_000_000_000_000
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
SECRET = "the prompt's own words"


def record(**fields):
    said = {
        "usage": Usage(prompt=10, cached=4, candidates=5, thoughts=2),
        "outcome": "finished",
        "reasons": (FinishReason.STOP,),
        "read_s": 0.1,
        "accepted_s": 0.2,
        "admitted_s": 0.21,
        "first_token_s": 0.5,
        "took_s": 1.0,
        "settled_s": 1.1,
        "cost_nano": 77,
        "request": make.request(SECRET),
        "answered": ["an ", "answer"],
    }
    return RequestRecord(
        model="tiny",
        asked="alias",
        id="r",
        project="p",
        key_name="k",
        **said | fields,
    )


def spans(made, *, prompts=False):
    exporter = InMemorySpanExporter()
    tracing = Tracing(SimpleSpanProcessor(exporter), prompts=prompts, now_ns=lambda: NOW_NS)
    tracing.observe(made)
    tracing.close()
    return exporter.get_finished_spans()


def test_vectors_are_an_operation_of_their_own():
    *_, whole = spans(record(verb="embed", first_token_s=-1, answered=[], reasons=()))
    assert whole.name == "embeddings alias"
    assert whole.attributes["gen_ai.operation.name"] == "embeddings"


def test_a_request_is_a_span_with_its_phases_inside():
    *phases, whole = spans(record())
    assert (whole.name, whole.kind, whole.parent) == ("generate_content alias", SpanKind.SERVER, None)
    assert (whole.end_time, whole.end_time - whole.start_time) == (NOW_NS, 1_100_000_000)
    assert [phase.name for phase in phases] == [
        f"geminid.{name}" for name in ("read", "accept", "admit", "prefill", "decode", "settle")
    ]
    for one, other in itertools.pairwise(phases):
        assert one.end_time == other.start_time
    assert (phases[0].start_time, phases[-1].end_time) == (whole.start_time, whole.end_time)
    assert {phase.parent.span_id for phase in phases} == {whole.context.span_id}
    assert dict(whole.attributes) == {
        "gen_ai.operation.name": "generate_content",
        "gen_ai.provider.name": "geminid",
        "gen_ai.request.model": "alias",
        "gen_ai.response.model": "tiny",
        "gen_ai.response.id": "r",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.cache_read.input_tokens": 4,
        "gen_ai.usage.output_tokens": 7,
        "geminid.usage.thoughts_tokens": 2,
        "geminid.project": "p",
        "geminid.key": "k",
        "geminid.tier": "standard",
        "geminid.outcome": "finished",
        "geminid.cost_nano_dollars": 77,
    }


def test_words_are_told_only_where_they_are_wanted():
    silent, told = spans(record())[-1], spans(record(), prompts=True)[-1]
    assert SECRET not in silent.to_json()
    assert "answer" not in silent.to_json()
    assert json.loads(told.attributes["gen_ai.input.messages"])[0]["parts"][0]["content"] == SECRET
    assert json.loads(told.attributes["gen_ai.output.messages"])[0]["parts"][0]["content"] == "an answer"


def test_media_are_named_and_not_sent():
    turn = Turn("user", (Text("look"), Blob("image/png", b"\x89PNG secret"), Thought("hm")))
    back = Turn("user", (ToolResult("f", {"a": 1}),))
    request = make.request().__class__(model="m", turns=(turn, Turn("model", (ToolCall("f", {}),)), back))
    told = json.loads(spans(record(request=request), prompts=True)[-1].attributes["gen_ai.input.messages"])
    assert [part["type"] for message in told for part in message["parts"]] == [
        "text", "blob", "reasoning", "tool_call", "tool_call_response",
    ]  # fmt: skip
    assert "secret" not in json.dumps(told)


def test_a_refusal_is_an_error_that_names_the_limit():
    made = record(
        outcome="RESOURCE_EXHAUSTED", refused_by=("GenerateRequestsPerMinute",), reasons=(), first_token_s=-1
    )
    whole = spans(made)[-1]
    assert (whole.status.status_code, whole.attributes["error.type"]) == (
        StatusCode.ERROR,
        "RESOURCE_EXHAUSTED",
    )
    assert whole.attributes["geminid.refused_by"] == ("GenerateRequestsPerMinute",)


@pytest.mark.parametrize("header", ["nonsense", "00-0-0-00", "\xff" * 300])
def test_a_trace_of_the_callers_is_taken_up_and_a_broken_one_is_not(header):
    assert f"{spans(record(traceparent=TRACEPARENT))[-1].context.trace_id:032x}" == TRACE
    assert spans(record(traceparent=header))[-1].parent is None


def test_spans_reach_a_collector():
    received = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self):
            received.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        tracing = tracing_to(f"http://127.0.0.1:{server.server_port}", prompts=False)
        tracing.observe(record())
        tracing.close()
        server.shutdown()
        thread.join()
    assert [path for path, _ in received] == ["/v1/traces"]


def test_who_wants_traces_without_opentelemetry_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(FailedPrecondition, match=r"geminid\[otel\]"):
        tracing_to("http://127.0.0.1:4318", prompts=False)


# -- logs ------------------------------------------------------------------------------------------------


def line(message, *arguments, **fields):
    made = logging.LogRecord(
        "geminid.x", logging.WARNING, "f", 1, message, arguments, fields.pop("exc_info", None)
    )
    for name, value in fields.items():
        setattr(made, name, value)
    return json.loads(JsonFormatter().format(made))


def test_a_json_line_has_its_words_its_fields_and_its_exception():
    told = line("took %d ms", 5, fields={"receipt": "r", "phases_ms": {"read": 1}})
    assert (told["level"], told["logger"], told["message"]) == ("warning", "geminid.x", "took 5 ms")
    assert (told["receipt"], told["phases_ms"]) == ("r", {"read": 1})
    assert told["time"].endswith("+00:00")
    try:
        raise ValueError("two\nlines")
    except ValueError:
        assert "two\nlines" in line("failed", exc_info=sys.exc_info())["exception"]
