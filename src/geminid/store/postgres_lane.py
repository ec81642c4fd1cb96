"""A lane over PostgreSQL: what is asked together travels together, one journey to load, one to write.

Statements are prepared and sent through libpq's pipeline, one for each row: short ones that the server need
not plan again. Rows of ``balances`` are the locks. Imported with the first connection.
"""

from __future__ import annotations

import itertools
import select
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import islice
from typing import Any

import psycopg
from psycopg.pq import ConnStatus, ExecStatus
from sqlalchemy import Engine, LargeBinary, String, Table
from sqlalchemy.exc import DBAPIError

from geminid.store import tables
from geminid.store.lanes import BALANCE_COLUMNS, Row, Statement, Wanted, keys_of, on_conflict

Params = Sequence[bytes | None]
Command = tuple[str, Params]
"""A statement, and a literal for each of its parameters."""

BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"
"""Each statement must see what was committed before it got its locks."""
SOON = "SET LOCAL synchronous_commit = off"
NUMBER = "SELECT txid_current()"
FATE = "SELECT txid_status($1)"
"""Of a transaction by its number: ``committed``, ``aborted`` or ``in progress``."""
FATE_S, FATE_PAUSE_S = 5.0, 0.01
"""How long a server may take to end a transaction whose connection is lost."""


class PostgresLane:
    """See :class:`geminid.store.lanes.Lane`."""

    faults: type[Exception] = psycopg.OperationalError

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._texts: dict[Any, str] = {}
        self.in_doubt = False
        self._number = b""
        self._connect()

    def _connect(self) -> None:
        try:
            self._held = self._engine.raw_connection()
        except DBAPIError as error:
            if isinstance(error.orig, self.faults):
                raise error.orig from error
            raise
        driver: Any = self._held.driver_connection
        driver.autocommit = True  # transactions are begun and ended in words, with the rest
        self._driver = driver
        self._link = driver.pgconn
        self._link.enter_pipeline_mode()
        self._poll = select.poll()
        self._names: dict[str, bytes] = {}
        self._numbers = itertools.count()

    def load(
        self, projects: Sequence[str], wanted: Sequence[Wanted], *, durable: bool
    ) -> tuple[list[Row], list[list[Row]]]:
        """See :class:`geminid.store.lanes.Lane`."""
        self.in_doubt = False
        commands: list[Command] = [(BEGIN, ())] if durable else [(BEGIN, ()), (SOON, ())]
        before = len(commands)
        commands.append((NUMBER, ()))
        commands += [(_LOCK, [project.encode()]) for project in projects]
        for each in wanted:
            text, write = self._select(each), _writers(each.table.name, each.keys)
            commands += [(text, _params(write, value)) for value in each.values]
        results = iter(self._exchange(commands)[before:])
        self._number = next(results).get_value(0, 0)
        balances = _rows(results, len(projects), tables.balances, BALANCE_COLUMNS)
        return balances, [_rows(results, len(each.values), each.table, each.columns) for each in wanted]

    def more(self, wanted: Wanted) -> list[Row]:
        """See :class:`geminid.store.lanes.Lane`."""
        text, write = self._select(wanted), _writers(wanted.table.name, wanted.keys)
        results = iter(self._exchange([(text, _params(write, value)) for value in wanted.values]))
        return _rows(results, len(wanted.values), wanted.table, wanted.columns)

    def write(self, work: Sequence[tuple[Statement, Sequence[Row]]]) -> None:
        """See :class:`geminid.store.lanes.Lane`."""
        commands: list[Command] = []
        for statement, rows in work:
            text, write = self._text(statement), _writers(statement.table.name, _names(statement))
            commands += [(text, _params(write, row)) for row in rows]
        self.in_doubt = True
        self._exchange([*commands, ("COMMIT", ())])
        self.in_doubt = False

    def rollback(self) -> None:
        """See :class:`geminid.store.lanes.Lane`."""
        self._exchange([("ROLLBACK", ())])
        self.in_doubt = False

    def mend(self) -> bool:
        """See :class:`geminid.store.lanes.Lane`."""
        if self._link.status == ConnStatus.OK:
            try:
                self.rollback()
            except self.faults:
                pass
            else:
                return False
        self.close()
        self._connect()
        return True

    def committed(self) -> bool:
        """See :class:`geminid.store.lanes.Lane`."""
        until_s = time.monotonic() + FATE_S
        while self.in_doubt:
            (result,) = self._exchange([(FATE, [self._number])])
            fate = result.get_value(0, 0)
            if fate != b"in progress":
                self.in_doubt = False
                return bool(fate == b"committed")
            if time.monotonic() >= until_s:
                raise self.faults("a lost transaction does not end")
            time.sleep(FATE_PAUSE_S)
        return False

    def close(self) -> None:
        """See :class:`geminid.store.lanes.Lane`."""
        self._driver.close()
        if self._held.is_valid:
            self._held.invalidate()

    # -- the wire --------------------------------------------------------------------------------------

    def _exchange(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands at once, and return the result of each; raises the first error."""
        if self._link.status != ConnStatus.OK:
            raise self.faults("the connection is lost")
        asked: list[bool] = []  # for each result that will come: of a command, or of its preparation
        new: list[str] = []
        for text, params in commands:
            if (name := self._names.get(text)) is None:
                name = self._names[text] = f"geminid_{next(self._numbers)}".encode()
                self._link.send_prepare(name, text.encode())
                asked.append(False)
                new.append(text)
            self._link.send_query_prepared(name, params or None)
            asked.append(True)
        self._link.pipeline_sync()
        try:
            results = self._results()
        except psycopg.Error:
            for text in new:  # it may not be prepared
                self._names.pop(text, None)
            raise
        return [result for result, wanted in zip(results, asked, strict=True) if wanted]

    def _results(self) -> list[Any]:
        """Return what comes until the end of the pipeline; raises the first error, once all has come."""
        results: list[Any] = []
        problem: psycopg.Error | None = None
        while True:
            result = self._result()
            if result is None:  # stands between the results of two commands
                continue
            if result.status == ExecStatus.PIPELINE_SYNC:
                break
            if result.status == ExecStatus.FATAL_ERROR and problem is None:
                problem = psycopg.errors.error_from_result(result)
            results.append(result)
        if problem is not None:
            raise problem
        return results

    def _result(self) -> Any:
        """Wait for the next result without holding up other threads."""
        link = self._link
        while link.is_busy():
            unsent = link.flush()
            self._poll.register(link.socket, select.POLLIN | (select.POLLOUT if unsent else 0))
            if self._poll.poll()[0][1] & ~select.POLLOUT:
                link.consume_input()
        if link.status != ConnStatus.OK:
            raise self.faults("the connection is lost")
        return link.get_result()

    # -- texts -----------------------------------------------------------------------------------------

    def _select(self, wanted: Wanted) -> str:
        key = (wanted.table.name, *wanted.columns, *wanted.keys)
        if (text := self._texts.get(key)) is None:
            columns, where = ", ".join(wanted.columns), _equal(wanted.keys)
            self._texts[key] = text = f"SELECT {columns} FROM {wanted.table.name} WHERE {where}"
        return text

    def _text(self, statement: Statement) -> str:
        if (text := self._texts.get(statement)) is None:
            self._texts[statement] = text = _text_of(statement)
        return text


_LOCK = f"SELECT {', '.join(BALANCE_COLUMNS)} FROM balances WHERE project = $1 FOR UPDATE"


def _text_of(statement: Statement) -> str:
    table, names = statement.table.name, _names(statement)
    if statement.way == "delete":
        return f"DELETE FROM {table} WHERE {_equal(names)}"
    places = ", ".join(f"${place}" for place in range(1, len(names) + 1))
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({places}){on_conflict(statement)}"


@cache
def _names(statement: Statement) -> tuple[str, ...]:
    """Return the columns of a statement's rows."""
    table = statement.table
    return tuple(keys_of(table) if statement.way == "delete" else (each.name for each in table.columns))


def _equal(names: Sequence[str]) -> str:
    return " AND ".join(f"{name} = ${place}" for place, name in enumerate(names, 1))


# -- values ------------------------------------------------------------------------------------------------

Write = Callable[[Any], bytes]
Read = Callable[[bytes], Any]

_WRITERS: dict[str, Write] = {
    "bytea": lambda data: b"\\x" + data.hex().encode(),
    "text": str.encode,
    "bigint": lambda number: b"%d" % number,
}
_READERS: dict[str, Read] = {
    "bytea": lambda data: bytes.fromhex(data[2:].decode()),
    "text": bytes.decode,
    "bigint": int,
}


@cache
def _writers(table: str, names: tuple[str, ...]) -> tuple[Write, ...]:
    return tuple(_WRITERS[_type(table, name)] for name in names)


@cache
def _readers(table: str, names: tuple[str, ...]) -> tuple[Read, ...]:
    return tuple(_READERS[_type(table, name)] for name in names)


def _type(table: str, name: str) -> str:
    kind = tables.metadata.tables[table].columns[name].type
    if isinstance(kind, LargeBinary):
        return "bytea"
    return "text" if isinstance(kind, String) else "bigint"


def _params(writers: Sequence[Write], row: Row) -> Params:
    return [None if value is None else write(value) for write, value in zip(writers, row, strict=True)]


def _rows(results: Iterator[Any], count: int, table: Table, names: tuple[str, ...]) -> list[Row]:
    """Return the rows of the next ``count`` results."""
    readers = _readers(table.name, names)
    rows = []
    for result in islice(results, count):
        for number in range(result.ntuples):
            values = [result.get_value(number, place) for place in range(len(names))]
            pairs = zip(readers, values, strict=True)
            rows.append(tuple([None if value is None else read(value) for read, value in pairs]))
    return rows
