"""Sound, written down as data: segments and words with their times, one after the other as they are heard.

It knows no decoder and no speech model by name. Invariant: the first event tells how long the sound is, and
the last that it was heard to its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from geminid.core.content import Look
from geminid.core.speech import Listen, Listening, SpeechEvent
from geminid.media.bounds import Bounds
from geminid.media.faults import Unreadable
from geminid.media.sniff import sniff
from geminid.media.sound import NO_MODEL
from geminid.media.sound_samples import read_samples
from geminid.media.tools import Tools

SOUNDING = ("audio", "video")
NO_SOUND = "There is no sound in the file."


def hear(source: Path, mime_type: str, listen: Listen, bounds: Bounds, tools: Tools) -> Iterator[SpeechEvent]:
    """Yield what is said in the sound of a file. Raises Unreadable."""
    if tools.speech is None:
        raise Unreadable(NO_MODEL)
    found = sniff(source, mime_type)
    if found.kind not in SOUNDING:
        raise Unreadable(f"The file is {found.mime_type}, which is neither sound nor film.")
    sound = read_samples(source, Look(), bounds)
    if sound is None or not len(sound.samples):
        raise Unreadable(NO_SOUND)
    yield Listening(sound.length_ms, tools.speech.prompt_tokens(listen))
    yield from tools.speech.listen(sound.samples, listen)
