"""The requests of generation as they stand on the wire: every field that a published client can send.

Fields marked *ignored* have no effect on an answer of text and are read so that newer clients are not
turned away. What is known and not supported is refused by ``refusals``, never dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from geminid.wire.gemini.content import Content
from geminid.wire.gemini.enums import (
    CallingMode,
    FunctionBehavior,
    HarmBlockMethod,
    HarmBlockThreshold,
    HarmCategory,
    MediaResolution,
    Modality,
    ServiceTier,
    ThinkingLevel,
)
from geminid.wire.protojson import FreeForm, Message
from geminid.wire.scalars import Int32


class FunctionDeclaration(Message):
    """A function that the model may call. Schemas are kept as sent."""

    name: str | None = None
    description: str | None = None
    parameters: FreeForm | None = None
    parameters_json_schema: FreeForm | None = None
    response: FreeForm | None = None  # ignored: what comes back is not checked
    response_json_schema: FreeForm | None = None  # ignored, like ``response``
    behavior: FunctionBehavior | None = None


class Tool(Message):
    """What the model may use; one object may combine several."""

    function_declarations: list[FunctionDeclaration] | None = None
    google_search: FreeForm | None = None
    google_search_retrieval: FreeForm | None = None
    code_execution: FreeForm | None = None
    url_context: FreeForm | None = None
    file_search: FreeForm | None = None
    google_maps: FreeForm | None = None
    computer_use: FreeForm | None = None
    mcp_servers: FreeForm | None = None
    retrieval: FreeForm | None = None
    enterprise_web_search: FreeForm | None = None
    parallel_ai_search: FreeForm | None = None
    exa_ai_search: FreeForm | None = None


class FunctionCallingConfig(Message):
    """Whether and which functions may be called."""

    mode: CallingMode | None = None
    allowed_function_names: list[str] | None = None
    stream_function_call_arguments: bool | None = None  # ignored: calls come whole


class ToolConfig(Message):
    """Settings shared by all tools."""

    function_calling_config: FunctionCallingConfig | None = None
    retrieval_config: FreeForm | None = None  # ignored: nothing is retrieved
    include_server_side_tool_invocations: bool | None = None  # ignored: there are none


class SafetySetting(Message):
    """What to block of one category of harm."""

    category: HarmCategory | None = None
    threshold: HarmBlockThreshold | None = None
    method: HarmBlockMethod | None = None  # ignored


class ThinkingConfig(Message):
    """How much to think, and whether to show it."""

    include_thoughts: bool | None = None
    thinking_level: ThinkingLevel | None = None
    thinking_budget: Int32 | None = None


class GenerationConfig(Message):
    """How an answer is made."""

    ALIASES: ClassVar[Mapping[str, str]] = {
        "_responseJsonSchema": "response_json_schema",
        "_response_json_schema": "response_json_schema",
    }

    temperature: float | None = None
    top_p: float | None = None
    top_k: Int32 | None = None
    candidate_count: Int32 | None = None
    max_output_tokens: Int32 | None = None
    stop_sequences: list[str] | None = None
    seed: Int32 | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    response_logprobs: bool | None = None
    logprobs: Int32 | None = None
    response_mime_type: str | None = None
    response_schema: FreeForm | None = None
    response_json_schema: FreeForm | None = None
    response_format: FreeForm | None = None
    response_modalities: list[Modality] | None = None
    thinking_config: ThinkingConfig | None = None
    media_resolution: MediaResolution | None = None
    speech_config: FreeForm | None = None
    image_config: FreeForm | None = None
    routing_config: FreeForm | None = None
    model_selection_config: FreeForm | None = None
    audio_transcription_config: FreeForm | None = None  # ignored
    translation_config: FreeForm | None = None  # ignored
    enable_enhanced_civic_answers: bool | None = None  # ignored
    enable_affective_dialog: bool | None = None  # ignored
    audio_timestamp: bool | None = None  # ignored


class GenerateContentRequest(Message):
    """The body of generateContent and streamGenerateContent."""

    model: str | None = None
    contents: list[Content] | None = None
    system_instruction: Content | None = None
    tools: list[Tool] | None = None
    tool_config: ToolConfig | None = None
    safety_settings: list[SafetySetting] | None = None
    generation_config: GenerationConfig | None = None
    cached_content: str | None = None
    service_tier: ServiceTier | None = None
    labels: dict[str, str] | None = None  # kept with the usage
    store: bool | None = None  # ignored: nothing is stored
    continuation_token: str | None = None
    model_armor_config: FreeForm | None = None


class CountTokensRequest(GenerateContentRequest):
    """The body of countTokens: a whole request inside, or one spread over the top level.

    The published message has only ``contents`` beside ``generateContentRequest``; clients send the
    other fields of a request at the top level too.
    """

    generate_content_request: GenerateContentRequest | None = None
