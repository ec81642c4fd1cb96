"""What a file is. Its bytes decide; the type that the caller says is a hint.

It reads the beginning of a file, and the directory of a zip; it runs no parser and knows no model.
Invariant: the same bytes with the same type are always the same. What stands at the very beginning counts
before what stands later, so a file that is two things at once is the first of them.

The hint decides whether a container that may hold both (MP4, WebM, Matroska, ASF, Ogg) is listened to or
looked at, which type text is of, and whether text before ``%PDF-`` is the beginning of a PDF. Raw samples
(``audio/l16``) have no header and, without the parameters of their type, no rate: they are refused.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from geminid.media.faults import Unreadable
from geminid.media.office_archive import office_type
from geminid.media.office_old import OLE, old_office
from geminid.media.reading import Kind
from geminid.media.sniff_magic import PDF, PDF_MARK, PDF_MARK_WITHIN, by_signature, foreign
from geminid.media.text_encoding import looks_like_text

HEAD_BYTES = 16 * 1024
OFFICE = "application/vnd.openxmlformats-officedocument."
RAW_SOUND = frozenset(("audio/l16", "audio/l24", "audio/pcm", "audio/raw", "audio/x-raw", "audio/basic"))
SAID: dict[str, Kind] = {
    PDF: "pdf",
    "application/x-pdf": "pdf",
    "application/ogg": "audio",
    "application/mp4": "video",
    "image/svg+xml": "text",
    **dict.fromkeys(
        (
            *("application/json", "application/jsonl", "application/x-ndjson", "application/x-ipynb+json"),
            *("application/xml", "application/xhtml+xml", "application/rtf", "application/csv"),
            *("application/javascript", "application/x-javascript", "application/typescript"),
            *("application/x-typescript", "application/x-python", "application/x-python-code"),
            *("application/yaml", "application/x-yaml", "application/toml"),
        ),
        "text",
    ),
}
"""Families of types whose name does not begin with them; a type in neither says nothing."""
TIMED = ("audio", "video")
BOTH = {
    "video/mp4": "audio/mp4",
    "video/quicktime": "audio/mp4",
    "video/3gpp": "audio/3gpp",
    "video/webm": "audio/webm",
    "video/x-matroska": "audio/x-matroska",
    "video/x-ms-wmv": "audio/x-ms-wma",
    "video/ogg": "audio/ogg",
}
"""Containers of film that may hold sound alone, and what they are then called."""


class Sniffed(msgspec.Struct, frozen=True):
    """What a file is: who reads it, and its type."""

    kind: Kind
    mime_type: str


def sniff(source: Path, mime_type: str) -> Sniffed:
    """Return what a file is. ``mime_type`` is what the caller says, without parameters, empty when unsaid.

    Raises ``Unreadable`` for an empty file, one of no known type, and one whose bytes are those of
    another family than the type.
    """
    with source.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    if not head:
        raise Unreadable("The file is empty.")
    said = _family(mime_type)
    found = _by_bytes(source, head, mime_type)
    if said == "audio" and found.mime_type in BOTH:
        return Sniffed("audio", BOTH[found.mime_type])
    if said not in (None, found.kind) and not (said in TIMED and found.kind in TIMED):
        raise Unreadable(
            f"The type {mime_type} does not fit the file: its bytes are those of {found.mime_type}."
        )
    return found


def _family(mime_type: str) -> Kind | None:
    """Return what a type claims; None when it claims nothing."""
    if known := SAID.get(mime_type):
        return known
    if mime_type.startswith(OFFICE):
        return "office"
    families: tuple[Kind, ...] = ("image", "audio", "video", "text")
    return next((each for each in families if mime_type.startswith(f"{each}/")), None)


def _by_bytes(source: Path, head: bytes, said: str) -> Sniffed:
    if mime_type := by_signature(head):
        return Sniffed(_kind(mime_type), mime_type)
    if head.startswith(b"PK\3\4"):
        return Sniffed("office", office_type(source))
    if head.startswith(OLE):
        raise Unreadable(old_office(source))
    text = looks_like_text(head)
    if (said == PDF or not text) and PDF_MARK in head[:PDF_MARK_WITHIN]:
        return Sniffed("pdf", PDF)
    if not text:
        raise Unreadable(_unknown(head, said))
    return Sniffed("text", said if _family(said) == "text" else _text_type(head))


def _kind(mime_type: str) -> Kind:
    kind = _family(mime_type)
    if kind is None:
        raise AssertionError(mime_type)
    return kind


def _text_type(head: bytes) -> str:
    begin = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1024].lower()
    if begin.startswith((b"<!doctype html", b"<html")):
        return "text/html"
    if begin.startswith(b"<?xml"):
        return "text/html" if b"<html" in begin else "application/xml"
    return "text/plain"


def _unknown(head: bytes, said: str) -> str:
    if said in RAW_SOUND:
        return "Raw samples do not tell their rate and width: send them as WAV."
    if name := foreign(head):
        return f"The file is {name}, which cannot be read."
    if said and said != "application/octet-stream":
        return f"The type {said} does not fit the file: its bytes are of no type that is known here."
    return "The file is of no type that is known here."
