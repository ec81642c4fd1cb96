"""What media cost on the hosted service, in tokens: for callers who budget by Google's published figures.

Figures are those of Gemini 3 (media resolution, PDF pages) and of the 2.x documentation for sound, which
3.x has not changed: 1,120 an image, 560 a PDF page, 70 a frame of film, 32 a second of sound, and less or
more by resolution. Native text of a PDF costs nothing there. Only ``google_tokens`` is public.
"""

from __future__ import annotations

from collections.abc import Mapping

from geminid.core.content import Modality, Resolution
from geminid.media.reading import Measures

IMAGE: Mapping[Resolution | None, int] = {
    None: 1120,
    "low": 280,
    "medium": 560,
    "high": 1120,
    "ultra_high": 2240,
}
FRAME: Mapping[Resolution | None, int] = {None: 70, "low": 70, "medium": 70, "high": 280, "ultra_high": 280}
PAGE: Mapping[Resolution | None, int] = {
    None: 560,
    "low": 280,
    "medium": 560,
    "high": 1120,
    "ultra_high": 1120,
}
SOUND_PER_SECOND = 32


def google_tokens(measures: Measures, resolution: Resolution | None) -> dict[Modality, int]:
    """Return the tokens of one medium by modality; pages of a PDF count as images there."""
    figures: dict[Modality, int] = {
        "image": measures.images * IMAGE[resolution] + measures.pages * PAGE[resolution],
        "video": measures.frames * FRAME[resolution],
        "audio": -(-measures.heard_ms * SOUND_PER_SECOND // 1000),
    }
    return {modality: tokens for modality, tokens in figures.items() if tokens}
