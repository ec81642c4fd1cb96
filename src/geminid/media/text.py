"""Text files: in whatever encoding they are, HTML and RTF without their markup, all others as they are.

It knows no model. Invariant: what is not text is refused, never given as rubbish.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

from geminid.media.bounds import Bounds
from geminid.media.faults import Unreadable
from geminid.media.reading import Ask, Passage, Reading
from geminid.media.sniff import sniff
from geminid.media.text_encoding import encoding_of
from geminid.media.tools import Tools

BYTES_OF_A_CHARACTER = 4
HTML = ("text/html", "application/xhtml+xml")
RTF = ("text/rtf", "application/rtf")
RTF_MARK = b"{\\rtf"
TAGS = re.compile(r"<[a-zA-Z!/]")
"""What text that is said to be HTML has, unless it is something else."""
DECLARED = re.compile(
    rb"""(?:<meta[^>]{0,200}?charset|<\?xml[^>]{0,200}?encoding)\s*=\s*["']?\s*([\w-]{1,40})""", re.I
)
DECLARED_WITHIN = 4096
DECODERS = re.compile(r"(windows|cp|iso|latin|koi|mac|shift|sjis|euc|gb|big5|hz)", re.I)
"""Python has others, such as its own escapes, that no page is in."""
WRONG_SHARE_MAX = 0.2
"""UTF-8 with so many broken characters among those that are not ASCII is another encoding."""
NOT_TEXT = "The file is not text: there are bytes in it that are of no character."


class Decoded(NamedTuple):
    """Text, and how many bytes of it were of no character."""

    text: str
    broken: int


def read_text(source: Path, ask: Ask, bounds: Bounds, tools: Tools) -> Reading:
    """Read a text file. Raises ``Unreadable``."""
    found = sniff(source, ask.mime_type)
    size_bytes = source.stat().st_size
    if size_bytes > bounds.characters_max * BYTES_OF_A_CHARACTER:
        raise Unreadable(
            f"The text has {size_bytes:,} bytes; at most {bounds.characters_max:,} characters are read."
        )
    content = source.read_bytes()
    if content.startswith(RTF_MARK):
        return _reading("text/rtf", _from_rtf(content), [])
    decoded = decode(content, declared=found.mime_type in HTML or content.lstrip().startswith(b"<?xml"))
    notes = [f"{decoded.broken} bytes are of no character"] if decoded.broken else []
    text = decoded.text
    if found.mime_type in HTML and TAGS.search(text):
        from geminid.media.text_html import markdown_of

        text, lost = markdown_of(text)
        notes += lost
    return _reading(found.mime_type, text, notes)


def _reading(mime_type: str, text: str, notes: list[str]) -> Reading:
    return Reading(kind="text", mime_type=mime_type, parts=(Passage(text, "text"),), notes=tuple(notes))


def decode(content: bytes, *, declared: bool = False) -> Decoded:
    """Return bytes as text; ``declared`` believes what HTML or XML say of their encoding.

    Raises ``Unreadable`` for what is not text.
    """
    encoding = (_declared(content) if declared else None) or encoding_of(content)
    broken = 0
    if encoding not in ("utf-8", "utf-8-sig") and (nearly := _nearly_utf8(content)):
        text, broken = nearly
    elif encoding is None:
        raise Unreadable(NOT_TEXT)
    else:
        text = content.decode(encoding)
    if "\0" in text:
        raise Unreadable(NOT_TEXT)
    return Decoded(text, broken)


def _declared(content: bytes) -> str | None:
    found = DECLARED.search(content[:DECLARED_WITHIN])
    name = found[1].decode("ascii", "replace") if found else ""
    if not DECODERS.match(name) or (encoding_of(content) or "").startswith("utf-"):
        return None
    try:
        content.decode(name)
    except (UnicodeError, LookupError):
        return None
    return name


def _nearly_utf8(content: bytes) -> Decoded | None:
    """Return UTF-8 with a few broken characters, as logs that were cut have them."""
    text = content.decode("utf-8-sig", "replace")
    beyond = sum(c > "\x7f" for c in text)
    broken = text.count("\ufffd")
    return Decoded(text, broken) if broken and broken <= WRONG_SHARE_MAX * beyond else None


def _from_rtf(content: bytes) -> str:
    from striprtf.striprtf import rtf_to_text

    convert: Any = rtf_to_text
    try:
        text = str(convert(content.decode("latin-1"), encoding="cp1252", errors="replace"))
    except (ValueError, OverflowError, IndexError, KeyError) as error:
        raise Unreadable("The RTF file is broken.") from error
    # Characters beyond U+FFFF stand in RTF as two halves.
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "").strip()
