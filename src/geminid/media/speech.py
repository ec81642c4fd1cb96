"""Speech, understood by Whisper in CTranslate2's form.

The weights are loaded when they are first needed; nothing is ever fetched, the detector of voices is inside
the wheel. It knows no file and no format. Invariant: memory beside the samples is bounded, however long
they are, since they are transcribed a few minutes at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from geminid.core.speech import Listen, Segment, Understood, Word
from geminid.media.faults import Unreadable
from geminid.media.sound_languages import language_name
from geminid.media.tools import Heard, Transcript

RATE = 16_000
PIECE_SAMPLES = 300 * RATE
"""At most so much is transcribed at once."""
CUT_SAMPLES = 20 * RATE
"""A piece ends at the quietest place within so much of its end."""
QUIET_SAMPLES = RATE // 5
BEAM = 5
LONG_SAMPLES = 1800 * RATE
"""Longer sounds are decoded greedily: it takes half of the time, for one more error in two hundred words."""
NEEDED = ("model.bin", "config.json", "tokenizer.json")
CODES = {"jw": "jv"}
"""Whisper's codes that are not those of ISO 639-1."""
OWN_CODES = {code: own for own, code in CODES.items()}
PROMPT_TOKENS_MAX = 223
"""Of a longer prompt the end is taken."""


class Whisper:
    """Understands speech in a hundred languages.

    folder: of the weights. threads: 0 is all. beam: so many readings are followed at once; 0 is as many as
    the length of a sound allows.
    """

    def __init__(self, folder: Path, *, threads: int = 0, beam: int = 0) -> None:
        self._folder = folder
        self._beam = beam
        self._threads = threads
        self._model: Any = None

    def transcribe(self, samples: np.ndarray) -> Transcript:
        """Return what is said in mono samples, float32 from -1 to 1 at 16 kHz."""
        heard: list[Heard] = []
        languages: Counter[str] = Counter()
        beam = self._beam or (BEAM if len(samples) <= LONG_SAMPLES else 1)
        for start, end in pieces(samples):
            found, language = self._piece(samples[start:end], start * 1000 // RATE, beam)
            heard += found
            languages[language] += sum(len(each.text) for each in found)
        code = languages.most_common(1)[0][0] if heard else ""
        return Transcript(CODES.get(code, code), tuple(heard))

    def listen(self, samples: np.ndarray, listen: Listen) -> Iterator[Segment | Understood]:
        """Yield what is said in samples as it is heard, and what language that was at the end."""
        self._check(listen)
        languages: Counter[str] = Counter()
        for start, end in pieces(samples):
            segments, about = self._loaded().transcribe(
                samples[start:end], **self._options(len(samples), listen)
            )
            for found in segments:
                segment = _segment(found, start * 1000 // RATE, end * 1000 // RATE)
                if segment.text.strip():
                    languages[about.language] += len(segment.text)
                    yield segment
        code = languages.most_common(1)[0][0] if languages else ""
        code = CODES.get(code, code)
        yield Understood(code, language_name(code))

    def prompt_tokens(self, listen: Listen) -> int:
        """Return how many tokens of the prompt are taken."""
        words = f" {listen.prompt.strip()}"
        encoded = self._loaded().hf_tokenizer.encode(words, add_special_tokens=False)
        return min(len(encoded.ids), PROMPT_TOKENS_MAX)

    def _check(self, listen: Listen) -> None:
        known = self._loaded().supported_languages
        if listen.language and OWN_CODES.get(listen.language, listen.language) not in known:
            raise Unreadable(f"The speech model of this server does not know the language {listen.language}.")
        if listen.english and len(known) == 1:
            raise Unreadable("The speech model of this server knows English alone: it cannot translate.")

    def _options(self, count: int, listen: Listen) -> dict[str, Any]:
        options: dict[str, Any] = {
            "beam_size": self._beam or (BEAM if count <= LONG_SAMPLES else 1),
            "task": "translate" if listen.english else "transcribe",
            "language": OWN_CODES.get(listen.language, listen.language) or None,
            "initial_prompt": listen.prompt or None,
            "word_timestamps": listen.words,
            "vad_filter": True,
            "condition_on_previous_text": False,
        }
        if listen.temperature:
            options["temperature"] = listen.temperature
        if (pauses := listen.pauses) is not None:
            options["vad_parameters"] = {
                "threshold": pauses.threshold,
                "min_silence_duration_ms": pauses.silence_ms,
                "speech_pad_ms": pauses.padding_ms,
            }
        return options

    def _piece(self, samples: np.ndarray, start_ms: int, beam: int) -> tuple[list[Heard], str]:
        # Each piece on its own: a sentence that was misheard does not lead the next one astray.
        segments, about = self._loaded().transcribe(
            samples, beam_size=beam, vad_filter=True, condition_on_previous_text=False
        )
        end_ms = start_ms + len(samples) * 1000 // RATE
        heard = [
            Heard(
                start_ms + round(segment.start * 1000),
                min(start_ms + round(segment.end * 1000), end_ms),
                segment.text.strip(),
            )
            for segment in segments
        ]
        return [each for each in heard if each.text], about.language

    def _loaded(self) -> Any:
        if self._model is None:
            self._model = _load(self._folder, self._threads)
        return self._model


def _segment(found: Any, start_ms: int, end_ms: int) -> Segment:
    """Return a segment of a piece that lies there in the whole."""

    def at(seconds: float) -> int:
        return min(start_ms + round(float(seconds) * 1000), end_ms)

    return Segment(
        start_ms=at(found.start),
        end_ms=at(found.end),
        text=found.text.rstrip(),
        tokens=tuple(map(int, found.tokens)),
        words=tuple(Word(at(word.start), at(word.end), word.word.strip()) for word in found.words or ()),
        seek=start_ms // 10 + int(found.seek),
        avg_logprob=float(found.avg_logprob),
        compression_ratio=float(found.compression_ratio),
        no_speech_prob=float(found.no_speech_prob),
        temperature=float(found.temperature or 0.0),
    )


def _load(folder: Path, threads: int) -> Any:
    # The library would fetch from the network what a folder lacks.
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    if missing:
        raise Unreadable(f"The speech model of this server lacks {', '.join(missing)}: sound cannot be read.")
    from geminid.media.sound_model import OnceHeard  # its libraries take a second to load

    return OnceHeard(folder, threads)


def pieces(samples: np.ndarray) -> Iterator[tuple[int, int]]:
    """Cut a long sound at quiet places; yields where pieces begin and end."""
    start = 0
    while len(samples) - start > PIECE_SAMPLES:
        end = start + PIECE_SAMPLES
        end = end - CUT_SAMPLES + _quietest(samples[end - CUT_SAMPLES : end])
        yield start, end
        start = end
    if len(samples) > start:
        yield start, len(samples)


def _quietest(samples: np.ndarray) -> int:
    """Return the middle of the quietest fifth of a second."""
    whole = len(samples) // QUIET_SAMPLES * QUIET_SAMPLES
    loudness = np.square(samples[:whole]).reshape(-1, QUIET_SAMPLES).sum(axis=1)
    return int(loudness.argmin()) * QUIET_SAMPLES + QUIET_SAMPLES // 2
