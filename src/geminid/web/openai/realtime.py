"""OpenAI's routes of live sessions: the WebSocket, and the secrets by which pages in a browser open one.

Whoever is refused is so before the connection is a WebSocket, with a status and OpenAI's error. A browser
says which page it is for: only pages of ``server.cors_origins`` may open a session. It knows nothing of what
is said in a session.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from geminid.config import Config
from geminid.core import clock, ids
from geminid.core.caller import Caller
from geminid.core.errors import NotFound, PermissionDenied, Problem, Unavailable
from geminid.service.client_secrets import ClientSecrets, is_client_secret
from geminid.service.generate import Generator
from geminid.service.transcribe import Transcriptions
from geminid.web.auth import Doorkeeper, bearer
from geminid.web.body import read_body
from geminid.web.openai.realtime_line import Means
from geminid.web.openai.realtime_session import LiveSession
from geminid.web.openai.replies import Told, refusal, reply
from geminid.wire.openai import refused
from geminid.wire.openai.answers import pretty
from geminid.wire.openai.realtime.client_events import ExpiresAfter, SecretRequest, read_secret_request
from geminid.wire.openai.realtime.conversation import Bounds
from geminid.wire.openai.realtime.events import ClientSecret
from geminid.wire.openai.realtime.prompt import calling_of
from geminid.wire.openai.realtime.schema import (
    AnySession,
    RealtimeSession,
    Transcribing,
    TranscriptionSession,
)
from geminid.wire.openai.realtime.session import Kind, Session, told, updated
from geminid.wire.openai.surfaces import OPENAI

SUBPROTOCOL = "realtime"
KEY_SUBPROTOCOL = "openai-insecure-api-key."
"""How a page in a browser brings a key: it can set no header."""
TRANSCRIPTION = "transcription"
METHOD = "bidiGenerateContent"
BODY_BYTES_MAX = 1024 * 1024
RETRY_AFTER_MS = 5_000
WRONG_ORIGIN = "Pages of this origin may not open sessions here."
NO_CALLS = "This server takes no calls: there is no session to join."


class _Opened(NamedTuple):
    """Who opens a session, and how it is set at first."""

    caller: Caller
    session: Session


class RealtimeApi:
    """The routes of one server. now_s: seconds since 1970."""

    def __init__(
        self,
        generator: Generator,
        transcriptions: Transcriptions,
        doorkeeper: Doorkeeper,
        secrets: ClientSecrets,
        config: Config,
        incoming: Path,
        *,
        now_s: Callable[[], float] = time.time,
        clock: clock.Clock = clock.monotonic,
        new_id: Callable[[], str] = ids.response_id,
    ) -> None:
        self._generator = generator
        self._transcriptions = transcriptions
        self._doorkeeper = doorkeeper
        self._secrets = secrets
        self._config = config
        self._now_s = now_s
        self._clock = clock
        self._new_id = new_id
        self._open = 0
        self._means = Means(
            generator=generator,
            transcriptions=transcriptions,
            incoming=incoming,
            bounds=Bounds(bytes_max=config.realtime.session_bytes_max),
            clock=clock,
            new_id=self._named,
            new_name=ids.scratch_name,
            request_ms_max=config.server.request_ms_max,
            session_s=config.realtime.session_s_max,
            idle_s=config.realtime.idle_s_max,
        )

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes."""
        path = f"{OPENAI.prefix}/realtime"
        return [
            WebSocketRoute(path, self._connect),
            Route(f"{path}/client_secrets", self._make_secret, methods=["POST"]),
        ]

    # -- sessions ----------------------------------------------------------------------------------

    async def _connect(self, websocket: WebSocket) -> None:
        about = self._told()
        try:
            self._check_room(websocket)
            opened = await self._opened(websocket)
        except Problem as problem:
            await websocket.send_denial_response(refusal(problem, OPENAI, about, METHOD))
            return
        self._open += 1
        try:
            spoken = SUBPROTOCOL if SUBPROTOCOL in websocket.scope.get("subprotocols", ()) else None
            headers = [(name.encode(), value.encode()) for name, value in about.headers()]
            await websocket.accept(spoken, headers)
            await LiveSession(websocket, opened.session, opened.caller, self._means).run()
        finally:
            self._open -= 1

    def _check_room(self, websocket: WebSocket) -> None:
        origin, allowed = websocket.headers.get("origin"), self._config.server.cors_origins
        if origin is not None and "*" not in allowed and origin not in allowed:
            raise PermissionDenied(WRONG_ORIGIN)
        if "call_id" in websocket.query_params:
            raise NotFound(NO_CALLS)
        if self._open >= self._config.realtime.sessions_max:
            raise Unavailable(f"{self._open} sessions are open already.", retry_after_ms=RETRY_AFTER_MS)

    async def _opened(self, websocket: WebSocket) -> _Opened:
        query = websocket.query_params
        offered = tuple(_offered(websocket))
        secret = next((each for each in offered if is_client_secret(each)), None)
        if secret is not None:
            caller, said = await self._secrets.caller(secret)
            caller.require("generate")
            preset = read_secret_request(said).session
        else:
            caller, preset = await self._doorkeeper.admit_bearer(offered, "generate"), None
        kind: Kind = "transcription" if query.get("intent") == TRANSCRIPTION else "realtime"
        if preset is not None:
            kind = _kind_of(preset)
        session = self._session(kind, query.get("model", "") or _model_of(preset))
        if kind == "realtime":
            if not session.model:
                raise refused.missing("model")
            caller.require("generate", session.model)
            self._generator.served.resolve(session.model)
        elif session.transcribing is not None:
            caller.require("transcribe", session.transcribing.model)
        return _Opened(caller, updated(session, preset) if preset is not None else session)

    def _session(self, kind: Kind, model: str) -> Session:
        return Session(
            id=self._named("sess"),
            kind=kind,
            model=model,
            expires_s=int(self._now_s()) + self._config.realtime.session_s_max,
            transcribing=Transcribing() if kind == "transcription" else None,
        )

    # -- secrets -----------------------------------------------------------------------------------

    async def _make_secret(self, request: Request) -> Response:
        about = self._told()
        try:
            caller = await self._doorkeeper.admit(request, "generate")
            said = read_secret_request(await read_body(request, BODY_BYTES_MAX))
            session, preset = await self._preset(said, caller)
            lasts_s = (said.expires_after or ExpiresAfter()).seconds
            secret = self._secrets.make(caller, msgspec.json.encode(SecretRequest(session=preset)), lasts_s)
        except Problem as problem:
            return refusal(problem, OPENAI, about, METHOD)
        body = ClientSecret(value=secret.value, expires_at=secret.expires_s, session=told(session))
        return reply(pretty(body), about.headers())

    async def _preset(self, said: SecretRequest, caller: Caller) -> tuple[Session, AnySession]:
        """Return a session as it will be, and what it is to be set to; raises ``Problem``."""
        preset = said.session or RealtimeSession()
        kind = _kind_of(preset)
        if isinstance(preset, RealtimeSession):
            preset.model = preset.model or self._generator.served.default.name
            caller.require("generate", preset.model)
            self._generator.served.resolve(preset.model)
        session = updated(self._session(kind, _model_of(preset)), preset)
        await asyncio.to_thread(calling_of, session.tools, session.tool_choice, "session", required=False)
        return session, preset

    def _named(self, kind: str) -> str:
        return f"{kind}_{self._new_id()}"

    def _told(self) -> Told:
        return Told(self._new_id(), self._clock(), self._clock)


def _kind_of(said: AnySession) -> Kind:
    return "transcription" if isinstance(said, TranscriptionSession) else "realtime"


def _model_of(said: AnySession | None) -> str:
    return (said.model or "") if isinstance(said, RealtimeSession) else ""


def _offered(websocket: WebSocket) -> Sequence[str]:
    """Return the keys that a connection brings: in its header, or among its subprotocols."""
    named = [
        each.removeprefix(KEY_SUBPROTOCOL)
        for each in websocket.scope.get("subprotocols", ())
        if each.startswith(KEY_SUBPROTOCOL)
    ]
    return [*filter(None, (bearer(websocket), *named))]
