"""The zip that a docx, xlsx or pptx is: opened within bounds, and told from other zips.

It knows no document. Invariant: nothing is unpacked of an archive whose directory says more than the bounds
allow, and never more than it says, so a directory that lies cuts its own parts short.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from geminid.media.bounds import Bounds
from geminid.media.faults import Unreadable

MEMBERS_MAX = 20_000
DIRECTORY_BYTES_MAX = 8 * 1024 * 1024
CHUNK_BYTES = 256 * 1024
ENCRYPTED = 1
"""Bit of a member's flags."""
ENCODING = re.compile(rb"<\?xml[^>]*?encoding\s*=\s*[\"']([^\"']*)")
ENCODINGS = frozenset((b"utf-8", b"utf8", b"us-ascii", b"ascii", b"iso-8859-1", b"windows-1252"))
TYPES = {
    "word/document.xml": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xl/workbook.xml": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "ppt/presentation.xml": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}
FOLDERS = {name.partition("/")[0]: mime_type for name, mime_type in TYPES.items()}
BROKEN = "The file is a broken or truncated zip archive."
FORBIDDEN = tuple(
    mark.encode(encoding)
    for mark in ("<!DOCTYPE", "<!ENTITY")
    for encoding in ("ascii", "utf-16-le", "utf-16-be")
)
"""No program writes them into office files; they make parsers of XML swell or look elsewhere."""
XML_SUFFIXES = (".xml", ".rels", ".vml")


def office_type(source: Path) -> str:
    """Return the type of an office file by the names in it. Raises ``Unreadable`` for any other zip."""
    with opened(source) as archive:
        names = archive.namelist()
        if "[Content_Types].xml" not in names:
            raise Unreadable(_other_zip(archive, names))
        if "xl/workbook.bin" in names:
            raise Unreadable("The file is a binary workbook (.xlsb), which cannot be read: save it as .xlsx.")
        if found := next((TYPES[name] for name in names if name in TYPES), None):
            return found
        folders = {name.partition("/")[0] for name in names if "/" in name}
        found = next((mime_type for folder, mime_type in FOLDERS.items() if folder in folders), None)
        if found is None:
            raise Unreadable(
                "The file is an archive of Office's kind, but no document, workbook or presentation."
            )
        return found


def _other_zip(archive: zipfile.ZipFile, names: list[str]) -> str:
    if "mimetype" in names:
        with archive.open("mimetype") as stream:
            said = stream.read(100)
        if said.startswith(b"application/vnd.oasis.opendocument"):
            return "The file is an OpenDocument file, which cannot be read: save it as .docx, .xlsx or .pptx."
        if said.startswith(b"application/epub"):
            return "The file is an EPUB book, which cannot be read."
    return "The file is a zip archive, which cannot be read: send what is in it file by file."


@contextmanager
def opened(source: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip whose directory is of bounded size. Raises ``Unreadable``."""
    try:
        with source.open("rb") as stream, zipfile.ZipFile(_Guarded(stream)) as archive:
            if len(archive.infolist()) > MEMBERS_MAX:
                raise Unreadable(f"The file is an archive of more than {MEMBERS_MAX:,} files.")
            yield archive
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        raise Unreadable(BROKEN) from error


class _Guarded(io.BufferedIOBase):
    """A file of which nobody reads more at once than a directory may have."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def read(self, size: int | None = -1) -> bytes:
        if size is not None and size > DIRECTORY_BYTES_MAX:
            raise Unreadable("The file is an archive whose directory is too large.")
        return self._stream.read(-1 if size is None else size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True


def check_archive(source: Path, bounds: Bounds) -> None:
    """Make sure that parsers may have a file: bounded, not encrypted, without declarations of entities.

    Afterwards it is enough that a parser reads through ``zipfile``, which gives no more of a part than the
    directory says. Raises ``Unreadable``.
    """
    with opened(source) as archive:
        members = archive.infolist()
        if any(member.flag_bits & ENCRYPTED for member in members):
            raise Unreadable("The file is encrypted with a password.")
        if any(member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for member in members):
            raise Unreadable(BROKEN)
        total = sum(member.file_size for member in members)
        if total > bounds.expanded_bytes_max:
            raise Unreadable(
                f"The file unpacks to {total:,} bytes; at most {bounds.expanded_bytes_max:,} are read."
            )
        for member in members:
            if member.filename.lower().endswith(XML_SUFFIXES) and not member.is_dir():
                _check_part(archive, member)


def _check_part(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    kept = b""
    try:
        with archive.open(member) as part:
            while chunk := part.read(CHUNK_BYTES):
                if not kept:
                    _check_encoding(chunk[:200])
                if any(mark in kept + chunk for mark in FORBIDDEN):
                    raise Unreadable(
                        "The file declares a document type or entities inside, which is not read."
                    )
                kept = chunk[-32:]
    except zlib.error as error:
        raise Unreadable(BROKEN) from error


def _check_encoding(begin: bytes) -> None:
    """Refuse encodings in which a parser would see marks that we do not."""
    if begin.startswith((b"\xff\xfe<", b"\xfe\xff\0<", b"<\0", b"\0<")):
        return
    declared = ENCODING.search(begin)
    plain = begin.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<")
    if not plain or (declared and declared[1].lower() not in ENCODINGS):
        raise Unreadable("A part of the file is no XML, or is in an encoding that office files do not have.")
