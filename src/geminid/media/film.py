"""Film, read: what is to be seen and read in it and what is said, in order of time.

For a model with eyes what is seen are frames, for one without it is the text on screen. It knows no
decoder and no model by name.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from geminid.core.content import Look, Resolution
from geminid.media.bounds import Bounds
from geminid.media.faults import Unreadable
from geminid.media.film_text import OnScreen
from geminid.media.frames import TORN, Film, has_pictures, open_film
from geminid.media.reading import Ask, Measures, Passage, Reading, Still
from geminid.media.sniff import sniff
from geminid.media.sound import broken_notes, read_sound
from geminid.media.sound_languages import language_name
from geminid.media.sound_marks import clock, extent, mark
from geminid.media.sound_samples import read_samples
from geminid.media.tools import Tools, Transcript

LOOKED_AT_MAX = 300
"""So many frames are searched for text, spread over the film; it takes up to a second each."""
TEXT_SIDE_MAX = 1280
STILL_SIDES: dict[Resolution | None, int] = {
    None: 448,
    "low": 448,
    "medium": 448,
    "high": 896,
    "ultra_high": 896,
}
JPEG_QUALITY = 85

Part = Passage | Still


class Moment(NamedTuple):
    """A part and when it is; what is seen comes before what is said at the same time."""

    at_ms: int
    said: bool
    part: Part


class _Sound(NamedTuple):
    transcript: Transcript | None
    heard_ms: int
    words: str
    notes: tuple[str, ...]


def read_film(source: Path, ask: Ask, bounds: Bounds, tools: Tools) -> Reading:
    """Return what is seen, read and said in a film, of the asked stretch. Raises Unreadable."""
    with open_film(source) as container:
        if not has_pictures(container):
            return read_sound(source, ask, bounds, tools)
        film = Film(container, ask.look, bounds)
        notes: list[str] = []
        seen = list(_stills(film, ask.look) if ask.eyes else _texts(film, tools, notes))
        if not film.seen_ms:
            raise Unreadable(_nothing(ask.look))
    sound = _heard(source, ask.look, bounds, tools)
    heard = sound.transcript.heard if sound.transcript else ()
    said = [_said(ask.look.start_ms + each.start_ms, each.text) for each in heard]
    moments = sorted([*seen, *said], key=itemgetter(0, 1))
    return Reading(
        kind="video",
        mime_type=sniff(source, ask.mime_type).mime_type,
        parts=(Passage(_about(film, ask, seen, sound), "video"), *_joined(moments)),
        measures=Measures(frames=film.frames, seen_ms=film.seen_ms, heard_ms=sound.heard_ms),
        notes=(*notes, *_film_notes(film), *sound.notes),
    )


def _texts(film: Film, tools: Tools, notes: list[str]) -> Iterator[Moment]:
    screen = OnScreen()
    apart_s = film.asked_s / LOOKED_AT_MAX
    if apart_s > 1 / film.fps:
        notes.append(
            f"text on screen was looked for every {apart_s:.3g} seconds at most, since the film is long"
        )
    for number, frame in enumerate(film.distinct(TEXT_SIDE_MAX, apart_s * 1000)):
        if number >= LOOKED_AT_MAX:
            if number == LOOKED_AT_MAX:
                notes.append(f"text on screen was read in {number} frames, until {clock(frame.at_ms)}")
            continue  # to its end all the same: how long it is must be known
        if news := screen.news(tools.ocr.read(frame.image)):
            words = f"{mark(frame.at_ms)} On screen:{chr(10) if chr(10) in news else ' '}{news}"
            yield Moment(frame.at_ms, False, Passage(words, "video"))


def _stills(film: Film, look: Look) -> Iterator[Moment]:
    for frame in film.distinct(STILL_SIDES[look.resolution]):
        yield Moment(frame.at_ms, False, Passage(mark(frame.at_ms), "video"))
        yield Moment(frame.at_ms, False, Still(_jpeg(frame.image), "video"))


def _jpeg(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.convert("RGB").save(out, "JPEG", quality=JPEG_QUALITY)
    return out.getvalue()


def _heard(source: Path, look: Look, bounds: Bounds, tools: Tools) -> _Sound:
    try:
        sound = read_samples(source, look, bounds)
    except Unreadable as problem:
        return _Sound(None, 0, "Its sound could not be read.", (problem.message,))
    if sound is None or not len(sound.samples):
        return _Sound(None, 0, "It has no sound.", ())
    if tools.speech is None:
        words = "Its sound was not transcribed, since there is no speech model on this server."
        return _Sound(None, sound.length_ms, words, ("the sound was not transcribed: no speech model",))
    transcript = tools.speech.transcribe(sound.samples)
    words = (
        f"Speech in {language_name(transcript.language)}."
        if transcript.heard
        else "No speech was heard in it."
    )
    return _Sound(transcript, sound.length_ms, words, broken_notes(sound))


def _said(at_ms: int, text: str) -> Moment:
    return Moment(at_ms, True, Passage(f"{mark(at_ms)} Said: {text}", "audio"))


def _about(film: Film, ask: Ask, seen: list[Moment], sound: _Sound) -> str:
    width, height = film.size
    stretch = extent(ask.look, film.seen_ms)
    every = f"Looked at {_rate_words(film.fps)}."
    screen = "" if ask.eyes or seen else " No text was seen on screen."
    return f"[Video, {stretch}, {width} x {height} pixels. {every}{screen} {sound.words}]"


def _rate_words(fps: float) -> str:
    if fps >= 1:
        return f"{fps:g} frame{'' if fps == 1 else 's'} a second"
    return f"one frame every {1 / fps:.3g} seconds"


def _film_notes(film: Film) -> Iterator[str]:
    if film.fps < film.asked_fps:
        yield f"the film was looked at {_rate_words(film.fps)}, since it is long"
    if film.broken:
        yield f"{film.broken} broken packets of the film were left out"


def _nothing(look: Look) -> str:
    if look.start_ms:
        return f"The film ends before {clock(look.start_ms)}, where the asked stretch begins."
    return TORN


def _joined(moments: list[Moment]) -> Iterator[Part]:
    """Yield parts in order, neighbouring passages of one kind as one."""
    for (kind, modality), group in groupby(moments, key=_sort_of_part):
        parts: list[Any] = [moment.part for moment in group]
        if kind is Passage:
            yield Passage("\n".join(part.text for part in parts), modality)
        else:
            yield from parts


def _sort_of_part(moment: Moment) -> tuple[type[Part], Any]:
    return type(moment.part), moment.part.modality
