"""Sessions, items and wishes of the Realtime API as they stand on the wire: every field of the reference.

Fields marked *ignored* have no effect on an answer of text. What is known and not served is refused by
``session`` and ``conversation``, never dropped. Source: openai-python 3.57.0, ``types/realtime``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from geminid.wire.openai.reading import Message
from geminid.wire.openai.schema import Free, FunctionName

RATE = 24_000
ID_CHARACTERS_MAX = 64
TOKENS_MAX = 4096
TOOLS_MAX = 512

Id = Annotated[str, Meta(min_length=1, max_length=ID_CHARACTERS_MAX)]
TokensMax = Annotated[int, Meta(ge=1, le=TOKENS_MAX)] | Literal["inf"] | None
Modalities = list[Literal["text", "audio"]]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Metadata = (
    Annotated[
        dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=512)]], Meta(max_length=16)
    ]
    | None
)


# -- sound -----------------------------------------------------------------------------------------------


class Pcm(Message, tag_field="type", tag="audio/pcm"):
    """Samples of 16 bits, mono, the lower byte first."""

    rate: Annotated[int, Meta(ge=RATE, le=RATE)] = RATE


class Pcmu(Message, tag_field="type", tag="audio/pcmu"):
    """G.711 µ-law, 8 kHz."""


class Pcma(Message, tag_field="type", tag="audio/pcma"):
    """G.711 A-law, 8 kHz."""


Format = Pcm | Pcmu | Pcma


class ServerVad(Message, tag_field="type", tag="server_vad"):
    """Turns end where the speaker is silent for a while."""

    threshold: Annotated[float, Meta(ge=0, le=1)] = 0.5
    prefix_padding_ms: Annotated[int, Meta(ge=0, le=5_000)] = 300
    silence_duration_ms: Annotated[int, Meta(ge=20, le=10_000)] = 500
    idle_timeout_ms: int | None = None
    create_response: bool = True
    interrupt_response: bool = True


class SemanticVad(Message, tag_field="type", tag="semantic_vad"):
    """Turns end where a model finds that they do; refused."""

    eagerness: Literal["low", "medium", "high", "auto"] = "auto"
    create_response: bool = True
    interrupt_response: bool = True


class Transcribing(Message):
    """How what is said in input is written down."""

    model: str = "whisper-1"
    language: Annotated[str, Meta(pattern="^[a-zA-Z]{2,3}$")] | None = None
    prompt: Annotated[str, Meta(max_length=10_000)] | None = None
    languages: list[str] | None = None
    keywords: list[str] | None = None
    delay: str | None = None  # ignored


class NoiseReduction(Message):
    """Filters for microphones; refused."""

    type: str | None = None
    strength: float | None = None


class AudioInput(Message):
    """What sound is sent, and what becomes of it. ``null`` turns off, what is unsaid stays."""

    format: Format | None = None
    noise_reduction: NoiseReduction | None = None
    transcription: Transcribing | UnsetType | None = UNSET
    turn_detection: ServerVad | SemanticVad | UnsetType | None = UNSET


class Audio(Message):
    """Sound in both directions. ``output`` is ignored: answers are text."""

    input: AudioInput | None = None
    output: Free | None = None


# -- sessions --------------------------------------------------------------------------------------------


class Function(Message, tag_field="type", tag="function"):
    """A function that may be called; ``parameters`` is a JSON Schema, kept as sent."""

    name: FunctionName
    description: str | None = None
    parameters: Free | None = None
    strict: bool | None = None


class Forced(Message, tag_field="type", tag="function"):
    """One function must be called."""

    name: str


class Reasoning(Message):
    """How much to think."""

    effort: Effort | None = None


class Retention(Message, tag_field="type", tag="retention_ratio"):
    """How much of a conversation that has become too long is kept."""

    retention_ratio: Annotated[float, Meta(ge=0, le=1)]
    token_limits: Free | None = None


ToolChoice = Literal["none", "auto", "required"] | Forced
Truncation = Literal["auto", "disabled"] | Retention


class RealtimeSession(Message, tag_field="type", tag="realtime"):
    """A session that answers."""

    model: str | None = None
    output_modalities: Modalities | None = None
    instructions: str | None = None
    audio: Audio | None = None
    tools: Annotated[list[Function], Meta(max_length=TOOLS_MAX)] | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    max_output_tokens: TokensMax = None
    reasoning: Reasoning | None = None
    truncation: Truncation | None = None
    tracing: Any = None  # ignored: it asks OpenAI's own dashboard to keep the session
    include: list[str] | None = None
    prompt: Free | None = None


class TranscriptionSession(Message, tag_field="type", tag="transcription"):
    """A session that writes down what is said."""

    audio: Audio | None = None
    include: list[str] | None = None


AnySession = RealtimeSession | TranscriptionSession


# -- items -----------------------------------------------------------------------------------------------


class InputText(Message, tag_field="type", tag="input_text"):
    """Words of a user or of the system."""

    text: str


class InputAudio(Message, tag_field="type", tag="input_audio"):
    """Sound, as base64 in the session's format. ``transcript`` is kept, and not told to the model."""

    audio: str
    transcript: str | None = None


class InputImage(Message, tag_field="type", tag="input_image"):
    """A picture, as a ``data:`` URI or an address."""

    image_url: str
    detail: Literal["auto", "low", "high"] | None = None


class OutputText(Message, tag_field="type", tag="output_text"):
    """Words of the model."""

    text: str


class OutputAudio(Message, tag_field="type", tag="output_audio"):
    """Words that a model spoke; what they sounded like is ignored."""

    transcript: str | None = None
    audio: str | None = None


Part = InputText | InputAudio | InputImage | OutputText | OutputAudio


class Item(Message):
    """Base of items. ``object`` and ``status`` are those of items that are sent back, and ignored."""

    id: Id | None = None
    object: str | None = None
    status: str | None = None


class MessageItem(Item, tag_field="type", tag="message", kw_only=True):
    """Somebody says something."""

    role: Literal["system", "user", "assistant"]
    content: Annotated[list[Part], Meta(min_length=1, max_length=100)]


class CallItem(Item, tag_field="type", tag="function_call", kw_only=True):
    """The model calls a function; ``arguments`` are JSON in a string."""

    name: FunctionName
    arguments: str
    call_id: Id | None = None


class OutputItem(Item, tag_field="type", tag="function_call_output", kw_only=True):
    """What a called function gave back."""

    call_id: Id
    output: str


class Reference(Message, tag_field="type", tag="item_reference"):
    """An item of the conversation."""

    id: Id


NewItem = MessageItem | CallItem | OutputItem


# -- answers ---------------------------------------------------------------------------------------------


class ResponseOptions(Message):
    """How one answer differs from what the session says."""

    output_modalities: Modalities | None = None
    instructions: str | None = None
    audio: Free | None = None  # ignored: answers are text
    tools: Annotated[list[Function], Meta(max_length=TOOLS_MAX)] | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    max_output_tokens: TokensMax = None
    reasoning: Reasoning | None = None
    conversation: Literal["auto", "none"] | None = None
    metadata: Metadata = None
    input: list[MessageItem | CallItem | OutputItem | Reference] | None = None
    prompt: Free | None = None
