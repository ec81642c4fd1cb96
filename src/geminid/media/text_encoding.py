"""Which encoding text is in: told by its mark, else by what it can be decoded as.

It knows no format. Invariant: what it names decodes the bytes that it was shown. UTF-8 is tried first, UTF-16
and UTF-32 are known by where their zeros are, encodings of one byte by their letters, all others by
charset-normalizer.
"""

from __future__ import annotations

import codecs
import re

from geminid.media.text_letters import letters_encoding

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""In this order: the mark of UTF-32-LE begins with that of UTF-16-LE."""
SAMPLE_BYTES = 64 * 1024
CONTROL_SHARE_MAX = 0.002
"""Text has some, such as the colours of a terminal's log; binary has one of eight."""
CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
WIDE = (("utf-32-le", 4, 0), ("utf-32-be", 4, 3), ("utf-16-le", 2, 0), ("utf-16-be", 2, 1))
"""Encoding, bytes of a character, and which of them holds an ASCII letter."""
WIDE_SHARE_MIN = 0.2
JAPANESE_MAIL = re.compile(rb"\x1b(?:\$[@B]|\([BJ])")


def looks_like_text(head: bytes) -> bool:
    """Whether a file that begins so is text. Its last character may be cut."""
    if any(head.startswith(mark) for mark, _ in MARKS) or _wide(head):
        return True
    return b"\0" not in head and len(CONTROLS.findall(head)) <= CONTROL_SHARE_MAX * len(head)


def encoding_of(content: bytes) -> str | None:
    """Return the Python name of the encoding that whole text is in; None when it is in none."""
    marked = next((encoding for mark, encoding in MARKS if content.startswith(mark)), None)
    if marked or (marked := _wide(content[:SAMPLE_BYTES])):
        return marked if _decodes(content, marked) else None
    if _decodes(content, "utf-8"):
        return "iso2022_jp_ext" if _is_japanese_mail(content) else "utf-8"
    sample = _telling(content)
    return next((found for found in _candidates(sample) if _decodes(content, found)), None)


def _is_japanese_mail(content: bytes) -> bool:
    return b"\x1b$" in content and bool(JAPANESE_MAIL.search(content)) and _decodes(content, "iso2022_jp_ext")


def _candidates(sample: bytes) -> list[str]:
    if known := letters_encoding(sample):
        return [known]
    from charset_normalizer import from_bytes

    return [match.encoding for match in from_bytes(sample)]


def _telling(content: bytes) -> bytes:
    """Return lines that are not ASCII alone, as many as it takes: they alone tell encodings apart."""
    lines, size = [], 0
    for line in re.finditer(rb"[^\n]*[\x80-\xff][^\n]*\n?", content):
        lines.append(line[0])
        size += len(line[0])
        if size >= SAMPLE_BYTES:
            break
    return b"".join(lines)[: 2 * SAMPLE_BYTES]


def _wide(content: bytes) -> str | None:
    """Return which of UTF-16 and UTF-32 text without a mark is in, by the zeros around its ASCII."""
    whole = content[: len(content) // 4 * 4] if len(content) > 3 else content[: len(content) // 2 * 2]
    for encoding, width, place in WIDE:
        if len(whole) < width:
            continue
        units = [whole[at : at + width] for at in range(0, len(whole), width)]
        plain = sum(0 < unit[place] < 128 and unit.count(0) == width - 1 for unit in units)
        if (
            plain >= WIDE_SHARE_MIN * len(units)
            and b"\0" * width not in units
            and _printable(whole, encoding)
        ):
            return encoding
    return None


def _printable(content: bytes, encoding: str) -> bool:
    text = codecs.getincrementaldecoder(encoding)("replace").decode(content)
    odd = sum(c == "\ufffd" or (c < " " and c not in "\t\r\n\f\x1b") for c in text)
    return odd <= CONTROL_SHARE_MAX * len(text)


def _decodes(content: bytes, encoding: str) -> bool:
    try:
        content.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return False
    return True
