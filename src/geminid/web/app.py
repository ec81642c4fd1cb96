"""The ASGI application: routes, CORS, health, and the last net for what nobody foresaw."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from geminid.config import FilesConfig, ServerConfig
from geminid.core.card import ModelCard
from geminid.core.errors import Internal, NotFound, Problem
from geminid.engines.protocol import Engine
from geminid.service.embed import Embeddings
from geminid.service.files import Files
from geminid.service.generate import Generator
from geminid.service.signatures import Signer
from geminid.service.uploads import Uploads
from geminid.telemetry import Telemetry
from geminid.web.auth import Doorkeeper
from geminid.web.files import FilesApi
from geminid.web.gemini import DOUBLED, VERSIONS, GeminiApi
from geminid.web.replies import JSON
from geminid.web.uploads import UploadsApi
from geminid.wire.gemini.errors import write_error

CORS_HEADERS = (
    "x-goog-upload-url",
    "x-goog-upload-status",
    "x-goog-upload-size-received",
    "x-gemini-service-tier",
    "x-geminid-downgraded",
    "x-geminid-folded",
    "x-geminid-receipt",
    "x-geminid-cost-nano",
    "x-geminid-cost-bound-nano",
    "x-geminid-batch-position",
    "x-geminid-batch-eta-s",
    "x-geminid-batch-deadline",
    "x-geminid-batch-note",
    "location",
    "range",
    "request-id",
    "x-request-id",
    "x-should-retry",
    "x-ratelimit-limit-requests",
    "x-ratelimit-limit-tokens",
)

log = logging.getLogger("geminid.web")


class Storage(NamedTuple):
    """What the routes of files stand on."""

    files: Files
    uploads: Uploads
    config: FilesConfig


def build(
    generator: Generator,
    engine: Engine,
    card: ModelCard,
    telemetry: Telemetry,
    signer: Signer,
    config: ServerConfig,
    storage: Storage,
    doorkeeper: Doorkeeper,
    more: Sequence[BaseRoute] = (),
    first: Sequence[BaseRoute] = (),
    embeddings: Embeddings | None = None,
) -> Starlette:
    """Return the application that serves ``generator``; ``card`` is the model that readiness means.

    more: routes beside Google's, such as those of administration. first: routes that are looked at before all
    others, such as verbs of models that have a file of their own. embeddings: None where nothing is embedded.
    """
    health = _Health(engine, card, telemetry)
    cors = Middleware(
        CORSMiddleware,
        allow_origins=config.cors_origins,
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=["*"],
        expose_headers=CORS_HEADERS,
        max_age=3600,
    )
    app = Starlette(
        routes=[
            *health.routes(),
            *first,
            *GeminiApi(generator, signer, doorkeeper, config, embeddings).routes(),
            *file_routes(storage, doorkeeper),
            *more,
        ],
        middleware=[cors],
        exception_handlers={HTTPException: _http_error, Exception: _bug},
    )
    app.router.redirect_slashes = False  # its answer would be no JSON and name the caller's Host
    return app


def file_routes(storage: Storage, doorkeeper: Doorkeeper) -> list[BaseRoute]:
    """Return the routes of files and uploads, once for each version."""
    files = FilesApi(storage.files, doorkeeper, storage.config)
    uploads = UploadsApi(storage.uploads, doorkeeper, storage.config)
    return [
        route
        for prefix in (*VERSIONS, *DOUBLED)
        for api in (files, uploads)
        for route in api.routes(prefix.partition("/")[0], f"/{prefix}")
    ]


class _Health:
    """Is the process alive, does a model answer, and what has happened so far?"""

    def __init__(self, engine: Engine, card: ModelCard, telemetry: Telemetry) -> None:
        self._engine, self._card, self._telemetry = engine, card, telemetry

    def routes(self) -> list[Route]:
        return [
            Route("/healthz", self._alive),
            Route("/readyz", self._ready),
            Route("/metrics", self._metrics),
        ]

    async def _alive(self, request: Request) -> Response:
        return Response("ok\n", media_type="text/plain")

    async def _ready(self, request: Request) -> Response:
        states = [msgspec.to_builtins(state) for state in self._engine.states()]
        ready = any(state["model"] == self._card.name and state["phase"] == "ready" for state in states)
        body = msgspec.json.encode({"ready": ready, "models": states})
        return Response(body, 200 if ready else 503, media_type=JSON)

    async def _metrics(self, request: Request) -> Response:
        return Response(self._telemetry.expose(), media_type="text/plain; version=0.0.4; charset=utf-8")


async def _http_error(request: Request, error: Exception) -> Response:
    """Unknown paths and methods, in the shape of every other error."""
    assert isinstance(error, HTTPException)
    if error.status_code in (404, 405):
        return _answer(NotFound(f"There is no {request.method} {request.url.path} here."))
    return _answer(Internal(error.detail))


async def _bug(request: Request, error: Exception) -> Response:
    """Answer what nobody foresaw; Starlette raises it again for the server's log."""
    return _answer(Internal("An internal error has occurred. Please retry or report it."))


def _answer(problem: Problem) -> Response:
    status, body = write_error(problem)
    return Response(body, status, media_type=JSON)
