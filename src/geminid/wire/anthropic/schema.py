"""The requests of the Messages API as they stand on the wire: every field that a published client can send.

Fields marked *ignored* have no effect on an answer of text. What is known and not supported is refused by
``refusals``, never dropped. Fields and bounds are those of Anthropic's published reference.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Free = dict[str, Any]
"""An object that is kept as it was sent."""


class Message(msgspec.Struct, forbid_unknown_fields=True):
    """Base of every message: names as they are spelled on the wire; ``null`` is unsaid."""


# -- blocks ----------------------------------------------------------------------------------------------


class CacheControl(Message, tag_field="type", tag="ephemeral"):
    """Where a cache may end, and how long it is wished to live."""

    ttl: Literal["5m", "1h"] | None = None


class Citations(Message):
    """Whether the answer is to say from where it has what it says."""

    enabled: bool | None = None


class TextBlock(Message, tag_field="type", tag="text"):
    """Words."""

    text: str
    cache_control: CacheControl | None = None
    citations: list[Any] | None = None  # ignored: an earlier answer's


class Base64Source(Message, tag_field="type", tag="base64"):
    """A medium inside the request."""

    media_type: str
    data: str


class UrlSource(Message, tag_field="type", tag="url"):
    """A medium at an address."""

    url: str


class FileSource(Message, tag_field="type", tag="file"):
    """A file that was uploaded before."""

    file_id: str


class PlainSource(Message, tag_field="type", tag="text"):
    """A document of words alone."""

    data: str
    media_type: Literal["text/plain"]


class Transformations(Message):
    """What becomes of a picture that is too large; here it is always made smaller."""

    oversized_image: Literal["downsize", "error"] | None = None


class ImageBlock(Message, tag_field="type", tag="image"):
    """A picture."""

    source: Base64Source | UrlSource | FileSource
    cache_control: CacheControl | None = None
    transformations: Transformations | None = None


class ContentSource(Message, tag_field="type", tag="content"):
    """A document in blocks."""

    content: str | list[TextBlock | ImageBlock]


class DocumentBlock(Message, tag_field="type", tag="document"):
    """A document, with what it is called and what should be known of it."""

    source: Base64Source | UrlSource | FileSource | PlainSource | ContentSource
    title: str | None = None
    context: str | None = None
    citations: Citations | None = None
    cache_control: CacheControl | None = None


class SearchResultBlock(Message, tag_field="type", tag="search_result"):
    """A passage that the caller found."""

    source: str
    title: str
    content: list[TextBlock]
    citations: Citations | None = None
    cache_control: CacheControl | None = None


class ThinkingBlock(Message, tag_field="type", tag="thinking"):
    """What the model thought, signed; it is never prompted again."""

    thinking: str
    signature: str


class RedactedBlock(Message, tag_field="type", tag="redacted_thinking"):
    """What another model thought and nobody may read; refused, since none of ours does."""

    data: str


class ToolUseBlock(Message, tag_field="type", tag="tool_use"):
    """A call that the model asked for."""

    id: Annotated[str, Meta(min_length=1)]
    name: Annotated[str, Meta(min_length=1)]
    input: Free
    cache_control: CacheControl | None = None
    caller: Free | None = None  # ignored: nothing but the model calls here
    toolset_name: str | None = None  # ignored: the name of the tool says all


class ToolResultBlock(Message, tag_field="type", tag="tool_result"):
    """What a called tool gave back."""

    tool_use_id: str
    content: str | list[TextBlock | ImageBlock | DocumentBlock | SearchResultBlock] | None = None
    is_error: bool | None = None
    cache_control: CacheControl | None = None
    toolset_name: str | None = None  # ignored: the call says which tool it was


Block = (
    TextBlock
    | ImageBlock
    | DocumentBlock
    | SearchResultBlock
    | ThinkingBlock
    | RedactedBlock
    | ToolUseBlock
    | ToolResultBlock
)


class UserMessage(Message, tag_field="role", tag="user"):
    """What the user says and shows."""

    content: str | list[Block]


class AssistantMessage(Message, tag_field="role", tag="assistant"):
    """What the model said, thought and called."""

    content: str | list[Block]


class SystemMessage(Message, tag_field="role", tag="system"):
    """What the model is told to be from here on."""

    content: str | list[TextBlock]


Turn = UserMessage | AssistantMessage | SystemMessage


# -- tools and options -----------------------------------------------------------------------------------


class Tool(Message):
    """A tool that the caller runs; ``input_schema`` is a JSON Schema, kept as sent."""

    name: Annotated[str, Meta(min_length=1, max_length=128, pattern="^[a-zA-Z0-9_-]+$")]
    input_schema: Free
    description: str | None = None
    type: Literal["custom"] | None = None
    strict: bool | None = None
    cache_control: CacheControl | None = None
    eager_input_streaming: bool | None = None  # ignored: arguments come whole
    input_examples: list[Free] | None = None
    defer_loading: bool | None = None
    allowed_callers: list[str] | None = None


class AutoChoice(Message, tag_field="type", tag="auto"):
    """A tool may be called."""

    disable_parallel_tool_use: bool | None = None


class AnyChoice(Message, tag_field="type", tag="any"):
    """A tool must be called."""

    disable_parallel_tool_use: bool | None = None


class ToolChoice(Message, tag_field="type", tag="tool"):
    """This tool must be called."""

    name: str
    disable_parallel_tool_use: bool | None = None


class NoChoice(Message, tag_field="type", tag="none"):
    """No tool may be called."""


Display = Literal["summarized", "omitted"]


class Enabled(Message, tag_field="type", tag="enabled"):
    """Think, for at most so many tokens."""

    budget_tokens: Annotated[int, Meta(ge=1024)]
    display: Display | None = None


class Adaptive(Message, tag_field="type", tag="adaptive"):
    """Think as much as the question needs."""

    display: Display | None = None


class Disabled(Message, tag_field="type", tag="disabled"):
    """Do not think."""


class JsonFormat(Message, tag_field="type", tag="json_schema"):
    """JSON that is valid for a schema, kept as sent."""

    schema: Free


class OutputConfig(Message):
    """What the answer must be like, and how much is to be spent on it."""

    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: JsonFormat | None = None


class Metadata(Message):
    """About the request; ``user_id`` becomes a label of the bill."""

    user_id: Annotated[str, Meta(max_length=256)] | None = None


# -- the requests ----------------------------------------------------------------------------------------


class CountRequest(Message):
    """The body of ``count_tokens``, and what it has in common with a request for an answer."""

    model: Annotated[str, Meta(min_length=1)]
    messages: Annotated[list[Turn], Meta(min_length=1)]
    system: str | list[TextBlock] | None = None
    tools: list[Free] | None = None
    tool_choice: AutoChoice | AnyChoice | ToolChoice | NoChoice | None = None
    thinking: Enabled | Adaptive | Disabled | None = None
    output_config: OutputConfig | None = None
    output_format: JsonFormat | None = None
    cache_control: CacheControl | None = None
    context_management: Free | None = None
    mcp_servers: list[Free] | None = None


class MessagesRequest(CountRequest, kw_only=True):
    """The body of a request for an answer."""

    max_tokens: Annotated[int, Meta(ge=1)]
    stream: bool | None = None
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=0)] | None = None
    stop_sequences: list[Annotated[str, Meta(min_length=1)]] | None = None
    metadata: Metadata | None = None
    service_tier: Literal["auto", "standard_only"] | None = None
    container: Any = None
    inference_geo: str | None = None
    speed: Literal["standard", "fast"] | None = None
    diagnostics: Free | None = None
