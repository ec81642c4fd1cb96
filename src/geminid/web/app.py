"""The ASGI application: routes, CORS, health, and the last net for what nobody foresaw."""

from __future__ import annotations

import logging

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from geminid.config import ServerConfig
from geminid.core.card import ModelCard
from geminid.core.errors import Internal, NotFound, Problem
from geminid.engines.protocol import Engine
from geminid.service.generate import Generator
from geminid.service.signatures import Signer
from geminid.telemetry import Telemetry
from geminid.web.gemini import JSON, GeminiApi
from geminid.wire.gemini.errors import write_error

CORS_HEADERS = (
    "x-goog-upload-url",
    "x-goog-upload-status",
    "x-gemini-service-tier",
    "x-geminid-downgraded",
    "x-geminid-folded",
)

log = logging.getLogger("geminid.web")


def build(
    generator: Generator,
    engine: Engine,
    card: ModelCard,
    telemetry: Telemetry,
    signer: Signer,
    config: ServerConfig,
) -> Starlette:
    """Return the application that serves ``generator``; ``card`` is the model that readiness means."""
    health = _Health(engine, card, telemetry)
    cors = Middleware(
        CORSMiddleware,
        allow_origins=config.cors_origins,
        allow_methods=["GET", "POST", "PATCH", "DELETE"],
        allow_headers=["*"],
        expose_headers=CORS_HEADERS,
        max_age=3600,
    )
    app = Starlette(
        routes=[*health.routes(), *GeminiApi(generator, signer, config).routes()],
        middleware=[cors],
        exception_handlers={HTTPException: _http_error, Exception: _bug},
    )
    app.router.redirect_slashes = False  # its answer would be no JSON and name the caller's Host
    return app


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
