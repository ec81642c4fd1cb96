"""``geminid serve`` without its meter and without keys: what the others are measured against."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from geminid import app
from geminid.cli.main import main


@asynccontextmanager
async def _nothing(*_: Any) -> AsyncIterator[None]:
    yield None


if __name__ == "__main__":
    app.metering = _nothing  # type: ignore[assignment]
    main()
