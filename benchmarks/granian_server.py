"""The scripted application on granian: ``python -m benchmarks.granian_server PORT SCRIPT``.

One worker, one thread of Rust, uvloop: the nearest to what ``geminid serve`` is.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from geminid.app import running
from geminid.catalog.catalog import Catalog
from geminid.config import load


class Lazy:
    """Builds the service when the first request comes, inside granian's own event loop."""

    def __init__(self, script: Path) -> None:
        self._config, _ = load(flags={"catalog.model": "scripted", "scripted.script": str(script)})
        self._app: Any = None
        self._running: Any = None
        self._lock = asyncio.Lock()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async with self._lock:
            if self._app is None:
                catalog = Catalog.load()
                self._running = running(self._config, catalog, catalog.card("scripted"))
                self._app = (await self._running.__aenter__()).asgi
        await self._app(scope, receive, send)


async def main() -> None:
    """Entry point."""
    from granian.constants import Interfaces
    from granian.server.embed import Server

    port, script = int(sys.argv[1]), Path(sys.argv[2])
    target = Lazy(script)
    await Server(target, address="127.0.0.1", port=port, interface=Interfaces.ASGINL).serve()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
