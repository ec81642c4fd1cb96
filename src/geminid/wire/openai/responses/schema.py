"""The request of Responses as it stands on the wire: every field that a published client can send.

Fields marked *ignored* have no effect on an answer of text. Items of ``input`` are kept as sent and read by
``items``, because two kinds of them need not say their type. Fields and bounds are those of OpenAI's
published reference (openai-python 3.57.0). What is known and not supported is refused by ``refusals``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, field

from geminid.wire.openai.reading import Message
from geminid.wire.openai.schema import (
    Breakpoint,
    Free,
    FunctionName,
    InputAudio,
    JsonObjectFormat,
    TextFormat,
)

Detail = Literal["auto", "low", "high", "original"]
Status = Literal["in_progress", "completed", "incomplete"]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Summary = Literal["auto", "concise", "detailed"]
Verbosity = Literal["low", "medium", "high"]

RESULTS_MAX = 50
STORES_MAX = 4
INPUT_ITEMS_MAX = 4096
INPUT_CHARS_MAX = 10_485_760


# -- parts of messages -----------------------------------------------------------------------------------


class InputText(Message, tag_field="type", tag="input_text"):
    """Words to the model."""

    text: str
    prompt_cache_breakpoint: Breakpoint | None = None  # ignored: what requests share is cached by itself


class InputImage(Message, tag_field="type", tag="input_image"):
    """A picture: an address, a ``data:`` URI, or a file uploaded before."""

    detail: Detail | None = None
    file_id: str | None = None
    image_url: str | None = None
    prompt_cache_breakpoint: Breakpoint | None = None  # ignored


class InputFile(Message, tag_field="type", tag="input_file"):
    """A file: an address, base64 or a ``data:`` URI, or one uploaded before."""

    detail: Literal["auto", "low", "high"] | None = None
    file_data: str | None = None
    file_id: str | None = None
    file_url: str | None = None
    filename: str | None = None
    prompt_cache_breakpoint: Breakpoint | None = None  # ignored


class InputAudioPart(Message, tag_field="type", tag="input_audio"):
    """Sound, as base64."""

    input_audio: InputAudio


class OutputText(Message, tag_field="type", tag="output_text"):
    """Words of an earlier answer."""

    text: str
    annotations: list[Any] | None = None  # ignored: what was quoted where
    logprobs: list[Any] | None = None  # ignored
    parsed: Any = None  # ignored: clients that parse send it back


class OutputRefusal(Message, tag_field="type", tag="refusal"):
    """Words by which a model refused."""

    refusal: str


InputPart = InputText | InputImage | InputFile | InputAudioPart
SaidPart = InputText | OutputText | OutputRefusal


# -- items of input --------------------------------------------------------------------------------------


class AskedMessage(Message):
    """What a user says and shows, or what the model is told to be."""

    role: Literal["user", "system", "developer"]
    content: str | list[InputPart]
    type: Literal["message"] | None = None
    id: str | None = None
    status: Status | None = None
    phase: str | None = None  # ignored: it tells kinds of answers apart


class SaidMessage(Message):
    """What the model said before."""

    role: Literal["assistant"]
    content: str | list[SaidPart]
    type: Literal["message"] | None = None
    id: str | None = None
    status: Status | None = None
    phase: str | None = None  # ignored


class FunctionCall(Message):
    """A call of a function that the model asked for."""

    arguments: str
    call_id: Annotated[str, Meta(min_length=1)]
    name: str
    type: Literal["function_call"]
    id: str | None = None
    status: Status | None = None
    async_: bool | None = field(default=None, name="async")
    caller: Free | None = None  # ignored: it is the model, who calls directly
    namespace: str | None = None
    parsed_arguments: Any = None  # ignored: clients that parse send it back


class FunctionCallOutput(Message):
    """What a called function gave back."""

    output: str | list[InputText | InputImage | InputFile]
    type: Literal["function_call_output"]
    call_id: Annotated[str, Meta(min_length=1)]
    id: str | None = None
    status: Status | None = None
    caller: Free | None = None  # ignored
    name: str | None = None  # ignored: the call says which function it was
    namespace: str | None = None


class SummaryText(Message, tag_field="type", tag="summary_text"):
    """What was thought, as it was told."""

    text: str


class ReasoningText(Message, tag_field="type", tag="reasoning_text"):
    """What was thought, in full."""

    text: str


class ReasoningItem(Message):
    """What the model thought before it answered; it is checked, and never prompted again."""

    type: Literal["reasoning"]
    summary: list[SummaryText]
    id: str | None = None
    content: list[ReasoningText] | None = None
    encrypted_content: str | None = None
    status: Status | None = None


class FileSearchCall(Message):
    """A search of files that an earlier answer made, with its results if they were included."""

    type: Literal["file_search_call"]
    queries: list[str]
    id: str | None = None
    status: str | None = None
    results: list[Free] | None = None


class ItemReference(Message):
    """An item of a stored response, by its id."""

    id: str
    type: Literal["item_reference"] | None = None


# -- tools -----------------------------------------------------------------------------------------------


class FunctionTool(Message, tag_field="type", tag="function"):
    """A function that may be called; ``parameters`` is a JSON Schema, kept as sent."""

    name: FunctionName
    description: str | None = None
    parameters: Free | None = None
    strict: bool | None = None
    allowed_callers: list[str] | None = None
    async_: bool | None = field(default=None, name="async")
    defer_loading: bool | None = None
    output_schema: Free | None = None  # ignored: what functions give back is taken as it is


class HybridSearch(Message):
    """How much the vectors of a text count, and how much its words."""

    embedding_weight: float
    text_weight: float


class RankingOptions(Message):
    """How results are ranked, and which are too poor. The score is between 0 and 1."""

    ranker: Literal["none", "auto", "default-2024-11-15"] | None = None
    score_threshold: Annotated[float, Meta(ge=0, le=1)] | None = None
    hybrid_search: HybridSearch | None = None


class FileSearchTool(Message, tag_field="type", tag="file_search"):
    """The search of vector stores that the server does itself."""

    vector_store_ids: Annotated[list[str], Meta(min_length=1, max_length=STORES_MAX)]
    filters: Free | None = None
    max_num_results: Annotated[int, Meta(ge=1, le=RESULTS_MAX)] | None = None
    ranking_options: RankingOptions | None = None


# -- choices and forms -----------------------------------------------------------------------------------


class FunctionChoice(Message, tag_field="type", tag="function"):
    """One function must be called."""

    name: str


class AllowedChoice(Message, tag_field="type", tag="allowed_tools"):
    """Only some of the tools may, or must, be called."""

    mode: Literal["auto", "required"]
    tools: list[Free]


class FileSearchChoice(Message, tag_field="type", tag="file_search"):
    """Files must be searched."""


class JsonSchemaFormat(Message, tag_field="type", tag="json_schema"):
    """JSON that is valid for a schema, which is kept as sent."""

    name: FunctionName
    schema: Free
    description: str | None = None
    strict: bool | None = None


class TextConfig(Message):
    """The form of the answer."""

    format: TextFormat | JsonObjectFormat | JsonSchemaFormat | None = None
    verbosity: Verbosity | None = None


class Reasoning(Message):
    """How much is thought, and whether it is told. ``generate_summary`` is the older name of ``summary``."""

    effort: Effort | None = None
    summary: Summary | None = None
    generate_summary: Summary | None = None
    context: Literal["auto", "current_turn", "all_turns"] | None = None
    mode: str | None = None


class StreamOptions(Message):
    """How a stream is sent. ``include_obfuscation``: padding against those who watch sizes."""

    include_obfuscation: bool | None = None


class CacheOptions(Message):
    """Where caches end and how long they last; ignored but for ``prewarm``, which asks for no answer."""

    comparison_response_id: str | None = None
    mode: Literal["implicit", "explicit"] | None = None
    prewarm: bool | None = None
    ttl: str | None = None


# -- the request -----------------------------------------------------------------------------------------

Include = Literal[
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
]
"""What is told beside the rest; what tools of OpenAI's would tell that are not served is never there."""

Input = (
    Annotated[str, Meta(max_length=INPUT_CHARS_MAX)]
    | Annotated[list[Free], Meta(min_length=1, max_length=INPUT_ITEMS_MAX)]
)
Metadata = Annotated[
    dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=512)]], Meta(max_length=16)
]


class ResponsesRequest(Message):
    """The body by which a response is asked for."""

    model: Annotated[str, Meta(min_length=1)]
    input: Input
    instructions: str | None = None
    previous_response_id: str | None = None
    tools: Annotated[list[Free], Meta(max_length=512)] | None = None
    tool_choice: Literal["none", "auto", "required"] | Free | None = None
    parallel_tool_calls: bool | None = None
    max_tool_calls: Annotated[int, Meta(ge=1)] | None = None
    text: TextConfig | None = None
    reasoning: Reasoning | None = None
    max_output_tokens: Annotated[int, Meta(ge=1)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    include: list[Include] | None = None
    truncation: Literal["auto", "disabled"] | None = None
    metadata: Metadata | None = None
    store: bool | None = None
    background: bool | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast", "ultrafast"] | None = None
    user: Annotated[str, Meta(max_length=512)] | None = None
    safety_identifier: Annotated[str, Meta(max_length=128)] | None = None
    prompt_cache_key: str | None = None  # ignored: what requests share is cached by itself
    prompt_cache_options: CacheOptions | None = None  # ignored, likewise
    prompt_cache_retention: str | None = None  # ignored, likewise
    conversation: str | Free | None = None
    prompt: Free | None = None
    context_management: list[Free] | None = None
    background_options: Free | None = None
    moderation: Free | None = None
    access_programs: Free | None = None
    image: Free | None = None


class CountRequest(Message):
    """The body by which the tokens of a request's input are asked for."""

    input: Input | None = None
    model: str | None = None
    instructions: str | None = None
    previous_response_id: str | None = None
    tools: Annotated[list[Free], Meta(max_length=512)] | None = None
    tool_choice: Literal["none", "auto", "required"] | Free | None = None
    parallel_tool_calls: bool | None = None
    text: TextConfig | None = None
    reasoning: Reasoning | None = None
    truncation: Literal["auto", "disabled"] | None = None
    conversation: str | Free | None = None
    personality: str | None = None
