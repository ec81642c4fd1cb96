"""Find the bytes that a reference means: an uploaded file, an address, or a file of this machine.

It knows no parser. Invariant: what was fetched is gone when its context ends.
"""

from __future__ import annotations

import asyncio
import hashlib
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from geminid.core.content import FileRef
from geminid.core.errors import InvalidArgument
from geminid.fetch.fetcher import Fetcher
from geminid.service.files import Files, is_file_uri
from geminid.service.resolve import Located

VIDEO_SITES = ("youtube.com", "youtu.be")
NO_VIDEO_SITE = "Films of YouTube cannot be fetched by this server; upload the film as a file."
NO_BUCKET = "Cloud Storage objects cannot be read by this server; upload the file instead."
NO_FETCHING = "This server does not fetch addresses; upload the file instead."


class Locator:
    """Opens references of one project's requests. ``fetcher`` None fetches nothing.

    local: whether ``file:`` references mean files of this machine, as on the command line.
    """

    def __init__(
        self,
        files: Files | None,
        fetcher: Fetcher | None,
        incoming: Path,
        new_id: Callable[[], str],
        *,
        local: bool = False,
    ) -> None:
        self._files = files
        self._fetcher = fetcher
        self._incoming = incoming
        self._new_id = new_id
        self._local = local

    @asynccontextmanager
    async def open(self, ref: FileRef, project: str) -> AsyncIterator[Located]:
        """Have the file of a reference as long as the context lasts."""
        scheme, host = _parts(ref.uri)
        if self._local and scheme == "file":
            yield await local_file(Path(ref.uri.removeprefix("file://")))
        elif self._files is not None and is_file_uri(ref.uri):
            stored = await self._files.find(project, ref.uri)
            yield Located(stored.path, stored.sha256_hex, stored.mime_type)
        else:
            self._check(scheme, host)
            async with self._fetched(ref.uri) as located:
                yield located

    @asynccontextmanager
    async def _fetched(self, uri: str) -> AsyncIterator[Located]:
        assert self._fetcher is not None
        path = self._incoming / self._new_id()
        try:
            fetched = await self._fetcher.fetch(uri, path)
            yield Located(path, fetched.sha256, fetched.mime_type)
        finally:
            path.unlink(missing_ok=True)

    def _check(self, scheme: str, host: str) -> None:
        if scheme == "gs":
            raise InvalidArgument(NO_BUCKET)
        if host.removeprefix("www.").removeprefix("m.") in VIDEO_SITES:
            raise InvalidArgument(NO_VIDEO_SITE)
        if scheme not in ("http", "https"):
            raise InvalidArgument("The address is neither a file of this server nor an http(s) URL.")
        if self._fetcher is None:
            raise InvalidArgument(NO_FETCHING)


def _parts(uri: str) -> tuple[str, str]:
    """Return scheme and host of an address, lower case; empty when there are none."""
    try:
        split = urlsplit(uri)
        return split.scheme.lower(), (split.hostname or "").lower()
    except ValueError:
        return "", ""


async def local_file(path: Path) -> Located:
    """Return a file of this machine; raises ``InvalidArgument`` for what is none or cannot be read."""

    def digest() -> str:
        if not stat.S_ISREG(path.stat().st_mode):
            raise InvalidArgument("It is not a file; save what a pipe or a device gives in one first.")
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    try:
        return Located(path, await asyncio.to_thread(digest), "")
    except OSError as error:
        raise InvalidArgument(f"It cannot be read: {error.strerror}.") from error
