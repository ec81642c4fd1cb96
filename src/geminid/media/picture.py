"""Pictures: given as they are to a model with eyes, told in words to one without.

It knows no format and no model of its own. Invariant: what is not there is said ("no text"), so that
a model does not invent it.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from geminid.media.bounds import Bounds
from geminid.media.codes import Code, codes
from geminid.media.colours import colours, in_words
from geminid.media.picture_file import PAGES_MAX, Pictures, open_pictures, still
from geminid.media.reading import Ask, Measures, Passage, Reading, Still
from geminid.media.tools import Tools


def read_picture(source: Path, ask: Ask, bounds: Bounds, tools: Tools) -> Reading:
    """Read a picture file. Raises ``Unreadable``."""
    found = open_pictures(source, bounds)
    parts: tuple[Passage | Still, ...]
    if ask.eyes:
        parts = tuple(still(page, ask.look.resolution) for page in found.pages)
    else:
        parts = (Passage(_told(found, tools), "image"),)
    return Reading(
        kind="image", mime_type=found.mime_type, parts=parts, measures=Measures(images=1), notes=_notes(found)
    )


def _told(found: Pictures, tools: Tools) -> str:
    several = len(found.pages) > 1
    return "\n\n".join(
        describe(page, f"Image, page {number} of {found.frames}" if several else "Image", tools)
        for number, page in enumerate(found.pages, 1)
    )


def describe(image: Image.Image, title: str, tools: Tools) -> str:
    """Return what can be read of a picture: size, colours, codes, text."""
    head = f"{title}, {image.width}×{image.height} pixels; colours: {in_words(colours(image))}"
    text = tools.ocr.read(image)
    said = [_code(code) for code in codes(image)]
    if not text:
        return "\n".join([f"[{head}. No text in it.]", *said])
    return "\n".join([f"[{head}. Text in it:]", text, *said])


def _code(code: Code) -> str:
    return f"[{code.kind} in the image says: {code.text}]"


def _notes(found: Pictures) -> tuple[str, ...]:
    if len(found.pages) == found.frames:
        return ()
    if len(found.pages) == PAGES_MAX:
        return (f"of {found.frames} pages, {PAGES_MAX} were read",)
    return (f"of {found.frames} frames, the first was read",)
