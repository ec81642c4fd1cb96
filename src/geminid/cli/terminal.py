"""What every command does with a terminal: consoles, progress bars, errors in two lines.

Rich honours NO_COLOR and pipes by itself. Exit status 1 is a problem, 2 a wrong command or setting.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table
from rich.text import Text

from geminid.catalog import progress
from geminid.core.errors import Problem

errors = Console(stderr=True, highlight=False)
_WIDTH_MAX = 1_000_000


def write_json(value: Any) -> None:
    """Write one value to stdout as indented JSON."""
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
    sys.stdout.flush()


def write_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Iterable[str] = (), header: bool = True
) -> None:
    """Write a table to stdout, ``numbers`` flush right; cells are no markup.

    Lines may be longer than the terminal is wide: half an id or a seal is of no use to anyone.
    """
    right = frozenset(numbers)
    table = Table(box=None, show_header=header)
    for column in columns:
        justify: Literal["left", "right"] = "right" if column in right else "left"
        table.add_column(Text(column), justify=justify, no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    console = Console(highlight=False, soft_wrap=True)
    unbounded = console.options.update(width=_WIDTH_MAX)
    console.width = max(console.width, console.measure(table, options=unbounded).maximum)
    console.print(table)


def fail(message: str, *, status: int = 1) -> typer.Exit:
    """Tell what happened, and after ``hint:`` what to do; return the exit to raise."""
    what, _, hint = message.partition("\nhint:")
    errors.print("error:", style="bold red", end=" ")
    errors.print(what.strip(), markup=False, soft_wrap=True)
    if hint:
        errors.print("hint:", style="bold cyan", end=" ")
        errors.print(hint.strip(), markup=False, soft_wrap=True)
    return typer.Exit(status)


@contextmanager
def told() -> Iterator[None]:
    """Turn problems into two lines and an exit status."""
    try:
        yield
    except Problem as problem:
        raise fail(problem.message) from problem
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


@contextmanager
def pull_progress() -> Iterator[progress.Report]:
    """Show a bar on stderr while weights are fetched; yields what takes the progress."""
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with Progress(*columns, console=errors, transient=True) as bars:
        tasks: dict[str, Any] = {}

        def report(now: progress.Progress) -> None:
            label = f"{now.stage} {now.detail}".strip()
            if label not in tasks:
                tasks[label] = bars.add_task(label, total=now.total_bytes or None)
            bars.update(tasks[label], completed=now.done_bytes, total=now.total_bytes or None)

        yield report
