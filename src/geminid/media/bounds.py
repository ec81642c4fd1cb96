"""How much of a medium is read before it is refused. Sizes carry their units; a bound is never zero."""

from __future__ import annotations

import msgspec


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds on one medium.

    pixels_max: of a picture or of one frame of film. pages_max: of a PDF (1,000 on the hosted service).
    duration_ms_max: of the asked stretch of sound or film. frames_max: that are looked at.
    expanded_bytes_max: that an archive (docx, xlsx, pptx) or a compressed stream may unpack to.
    characters_max: of what is read.
    time_ms_max: for reading one medium, after which the process is killed. memory_bytes_max: of a process.
    """

    pixels_max: int = 100_000_000
    pages_max: int = 1_000
    duration_ms_max: int = 2 * 3_600_000
    frames_max: int = 3_600
    expanded_bytes_max: int = 512 * 1024 * 1024
    characters_max: int = 20_000_000
    time_ms_max: int = 600_000
    memory_bytes_max: int = 4 * 1024**3
