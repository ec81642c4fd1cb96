"""``geminid caches``: cached contents, what they are used for and what they save."""

from __future__ import annotations

from typing import Annotated

import typer

from geminid.cli.desk import ConfigFlag, DataFlag, Desk, JsonFlag

app = typer.Typer(no_args_is_help=True, help="Cached contents: their use, their cost, what they save.")

IdArgument = Annotated[
    str, typer.Argument(help="The name, with or without cachedContents/.", metavar="CACHE")
]
COLUMNS = ("id", "project", "asked", "tokens", "expireTime", "hits", "cachedTokens", "saved", "storage")
PREFIX = "cachedContents/"


@app.command("list")
def show_all(
    project: Annotated[
        str | None, typer.Option("--project", help="Of this project only.", metavar="ID")
    ] = None,
    json: JsonFlag = False,
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """List cached contents, the newest first."""
    desk = Desk(data, config, json)
    desk.show(desk.pages("caches.list", "caches", query={"project": project}), COLUMNS)


@app.command()
def show(cache: IdArgument, json: JsonFlag = False, data: DataFlag = None, config: ConfigFlag = None) -> None:
    """Show cached contents, without what is in them."""
    desk = Desk(data, config, json)
    desk.show(desk.ask("caches.get", cache=cache.removeprefix(PREFIX)))


@app.command()
def delete(cache: IdArgument, data: DataFlag = None, config: ConfigFlag = None) -> None:
    """End cached contents now; the time that they were kept is billed."""
    Desk(data, config, json=False).ask("caches.delete", cache=cache.removeprefix(PREFIX))
