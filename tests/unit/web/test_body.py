import gzip

import pytest
from starlette.requests import Request

from geminid.core.errors import InvalidArgument
from geminid.web.body import read_body


async def read(*chunks, bytes_max=100, **headers):
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages.append({"type": "http.request", "body": b"", "more_body": False})
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]

    async def receive():
        return messages.pop(0)

    return await read_body(Request({"type": "http", "headers": raw, "method": "POST"}, receive), bytes_max)


async def test_chunks_are_one_body():
    assert await read(b"a", b"b") == b"ab"


async def test_a_gzip_body_is_unpacked():
    assert await read(gzip.compress(b"hello", mtime=0), content_encoding="gzip") == b"hello"


@pytest.mark.parametrize(
    ("body", "encoding", "message"),
    [
        (b"x" * 101, "identity", "exceeds the limit: 100 bytes"),
        (gzip.compress(b"x" * 1_000_000, mtime=0), "gzip", "exceeds the limit"),
        (b"not gzip", "gzip", "cannot be read"),
        (gzip.compress(b"hello", mtime=0)[:-4], "gzip", "ended early"),
        (b"", "br", "br is not supported"),
    ],
)
async def test_what_is_too_large_or_broken_is_refused(body, encoding, message):
    with pytest.raises(InvalidArgument, match=message):
        await read(body, bytes_max=2000 if encoding == "gzip" else 100, content_encoding=encoding)


async def test_a_client_that_leaves_in_the_middle_is_no_bug():
    async def receive():
        return {"type": "http.disconnect"}

    with pytest.raises(InvalidArgument, match="ended early"):
        await read_body(Request({"type": "http", "headers": [], "method": "POST"}, receive), 10)
