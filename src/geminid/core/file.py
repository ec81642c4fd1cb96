"""Uploaded files as values: what is known of one, and what a caller wants of a new one.

They know no bytes, no address and no spelling of any wire. Times are microseconds since 1970, UTC.
"""

from __future__ import annotations

from typing import Literal

import msgspec

FileState = Literal["processing", "active", "failed"]
FileSource = Literal["uploaded", "generated"]
"""Where a file comes from: a caller, or a batch that has ended."""


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a project. ``id`` is its name without ``files/``, unique within the project.

    ``duration_ms`` is known of sound and film that were looked into; ``fault`` says why a file has failed.
    ``purpose``: what the caller said it is for, in the words of his wire; empty where nothing was said.
    """

    project: str
    id: str
    display_name: str = ""
    mime_type: str
    size_bytes: int
    sha256_hex: str
    created_us: int
    updated_us: int
    expires_us: int
    state: FileState = "active"
    duration_ms: int | None = None
    fault: str = ""
    source: FileSource = "uploaded"
    purpose: str = ""


class NewFile(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller says of a file before its bytes come; what is empty or None was not said.

    ``file_name`` is what the file is called where it comes from. ``ttl_s``: how long it shall live, which may
    be less than files live here, not more.
    """

    id: str = ""
    display_name: str = ""
    mime_type: str = ""
    file_name: str = ""
    size_bytes: int | None = None
    purpose: str = ""
    ttl_s: int | None = None


class Place(msgspec.Struct, frozen=True):
    """Where a page of a list ended: the last file on it, by creation and id."""

    created_us: int
    id: str


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which of a project's files are listed, and in which order. source, purposes: None is any."""

    source: FileSource | None = None
    purposes: tuple[str, ...] | None = None
    oldest_first: bool = False
