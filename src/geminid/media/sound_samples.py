"""Sound out of a file as samples: mono, float32, 16 kHz, of the asked stretch only.

What a header says about lengths is not believed: real samples are counted. It knows no speech. Invariant:
no more samples are held than the bounds allow, and none of them twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np

from geminid.core.content import Look
from geminid.media.bounds import Bounds
from geminid.media.faults import Unreadable
from geminid.media.sound_marks import clock

RATE = 16_000
GROWN_SAMPLES = 60 * RATE
SEEK_MS = 30_000
"""Stretches that begin earlier are reached by decoding: seeking is inexact in some formats."""
BROKEN_SHARE_MAX = 0.5

GAP_S = 0.3
"""Sound that is missing for longer is silence; less is how some formats tell their times."""
FORMATS = (
    *("wav", "w64", "mp3", "ogg", "flac", "mov", "aac", "aiff", "matroska", "amr", "au", "caf"),
    *("avi", "mpeg", "mpegts", "mpegvideo", "asf", "flv"),
)
OPTIONS = {"protocol_whitelist": "file", "format_whitelist": ",".join(FORMATS)}
"""No playlist is opened: it would make the reader fetch addresses, or read other files of this machine."""


class Sound(NamedTuple):
    """``broken`` counts packets that could not be decoded and were left out."""

    samples: np.ndarray
    broken: int

    @property
    def length_ms(self) -> int:
        return len(self.samples) * 1000 // RATE


def read_samples(source: Path, look: Look, bounds: Bounds) -> Sound | None:
    """Return the sound of a file, None if it has none. Raises Unreadable."""
    try:
        with av.open(str(source), options=OPTIONS, metadata_errors="ignore") as container:
            if not container.streams.audio:
                return None
            return _decoded(container, container.streams.audio[0], look, bounds)
    except (av.FFmpegError, ValueError, OverflowError) as error:
        raise Unreadable("The sound in the file is broken, or of a form that is not supported.") from error


def _decoded(container: Any, stream: Any, look: Look, bounds: Bounds) -> Sound:
    began_s = (container.start_time or 0) / av.time_base
    if look.start_ms >= SEEK_MS:
        container.seek(int((look.start_ms / 1000 + began_s) * av.time_base))
    tape, packets, broken = _Tape(look, bounds), 0, 0
    resampled = _Resampled()
    for packet in _packets(container, stream):
        packets += 1
        try:
            frames = packet.decode()
        except av.InvalidDataError:
            broken += 1
            continue
        for frame in frames:
            tape.expect(frame.samples, frame.sample_rate)
            if frame.time is not None:
                tape.go_to(frame.time - began_s)
            if not tape.add(resampled.of(frame)):
                return Sound(tape.samples(), broken)
    tape.add(resampled.rest())
    if broken and broken > BROKEN_SHARE_MAX * packets:
        raise Unreadable("The sound in the file is broken.")
    return Sound(tape.samples(), broken)


def _packets(container: Any, stream: Any) -> Iterator[Any]:
    """Yield packets until the file ends, whole or torn off."""
    try:
        yield from container.demux(stream)
    except (av.InvalidDataError, av.EOFError):
        return


class _Resampled:
    """Frames to mono samples; a stream may change its own form in the middle."""

    def __init__(self) -> None:
        self._form: tuple[object, ...] = ()
        self._resampler: Any = None

    def of(self, frame: Any) -> np.ndarray:
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        before = np.zeros(0, np.float32)
        if form != self._form:
            before, self._form = self.rest(), form
            self._resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
        frame.pts = None  # gaps are the tape's, the resampler would fill them without bounds
        return np.concatenate([before, *_arrays(self._resampler.resample(frame))])

    def rest(self) -> np.ndarray:
        frames = self._resampler.resample(None) if self._resampler is not None else []
        return np.concatenate([np.zeros(0, np.float32), *_arrays(frames)])


def _arrays(frames: list[Any]) -> list[np.ndarray]:
    return [frame.to_ndarray().reshape(-1) for frame in frames]


class _Tape:
    """Samples of the asked stretch, as they come."""

    def __init__(self, look: Look, bounds: Bounds) -> None:
        self._bound_ms = bounds.duration_ms_max
        self._gap_max = _samples(bounds.duration_ms_max)
        self._start = _samples(look.start_ms)
        self._wanted = None if look.end_ms is None else max(0, _samples(look.end_ms) - self._start)
        self._held = np.zeros(0, np.float32)
        self._count = 0
        self._next: int | None = None

    def go_to(self, position_s: float) -> None:
        """What comes next lies here; where nothing was, there was silence.

        A clock that goes back, or forward beyond all that is read at once, is broken and not followed.
        """
        position = round(position_s * RATE)
        if self._next is None:
            self._next = position if position - self._start <= self._gap_max else 0
        elif GAP_S * RATE < position - self._next <= self._gap_max:
            self._next = position

    def expect(self, count: int, rate: int) -> None:
        """Refuse what would be too long once it has the rate that is wanted: some files say 1 a second."""
        if count * 1000 > self._bound_ms * rate:
            raise Unreadable(self._too_long())

    def add(self, samples: np.ndarray) -> bool:
        """Take samples; False when the stretch is complete."""
        before = self._next or 0
        self._next = before + len(samples)
        samples, first = samples[max(0, self._start - before) :], max(0, before - self._start)
        if self._wanted is not None:
            first = min(first, self._wanted)
            samples = samples[: self._wanted - first]
        self._put(first, samples)
        return self._wanted is None or self._next < self._start + self._wanted

    def _put(self, first: int, samples: np.ndarray) -> None:
        end = first + len(samples)
        if end * 1000 > self._bound_ms * RATE:
            raise Unreadable(self._too_long())
        if end > len(self._held):
            # Grows in place or by moving pages, so that a long sound is never there twice; new room is zero.
            self._held.resize(end + GROWN_SAMPLES, refcheck=False)
        self._held[first:end] = samples
        self._count = end

    def _too_long(self) -> str:
        return f"The sound is longer than {clock(self._bound_ms)}, the most that is read at once."

    def samples(self) -> np.ndarray:
        return self._held[: self._count]


def _samples(time_ms: int) -> int:
    return time_ms * RATE // 1000
