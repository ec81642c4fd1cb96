"""OpenAI's routes of what is kept or computed beside chats: embeddings, files, batches."""

from __future__ import annotations

from typing import NamedTuple

from starlette.routing import BaseRoute

from geminid.config import ServerConfig
from geminid.service.batches import Batches
from geminid.service.embed import Embeddings
from geminid.web.app import Storage
from geminid.web.auth import Doorkeeper
from geminid.web.openai.batches import BatchesApi
from geminid.web.openai.embeddings import EmbeddingsApi
from geminid.web.openai.files import FilesApi
from geminid.web.openai.routing import Guard
from geminid.wire.openai.batch_lines import FORMATS

__all__ = ["FORMATS", "Resources", "resource_routes"]


class Resources(NamedTuple):
    """What they stand on."""

    embeddings: Embeddings
    storage: Storage
    batches: Batches


def resource_routes(resources: Resources, doorkeeper: Doorkeeper, config: ServerConfig) -> list[BaseRoute]:
    """Return the routes; they go before Google's, which has some of the same paths."""
    guard, storage = Guard(doorkeeper), resources.storage
    batches = BatchesApi(resources.batches, storage.files, guard, storage.config.ttl_s)
    return [
        *EmbeddingsApi(resources.embeddings, guard, config).routes(),
        *FilesApi(storage, guard).routes(),
        *batches.routes(),
    ]
