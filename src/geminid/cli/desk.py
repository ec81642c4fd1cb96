"""Administration from the command line: the operations of the API, done on the database directly.

A command says the same words as a request's body, so both are checked and traced alike; who did it is
``cli:USER``. With ``--json`` it writes the API's own answer.
"""

from __future__ import annotations

import asyncio
import getpass
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar

import msgspec
import typer

from geminid.cli.setup import catalog_of, read_settings, start_logging
from geminid.cli.terminal import told, write_json, write_table
from geminid.core.errors import InvalidArgument
from geminid.core.money import decimal_dollars, parse_dollars

T = TypeVar("T")

ConfigFlag = Annotated[Path | None, typer.Option("--config", help="Settings in TOML.", metavar="FILE")]
DataFlag = Annotated[
    str | None, typer.Option("--data", help="Directory of what geminid keeps.", metavar="DIR")
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Write JSON.")]
ProjectFlag = Annotated[str, typer.Option("--project", help="The project.", metavar="ID")]

RECEIPTS = {"ignore_unknown_options": True}
"""Settings of commands that take a receipt: one in 64 begins with a dash."""

PAGE_SIZE = 1000
_SPAN = re.compile(r"(\d{1,6})([smhdw])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


class Desk(NamedTuple):
    """Where a command works: the settings that its flags lead to, and how it answers."""

    data: str | None
    config: Path | None
    json: bool

    def ask(
        self,
        operation: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, str | None] | None = None,
        **path: str,
    ) -> Any:
        """Do an operation of the API and return its answer as plain values."""
        return self.act(lambda acts: _asked(acts, operation, body, path, query=query))

    def pages(
        self,
        operation: str,
        entries: str,
        *,
        query: Mapping[str, str | None] | None = None,
        **path: str,
    ) -> list[dict[str, Any]]:
        """Return all entries of a list."""

        async def read(acts: Any) -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = []
            after = ""
            while True:
                page = await _asked(acts, operation, None, path, after, query)
                found += page[entries]
                if not (after := page["nextPageToken"]):
                    return found

        return self.act(read)

    def act(self, act: Callable[[Any], Awaitable[T]]) -> T:
        """Do something with all acts of administration; problems end the command in two lines."""
        settings = read_settings(self.config, server__data=self.data, log__level="error").config
        start_logging(settings)

        async def done() -> T:
            from geminid.app import administering  # half a second that --help must not cost

            async with administering(settings, catalog_of(settings)) as acts:
                return await act(acts)

        with told():
            return asyncio.run(done())

    def show(self, value: Any, columns: Sequence[str] = ()) -> None:
        """Write an answer: as JSON, as a table of ``columns``, or field by field."""
        if self.json:
            write_json(value)
            return
        if isinstance(value, list | tuple):
            write_table(columns, [[_cell(_at(row, column)) for column in columns] for row in value])
            return
        write_table(("field", "value"), [(name, _cell(cell)) for name, cell in _fields(value)], header=False)


async def _asked(
    acts: Any,
    operation: str,
    body: Mapping[str, Any] | None,
    path: Mapping[str, str],
    after: str = "",
    query: Mapping[str, str | None] | None = None,
) -> Any:
    from geminid.web.admin.api import HANDLERS
    from geminid.web.admin.call import Call
    from geminid.wire.admin import message
    from geminid.wire.admin.operations import OPERATIONS

    kind = next(each.body for each in OPERATIONS if each.id == operation)
    read = None if kind is None else message.read(kind, msgspec.json.encode(body or {}))
    named = {name: value for name, value in (query or {}).items() if value}
    answer = await HANDLERS[operation](acts, Call(actor(), path, named, read, PAGE_SIZE, after))
    return msgspec.to_builtins(answer)


def actor() -> str:
    """Return who uses this command line."""
    try:
        return f"cli:{getpass.getuser()}"
    except (OSError, KeyError):  # a user without a name
        return "cli"


def said(**fields: Any) -> dict[str, Any]:
    """Return the fields that were said, which None is not."""
    return {name: value for name, value in fields.items() if value is not None}


def dollars(text: str) -> str:
    """Return what a person typed as the API spells it."""
    try:
        return decimal_dollars(parse_dollars(text))
    except InvalidArgument as error:
        raise typer.BadParameter(error.message) from error


def moment(text: str | None, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> str | None:
    """Return the time of ``2026-12-31``, ``2026-12-31T12:00:00+01:00`` or, from now on, ``90d``.

    A time without an offset is UTC.
    """
    if text is None:
        return None
    if span := _SPAN.fullmatch(text):
        return (now() + timedelta(seconds=int(span[1]) * _SECONDS[span[2]])).isoformat()
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text} is no date, time, or span such as 90d") from error
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).isoformat()


def seconds(text: str) -> int:
    """Return the seconds of a span such as ``90s``, ``12h``, ``7d``."""
    span = _SPAN.fullmatch(text)
    if span is None:
        raise typer.BadParameter(f"{text} is no span such as 12h or 7d")
    return int(span[1]) * _SECONDS[span[2]]


def _at(row: Mapping[str, Any], column: str) -> Any:
    value: Any = row
    for name in column.split("."):
        value = value[name]
    return value


def _fields(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, cell in value.items():
        if isinstance(cell, dict) and cell:
            yield from _fields(cell, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", cell


def _cell(value: Any) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return ", ".join(map(_cell, value))
        case dict():
            return " ".join(f"{name}={_cell(cell)}" for name, cell in value.items())
        case _:
            return str(value)
