"""What was heard, in each form that OpenAI's API has: JSON, text, subtitles, and a stream of events.

Invariant: the pieces of a stream put together are the text of the whole answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

from msgspec import UNSET

from geminid.core.speech import Segment, SpeechEvent, Transcript, Understood
from geminid.core.usage import Usage
from geminid.wire.openai.answers import ENCODER
from geminid.wire.openai.audio import Format, ReadAudio
from geminid.wire.openai.replies import Reply, Unsaid

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
ENGLISH = "english"


class InputDetails(Reply, kw_only=True):
    """Tokens that were read, by what they are of."""

    text_tokens: int
    audio_tokens: int


class TokensUsed(Reply, kw_only=True):
    """Usage in tokens."""

    type: Literal["tokens"] = "tokens"
    total_tokens: int
    input_tokens: int
    input_token_details: InputDetails
    output_tokens: int


class DurationUsed(Reply, kw_only=True):
    """Usage in seconds of sound."""

    type: Literal["duration"] = "duration"
    seconds: int


class Language(Reply, kw_only=True):
    """A language that was spoken."""

    code: str


class Plain(Reply, kw_only=True):
    """A whole answer in its short form."""

    text: str
    languages: list[Language] | Unsaid = UNSET
    usage: TokensUsed | DurationUsed


class TimedSegment(Reply, kw_only=True):
    """A stretch of speech; times are in seconds."""

    id: int
    seek: int
    start: float
    end: float
    text: str
    tokens: tuple[int, ...]
    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float


class TimedWord(Reply, kw_only=True):
    """A word; times are in seconds."""

    word: str
    start: float
    end: float


class Verbose(Reply, kw_only=True):
    """A whole answer in its long form."""

    task: Literal["transcribe", "translate"]
    language: str
    duration: float
    text: str
    words: list[TimedWord] | Unsaid = UNSET
    segments: list[TimedSegment] | Unsaid = UNSET
    usage: DurationUsed


class TextDelta(Reply, kw_only=True):
    """A piece of a stream."""

    type: Literal["transcript.text.delta"] = "transcript.text.delta"
    delta: str


class TextDone(Reply, kw_only=True):
    """The end of a stream, with all of its text."""

    type: Literal["transcript.text.done"] = "transcript.text.done"
    text: str
    languages: list[Language] | Unsaid = UNSET
    usage: TokensUsed | DurationUsed


class Sounding(NamedTuple):
    """How long a sound is, how many seconds of it are counted, and what was used for it."""

    length_ms: int
    seconds: int
    usage: Usage


class Written(NamedTuple):
    """A body and its type."""

    body: bytes
    mime_type: str


def write_transcript(transcript: Transcript, read: ReadAudio, sounding: Sounding) -> Written:
    """Return a whole answer in the form that was asked for."""
    write = _WRITERS.get(read.format)
    if write is not None:
        return Written(write(transcript).encode(), TEXT)
    answer = _verbose(transcript, read, sounding) if read.format == "verbose_json" else None
    return Written(ENCODER.encode(answer or _plain(transcript, read, sounding)), JSON)


class EventWriter:
    """Writes the events of a stream. usage: tells what was used so far."""

    def __init__(self, read: ReadAudio, length_ms: int, seconds: int, usage: Callable[[], Usage]) -> None:
        self._read = read
        self._length_ms = length_ms
        self._seconds = seconds
        self._usage = usage
        self._said = ""

    def write(self, event: SpeechEvent) -> bytes | None:
        """Return the piece that an event adds, None where there is nothing to tell."""
        match event:
            case Segment():
                delta = event.text if self._said else event.text.lstrip()
                self._said += delta
                return ENCODER.encode(TextDelta(delta=delta)) if delta else None
            case Understood():
                sounding = Sounding(self._length_ms, self._seconds, self._usage())
                return ENCODER.encode(
                    TextDone(
                        text=self._said,
                        languages=_languages(event.language, self._read),
                        usage=usage_written(self._read, sounding),
                    )
                )
        return None


def usage_written(read: ReadAudio, sounding: Sounding) -> TokensUsed | DurationUsed:
    """Return what was used, in the words that the model's name has for it."""
    if not read.by_tokens:
        return DurationUsed(seconds=sounding.seconds)
    usage = sounding.usage
    audio = usage.media.get("audio", 0)
    return TokensUsed(
        total_tokens=usage.total,
        input_tokens=usage.prompt,
        input_token_details=InputDetails(text_tokens=usage.prompt - audio, audio_tokens=audio),
        output_tokens=usage.candidates,
    )


def _plain(transcript: Transcript, read: ReadAudio, sounding: Sounding) -> Plain:
    return Plain(
        text=transcript.text,
        languages=_languages(transcript.language, read),
        usage=usage_written(read, sounding),
    )


def _verbose(transcript: Transcript, read: ReadAudio, sounding: Sounding) -> Verbose:
    english = read.request.listen.english
    return Verbose(
        task="translate" if english else "transcribe",
        language=ENGLISH if english else transcript.language_name.lower(),
        duration=sounding.length_ms / 1000,
        text=transcript.text,
        words=list(_words(transcript)) if read.words else UNSET,
        segments=list(_segments(transcript)) if read.segments else UNSET,
        usage=DurationUsed(seconds=sounding.seconds),
    )


def _segments(transcript: Transcript) -> Iterator[TimedSegment]:
    for number, each in enumerate(transcript.segments):
        yield TimedSegment(
            id=number,
            seek=each.seek,
            start=each.start_ms / 1000,
            end=each.end_ms / 1000,
            text=each.text,
            tokens=each.tokens,
            temperature=each.temperature,
            avg_logprob=each.avg_logprob,
            compression_ratio=each.compression_ratio,
            no_speech_prob=each.no_speech_prob,
        )


def _words(transcript: Transcript) -> Iterator[TimedWord]:
    for segment in transcript.segments:
        for word in segment.words:
            yield TimedWord(word=word.text, start=word.start_ms / 1000, end=word.end_ms / 1000)


def _languages(code: str, read: ReadAudio) -> Any:
    if not read.languages:
        return UNSET
    return [Language(code=code)] if code else []


def _text(transcript: Transcript) -> str:
    return f"{transcript.text}\n"


def _srt(transcript: Transcript) -> str:
    blocks = (
        f"{number}\n{_clock(each.start_ms, ',')} --> {_clock(each.end_ms, ',')}\n{_line(each)}\n\n"
        for number, each in enumerate(transcript.segments, 1)
    )
    return "".join(blocks)


def _vtt(transcript: Transcript) -> str:
    blocks = (
        f"{_clock(each.start_ms, '.')} --> {_clock(each.end_ms, '.')}\n{_line(each)}\n\n"
        for each in transcript.segments
    )
    return "".join(("WEBVTT\n\n", *blocks))


def _line(segment: Segment) -> str:
    """Return the words of a subtitle: an arrow in them would be read as one of its times."""
    return segment.text.strip().replace("-->", "->")


def _clock(time_ms: int, point: str) -> str:
    seconds, ms = divmod(time_ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{ms:03}"


_WRITERS: dict[Format, Callable[[Transcript], str]] = {"text": _text, "srt": _srt, "vtt": _vtt}
