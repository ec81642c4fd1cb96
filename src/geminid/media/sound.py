"""Sound, read: what is said in it, with times. It knows no decoder and no speech model by name."""

from __future__ import annotations

from pathlib import Path

from geminid.core.content import Look
from geminid.media.bounds import Bounds
from geminid.media.faults import Unreadable
from geminid.media.reading import Ask, Measures, Passage, Reading
from geminid.media.sniff import sniff
from geminid.media.sound_languages import language_name
from geminid.media.sound_marks import clock, extent, mark
from geminid.media.sound_samples import Sound, read_samples
from geminid.media.tools import Tools, Transcript

NO_MODEL = (
    "The file is sound, and there is no speech model on this server to transcribe it; "
    "its operator can fetch one with: geminid pull whisper-base"
)


def read_sound(source: Path, ask: Ask, bounds: Bounds, tools: Tools) -> Reading:
    """Return the transcript of a sound, of the asked stretch. Raises Unreadable."""
    if tools.speech is None:
        raise Unreadable(NO_MODEL)
    sound = read_samples(source, ask.look, bounds)
    if sound is None:
        raise Unreadable("There is no sound in the file.")
    if not len(sound.samples):
        raise Unreadable(_nothing(ask.look))
    return Reading(
        kind="audio",
        mime_type=sniff(source, ask.mime_type).mime_type,
        parts=(Passage(_words(sound, tools.speech.transcribe(sound.samples), ask.look), "audio"),),
        measures=Measures(heard_ms=sound.length_ms),
        notes=broken_notes(sound),
    )


def broken_notes(sound: Sound) -> tuple[str, ...]:
    """Return what is to be said about packets that were left out."""
    return (f"{sound.broken} broken packets of the sound were left out",) if sound.broken else ()


def _nothing(look: Look) -> str:
    if look.start_ms:
        return f"The sound ends before {clock(look.start_ms)}, where the asked stretch begins."
    return "There is no sound in the file."


def _words(sound: Sound, transcript: Transcript, look: Look) -> str:
    about = f"Audio, {extent(look, sound.length_ms)}"
    if not transcript.heard:
        return f"[{about}. No speech was heard in it.]"
    lines = [f"{mark(look.start_ms + each.start_ms)} {each.text}" for each in transcript.heard]
    return "\n".join([f"[{about}, {language_name(transcript.language)}. Transcript with times:]", *lines])
