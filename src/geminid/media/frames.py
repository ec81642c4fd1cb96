"""Frames out of a film: at the asked rate, upright, of bounded size, near-identical ones dropped.

What a header says about lengths is a hint for the rate, never a bound. It knows no text and no sound.
Invariant: a frame is never decoded if it has more pixels than the bounds allow.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from av.stream import Disposition
from PIL import Image

from geminid.core.content import Look
from geminid.media.bounds import Bounds
from geminid.media.faults import Unreadable
from geminid.media.sound_marks import clock
from geminid.media.sound_samples import OPTIONS

FPS = 1.0
SEEK_STEP_S = 5.0
"""Frames that lie further apart are sought instead of decoding all between."""
SIGHT = (64, 64)
SAME_LEVELS = 14
"""Frames whose brightness differs by less than this in each of 64 × 64 fields are near-identical."""
TORN = "The film is broken, or of a form that is not supported."


class Frame(NamedTuple):
    """A frame that differs from the one before; ``at_ms`` counts from the film's beginning."""

    at_ms: int
    image: Image.Image


class Film:
    """An opened film. ``seen_ms`` and ``broken`` grow while its frames are read."""

    def __init__(self, container: Any, look: Look, bounds: Bounds) -> None:
        self._container = container
        self._stream = _picture_stream(container)
        self._look = look
        self._bounds = bounds
        self._began_s = (container.start_time or 0) / av.time_base
        self._guard()
        self.seen_ms = 0
        self.broken = 0
        self.asked_fps = look.fps if look.fps and look.fps > 0 else FPS
        self.fps = self._rate()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as coded."""
        return self._stream.codec_context.width, self._stream.codec_context.height

    @property
    def frames(self) -> int:
        """How many frames at the rate lie in what was seen."""
        return max(1, math.ceil(self.seen_ms * self.fps / 1000 - 0.01)) if self.seen_ms else 0

    def distinct(self, side_max: int, apart_ms: float = 0) -> Iterator[Frame]:
        """Yield frames at the rate that differ, scaled down to ``side_max``. Raises Unreadable.

        They lie at least ``apart_ms`` apart: a change that comes sooner is seen when that is over, if it is
        still there.
        """
        last, last_ms = None, -math.inf
        try:
            for at_ms, frame in self._sampled():
                if at_ms - last_ms < apart_ms:
                    continue
                sight = _sight(frame)
                if last is None or np.abs(sight - last).max() >= SAME_LEVELS:
                    last, last_ms = sight, at_ms
                    yield Frame(at_ms, _upright(frame, side_max))
        except (av.FFmpegError, ValueError, OverflowError) as error:
            raise Unreadable(TORN) from error

    def _guard(self) -> None:
        width, height = self.size
        if width * height > self._bounds.pixels_max:
            raise Unreadable(
                f"The film has frames of {width} x {height} pixels; "
                f"frames of at most {self._bounds.pixels_max} pixels are read."
            )
        context = self._stream.codec_context
        context.options = {"max_pixels": str(self._bounds.pixels_max)}  # a film may grow on its way
        context.thread_type = "AUTO"
        context.thread_count = 2

    @property
    def asked_s(self) -> float:
        """How long the asked stretch is by the header; 0 when it does not tell."""
        length_s = (self._container.duration or 0) / av.time_base
        end_s = length_s if self._look.end_ms is None else min(length_s, self._look.end_ms / 1000)
        return max(end_s - self._look.start_ms / 1000, 0)

    def _rate(self) -> float:
        """Return the asked rate, or a lower one at which the bound on frames holds."""
        return min(self.asked_fps, self._bounds.frames_max / self.asked_s) if self.asked_s else self.asked_fps

    def _sampled(self) -> Iterator[tuple[int, Any]]:
        """Yield the first frame at or after each moment of the rate."""
        step_s, count = 1 / self.fps, 0
        start_s, end_s = self._look.start_ms / 1000, self._end_s()
        for at_s, frame in self._placed(start_s, step_s):
            if at_s >= end_s or count >= self._bounds.frames_max:
                break
            self._saw(at_s, frame)
            if at_s + 0.001 < start_s + count * step_s:
                continue
            count = int((at_s - start_s) / step_s + 0.001) + 1
            self._wanted_s = start_s + count * step_s
            yield round(at_s * 1000), frame

    def _end_s(self) -> float:
        return math.inf if self._look.end_ms is None else self._look.end_ms / 1000

    def _saw(self, at_s: float, frame: Any) -> None:
        """Count what has been seen; the last frame lasts as long as it says, at most a second."""
        lasts_s = min(float((frame.duration or 0) * (frame.time_base or 0)), 1.0)
        until_ms = round((min(at_s + lasts_s, self._end_s())) * 1000)
        self.seen_ms = max(self.seen_ms, until_ms - self._look.start_ms)
        if self.seen_ms > self._bounds.duration_ms_max:
            longest = clock(self._bounds.duration_ms_max)
            raise Unreadable(f"The film is longer than {longest}, the most that is looked at at once.")

    def _placed(self, start_s: float, step_s: float) -> Iterator[tuple[float, Any]]:
        """Yield decoded frames with their places in seconds, not before ``start_s``."""
        self._wanted_s = start_s
        if start_s > 0:
            self._seek(start_s)
        frames, before_s, sought_s = self._decoded(), -math.inf, -math.inf
        leaping = step_s >= SEEK_STEP_S
        while (frame := next(frames, None)) is not None:
            at_s = frame.time - self._began_s if frame.time is not None else max(before_s, 0.0)
            leaping = leaping and at_s > before_s - step_s  # seeking that goes back would never end
            before_s = max(at_s, before_s)
            if at_s + 0.001 >= start_s:
                yield at_s, frame
                # From one place it is sought once: with a frame a day it would lead back there for ever.
                if leaping and self._wanted_s - at_s >= SEEK_STEP_S and at_s > sought_s:
                    sought_s = at_s
                    self._seek(self._wanted_s)
                    frames = self._decoded()

    def _seek(self, at_s: float) -> None:
        self._container.seek(int((at_s + self._began_s) * av.time_base))

    def _decoded(self) -> Iterator[Any]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except (StopIteration, av.InvalidDataError, av.EOFError):
                return
            try:
                yield from packet.decode()
            except av.InvalidDataError:
                self.broken += 1


def has_pictures(container: Any) -> bool:
    """Return whether there is a film in it; the cover of a record is none."""
    return any(not stream.disposition & Disposition.attached_pic for stream in container.streams.video)


def _picture_stream(container: Any) -> Any:
    return next(
        stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic
    )


def open_film(source: Path) -> Any:
    """Open a file as film. Raises Unreadable."""
    try:
        return av.open(str(source), options=OPTIONS, metadata_errors="ignore")
    except (av.FFmpegError, ValueError) as error:
        raise Unreadable(TORN) from error


def _sight(frame: Any) -> np.ndarray:
    width, height = SIGHT
    # Area averaging: letters that change must be seen in the fields they lie in.
    small = frame.reformat(width=width, height=height, format="gray", interpolation="AREA")
    sight: np.ndarray = small.to_ndarray().astype(np.int16)
    return sight


def _upright(frame: Any, side_max: int) -> Image.Image:
    shrink = min(1.0, side_max / max(frame.width, frame.height))
    width, height = max(1, round(frame.width * shrink)), max(1, round(frame.height * shrink))
    image: Image.Image = frame.to_image(width=width, height=height, interpolation="AREA")
    return image.rotate(frame.rotation, expand=True) if frame.rotation else image
