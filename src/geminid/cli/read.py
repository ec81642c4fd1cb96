"""``geminid read``: what a model would be given of a file."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from geminid.app_media import Readers, readers
from geminid.catalog.catalog import Catalog
from geminid.cli.terminal import errors, write_json
from geminid.config import Config
from geminid.core.content import Look
from geminid.core.errors import InvalidArgument
from geminid.media.reading import Ask, Reading


class ReadFile(msgspec.Struct, frozen=True, rename="camel"):
    """One entry of ``geminid read --json``."""

    path: str
    kind: str
    mime_type: str
    text: str
    measures: dict[str, int]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, path: Path, reading: Reading) -> ReadFile:
        """Describe what was read of a file."""
        measures = msgspec.to_builtins(reading.measures)
        return cls(str(path), reading.kind, reading.mime_type, reading.text, measures, reading.notes)


def read(config: Config, catalog: Catalog, paths: Sequence[Path], look: Look, *, json: bool) -> None:
    """Read files in this process's children, and write what was read to stdout."""
    asyncio.run(_read(config, catalog, paths, Ask(mime_type="", look=look), json=json))


async def _read(config: Config, catalog: Catalog, paths: Sequence[Path], ask: Ask, *, json: bool) -> None:
    read_files = []
    async with readers(config, catalog, anywhere=True) as room:
        for path in paths:
            with errors.status(f"reading {path.name}"):
                reading = await _read_one(room, path, ask)
            for note in reading.notes:
                errors.print(f"note: {note}", style="yellow", markup=False)
            if json:
                read_files.append(ReadFile.of(path, reading))
            else:
                named = f"[{path}]\n" if len(paths) > 1 else ""
                sys.stdout.write(named + reading.text.rstrip("\n") + "\n")
    if json:
        write_json({"files": read_files})


async def _read_one(room: Readers, path: Path, ask: Ask) -> Reading:
    """Read a file; of several, the one that cannot be read is named."""
    try:
        return await room.read(path, ask)
    except InvalidArgument as problem:
        raise InvalidArgument(f"{path}: {problem.message}") from problem
