"""What is in cached contents: encoded for the store, decoded once, and put before the turns of a request.

The media in them were read when they were made, so nothing in here refers to a file. It knows no database and
no money. Invariant: what comes out is what went in, whatever became of the files that were read.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

import msgspec

from geminid.core.content import Modality, Text, Turn
from geminid.core.errors import Internal
from geminid.core.request import CallMode, GenerateRequest, Tier, Tool
from geminid.core.usage import added
from geminid.service.resolve import Resolved
from geminid.store.caches import CacheRow

REMEMBERED_BYTES_MAX = 256 * 1024 * 1024
"""Encoded contents that are kept decoded in memory; what is more is read and decoded when it is used."""


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """The beginning of a conversation. Fields are only ever added, with a default: old rows stay readable.

    figures: how its media are counted by the hosted service's figures; None where they are not.
    """

    turns: tuple[Turn, ...] = ()
    system: tuple[Text, ...] = ()
    tools: tuple[Tool, ...] = ()
    call_mode: CallMode = "auto"
    figures: dict[Modality, int] | None = None

    def request(self, model: str, project: str = "", tier: Tier = "standard") -> GenerateRequest:
        """Return the request that has these contents and nothing else."""
        return GenerateRequest(
            model=model,
            turns=self.turns,
            system=self.system,
            tools=self.tools,
            call_mode=self.call_mode,
            project=project,
            tier=tier,
        )


class CachedContents(msgspec.Struct, frozen=True):
    """Cached contents that a request may use: what is known of them, and what is in them."""

    row: CacheRow
    contents: Contents

    def before(self, resolved: Resolved) -> Resolved:
        """Return a request, its media read, with these contents before its own."""
        contents, request = self.contents, resolved.request
        joined = msgspec.structs.replace(
            request,
            turns=contents.turns + request.turns,
            system=contents.system,
            tools=contents.tools,
            call_mode=contents.call_mode,
            cached_content="",
            prefix=self.row.id,
        )
        figures: Mapping[Modality, int] | None = resolved.figures
        if figures is not None or contents.figures is not None:
            figures = added(contents.figures or {}, figures or {})
        return Resolved(request=joined, figures=figures, cached_figures=contents.figures)


def contents_of(resolved: Resolved) -> Contents:
    """Return what is to be cached of a request whose media were read."""
    request = resolved.request
    return Contents(
        turns=request.turns,
        system=request.system,
        tools=request.tools,
        call_mode=request.call_mode,
        figures=None if resolved.figures is None else dict(resolved.figures),
    )


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Contents)


def encode(contents: Contents) -> bytes:
    """Return the bytes that a row holds."""
    return _ENCODER.encode(contents)


def decode(data: bytes) -> Contents:
    """Return the contents that :func:`encode` wrote; raises ``Internal`` for anything else."""
    try:
        return _DECODER.decode(data)
    except msgspec.DecodeError as error:
        raise Internal("Cached contents cannot be read.") from error


class Memory:
    """Contents that were decoded, the last used ones, up to so many bytes of their encoded form."""

    def __init__(self, bytes_max: int = REMEMBERED_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._kept: OrderedDict[str, tuple[int, Contents]] = OrderedDict()

    def get(self, cache_id: str) -> Contents | None:
        """Return contents that are remembered."""
        found = self._kept.get(cache_id)
        if found is None:
            return None
        self._kept.move_to_end(cache_id)
        return found[1]

    def put(self, cache_id: str, contents: Contents, size_bytes: int) -> None:
        """Remember contents, as far as there is room; those that were not used longest are forgotten."""
        self.forget(cache_id)
        if size_bytes > self._bytes_max:
            return
        self._kept[cache_id] = (size_bytes, contents)
        self._bytes += size_bytes
        while self._bytes > self._bytes_max:
            self._bytes -= self._kept.popitem(last=False)[1][0]

    def forget(self, cache_id: str) -> None:
        """Forget contents; they need not be there."""
        if (found := self._kept.pop(cache_id, None)) is not None:
            self._bytes -= found[0]
