"""Requests for interactions as they stand on the wire: every field that a published client can send.

Values of several forms (inputs, tools, formats) are kept as they were sent and read by the file of their
name. Fields marked *ignored* have no effect on an answer of text. What is known and not supported is refused
by ``refusals``, never dropped.
"""

from __future__ import annotations

from enum import Enum

from geminid.wire import protojson
from geminid.wire.gemini.enums import HarmBlockMethod
from geminid.wire.protojson import FreeForm
from geminid.wire.scalars import Int32


class Message(protojson.Message, rename="lower"):
    """Base of every message: names as they are spelled here."""


class Level(Enum):
    """How much to think."""

    MINIMAL = "minimal"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    XHIGH = "xhigh"


class Summaries(Enum):
    """Whether thoughts are told."""

    AUTO = "auto"
    NONE = "none"


class Modality(Enum):
    """A kind of content."""

    TEXT = "text"
    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"
    DOCUMENT = "document"


class Resolution(Enum):
    """How finely media is looked at."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    ULTRA_HIGH = "ultra_high"


class ServiceTier(Enum):
    """How urgently a request wants to be served."""

    STANDARD = "standard"
    FLEX = "flex"
    PRIORITY = "priority"
    DEFERRED = "deferred"


class Threshold(Enum):
    """From which probability on a harm is blocked."""

    BLOCK_LOW_AND_ABOVE = "block_low_and_above"
    BLOCK_MEDIUM_AND_ABOVE = "block_medium_and_above"
    BLOCK_ONLY_HIGH = "block_only_high"
    BLOCK_NONE = "block_none"
    OFF = "off"


class ChoiceMode(Enum):
    """Whether the model may, must or must not call functions."""

    AUTO = "auto"
    ANY = "any"
    NONE = "none"
    VALIDATED = "validated"


class GenerationConfig(Message):
    """How an answer is made."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: Int32 | None = None
    seed: Int32 | None = None
    stop_sequences: list[str] | None = None
    max_output_tokens: Int32 | None = None
    thinking_level: Level | None = None
    thinking_summaries: Summaries | None = None
    tool_choice: FreeForm | None = None
    speech_config: FreeForm | None = None
    image_config: FreeForm | None = None
    video_config: FreeForm | None = None
    transcription_config: FreeForm | None = None


class AllowedTools(Message):
    """Which functions may be called, by name."""

    mode: ChoiceMode | None = None
    tools: list[str] | None = None


class ToolChoice(Message):
    """The long form of ``tool_choice``."""

    allowed_tools: AllowedTools | None = None


class Function(Message):
    """A function that the model may call. The schema is kept as sent."""

    type: str | None = None
    name: str | None = None
    description: str | None = None
    parameters: FreeForm | None = None


class TextFormat(Message):
    """The form of an answer in words."""

    type: str | None = None
    mime_type: str | None = None
    schema: FreeForm | None = None


class SafetySetting(Message):
    """What to block of one category of harm."""

    type: str | None = None
    threshold: Threshold | None = None
    method: HarmBlockMethod | None = None  # ignored


class WebhookConfig(Message):
    """Where to tell that an interaction has ended."""

    uris: list[str] | None = None
    user_metadata: FreeForm | None = None


class CreateInteraction(Message):
    """The body of a new interaction."""

    model: str | None = None
    agent: str | None = None
    agent_config: FreeForm | None = None
    input: FreeForm | None = None
    system_instruction: str | None = None
    tools: list[FreeForm] | None = None
    generation_config: GenerationConfig | None = None
    response_format: FreeForm | None = None
    response_mime_type: str | None = None
    response_modalities: list[Modality] | None = None
    previous_interaction_id: str | None = None
    store: bool | None = None
    stream: bool | None = None
    background: bool | None = None
    service_tier: ServiceTier | None = None
    cached_content: str | None = None
    labels: dict[str, str] | None = None  # kept with the usage
    safety_settings: list[SafetySetting] | None = None
    webhook_config: WebhookConfig | None = None
    environment: FreeForm | None = None
    continuation_token: str | None = None


class TextContent(Message):
    """Words."""

    type: str | None = None
    text: str | None = None
    annotations: FreeForm | None = None  # ignored: what an earlier answer cited


class MediumContent(Message):
    """What media have in common; documents have nothing more."""

    type: str | None = None
    data: bytes | None = None
    mime_type: str | None = None
    uri: str | None = None


class ImageContent(MediumContent):
    """A picture."""

    resolution: Resolution | None = None


class AudioContent(MediumContent):
    """Sound."""

    channels: Int32 | None = None  # ignored: the file says it
    sample_rate: Int32 | None = None  # ignored: the file says it


class VideoContent(MediumContent):
    """A film."""

    name: str | None = None
    resolution: Resolution | None = None
    processing: FreeForm | None = None


class StaticProcessing(Message):
    """Which stretch of a film is meant, and how many frames of each second."""

    type: str | None = None
    start_offset: str | None = None
    end_offset: str | None = None
    fps: float | None = None


class SpokenStep(Message):
    """What the user or the model says."""

    type: str | None = None
    content: FreeForm | None = None
    error: FreeForm | None = None  # ignored: what went wrong with an earlier answer


class ThoughtStep(Message):
    """What the model thought. The signature is text: clients send values that are no base64."""

    type: str | None = None
    signature: str | None = None
    summary: FreeForm | None = None


class FunctionCallStep(Message):
    """A call that the model made."""

    type: str | None = None
    id: str | None = None
    name: str | None = None
    arguments: FreeForm | None = None
    signature: str | None = None


class FunctionResultStep(Message):
    """What a function gave back."""

    type: str | None = None
    call_id: str | None = None
    name: str | None = None
    result: FreeForm | None = None
    is_error: bool | None = None
    signature: str | None = None  # ignored: only calls are signed
