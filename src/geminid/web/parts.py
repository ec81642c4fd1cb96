"""A body of two parts: what is said of a file, then the file. It holds the first part only."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from geminid.core.errors import InvalidArgument
from geminid.wire.multipart import Began, Data, Ended, Event, MultipartReader, boundary_of

METADATA_BYTES_MAX = 1024 * 1024
PLAIN_ENCODINGS = ("", "binary", "7bit", "8bit")


async def read_parts(
    headers: Mapping[str, str], blocks: AsyncIterator[bytes]
) -> tuple[bytes, Mapping[str, str], AsyncIterator[bytes]]:
    """Return the first part, the headers of the second, and its bytes as they come.

    Raises ``InvalidArgument``, also while the bytes are read, for a body that has other parts than these
    two or ends early.
    """
    reader = MultipartReader(boundary_of(headers.get("content-type", "")))
    events = _events(reader, blocks)
    await _began(events)
    metadata = bytearray()
    async for event in events:
        if isinstance(event, Ended):
            break
        if isinstance(event, Data):
            metadata += event.data
        if len(metadata) > METADATA_BYTES_MAX:
            raise InvalidArgument("The first part must be the file's metadata, as JSON; it is too large.")
    second = await _began(events)
    encoding = second.headers.get("content-transfer-encoding", "").strip().lower()
    if encoding not in PLAIN_ENCODINGS:
        raise InvalidArgument(f"Content-Transfer-Encoding {encoding} is not supported; send the bytes.")
    return bytes(metadata), second.headers, _data(events)


async def _events(reader: MultipartReader, blocks: AsyncIterator[bytes]) -> AsyncIterator[Event]:
    async for block in blocks:
        for event in reader.feed(block):
            yield event
    if not reader.complete:
        raise InvalidArgument("The multipart body ended early.")


async def _began(events: AsyncIterator[Event]) -> Began:
    async for event in events:
        if isinstance(event, Began):
            return event
    raise InvalidArgument("A multipart upload has two parts: the file's metadata, and its bytes.")


async def _data(events: AsyncIterator[Event]) -> AsyncIterator[bytes]:
    async for event in events:
        if isinstance(event, Data):
            yield event.data
        elif isinstance(event, Began):
            raise InvalidArgument("A multipart upload has two parts; this one has more.")
