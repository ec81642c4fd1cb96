"""``geminid store``: a copy of what is kept, and all of it into another database."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from geminid.cli.desk import ConfigFlag, DataFlag, JsonFlag
from geminid.cli.setup import read_settings, start_logging
from geminid.cli.terminal import errors, told, write_json

app = typer.Typer(no_args_is_help=True, help="Store: back it up, move it to another database.")


@app.command()
def backup(
    folder: Annotated[Path, typer.Argument(help="Where to, a folder that is not there yet.", metavar="DIR")],
    json: JsonFlag = False,
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """Copy database, files and secrets while servers run. The copy is a data directory itself."""
    settings = read_settings(config, server__data=data, log__level="error").config
    start_logging(settings)
    with told():
        from geminid.app import back_up  # half a second that --help must not cost

        with errors.status(f"copying to {folder}"):
            made = back_up(settings, folder)
    if json:
        write_json(made._asdict())
        return
    meanwhile = f"; {made.deleted:,} were deleted meanwhile" if made.deleted else ""
    typer.echo(
        f"{folder}: a database of {made.database_bytes:,} bytes, "
        f"{made.blobs:,} files of {made.blob_bytes:,} bytes{meanwhile}"
    )


@app.command()
def copy(
    to: Annotated[
        str, typer.Option("--to", help="Address of an empty database, as store.url.", metavar="URL")
    ],
    json: JsonFlag = False,
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """Copy all tables into an empty database, all or nothing, and prove them. Stop the servers first."""
    settings = read_settings(config, server__data=data, log__level="error").config
    start_logging(settings)
    with told():
        from geminid.app import copy_store

        with errors.status("copying") as status:
            made = asyncio.run(copy_store(settings, to, lambda table: status.update(f"copying {table}")))
    if json:
        write_json({"rows": made.rows, "ledgerEntries": made.ledger.transfers})
        return
    for table, count in made.rows.items():
        typer.echo(f"{count:>12,} {table}")
    typer.echo(f"The ledger fits: {made.ledger.transfers:,} entries of {made.ledger.projects:,} projects.")
