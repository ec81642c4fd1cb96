"""``geminid usage``: what requests used and cost, summed, one by one, or all of them in a file."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AbstractContextManager, nullcontext
from enum import Enum
from pathlib import Path
from typing import IO, Annotated, Any

import msgspec
import typer

from geminid.cli.desk import RECEIPTS, ConfigFlag, DataFlag, Desk, JsonFlag, moment
from geminid.cli.terminal import errors, write_table
from geminid.core.errors import InvalidArgument

app = typer.Typer(help="Usage: what requests used and cost.")

ProjectFlag = Annotated[
    str | None, typer.Option("--project", help="One project.  [default: all]", metavar="ID")
]
FromFlag = Annotated[
    str | None,
    typer.Option("--from", help="From this date or time on, UTC unless it says more.", metavar="TIME"),
]
UntilFlag = Annotated[str | None, typer.Option("--until", help="Before this date or time.", metavar="TIME")]
FIGURES = ("requests", "input", "cached", "output", "thoughts", "cost")


class TableFormat(Enum):
    """Formats of an export."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


@app.callback(invoke_without_command=True)
def summary(
    context: typer.Context,
    project: ProjectFlag = None,
    by: Annotated[
        str,
        typer.Option(
            help="What to sum by: project, day, model, tier, key, outcome, label:NAME.", metavar="LIST"
        ),
    ] = "day,model",
    start: FromFlag = None,
    until: UntilFlag = None,
    zone: Annotated[
        str | None, typer.Option(help="Time zone of days, such as UTC.  [default: Pacific]", metavar="ZONE")
    ] = None,
    json: JsonFlag = False,
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """Sum up what was used; without a subcommand."""
    if context.invoked_subcommand is not None:
        return
    desk = Desk(data, config, json)
    query = {"project": project, "by": by, "from": moment(start), "until": moment(until), "zone": zone}
    found = desk.ask("usage.sum", query=query)
    if json:
        desk.show(found)
        return
    _print(found)
    if kept := found["keptFromTime"]:
        errors.print(f"Requests before {kept} are kept by the hour, without labels.", highlight=False)


@app.command(context_settings=RECEIPTS)
def show(
    receipt: Annotated[str, typer.Argument(help="The receipt: x-geminid-receipt of the answer.")],
    json: JsonFlag = False,
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """Show one request: its tokens, its bill, and the times of its phases."""
    desk = Desk(data, config, json)

    async def find(acts: Any) -> Any:
        from geminid.web.admin.usage import receipt_of

        return msgspec.to_builtins(receipt_of(await acts.usage.find(receipt)))

    found = desk.act(find)
    if json:
        desk.show(found)
        return
    bill, phases = found.pop("lines"), found.pop("phases")
    desk.show(found)
    typer.echo()
    desk.show(bill, ("item", "modality", "quantity", "perMillion", "cost"))
    typer.echo()
    desk.show(phases, ("name", "startMs", "tookMs"))


@app.command()
def export(
    form: Annotated[
        TableFormat, typer.Option("--format", help="Parquet needs geminid[parquet].")
    ] = TableFormat.CSV,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A new file.  [default: stdout]", metavar="FILE")
    ] = None,
    project: ProjectFlag = None,
    start: FromFlag = None,
    until: UntilFlag = None,
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """Write every request of a time to a file, one row each; amounts are exact decimals."""
    if output is None and form is TableFormat.PARQUET and sys.stdout.isatty():
        raise typer.BadParameter("Parquet is no text: name a file with --output")

    async def write(acts: Any) -> int:
        from geminid.web.admin.usage import span_of
        from geminid.web.admin.usage_table import COLUMNS, cells, each_now
        from geminid.wire.tables import write_table

        from_ms, until_ms = span_of({"from": moment(start) or "", "until": moment(until) or ""})
        rows = each_now(acts.usage.export(project or "", from_ms, until_ms), asyncio.get_running_loop())
        with _opened(output) as file:
            return await asyncio.to_thread(write_table, form.value, COLUMNS, map(cells, rows), file)

    count = Desk(data, config, False).act(write)
    errors.print(f"{count:,} requests", highlight=False)


def _opened(output: Path | None) -> AbstractContextManager[IO[bytes]]:
    if output is None:
        return nullcontext(sys.stdout.buffer)
    try:
        return output.open("xb")
    except OSError as error:
        raise InvalidArgument(f"Cannot write {output}: {error.strerror}.") from error


def _print(found: dict[str, Any]) -> None:
    names = list(found["sums"][0]["by"]) if found["sums"] else []
    rows = [(*(each["by"][name] for name in names), *_figures(each["total"])) for each in found["sums"]]
    if len(rows) != 1:
        rows.append((*("" if place else "all" for place in range(len(names))), *_figures(found["total"])))
    write_table((*names, *FIGURES), rows, numbers=FIGURES)


def _figures(total: dict[str, Any]) -> tuple[str, ...]:
    tokens = total["tokens"]
    counts = (total["requests"], tokens["prompt"], tokens["cached"], tokens["candidates"], tokens["thoughts"])
    priced = total["requests"] - total["unpriced"]
    return (
        *(f"{count:,}" for count in counts),
        f"${total['cost']}" if priced or not total["requests"] else "-",
    )
