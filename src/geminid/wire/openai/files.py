"""Files on OpenAI's wire: what is said of a new one, one by one, and in lists.

A file has one id for both wires; each puts a prefix of its own before it. It knows no bytes. Fields and
bounds are those of OpenAI's published reference (openai-python 3.57.0).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec

from geminid.core.file import File, FileState, Wanted
from geminid.wire.openai import refused
from geminid.wire.openai.answers import pretty
from geminid.wire.openai.queries import choice_of, limit_of, number_of
from geminid.wire.openai.refused import Missing, Refused
from geminid.wire.openai.surfaces import SURFACES, Surface

PURPOSES = ("assistants", "batch", "user_data", "vision", "evals")
BATCH = "batch"
GENERATED = "batch_output"
UNSAID = "user_data"
"""What a file is told to be for that came in by a wire on which nobody says."""
NO_TRAINING = "Unsupported value: 'purpose' is 'fine-tune', and this server does not train models."
NAME_CHARACTERS_MAX = 512
LIST_MAX = 10_000
TTL_S_MIN, TTL_S_MAX = 3_600, 2_592_000

_FIELDS = ("purpose", "expires_after[anchor]", "expires_after[seconds]")
_STATUSES: dict[FileState, str] = {"processing": "uploaded", "active": "processed", "failed": "error"}


class Described(NamedTuple):
    """What is said of a new file. ttl_s: how long it shall live; None where nothing was said."""

    purpose: str
    ttl_s: int | None


class Listing(NamedTuple):
    """A page of a list. after: the id of the file that it begins behind, empty for none."""

    wanted: Wanted
    size: int
    after: str


class FileObject(msgspec.Struct, kw_only=True):
    """A file. Times are seconds since 1970."""

    id: str
    object: Literal["file"] = "file"
    bytes: int
    created_at: int
    expires_at: int
    filename: str
    purpose: str
    status: str
    status_details: str | None


class FileList(msgspec.Struct, kw_only=True):
    """Some of a project's files."""

    object: Literal["list"] = "list"
    data: list[FileObject]
    first_id: str | None
    last_id: str | None
    has_more: bool


class FileDeleted(msgspec.Struct, kw_only=True):
    """A file that is gone."""

    id: str
    object: Literal["file"] = "file"
    deleted: bool = True


def read_description(fields: Mapping[str, str]) -> Described:
    """Return what the fields of a form say; raises :class:`~geminid.wire.openai.refused.Refused`."""
    if strangers := [name for name in fields if name not in _FIELDS]:
        raise refused.unrecognized(strangers)
    purpose = fields.get("purpose")
    if purpose is None:
        raise refused.missing("purpose")
    if purpose == "fine-tune":
        raise Refused(NO_TRAINING, "purpose", refused.UNSUPPORTED_VALUE)
    if purpose not in PURPOSES:
        raise refused.wrong_value("purpose", purpose, PURPOSES)
    anchor, seconds = (fields.get(name) for name in _FIELDS[1:])
    if anchor is None and seconds is None:
        return Described(purpose, None)
    if anchor is None or seconds is None:
        raise refused.missing(f"expires_after.{'anchor' if anchor is None else 'seconds'}")
    choice_of("expires_after.anchor", anchor, ("created_at",))
    return Described(purpose, number_of("expires_after.seconds", seconds, TTL_S_MIN, TTL_S_MAX))


def check_name(name: str) -> None:
    """Raise ``Refused`` for a file name that is too long to be kept."""
    if len(name) > NAME_CHARACTERS_MAX:
        raise refused.too_large("filename", "string", "a", len(name), NAME_CHARACTERS_MAX)


def read_list(query: Mapping[str, str]) -> Listing:
    """Return which files are asked for; raises ``Refused``."""
    order = choice_of("order", query.get("order") or "desc", ("asc", "desc"))
    size = limit_of(query.get("limit"), LIST_MAX, LIST_MAX)
    after = query.get("after") or ""
    wanted = msgspec.structs.replace(_wanted(query.get("purpose")), oldest_first=order == "asc")
    return Listing(wanted, size, id_of(after) if after else "")


def id_of(name: str) -> str:
    """Return the id that a client's name of a file means, whichever surface gave it that."""
    prefixes = (surface.file_prefix for surface in SURFACES)
    return next((name.removeprefix(prefix) for prefix in prefixes if name.startswith(prefix)), name)


def name_of(file_id: str, surface: Surface) -> str:
    """Return the name of a file, as clients of a surface have it."""
    return surface.file_prefix + file_id


def unknown(name: str) -> Missing:
    """Return the problem of a file that is not there, or is somebody else's."""
    return Missing(f"No such File object: {name}", "id")


def write_file(file: File, surface: Surface) -> bytes:
    """Return one file."""
    return pretty(_object(file, surface))


def write_list(files: Sequence[File], more: bool, surface: Surface) -> bytes:
    """Return one page. more: whether others follow."""
    data = [_object(file, surface) for file in files]
    first, last = (data[0].id, data[-1].id) if data else (None, None)
    return pretty(FileList(data=data, first_id=first, last_id=last, has_more=more))


def write_deleted(file_id: str, surface: Surface) -> bytes:
    """Return what is said of a file that was deleted."""
    return pretty(FileDeleted(id=name_of(file_id, surface)))


def purpose_of(file: File) -> str:
    """Return what a file is for, as this wire tells it."""
    return file.purpose or (GENERATED if file.source == "generated" else UNSAID)


def _wanted(purpose: str | None) -> Wanted:
    if not purpose:
        return Wanted()
    if purpose == GENERATED:
        return Wanted(source="generated")
    return Wanted(source="uploaded", purposes=(purpose, "") if purpose == UNSAID else (purpose,))


def _object(file: File, surface: Surface) -> FileObject:
    ending = ".jsonl" if file.source == "generated" else ""
    return FileObject(
        id=name_of(file.id, surface),
        bytes=file.size_bytes,
        created_at=file.created_us // 1_000_000,
        expires_at=file.expires_us // 1_000_000,
        filename=file.display_name or f"{file.id}{ending}",
        purpose=purpose_of(file),
        status=_STATUSES[file.state],
        status_details=file.fault or None,
    )
