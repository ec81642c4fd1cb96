"""What a file is and how long it lasts, without reading all of it. It knows no model and no text."""

from __future__ import annotations

from pathlib import Path

import av

from geminid.media.bounds import Bounds
from geminid.media.faults import Unreadable
from geminid.media.messages import Probed
from geminid.media.sniff import sniff
from geminid.media.sound_samples import OPTIONS

TIMED = ("audio", "video")


def probe(source: Path, mime_type: str, bounds: Bounds) -> Probed:
    """Return what the file is. Raises ``Unreadable`` for sound and film that cannot even be opened."""
    found = sniff(source, mime_type)
    duration_ms = _duration_ms(source) if found.kind in TIMED else None
    return Probed(found.kind, found.mime_type, duration_ms)


def _duration_ms(source: Path) -> int | None:
    try:
        with av.open(str(source), options=OPTIONS, metadata_errors="ignore") as container:
            if not container.streams.audio and not container.streams.video:
                raise Unreadable("The file has neither sound nor pictures in it.")
            return container.duration // 1000 if container.duration and container.duration > 0 else None
    except (av.FFmpegError, ValueError) as error:
        raise Unreadable("The file cannot be opened as sound or film.") from error
