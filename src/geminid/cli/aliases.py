"""``geminid aliases``: the names that mean models, and how long they do."""

from __future__ import annotations

from typing import Annotated

import typer

from geminid.cli.desk import ConfigFlag, DataFlag, Desk, JsonFlag, moment, said

app = typer.Typer(no_args_is_help=True, help="Aliases: the names that mean models, and how long they do.")

NameArgument = Annotated[str, typer.Argument(help="What clients ask for.", metavar="NAME")]
COLUMNS = ("name", "target", "stage", "retireTime", "retired")


@app.command("list")
def show_all(json: JsonFlag = False, data: DataFlag = None, config: ConfigFlag = None) -> None:
    """List the names that were given."""
    desk = Desk(data, config, json)
    desk.show(desk.pages("aliases.list", "aliases"), COLUMNS)


@app.command()
def pin(
    name: NameArgument,
    target: Annotated[
        str, typer.Argument(help="The model that it means.  [default: whichever is the default]")
    ] = "",
    stage: Annotated[
        str, typer.Option("--stage", help="experimental, preview, stable, legacy or deprecated.")
    ] = "stable",
    retires: Annotated[
        str | None, typer.Option("--retires", help="When it ends: 2026-12-31, or 90d from now.")
    ] = None,
    json: JsonFlag = False,
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """Let a name mean a model, from now on; also to move it to another."""
    desk = Desk(data, config, json)
    body = said(target=target, stage=stage, retireTime=moment(retires))
    desk.show(desk.ask("aliases.put", body, name=name))


@app.command()
def retire(
    name: NameArgument,
    target: Annotated[str, typer.Argument(help="The model that it meant, for the record.")] = "",
    json: JsonFlag = False,
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """End a name: it is answered as Google's retired models are."""
    desk = Desk(data, config, json)
    desk.show(desk.ask("aliases.put", {"target": target, "stage": "retired"}, name=name))


@app.command()
def forget(name: NameArgument, data: DataFlag = None, config: ConfigFlag = None) -> None:
    """Forget what was said of a name; one of the catalogue means the default model again."""
    Desk(data, config, json=False).ask("aliases.delete", name=name)
