"""``geminid ledger``: every entry of every account, and the proof that they fit."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer

from geminid.cli.desk import ConfigFlag, DataFlag, Desk, JsonFlag
from geminid.cli.terminal import errors, write_json
from geminid.core.money import decimal_dollars

app = typer.Typer(no_args_is_help=True, help="Ledger: every entry, and the proof that they fit.")

COLUMNS = ("seq", "time", "kind", "debit", "credit", "amount", "subject", "attempt", "note")
PAGE_SIZE = 1000


@app.command("list")
def show_all(
    project: Annotated[str, typer.Argument(help="The project.")],
    json: JsonFlag = False,
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """List the entries of a project, the oldest first."""
    desk = Desk(data, config, json)

    async def read(acts: Any) -> list[Any]:
        from geminid.web.admin.credit import entry_of

        found: list[Any] = []
        after = ""
        while True:
            page = await acts.credits.page(project, PAGE_SIZE, after)
            found += [msgspec.to_builtins(entry_of(each)) for each in page.items]
            if not (after := page.next):
                return found

    desk.show(desk.act(read), COLUMNS)


@app.command()
def verify(
    project: Annotated[str, typer.Option("--project", help="One project only.  [default: all]")] = "",
    json: JsonFlag = False,
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """Derive every balance again from the entries; status 1 and the first that does not fit, if any."""
    desk = Desk(data, config, json)
    report = desk.act(lambda acts: acts.credits.verify(project))
    if json:
        write_json({**msgspec.to_builtins(report), "sound": report.sound})
    elif report.sound:
        typer.echo(
            f"{report.transfers:,} entries of {report.projects:,} projects fit: "
            f"{decimal_dollars(report.posted_nano)} dollars are there, "
            f"{decimal_dollars(report.held_nano)} of them held by {report.open_holds:,} requests."
        )
    else:
        wrong = report.misfit
        where = f"entry {wrong.seq} ({wrong.id})" if wrong.id else f"after entry {wrong.seq}"
        errors.print("error:", style="bold red", end=" ")
        errors.print(f"project {wrong.project}, {where}: {wrong.what}", markup=False)
    if not report.sound:
        raise typer.Exit(1)
