"""The request of chat completions as it stands on the wire: every field that a published client can send.

Fields marked *ignored* have no effect on an answer of text. What is known and not supported is refused by
``refusals``, never dropped. Fields and bounds are those of OpenAI's published reference (openai-python
3.57.0); ``google`` and ``extra_body`` are Google's, of its OpenAI-compatible API.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from geminid.wire.openai.reading import Message

NAME = "^[a-zA-Z0-9_-]+$"
NAME_CHARS_MAX = 64
CANDIDATES_MAX = 8
STOPS_MAX = 5
INT64_MAX = 2**63 - 1

FunctionName = Annotated[str, Meta(min_length=1, max_length=NAME_CHARS_MAX, pattern=NAME)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
Free = dict[str, Any]
"""An object that is kept as it was sent."""


# -- parts -----------------------------------------------------------------------------------------------


class Breakpoint(Message):
    """Where a cache may end; ignored: what requests share is cached by itself."""

    mode: str
    ttl: str | None = None


class TextPart(Message, tag_field="type", tag="text"):
    """Words."""

    text: str
    prompt_cache_breakpoint: Breakpoint | None = None


class ImageUrl(Message):
    """A picture: an ``https:`` address, or the picture itself in a ``data:`` URI."""

    url: str
    detail: Literal["auto", "low", "high", "original"] | None = None


class ImagePart(Message, tag_field="type", tag="image_url"):
    """A picture among the words."""

    image_url: ImageUrl
    prompt_cache_breakpoint: Breakpoint | None = None


class InputAudio(Message):
    """Sound, as base64."""

    data: str
    format: Literal["wav", "mp3"]


class AudioPart(Message, tag_field="type", tag="input_audio"):
    """Sound among the words."""

    input_audio: InputAudio
    prompt_cache_breakpoint: Breakpoint | None = None


class InputFile(Message):
    """A file: uploaded before, or as base64 or ``data:`` URI."""

    file_id: str | None = None
    file_data: str | None = None
    filename: str | None = None


class FilePart(Message, tag_field="type", tag="file"):
    """A file among the words."""

    file: InputFile
    prompt_cache_breakpoint: Breakpoint | None = None


class RefusalPart(Message, tag_field="type", tag="refusal"):
    """Words by which a model refused."""

    refusal: str


# -- messages --------------------------------------------------------------------------------------------


class GoogleContent(Message):
    """What Google adds to a call or a message."""

    thought_signature: str | None = None
    thought: bool | None = None  # ignored


class ExtraContent(Message):
    """Additions, by whose they are."""

    google: GoogleContent | None = None


class CalledFunction(Message):
    """A call: the function's name, and its arguments as JSON in a string."""

    name: str
    arguments: str = ""
    parsed_arguments: Any = None  # ignored: clients that parse send it back


class FunctionCallMade(Message, tag_field="type", tag="function"):
    """A call of a function that the model asked for."""

    function: CalledFunction
    id: str = ""
    index: int | None = None  # ignored: clients that gathered a stream send it back
    extra_content: ExtraContent | None = None


class CustomCallMade(Message, tag_field="type", tag="custom"):
    """A call of a custom tool; refused, since there are none."""

    custom: Free
    id: str = ""


class SystemMessage(Message, tag_field="role", tag="system"):
    """What the model is told to be."""

    content: str | Annotated[list[TextPart], Meta(min_length=1)]
    name: str | None = None


class DeveloperMessage(Message, tag_field="role", tag="developer"):
    """The newer name of the same."""

    content: str | Annotated[list[TextPart], Meta(min_length=1)]
    name: str | None = None


class UserMessage(Message, tag_field="role", tag="user"):
    """What the user says and shows."""

    content: str | Annotated[list[TextPart | ImagePart | AudioPart | FilePart], Meta(min_length=1)]
    name: str | None = None


class AssistantMessage(Message, tag_field="role", tag="assistant"):
    """What the model said and called."""

    content: str | list[TextPart | RefusalPart] | None = None
    name: str | None = None
    refusal: str | None = None
    tool_calls: list[FunctionCallMade | CustomCallMade] | None = None
    audio: Free | None = None
    function_call: Free | None = None
    annotations: list[Any] | None = None  # ignored: where web pages were quoted
    extra_content: ExtraContent | None = None
    parsed: Any = None  # ignored: clients that parse send it back


class ToolMessage(Message, tag_field="role", tag="tool"):
    """What a called function gave back."""

    content: str | Annotated[list[TextPart], Meta(min_length=1)]
    tool_call_id: str
    name: str | None = None  # ignored: the call says which function it was


class FunctionMessage(Message, tag_field="role", tag="function"):
    """What a function gave back, before there were tools; refused."""

    name: str | None = None
    content: Any = None


AnyMessage = SystemMessage | DeveloperMessage | UserMessage | AssistantMessage | ToolMessage | FunctionMessage


# -- tools and forms of answers --------------------------------------------------------------------------


class FunctionDefinition(Message):
    """A function that may be called; ``parameters`` is a JSON Schema, kept as sent."""

    name: FunctionName
    description: str | None = None
    parameters: Free | None = None
    strict: bool | None = None


class FunctionTool(Message, tag_field="type", tag="function"):
    """A function among the tools."""

    function: FunctionDefinition


class CustomTool(Message, tag_field="type", tag="custom"):
    """A tool with input in a form of its own; refused."""

    custom: Free


class ChosenFunction(Message):
    """The function that must be called."""

    name: str


class FunctionChoice(Message, tag_field="type", tag="function"):
    """One function must be called."""

    function: ChosenFunction


class CustomChoice(Message, tag_field="type", tag="custom"):
    """One custom tool must be called; refused."""

    custom: Free


class AllowedTools(Message):
    """The tools that may be called, of those that there are."""

    mode: Literal["auto", "required"]
    tools: list[FunctionChoice | CustomChoice]


class AllowedChoice(Message, tag_field="type", tag="allowed_tools"):
    """Only some of the tools may be called."""

    allowed_tools: AllowedTools


class TextFormat(Message, tag_field="type", tag="text"):
    """Words."""


class JsonObjectFormat(Message, tag_field="type", tag="json_object"):
    """An object of JSON."""


class NamedSchema(Message):
    """A JSON Schema under a name, kept as sent."""

    name: FunctionName
    description: str | None = None  # ignored
    schema: Free | None = None
    strict: bool | None = None


class JsonSchemaFormat(Message, tag_field="type", tag="json_schema"):
    """JSON that is valid for a schema."""

    json_schema: NamedSchema


# -- the request -----------------------------------------------------------------------------------------


class StreamOptions(Message):
    """How a stream is sent. ``include_obfuscation``: padding against those who watch sizes."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class ThinkingConfig(Message):
    """How much to think, and whether to show it, in Google's words."""

    thinking_level: str | None = None
    thinking_budget: int | None = None
    include_thoughts: bool | None = None


class GoogleOptions(Message):
    """What Google's API can be told beside OpenAI's fields."""

    thinking_config: ThinkingConfig | None = None
    cached_content: str | None = None
    safety_settings: list[Free] | None = None


class ExtraBody(Message):
    """Where clients put Google's options literally."""

    google: GoogleOptions | None = None


class ChatRequest(Message):
    """The body of chat completions."""

    model: Annotated[str, Meta(min_length=1)]
    messages: Annotated[list[AnyMessage], Meta(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    n: Annotated[int, Meta(ge=1, le=CANDIDATES_MAX)] | None = None
    stop: str | Annotated[list[Annotated[str, Meta(min_length=1)]], Meta(max_length=STOPS_MAX)] | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1)] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    seed: Annotated[int, Meta(ge=-INT64_MAX - 1, le=INT64_MAX)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    tools: Annotated[list[FunctionTool | CustomTool], Meta(max_length=512)] | None = None
    tool_choice: (
        Literal["none", "auto", "required"] | FunctionChoice | CustomChoice | AllowedChoice | None
    ) = None
    parallel_tool_calls: bool | None = None
    response_format: TextFormat | JsonObjectFormat | JsonSchemaFormat | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast"] | None = None
    metadata: (
        Annotated[
            dict[
                Annotated[str, Meta(max_length=64)],
                Annotated[str, Meta(max_length=512)],
            ],
            Meta(max_length=16),
        ]
        | None
    ) = None
    user: Annotated[str, Meta(max_length=512)] | None = None
    safety_identifier: Annotated[str, Meta(max_length=128)] | None = None
    store: bool | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    prompt_cache_key: str | None = None  # ignored: what requests share is cached by itself
    prompt_cache_options: Free | None = None  # ignored, likewise
    prompt_cache_retention: str | None = None  # ignored, likewise
    modalities: list[Literal["text", "audio"]] | None = None
    audio: Free | None = None
    logit_bias: dict[str, float] | None = None
    prediction: Free | None = None
    web_search_options: Free | None = None
    moderation: Free | None = None
    functions: list[Any] | None = None
    function_call: Any = None
    google: GoogleOptions | None = None
    extra_body: ExtraBody | None = None
