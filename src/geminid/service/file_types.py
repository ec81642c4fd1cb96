"""What type a file is taken for when the caller does not say: by its name, else by its first bytes.

A guess for the file's resource; what can be read of the file is decided when it is read.
"""

from __future__ import annotations

import mimetypes

UNKNOWN = "application/octet-stream"
PLAIN = "text/plain"

_BY_NAME = mimetypes.MimeTypes()  # its own table, not the machine's
for _extension, _type in {
    ".csv": "text/csv",
    ".flac": "audio/flac",
    ".heic": "image/heic",
    ".jsonl": "application/jsonl",
    ".m4a": "audio/mp4",
    ".md": "text/markdown",
    ".mkv": "video/x-matroska",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".rtf": "application/rtf",
    ".toml": "application/toml",
    ".wav": "audio/wav",
    ".webp": "image/webp",
    ".wmv": "video/x-ms-wmv",
    ".yaml": "application/yaml",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}.items():
    _BY_NAME.add_type(_type, _extension)

_BY_BYTES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"%PDF-", "application/pdf"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF8", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (8, b"WAVE", "audio/wav"),
    (8, b"AVI ", "video/x-msvideo"),
    (0, b"fLaC", "audio/flac"),
    (0, b"OggS", "audio/ogg"),
    (0, b"ID3", "audio/mpeg"),
    (4, b"ftypheic", "image/heic"),
    (4, b"ftypM4A", "audio/mp4"),
    (4, b"ftypqt", "video/quicktime"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1aE\xdf\xa3", "video/webm"),
    (0, b"{\\rtf", "application/rtf"),
)
"""Where which bytes stand, and what they mean. The first row that fits counts."""


def guess(said: str, file_name: str, head: bytes) -> str:
    """Return what the caller said if that tells anything, else a guess. ``head`` is how the file begins."""
    if said and said != UNKNOWN:
        return said
    by_name, encoding = _BY_NAME.guess_type(file_name, strict=False)
    if by_name and not encoding:
        return by_name
    return next((type_ for at, magic, type_ in _BY_BYTES if head.startswith(magic, at)), _text(head))


def _text(head: bytes) -> str:
    """Tell text from other bytes; the last character may be cut."""
    try:
        head.decode()
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3 or error.reason != "unexpected end of data":
            return UNKNOWN
    return UNKNOWN if b"\0" in head else PLAIN
