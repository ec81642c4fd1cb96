"""Sound of a live session: its forms, how long it is, and where somebody speaks in it.

It knows no decoder: G.711 is read by its own definition. Invariant: :class:`Voice` finds the same turns
however the sound is cut into pieces.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from geminid.wire.openai.realtime.schema import RATE, Format, Pcm, Pcma, Pcmu, ServerVad

FRAME_MS = 20
ONSET_FRAMES = 3
"""So many loud frames in a row begin a turn: a click is none."""
NOISE_WEIGHT = 0.05
"""How fast what is held for noise follows what is heard between turns."""
NOISE_START = 60.0
ABOVE_NOISE = 2.5
QUIETEST, LOUDEST = 50.0, 1_000.0
"""Mean amplitudes, of 32,768, that thresholds 0 and 1 mean."""

_RATES: dict[type[Pcm | Pcmu | Pcma], int] = {Pcm: RATE, Pcmu: 8_000, Pcma: 8_000}
_WIDTHS: dict[type[Pcm | Pcmu | Pcma], int] = {Pcm: 2, Pcmu: 1, Pcma: 1}
_WAV_TAGS: dict[type[Pcm | Pcmu | Pcma], int] = {Pcm: 1, Pcma: 6, Pcmu: 7}


def frame_bytes(form: Format) -> int:
    """Return the bytes of one frame."""
    return bytes_of(FRAME_MS, form)


def bytes_of(time_ms: int, form: Format) -> int:
    """Return how many bytes of sound last so long."""
    return _RATES[type(form)] * time_ms // 1000 * _WIDTHS[type(form)]


def length_ms(size_bytes: int, form: Format) -> int:
    """Return how long so many bytes of sound last."""
    return size_bytes * 1000 // (_RATES[type(form)] * _WIDTHS[type(form)])


def in_file(data: bytes, form: Format) -> bytes:
    """Return sound as a WAV file."""
    rate, width = _RATES[type(form)], _WIDTHS[type(form)]
    said = struct.pack("<HHIIHH", _WAV_TAGS[type(form)], 1, rate, rate * width, width, 8 * width)
    return b"".join(
        (
            b"RIFF",
            struct.pack("<I", len(data) + 36),
            b"WAVEfmt ",
            struct.pack("<I", len(said)),
            said,
            b"data",
            struct.pack("<I", len(data)),
            data,
        )
    )


def amplitude(frame: bytes, form: Format) -> float:
    """Return the mean amplitude of a frame, of 32,768."""
    if isinstance(form, Pcm):
        samples = array("h", frame[: len(frame) // 2 * 2])
        if sys.byteorder == "big":
            samples.byteswap()
        return sum(map(abs, samples)) / max(len(samples), 1)
    table = _ALAW if isinstance(form, Pcma) else _ULAW
    return sum(table[byte] for byte in frame) / max(len(frame), 1)


def _ulaw(byte: int) -> int:
    """Return the magnitude of a µ-law sample (ITU-T G.711)."""
    bits = ~byte & 0x7F
    return (((bits & 0x0F) << 3) + 0x84 << (bits >> 4)) - 0x84


def _alaw(byte: int) -> int:
    """Return the magnitude of an A-law sample (ITU-T G.711)."""
    bits = (byte ^ 0x55) & 0x7F
    exponent, mantissa = bits >> 4, (bits & 0x0F) << 4
    return mantissa + 8 if exponent == 0 else mantissa + 0x108 << exponent - 1


_ULAW: Sequence[int] = tuple(map(_ulaw, range(256)))
_ALAW: Sequence[int] = tuple(map(_alaw, range(256)))


class Spoke(NamedTuple):
    """Somebody began to speak, or has stopped, at a time since the first sound of the session."""

    began: bool
    at_ms: int


class Voice:
    """Tells speech from silence by its loudness over the noise around it, frame by frame.

    start_ms: how much sound there was before. Times of a beginning include the padding before it, never
    reaching behind the last end; those of an end the silence after it.
    """

    def __init__(self, vad: ServerVad, form: Format, start_ms: int = 0) -> None:
        self._vad = vad
        self._format = form
        self._size = frame_bytes(form)
        self._rest = b""
        self._at_ms = self._last_ms = start_ms
        self._noise = NOISE_START
        self._loud = 0
        self._silent_ms = 0
        self.speaking = False

    def hear(self, data: bytes) -> Iterator[Spoke]:
        """Yield what more sound tells."""
        data = self._rest + data
        whole = len(data) // self._size * self._size
        self._rest = data[whole:]
        for start in range(0, whole, self._size):
            self._at_ms += FRAME_MS
            loud = self._is_loud(amplitude(data[start : start + self._size], self._format))
            if (spoke := self._stopped(loud) if self.speaking else self._started(loud)) is not None:
                yield spoke

    def _is_loud(self, level: float) -> bool:
        floor = QUIETEST + (LOUDEST - QUIETEST) * self._vad.threshold**2
        loud = level > max(floor, ABOVE_NOISE * self._noise)
        if not loud and not self.speaking:
            self._noise += NOISE_WEIGHT * (level - self._noise)
        return loud

    def _started(self, loud: bool) -> Spoke | None:
        self._loud = self._loud + 1 if loud else 0
        if self._loud < ONSET_FRAMES:
            return None
        self.speaking, self._silent_ms, self._loud = True, 0, 0
        began_ms = self._at_ms - ONSET_FRAMES * FRAME_MS - self._vad.prefix_padding_ms
        return Spoke(True, max(began_ms, self._last_ms))

    def _stopped(self, loud: bool) -> Spoke | None:
        self._silent_ms = 0 if loud else self._silent_ms + FRAME_MS
        if self._silent_ms < self._vad.silence_duration_ms:
            return None
        self.speaking, self._last_ms = False, self._at_ms
        return Spoke(False, self._at_ms)
