"""Reading a request's body whole, within bounds. It knows no wire."""

from __future__ import annotations

import asyncio
import zlib

from starlette.requests import ClientDisconnect, Request

from geminid.core.errors import InvalidArgument

GZIP_WBITS = 31


async def read_body(request: Request, bytes_max: int) -> bytes:
    """Return the body, unpacked if it is gzip; raises ``InvalidArgument`` when it is too large or broken.

    ``bytes_max`` bounds both what is received and what it unpacks to.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding == "identity":
        return await _receive(request, bytes_max)
    if encoding == "gzip":
        packed = await _receive(request, bytes_max)
        return await asyncio.to_thread(_unpack, packed, bytes_max)
    raise InvalidArgument(f"Content-Encoding {encoding} is not supported; send identity or gzip.")


async def _receive(request: Request, bytes_max: int) -> bytes:
    chunks, size = [], 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > bytes_max:
                raise _too_large(bytes_max)
            chunks.append(chunk)
    except ClientDisconnect:
        raise InvalidArgument("The request body ended early.") from None
    return b"".join(chunks)


def _unpack(packed: bytes, bytes_max: int) -> bytes:
    unpacker = zlib.decompressobj(GZIP_WBITS)
    try:
        body = unpacker.decompress(packed, bytes_max + 1)
    except zlib.error as error:
        raise InvalidArgument(f"The gzip body cannot be read: {error}") from error
    if len(body) > bytes_max:
        raise _too_large(bytes_max)
    if not unpacker.eof:
        raise InvalidArgument("The gzip body ended early.")
    return body


def _too_large(bytes_max: int) -> InvalidArgument:
    return InvalidArgument(f"Request payload size exceeds the limit: {bytes_max} bytes.")
