"""``geminid generate``: the act of the server with a terminal as its reader."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from geminid.app import answering_locally
from geminid.catalog.catalog import Catalog
from geminid.cli.terminal import errors
from geminid.config import Config
from geminid.core.card import ModelCard
from geminid.core.content import FileRef, Text, Turn
from geminid.core.events import TextDelta, fold
from geminid.core.request import GenerateRequest, Sampling
from geminid.wire.gemini.generate import write_answer


def generate(
    config: Config, catalog: Catalog, card: ModelCard, request: GenerateRequest, *, json: bool
) -> None:
    """Answer one request in this process; the text is streamed to stdout, or JSON written at the end."""
    asyncio.run(_generate(config, catalog, card, request, json=json))


def request_of(
    card: ModelCard,
    prompt: str,
    files: Sequence[Path],
    system: str,
    tokens_max: int | None,
    temperature: float | None,
    seed: int | None,
) -> GenerateRequest:
    """Return the request that the flags describe."""
    return GenerateRequest(
        model=card.name,
        turns=(Turn("user", (*map(_reference, files), Text(prompt))),),
        system=(Text(system),) if system else (),
        tokens_max=tokens_max,
        sampling=Sampling(temperature=temperature, seed=seed),
    )


def _reference(path: Path) -> FileRef:
    """Return a reference to a file, by whose name a problem with it is told."""
    return FileRef(f"file://{path.absolute()}", field=str(path))


async def _generate(
    config: Config, catalog: Catalog, card: ModelCard, request: GenerateRequest, *, json: bool
) -> None:
    async with answering_locally(config, catalog, card) as app:
        with errors.status(f"loading {card.name}"):
            await app.ready()
        async with app.generator.generate(request) as generation:
            if json:
                answer = await fold(generation.events)
                sys.stdout.buffer.write(write_answer(answer, generation.card.name, generation.id))
                return
            async for event in generation.events:
                if isinstance(event, TextDelta):
                    sys.stdout.write(event.text)
                    sys.stdout.flush()
            sys.stdout.write("\n")
