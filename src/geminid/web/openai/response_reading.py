"""Reading requests for responses over what was said before: earlier responses, items they refer to, stores.

It answers nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

from geminid.catalog.manners import manner_of
from geminid.config import ServerConfig
from geminid.core.caller import Caller
from geminid.core.errors import UnknownInteraction
from geminid.core.interaction import Chain, calls_of
from geminid.service.generate import Generator
from geminid.service.interactions import Interactions
from geminid.service.signatures import Signer
from geminid.web.openai.file_search import Searches
from geminid.wire.openai.refused import INVALID_VALUE, Refused
from geminid.wire.openai.responses import listing, request, writing
from geminid.wire.openai.responses.items import Item, Known, items_of, references_of
from geminid.wire.openai.responses.kept import read_kept
from geminid.wire.openai.responses.names import FACE, place_of
from geminid.wire.openai.responses.request import Reading, ReadResponse
from geminid.wire.openai.responses.schema import ResponsesRequest

REFERRED_MAX = 100
"""Each is read from the database."""
TOO_FAR = "Invalid 'input': its references are to items of {} responses, and {} are the most."

T = TypeVar("T")


class Read(NamedTuple):
    """A request that was read, and what was said before it."""

    chain: Chain
    response: ReadResponse


class ResponseReader:
    """Reads the requests of one server."""

    def __init__(
        self,
        interactions: Interactions,
        generator: Generator,
        stores: Searches,
        signer: Signer,
        config: ServerConfig,
    ) -> None:
        self._interactions = interactions
        self._generator = generator
        self._stores = stores
        self._signer = signer
        self._config = config

    async def read(self, caller: Caller, message: ResponsesRequest, slow: bool) -> Read:
        """Return what a request asks for, read over what was said before; slow: in a thread.

        Raises what reading, and what the service about what it names, raise.
        """
        card = self._generator.served.resolve(request.model_of(message))
        chain = await self._interactions.chain(caller.project, FACE, message.previous_response_id or "")
        known = await self._known(caller.project, message, chain)
        reading = Reading(
            card=card,
            manner=manner_of(request.model_of(message)),
            folds=self._generator.folds,
            strict=self._config.strict,
            genuine=self._signer.genuine if self._config.signatures == "check" else None,
        )
        read = await done(partial(request.read_request, message, known, reading), slow)
        for store in read.search.stores if read.search is not None else ():
            await self._stores.get(caller.project, store)  # better than to find out when the model searches
        return Read(chain, read)

    async def _known(self, project: str, message: ResponsesRequest, chain: Chain) -> Known:
        referred = await self._referred(project, references_of(items_of(message.input)))
        if not chain.last:
            return Known(referred=referred)
        last = await self._interactions.get(project, FACE, chain.last)
        return Known(
            pending=calls_of(last.steps),
            standing=read_kept(last.kept).standing,
            follows=True,
            referred=referred,
        )

    async def _referred(self, project: str, names: Sequence[str]) -> dict[str, Item]:
        """Return the items that a request refers to by their ids, as far as they exist."""
        places = [place for name in names if (place := place_of(name)) is not None]
        responses = list(dict.fromkeys(place.response_id for place in places))
        if len(responses) > REFERRED_MAX:
            raise Refused(TOO_FAR.format(len(responses), REFERRED_MAX), "input", INVALID_VALUE)
        found: dict[str, Item] = {}
        for response_id in responses:
            try:
                interaction = await self._interactions.get(project, FACE, response_id)
            except UnknownInteraction:
                continue
            kept = read_kept(interaction.kept)
            items = [
                *writing.output_items(interaction, kept, self._signer.sign),
                *listing.sent_items(kept.items, response_id),
            ]
            found |= {item["id"]: item for item in items if item.get("id") in names}
        return found


async def done(work: Callable[[], T], slow: bool) -> T:
    """Do what takes long in a thread, so that the other answers go on."""
    return await asyncio.to_thread(work) if slow else work()
