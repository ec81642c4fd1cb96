"""Transcriptions and translations: the fields of a form to core.

Every 400 about them is decided here, with the field's name. It knows no HTTP and no file. Invariant: what a
request asks for is honoured, named as a downgrade, or refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta

from geminid.core.speech import Listen, Pauses, SpeechRequest
from geminid.wire.openai import refused
from geminid.wire.openai.reading import Message, convert

Format = Literal["json", "text", "srt", "verbose_json", "vtt"]
Fields = Mapping[str, str]

BY_TOKENS = frozenset(
    (
        *("gpt-transcribe", "gpt-4o-transcribe", "gpt-4o-mini-transcribe"),
        "gpt-4o-mini-transcribe-2025-12-15",
    )
)
"""Names whose usage OpenAI tells in tokens; that of all others it tells in seconds."""
TELL_LANGUAGES = frozenset(("gpt-transcribe",))
"""Names whose answers tell which languages were spoken."""
LANGUAGE = "^[a-zA-Z]{2,3}$"
PROMPT_CHARACTERS_MAX = 10_000
NO_SPEAKERS = "This server does not tell speakers apart."
NOT_VERBOSE = "It needs response_format verbose_json."

_LIST = re.compile(r"(\w+)\[\d*\]")
_NESTED = re.compile(r"(\w+)\[(\w+)\]")
_UNPARSED = re.compile(r"\s*\{")


class ServerVad(Message, tag_field="type", tag="server_vad"):
    """How speech is told from silence."""

    prefix_padding_ms: Annotated[int, Meta(ge=0, le=10_000)] | None = None
    silence_duration_ms: Annotated[int, Meta(ge=0, le=60_000)] | None = None
    threshold: Annotated[float, Meta(ge=0, le=1)] | None = None


class TranslationForm(Message):
    """The fields of a translation, but for its file."""

    model: Annotated[str, Meta(min_length=1)]
    prompt: Annotated[str, Meta(max_length=PROMPT_CHARACTERS_MAX)] | None = None
    response_format: Format | None = None
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None


class TranscriptionForm(Message):
    """The fields of a transcription, but for its file."""

    model: Annotated[str, Meta(min_length=1)]
    language: Annotated[str, Meta(pattern=LANGUAGE)] | None = None
    prompt: Annotated[str, Meta(max_length=PROMPT_CHARACTERS_MAX)] | None = None
    response_format: Format | Literal["diarized_json"] | None = None
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    stream: bool | None = None
    timestamp_granularities: list[Literal["word", "segment"]] | None = None
    include: list[Literal["logprobs"]] | None = None
    chunking_strategy: Literal["auto"] | ServerVad | None = None
    keywords: Annotated[list[Annotated[str, Meta(max_length=200)]], Meta(max_length=100)] | None = None
    languages: list[Annotated[str, Meta(pattern=LANGUAGE)]] | None = None
    known_speaker_names: list[str] | None = None
    known_speaker_references: list[str] | None = None


class ReadAudio(NamedTuple):
    """A request, and what of it concerns the wire alone.

    words, segments: whether their times are told. by_tokens: whether usage is told in tokens. languages:
    whether they are told. downgrades: what is served with less than was asked for.
    """

    request: SpeechRequest
    format: Format
    stream: bool = False
    words: bool = False
    segments: bool = True
    by_tokens: bool = False
    languages: bool = False
    downgrades: tuple[str, ...] = ()


def read_transcription(fields: Fields) -> ReadAudio:
    """Return what a form asks for; raises :class:`~geminid.wire.openai.refused.Refused`."""
    form = convert(TranscriptionForm, document_of(fields), "")
    _check(form)
    listen = Listen(
        language=_language(form),
        prompt=_prompt(form),
        temperature=form.temperature,
        words="word" in (form.timestamp_granularities or ()),
        pauses=_pauses(form.chunking_strategy),
    )
    granularities = form.timestamp_granularities or ["segment"]
    several = len(form.languages or ()) > 1 and not form.language
    return ReadAudio(
        SpeechRequest(model=form.model, listen=listen),
        _format(form.response_format),
        stream=bool(form.stream),
        words="word" in granularities,
        segments="segment" in granularities,
        by_tokens=form.model in BY_TOKENS,
        languages=form.model in TELL_LANGUAGES,
        downgrades=("languages=found-out",) if several else (),
    )


def read_translation(fields: Fields) -> ReadAudio:
    """Return what a form asks for; raises :class:`~geminid.wire.openai.refused.Refused`."""
    form = convert(TranslationForm, document_of(fields), "")
    listen = Listen(prompt=form.prompt or "", temperature=form.temperature, english=True)
    return ReadAudio(
        SpeechRequest(model=form.model, listen=listen),
        _format(form.response_format),
        by_tokens=form.model in BY_TOKENS,
    )


def document_of(fields: Fields) -> dict[str, Any]:
    """Return the fields of a form as a document: lists and objects as their names spell them, numbers and
    truth values as what they say. An empty text is unsaid."""
    document: dict[str, Any] = {}
    for name, text in fields.items():
        if found := _LIST.fullmatch(name):
            document.setdefault(found[1], [])
            if isinstance(document[found[1]], list):
                document[found[1]].append(text)
        elif found := _NESTED.fullmatch(name):
            document.setdefault(found[1], {})
            if isinstance(document[found[1]], dict):
                document[found[1]][found[2]] = _SAID.get(found[2], str)(text)
        elif name in _LISTS:
            document.setdefault(name, []).append(text)
        elif text:
            document[name] = _SAID.get(name, str)(text)
    return document


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


def _whole(text: str) -> Any:
    return int(text) if text.strip().lstrip("-").isdecimal() and len(text) < 20 else text


def _truth(text: str) -> Any:
    return {"true": True, "false": False, "1": True, "0": False}.get(text.strip().lower(), text)


def _object(text: str) -> Any:
    if not _UNPARSED.match(text):
        return text
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


_SAID: dict[str, Callable[[str], Any]] = {
    "temperature": _number,
    "threshold": _number,
    "prefix_padding_ms": _whole,
    "silence_duration_ms": _whole,
    "stream": _truth,
    "chunking_strategy": _object,
}
"""Fields that are not text, by how they are read; what cannot be is left as it is, and refused then."""
_LISTS = frozenset(
    (
        *("timestamp_granularities", "include", "keywords", "languages"),
        *("known_speaker_names", "known_speaker_references"),
    )
)


def _check(form: TranscriptionForm) -> None:
    """See to what fields mean to each other."""
    if form.response_format == "diarized_json":
        raise refused.unsupported("response_format", NO_SPEAKERS)
    for name in ("known_speaker_names", "known_speaker_references"):
        if getattr(form, name):
            raise refused.unsupported(name, NO_SPEAKERS)
    if form.include:
        raise refused.unsupported("include", "No log-probabilities of single tokens are told of sound.")
    if form.timestamp_granularities and form.response_format != "verbose_json":
        raise refused.unsupported("timestamp_granularities", NOT_VERBOSE)
    if form.stream and form.response_format not in (None, "json", "text"):
        raise refused.unsupported("stream", "Only json and text are streamed.")


def _language(form: TranscriptionForm) -> str:
    if form.language:
        return form.language.lower()
    return form.languages[0].lower() if form.languages and len(form.languages) == 1 else ""


def _prompt(form: TranscriptionForm) -> str:
    return " ".join(each for each in (form.prompt or "", ", ".join(form.keywords or ())) if each)


def _pauses(said: str | ServerVad | None) -> Pauses | None:
    if not isinstance(said, ServerVad):
        return None
    given = {
        "threshold": said.threshold,
        "silence_ms": said.silence_duration_ms,
        "padding_ms": said.prefix_padding_ms,
    }
    return msgspec.convert({name: value for name, value in given.items() if value is not None}, Pauses)


def _format(said: str | None) -> Format:
    found: Format = msgspec.convert(said or "json", Format)
    return found
