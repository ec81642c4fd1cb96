"""Replace the media of a request by what its model can take: text that was read, or pictures.

Bytes come from the request itself, from an uploaded file, or from an address; what is in them is read
by :mod:`geminid.media`. It knows no wire and no parser. Invariant: a resolved request has no ``Blob``
and no ``FileRef``, and nothing that was written for it stays on disk.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

import msgspec

from geminid.core.card import EmbeddingCard, ModelCard
from geminid.core.content import Blob, FileRef, Modality, Part, Picture, Text, ToolResult, Turn
from geminid.core.disk import disk
from geminid.core.errors import FieldViolation, InvalidArgument
from geminid.core.request import GenerateRequest
from geminid.core.usage import Usage, added
from geminid.media.figures import google_tokens
from geminid.media.library import Library
from geminid.media.pool import ReaderPool
from geminid.media.reading import Ask, Passage, Reading, Still

Card = ModelCard | EmbeddingCard
Medium = Blob | FileRef
Readable = Text | Picture
P = TypeVar("P", bound=Part)

Tokens = Literal["own", "google"]
"""How media are counted: the tokens that entered the model, or the hosted service's figures."""

PLAIN = ("text/plain", "text/csv", "text/markdown", "application/json")
"""Types that are read as they are, without a parser, when they are UTF-8."""


class Located(NamedTuple):
    """Where the bytes of a medium are. ``mime_type`` is what is said of them, empty when nothing is."""

    path: Path
    sha256: str
    mime_type: str


Readings = Mapping[int, Reading]
"""Readings by the identity of their medium: to compare two media is to compare all their bytes."""

Locate = Callable[[FileRef, str], AbstractAsyncContextManager[Located]]
"""Opens what a reference of a project's request means: the file is there as long as the context lasts."""


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """A request without media, and how its usage is told. ``figures`` None tells it as it is.

    cached_figures: the part of the figures that is about cached contents.
    """

    request: GenerateRequest
    figures: Mapping[Modality, int] | None = None
    cached_figures: Mapping[Modality, int] | None = None

    def told(self, usage: Usage) -> Usage:
        """Return the usage with the hosted service's figures in the place of what media took here."""
        if self.figures is None:
            return usage
        words = usage.prompt - sum(usage.media.values())
        told = msgspec.structs.replace(usage, prompt=words + sum(self.figures.values()), media=self.figures)
        if not usage.cached_media or self.cached_figures is None:
            return told
        cached_words = usage.cached - sum(usage.cached_media.values())
        cached = cached_words + sum(self.cached_figures.values())
        return msgspec.structs.replace(told, cached=cached, cached_media=self.cached_figures)


class Resolver:
    """Reads media for requests.

    incoming: a folder for bytes on their way to a parser. at_once: media of one request that are fetched and
    read together, so that a request with hundreds of them leaves room to the others.
    """

    def __init__(
        self,
        pool: ReaderPool,
        library: Library,
        locate: Locate,
        incoming: Path,
        new_id: Callable[[], str],
        tokens: Tokens = "own",
        at_once: int = 4,
    ) -> None:
        self._pool = pool
        self._library = library
        self._locate = locate
        self._incoming = incoming
        self._new_id = new_id
        self._tokens = tokens
        self._at_once = at_once

    async def resolve(self, request: GenerateRequest, card: Card, project: str) -> Resolved:
        """Return the request as its model can take it.

        Raises ``InvalidArgument`` with the field of a medium that cannot be read, ``Unavailable`` when the
        disk is full, and what looking for a file or fetching an address raises.
        """
        media = list(_media_of(request.turns))
        if not media:
            return Resolved(request=request)
        works = [partial(self._read, one, card, project) for one in media]
        readings = dict(zip(map(id, media), await _all(works, self._at_once), strict=True))
        turns = tuple(Turn(turn.role, self._replaced(turn.parts, readings)) for turn in request.turns)
        return Resolved(
            request=msgspec.structs.replace(request, turns=turns),
            figures=_figures(media, readings) if self._tokens == "google" else None,
        )

    async def _read(self, medium: Medium, card: Card, project: str) -> Reading:
        try:
            if isinstance(medium, FileRef):
                async with self._locate(medium, project) as located:
                    return await self._read_file(located, medium, card)
            if (text := _plain(medium)) is not None:
                return text
            return await self._read_blob(medium, card)
        except InvalidArgument as problem:
            raise _at(medium, problem) from problem

    async def _read_blob(self, blob: Blob, card: Card) -> Reading:
        sha256 = await asyncio.to_thread(lambda: hashlib.sha256(blob.data).hexdigest())
        ask = _ask(blob, blob.mime_type, card)
        return await self._known(sha256, ask, lambda path: path.write_bytes(blob.data))

    async def _read_file(self, located: Located, medium: Medium, card: Card) -> Reading:
        ask = _ask(medium, medium.mime_type or located.mime_type, card)
        return await self._known(located.sha256, ask, partial(_link, located.path))

    async def _known(self, sha256: str, ask: Ask, bring: Callable[[Path], object]) -> Reading:
        """Return a reading, new or old. The file that is read has a name of its own: whoever asked first
        may leave, and take its file along, while others wait for the same reading."""
        path = self._incoming / self._new_id()

        async def read() -> Reading:
            try:
                with disk():
                    await asyncio.to_thread(bring, path)
                return await self._pool.read(path, ask)
            finally:
                path.unlink(missing_ok=True)

        return await self._library.read(sha256, ask, read)

    def _replaced(self, parts: Iterable[P], readings: Readings) -> tuple[Part, ...]:
        replaced: list[Part] = []
        for part in parts:
            if isinstance(part, Blob | FileRef):
                replaced += self._shown(part, readings[id(part)])
            elif isinstance(part, ToolResult) and part.parts:
                inner = self._replaced(part.parts, readings)
                shown = tuple(each for each in inner if isinstance(each, Text | Picture))
                replaced.append(msgspec.structs.replace(part, parts=shown))
            else:
                replaced.append(part)
        return tuple(replaced)

    def _shown(self, medium: Medium, reading: Reading) -> Iterator[Readable]:
        """Yield what the model is given for a medium, set apart from the words around it."""
        # The hosted service counts documents other than PDF by their text.
        as_text = self._tokens == "google" and reading.kind == "office"
        if medium.name:
            yield Text(f"\n[{medium.name}]\n")
        for modality, parts in groupby(reading.parts, key=_passage_modality):
            if modality is None:
                yield from (Picture(part.data, part.modality) for part in parts if isinstance(part, Still))
            else:
                words = "\n".join(part.text for part in parts if isinstance(part, Passage))
                yield Text(f"\n{words}\n", "text" if as_text else modality)


def _link(source: Path, path: Path) -> None:
    """Give a file another name, or copy it where the disk knows no two names for one file."""
    try:
        path.hardlink_to(source)
    except FileNotFoundError:
        raise InvalidArgument("The file was deleted before it could be read.") from None
    except OSError:
        shutil.copyfile(source, path)


def _passage_modality(part: Passage | Still) -> Modality | None:
    return part.modality if isinstance(part, Passage) else None


def _ask(medium: Medium, mime_type: str, card: Card) -> Ask:
    # What is read for a model without eyes is the same at every resolution, and is read once.
    look = medium.look if card.sees else msgspec.structs.replace(medium.look, resolution=None)
    return Ask(mime_type=mime_type, look=look, eyes=card.sees)


def _media_of(turns: Iterable[Turn]) -> Iterator[Medium]:
    for turn in turns:
        for part in turn.parts:
            if isinstance(part, Blob | FileRef):
                yield part
            elif isinstance(part, ToolResult):
                yield from (each for each in part.parts if isinstance(each, Blob | FileRef))


def _plain(blob: Blob) -> Reading | None:
    """Return text that needs no parser; None when a parser must look at it."""
    if blob.mime_type not in PLAIN:
        return None
    try:
        text = blob.data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    if "\0" in text:
        return None
    return Reading(kind="text", mime_type=blob.mime_type, parts=(Passage(text, "text"),))


def _figures(media: Iterable[Medium], readings: Readings) -> dict[Modality, int]:
    figures: dict[Modality, int] = {}
    for medium in media:
        figures = added(figures, google_tokens(readings[id(medium)].measures, medium.look.resolution))
    return figures


def _at(medium: Medium, problem: InvalidArgument) -> InvalidArgument:
    """Return a problem with a medium as one with its field."""
    words = f"Unable to process the input at {medium.field}: {problem.message}"
    message = words if medium.field else problem.message
    return InvalidArgument(message, violations=(FieldViolation(problem.message, medium.field),))


T = TypeVar("T")


async def _all(works: Iterable[Callable[[], Awaitable[T]]], at_once: int) -> list[T]:
    """Do everything, so many at once; the first failure ends the rest."""
    free = asyncio.Semaphore(at_once)

    async def done(work: Callable[[], Awaitable[T]]) -> T:
        async with free:
            return await work()

    tasks = [asyncio.create_task(done(work)) for work in works]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
