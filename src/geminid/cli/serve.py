"""``geminid serve``: the server process, from its settings to its last answer."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import logging
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import uvicorn
import uvloop

from geminid.app import App, is_open, keep_loading, running
from geminid.catalog.catalog import Catalog
from geminid.cli.setup import embedding_state, speech_state
from geminid.cli.terminal import errors
from geminid.config import Config
from geminid.core.card import ModelCard
from geminid.core.errors import FailedPrecondition

EVENT_BYTES_MAX = 24 * 1024 * 1024
"""One frame of a live session: 15 MiB of sound as base64, and what is around it."""
PING_S = 20.0
"""A client that answers no ping for so long has gone."""


def serve(config: Config, catalog: Catalog, card: ModelCard) -> None:
    """Serve until SIGINT or SIGTERM. Raises ``FailedPrecondition`` when it must not or cannot listen."""
    check_doors(config)
    uvloop.run(_serve(config, catalog, card))


def check_doors(config: Config) -> None:
    """Refuse to listen beyond this machine without keys, of the settings or of the database."""
    if not is_loopback(config.server.host) and asyncio.run(is_open(config)):
        raise FailedPrecondition(
            f"Without keys, {config.server.host} would let anybody use this machine.\n"
            "hint: make one with geminid keys create NAME, set GEMINID_SERVER_KEYS, or listen on 127.0.0.1"
        )


def is_loopback(host: str) -> bool:
    """Whether an address (not a name other than localhost) is reachable from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _serve(config: Config, catalog: Catalog, card: ModelCard) -> None:
    listener = _listen(config.server.host, config.server.port)
    async with running(config, catalog, card) as app:
        loading = asyncio.create_task(keep_loading(app))
        try:
            words = {
                "embeddings": embedding_words(config, catalog, card),
                "speech": speech_words(config, catalog),
            }
            await _Server(app, words).serve(sockets=[listener])
        finally:
            loading.cancel()
            listener.close()


def embedding_words(config: Config, catalog: Catalog, default: ModelCard) -> str:
    """Return which model embeds by default, in words."""
    state = embedding_state(config, catalog, default)
    if state.card is None:
        return "turned off"
    if not state.here:
        return f"none, for {state.card.name} is not here; fetch it with: geminid pull {state.card.name}"
    return f"{state.card.name} (and {len(catalog.embedding_aliases)} aliases)"


def speech_words(config: Config, catalog: Catalog) -> str:
    """Return which speech model there is, in words."""
    state = speech_state(config, catalog)
    if state.card is None:
        return "turned off, sound is refused"
    if state.path is None:
        return f"none here, so sound is refused; fetch it with: geminid pull {config.media.speech}"
    return state.card.name


def _listen(host: str, port: int) -> socket.socket:
    """Take the port first: a server that cannot listen must say so before it loads a model."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise FailedPrecondition(
            f"Cannot listen on {host}:{port}: {error.strerror}.\nhint: choose another with --port"
        ) from error
    return listener


def _is_no_connection(record: logging.LogRecord) -> bool:
    """Uvicorn would log each live session, and its address with all that is in the query."""
    words = str(record.msg)
    return record.levelno > logging.INFO or ("WebSocket" not in words and not words.startswith("connection "))


class _Server(uvicorn.Server):
    """Uvicorn, which says where it listens in our words."""

    def __init__(self, app: App, words: Mapping[str, str]) -> None:
        config = uvicorn.Config(
            app.asgi,
            http="httptools",
            ws="websockets-sansio",
            ws_max_size=EVENT_BYTES_MAX,
            ws_ping_interval=PING_S,
            ws_ping_timeout=PING_S,
            ws_per_message_deflate=False,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=True,
            backlog=2048,
            timeout_graceful_shutdown=max(1, app.config.server.shutdown_ms // 1000),
        )
        super().__init__(config)
        logging.getLogger("uvicorn.error").addFilter(_is_no_connection)
        self._app = app
        self._words = words

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGINT and SIGTERM; uvicorn would raise them again and end us before the engines."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        assert sockets is not None
        gc.collect()
        gc.freeze()  # else a full collection stops all answers for some 40 ms now and then
        host, port = sockets[0].getsockname()[:2]
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        served = self._app.served
        errors.print(f"geminid is listening on http://{address}", style="bold", soft_wrap=True)
        errors.print(f"model: {served.default.name} (and {len(served.aliases)} aliases)", soft_wrap=True)
        for what, which in self._words.items():
            errors.print(f"{what}: {which}", soft_wrap=True)
        if await self._app.keys.open():
            errors.print(
                "keys: none, so any is accepted; only this machine can reach the server", soft_wrap=True
            )
