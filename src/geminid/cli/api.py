"""A client of a running server, for commands that work with what only a server has.

It speaks the API that everybody speaks, so a command works with a server on this machine or on another. The
HTTP library is imported with the first request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import msgspec

from geminid.core.errors import Problem, Unavailable

VERSION = "v1beta"
TIMEOUT_S = 60.0
BLOCK_BYTES = 1024 * 1024

Told = Callable[[int], None]
"""Takes how many bytes have passed so far."""


class Reply(NamedTuple):
    """What a server said: its body as plain values, its headers in lower case."""

    value: Any
    headers: Mapping[str, str]


class Api:
    """One server, and the key that it is asked with; an empty one is not sent."""

    def __init__(self, url: str, key: str = "") -> None:
        self._url = url.rstrip("/")
        self._headers = {"x-goog-api-key": key} if key else {}

    def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Reply:
        """Return the answer to a request; raises a ``Problem`` in the server's words."""
        content = None if body is None else msgspec.json.encode(body)
        with self._answer(method, self._at(path, query), {}, content) as response:
            return Reply(_decoded(response.read()), _headers(response))

    def upload(self, path: Path, mime_type: str, told: Told) -> str:
        """Send a file; return its name, ``files/…``. Raises ``OSError`` like files do, and a ``Problem``."""
        headers = {
            "x-goog-upload-protocol": "raw",
            "x-goog-upload-file-name": "".join(filter(str.isprintable, path.name)),
            "content-type": mime_type,
            "content-length": str(path.stat().st_size),
        }
        url = f"{self._url}/upload/{VERSION}/files"
        with self._answer("POST", url, headers, _blocks(path, told)) as response:
            return str(_decoded(response.read())["file"]["name"])

    def download(self, name: str) -> Iterator[bytes]:
        """Yield the bytes of a file, ``files/…``, as they come."""
        url = self._at(f"{name}:download", {"alt": "media"})
        with self._answer("GET", url, {}, None) as response:
            yield from response.iter_stream()

    def _at(self, path: str, query: Mapping[str, str] | None) -> str:
        return f"{self._url}/{VERSION}/{path}" + (f"?{urlencode(query)}" if query else "")

    @contextmanager
    def _answer(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | Iterator[bytes] | None
    ) -> Iterator[Any]:
        import httpcore2

        timeout = dict.fromkeys(("connect", "read", "write", "pool"), TIMEOUT_S)
        named = {"content-type": "application/json", **self._headers, **headers}
        sent = [(name.encode(), value.encode()) for name, value in named.items()]
        try:
            with (
                httpcore2.ConnectionPool() as pool,
                pool.stream(
                    method, url, headers=sent, content=content, extensions={"timeout": timeout}
                ) as response,
            ):
                if response.status != 200:
                    raise _problem(response.read(), response.status)
                yield response
        except httpcore2.UnsupportedProtocol as error:
            raise Unavailable(f"{self._url} is no address of a server, such as http://host:8080.") from error
        except (httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError) as error:
            raise Unavailable(
                f"No server answers at {self._url}.\nhint: geminid serve starts one, --url names another"
            ) from error


def _blocks(path: Path, told: Told) -> Iterator[bytes]:
    passed = 0
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            yield block
            passed += len(block)
            told(passed)


def _headers(response: Any) -> dict[str, str]:
    return {name.decode().lower(): value.decode("latin-1") for name, value in response.headers}


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise Problem("What answers there does not speak this API.") from error


def _problem(body: bytes, status: int) -> Problem:
    try:
        return Problem(str(msgspec.json.decode(body)["error"]["message"]))
    except (msgspec.DecodeError, KeyError, TypeError):
        return Problem(f"The server answered with status {status}.")
