"""What is asked of whoever listens to sound, and what is heard: whichever wire it came by.

Pure values; those that cross to a reader process are here because both ends need them. Times count from the
beginning of the sound. Order of the events of one sound: one :class:`Listening`, any number of
:class:`Segment`, one :class:`Understood`.
"""

from __future__ import annotations

from collections.abc import AsyncIterable

import msgspec


class Pauses(msgspec.Struct, frozen=True, kw_only=True):
    """How silence is told from speech. threshold: from 0 to 1, the higher the louder speech must be.
    silence_ms: that ends a stretch of speech. padding_ms: that is kept around it."""

    threshold: float = 0.5
    silence_ms: int = 2000
    padding_ms: int = 400


class Listen(msgspec.Struct, frozen=True, kw_only=True):
    """How to listen.

    language: ISO 639-1 code of what is spoken; empty is found out. prompt: words that come before, or of the
    kind that will be heard. temperature: how freely tokens are drawn; None is
    greedily, and more freely only where that fails. words: whether each word has its times. english:
    whether what is said in other languages is written in English. pauses: None is as the reader has them.
    """

    language: str = ""
    prompt: str = ""
    temperature: float | None = None
    words: bool = False
    english: bool = False
    pauses: Pauses | None = None


class SpeechRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One sound to be written down. model: the public name. mime_type: what the caller says that it is,
    empty when unsaid. labels: the caller's words for his bill."""

    model: str
    mime_type: str = ""
    listen: Listen = Listen()
    labels: dict[str, str] = {}


class Listening(msgspec.Struct, frozen=True, tag="listening"):
    """The sound was read and is so long; ``prompt_tokens`` of the prompt are taken."""

    length_ms: int
    prompt_tokens: int = 0


class Word(msgspec.Struct, frozen=True):
    """One word, as it stands in the text, without the space before it."""

    start_ms: int
    end_ms: int
    text: str


class Segment(msgspec.Struct, frozen=True, kw_only=True, tag="segment"):
    """A stretch of speech. ``text`` begins with a space where the language has them between words.

    tokens: the model's, its marks of time among them. seek: where its window began, in hundredths of a
    second. avg_logprob, compression_ratio, no_speech_prob, temperature: as the model tells how sure it is.
    """

    start_ms: int
    end_ms: int
    text: str
    tokens: tuple[int, ...] = ()
    words: tuple[Word, ...] = ()
    seek: int = 0
    avg_logprob: float = 0.0
    compression_ratio: float = 0.0
    no_speech_prob: float = 0.0
    temperature: float = 0.0


class Understood(msgspec.Struct, frozen=True, tag="understood"):
    """All was heard. ``language``: ISO 639-1 code of what was spoken most, and its English name; empty when
    nobody spoke."""

    language: str
    language_name: str


SpeechEvent = Listening | Segment | Understood


class Transcript(msgspec.Struct, frozen=True, kw_only=True):
    """All of one sound."""

    segments: tuple[Segment, ...]
    language: str
    language_name: str

    @property
    def text(self) -> str:
        """Everything that was said."""
        return "".join(each.text for each in self.segments).strip()


async def transcript_of(events: AsyncIterable[SpeechEvent]) -> Transcript:
    """Read the events of a sound to their end."""
    segments: list[Segment] = []
    understood = Understood("", "")
    async for event in events:
        match event:
            case Segment():
                segments.append(event)
            case Understood():
                understood = event
    return Transcript(
        segments=tuple(segments),
        language=understood.language,
        language_name=understood.language_name,
    )
