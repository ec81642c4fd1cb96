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

from geminid.media.faults import Unreadable
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
