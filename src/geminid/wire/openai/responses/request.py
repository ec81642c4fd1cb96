"""Requests for responses: bytes to core, and what of them the response tells again.

Every 400 about shape is decided here, with the parameter's path. It knows no HTTP and no store: what was said
before is handed in. Invariant: what a request asks for is honoured, named as a downgrade, or refused; only
fields that cannot matter to an answer of text are ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from geminid.core.card import ModelCard
from geminid.core.content import Text
from geminid.core.manner import Manner
from geminid.core.request import GenerateRequest, JsonOutput, Output, Sampling, Thinking, Tier
from geminid.core.vector import Query
from geminid.wire.loosened import loosely
from geminid.wire.openai import refused
from geminid.wire.openai.chat import PREFIX
from geminid.wire.openai.formats import ANY_OBJECT
from geminid.wire.openai.reading import Reader
from geminid.wire.openai.refused import Refused
from geminid.wire.openai.responses.items import Conversation, Known, items_of, read_items
from geminid.wire.openai.responses.kept import Kept, Showing
from geminid.wire.openai.responses.refusals import (
    check_supported,
    downgrades_of,
    in_this_apis_words,
    summary_of,
)
from geminid.wire.openai.responses.schema import (
    CountRequest,
    JsonSchemaFormat,
    Reasoning,
    ResponsesRequest,
    TextConfig,
)
from geminid.wire.openai.responses.search import CALLS_DEFAULT, RESULTS_DEFAULT
from geminid.wire.openai.responses.settings import settings_of
from geminid.wire.openai.responses.tools import Calling, read_calling
from geminid.wire.openai.schema import JsonObjectFormat
from geminid.wire.openai.thinking import of_effort
from geminid.wire.schemas import STANDARD, compiled

NOT_STORED = "Invalid value for 'store': background responses must be stored."
NO_STREAM = "The 'stream_options' parameter is only allowed when 'stream' is enabled."

_READER = Reader(ResponsesRequest)
_COUNT_READER = Reader(CountRequest)
_TIERS: dict[str | None, Tier] = {"flex": "flex", "priority": "priority", "fast": "priority"}
_LABELS = ("user", "safety_identifier")


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """The rules for one request.

    card: the model that its name means. manner: how the name behaves. folds: whether this server folds inputs
    that are too long. strict: refuse what recent Gemini models refuse. searches: whether there are stores of
    vectors. genuine: tells whether a signature is one that this server gave; None asks for none.
    """

    card: ModelCard
    manner: Manner = Manner()
    folds: bool = False
    strict: bool = False
    genuine: Callable[[str], bool] | None = None


class Search(NamedTuple):
    """How files are searched for a response: which stores, with which query whose words are the model's, and
    how often at most."""

    stores: tuple[str, ...]
    query: Query
    calls_max: int


class ReadResponse(NamedTuple):
    """A request, and what of it concerns the wire alone.

    kept: what is kept with the response. downgrades: what is served with less than was asked for. search: how
    files are searched, where they are. stream: whether it is to be sent while it is made.
    """

    request: GenerateRequest
    kept: Kept
    downgrades: tuple[str, ...]
    search: Search | None
    stream: bool


def parse_request(body: bytes) -> ResponsesRequest:
    """Return a body as a message; raises :class:`~geminid.wire.openai.refused.Refused`."""
    try:
        return _READER.read(body)
    except Refused as problem:
        raise in_this_apis_words(problem) from None


def parse_count(body: bytes, model: str) -> ResponsesRequest:
    """Return a body that asks for a count as the request that it counts; ``model``: where none is named."""
    try:
        asked = _COUNT_READER.read(body)
    except Refused as problem:
        raise in_this_apis_words(problem) from None
    if asked.input is None:
        raise refused.missing("input")
    if asked.personality is not None:
        raise refused.unsupported("personality")
    fields = {name: getattr(asked, name) for name in asked.__struct_fields__ if name != "personality"}
    return ResponsesRequest(**{**fields, "model": asked.model or model})


def model_of(message: ResponsesRequest) -> str:
    """Return the name of the model that is asked."""
    return message.model.removeprefix(PREFIX)


def read_request(message: ResponsesRequest, known: Known, reading: Reading) -> ReadResponse:
    """Return what a request asks for; ``known`` is what was said before."""
    _check(message)
    showing = _showing(message)
    if reading.strict and showing.logprobs:
        raise refused.unsupported("top_logprobs")
    downgrades = downgrades_of(message)
    calling = read_calling(message)
    output = _output(message.text, downgrades)
    items = items_of(message.input)
    said = read_items(items, known, reading.genuine)
    if showing.alternatives and not isinstance(output, JsonOutput):
        downgrades.append("top_logprobs=chosen-token-only")
    if message.truncation == "auto" and not reading.folds:
        downgrades.append("truncation=disabled")
    request = GenerateRequest(
        model=model_of(message),
        turns=said.turns,
        system=_system(message, said),
        sampling=Sampling(temperature=message.temperature, top_p=message.top_p),
        tokens_max=message.max_output_tokens,
        logprobs=showing.logprobs,
        thinking=_thinking(message, reading.manner),
        output=output,
        tools=calling.tools,
        call_mode=calling.mode,
        calls_max=calling.calls_max,
        tier=_TIERS.get(message.service_tier, "standard"),
        labels=_labels(message),
    )
    settings = settings_of(message, request, calling, reading.card, folds=reading.folds)
    return ReadResponse(
        request,
        Kept(settings=settings, showing=showing, items=items, standing=said.standing),
        (*downgrades, *calling.downgrades, *said.downgrades),
        _search(message, calling),
        bool(message.stream),
    )


def _check(message: ResponsesRequest) -> None:
    """See to what fields mean to each other."""
    check_supported(message)
    if message.background and message.store is False:
        raise Refused(NOT_STORED, "store", "invalid_parameter_combination")
    if message.stream_options is not None and not message.stream:
        raise Refused(NO_STREAM, "stream_options")


def _system(message: ResponsesRequest, said: Conversation) -> tuple[Text, ...]:
    first = (Text(message.instructions),) if message.instructions else ()
    return first + said.standing


def _search(message: ResponsesRequest, calling: Calling) -> Search | None:
    tool = calling.search
    if tool is None:
        return None
    ranking = tool.ranking_options
    query = Query(
        texts=(),
        results_max=tool.max_num_results or RESULTS_DEFAULT,
        score_min=(ranking.score_threshold if ranking else None) or 0.0,
        filter=calling.filter,
    )
    return Search(tuple(tool.vector_store_ids), query, message.max_tool_calls or CALLS_DEFAULT)


def _showing(message: ResponsesRequest) -> Showing:
    include = message.include or ()
    return Showing(
        thoughts=summary_of(message) is not None,
        sealed="reasoning.encrypted_content" in include,
        logprobs="message.output_text.logprobs" in include or bool(message.top_logprobs),
        alternatives=message.top_logprobs or 0,
        results="file_search_call.results" in include,
    )


def _thinking(message: ResponsesRequest, manner: Manner) -> Thinking:
    asked = message.reasoning or Reasoning()
    thinking = of_effort(asked.effort, manner)
    return msgspec.structs.replace(thinking, include=summary_of(message) is not None)


def _output(text: TextConfig | None, downgrades: list[str]) -> Output | None:
    """Return the form of the answer; None for free text."""
    match text.format if text is not None else None:
        case JsonObjectFormat():
            return JsonOutput(grammar=compiled(ANY_OBJECT, STANDARD).grammar, schema=dict(ANY_OBJECT))
        case JsonSchemaFormat() as form:
            return _of_schema(form, downgrades)
    return None


def _of_schema(form: JsonSchemaFormat, downgrades: list[str]) -> Output:
    found = loosely(form.schema, strict=bool(form.strict))
    if found.faults:
        fault = found.faults[0]
        where = f"{fault.path}: " if fault.path else ""
        raise Refused(
            f"Invalid schema for response_format '{form.name}': {where}{fault.reason}",
            "text.format.schema",
            "invalid_json_schema",
        )
    if found.left_out:
        downgrades.append(f"text.format=without-{'+'.join(found.left_out)}")
    return JsonOutput(grammar=found.compiled.grammar, schema=found.compiled.schema)


def _labels(message: ResponsesRequest) -> dict[str, str]:
    given = {name: value for name in _LABELS if (value := getattr(message, name))}
    return given | (message.metadata or {})
