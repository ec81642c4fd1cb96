"""A form with one file in it, read as it comes: the file is handed on in pieces, fields stay in memory.

It knows no field but that of the file. Invariant: however large a body is, no more of it is held than its
fields may have together.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from email.message import Message
from typing import NamedTuple

from starlette.requests import ClientDisconnect, Request

from geminid.core.errors import DeadlineExceeded, InvalidArgument
from geminid.wire.multipart import Began, Data, Ended, Event, MultipartReader, boundary_of
from geminid.wire.openai import refused
from geminid.wire.openai.refused import Refused

FIELDS_BYTES_MAX = 64 * 1024
PARTS_MAX = 100
SILENT_S = 60.0
"""A body that brings no byte for so long is given up."""
NO_FORM = "Invalid request: expected a body of the type multipart/form-data."


class Incoming(NamedTuple):
    """A file that is on its way. fields: those that came before it. blocks: its bytes; to be read to the end.

    name, mime_type: as the form says, empty where it does not.
    """

    fields: dict[str, str]
    name: str
    mime_type: str
    blocks: AsyncIterator[bytes]


class _Part(NamedTuple):
    """What the headers of a part say. file_name: None for a field."""

    name: str
    file_name: str | None
    mime_type: str


async def read_form(
    request: Request, file: str, take: Callable[[Incoming], Awaitable[None]], silent_s: float = SILENT_S
) -> dict[str, str]:
    """Read a form to its end and return its fields; ``take`` is given its file, in the field ``file``.

    Raises ``InvalidArgument`` for a body that is no form, has other than one file or ends early, and
    ``DeadlineExceeded`` when the body has stopped coming.
    """
    events = _events(request, silent_s)
    fields: dict[str, str] = {}
    parts, taken = 0, False
    async for event in events:
        if not isinstance(event, Began):
            continue
        part, parts = _placed(_part(event), fields), parts + 1
        if parts > PARTS_MAX:
            raise Refused(f"The form has more than {PARTS_MAX} fields.")
        if part.name in fields or (taken and part.name == file):
            raise Refused(f"The form has more than one field '{part.name}'.", part.name)
        if part.name != file:
            fields[part.name] = await _text(events, fields)
        elif part.file_name is None:
            raise refused.wrong_type(file, "a file", "")
        else:
            taken = True
            await take(Incoming(dict(fields), part.file_name, part.mime_type, _data(events)))
    if not taken:
        raise refused.missing(file)
    return fields


async def _events(request: Request, silent_s: float) -> AsyncIterator[Event]:
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Refused("A form cannot be sent with a Content-Encoding.")
    kind = request.headers.get("content-type", "")
    if not kind.strip().lower().startswith("multipart/form-data"):
        raise Refused(NO_FORM)
    reader = MultipartReader(boundary_of(kind))
    async for block in _blocks(request, silent_s):
        for event in reader.feed(block):
            yield event
    if not reader.complete:
        raise InvalidArgument("The multipart body ended early.")


async def _blocks(request: Request, silent_s: float) -> AsyncIterator[bytes]:
    stream = aiter(request.stream())
    while True:
        try:
            async with asyncio.timeout(silent_s):
                block = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise DeadlineExceeded(f"No byte has come for {silent_s:g} seconds.") from None
        except ClientDisconnect:
            raise InvalidArgument("The request body ended early.") from None
        yield block


def _part(event: Began) -> _Part:
    said = Message()
    said["content-disposition"] = event.headers.get("content-disposition", "")
    name = said.get_param("name", header="content-disposition")
    if not isinstance(name, str) or not name:
        raise Refused("A part of the form has no name.")
    mime_type = event.headers.get("content-type", "").partition(";")[0].strip().lower()
    return _Part(name, said.get_filename(), mime_type)


def _placed(part: _Part, fields: dict[str, str]) -> _Part:
    """Return a part of a list, such as ``include[]``, with its place in the list."""
    if not part.name.endswith("[]"):
        return part
    begin = part.name[:-1]
    return part._replace(name=f"{begin}{sum(name.startswith(begin) for name in fields)}]")


async def _text(events: AsyncIterator[Event], fields: dict[str, str]) -> str:
    held, text = sum(map(len, fields.values())), bytearray()
    async for event in events:
        if isinstance(event, Ended):
            break
        if isinstance(event, Data):
            text += event.data
        if held + len(text) > FIELDS_BYTES_MAX:
            raise Refused(f"The fields of the form have more than {FIELDS_BYTES_MAX} bytes.")
    return text.decode(errors="replace")


async def _data(events: AsyncIterator[Event]) -> AsyncIterator[bytes]:
    async for event in events:
        if isinstance(event, Ended):
            return
        if isinstance(event, Data):
            yield event.data
