"""``geminid tokens``: who may use the administration API."""

from __future__ import annotations

from typing import Annotated

import typer

from geminid.cli.desk import ConfigFlag, DataFlag, Desk, JsonFlag, moment, said
from geminid.cli.keys import ExpiresFlag, tell_secret

app = typer.Typer(no_args_is_help=True, help="Tokens: who may use the administration API.")

COLUMNS = ("id", "name", "role", "hint", "state", "createTime", "expireTime")


@app.command("list")
def show_all(json: JsonFlag = False, data: DataFlag = None, config: ConfigFlag = None) -> None:
    """List tokens."""
    desk = Desk(data, config, json)
    desk.show(desk.pages("tokens.list", "tokens"), COLUMNS)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="A name for people, such as who will use it.")],
    role: Annotated[str, typer.Option("--role", help="admin, or viewer, who changes nothing.")] = "admin",
    expires: ExpiresFlag = None,
    json: JsonFlag = False,
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """Make a token. Its secret is written to stdout, this once."""
    desk = Desk(data, config, json)
    body = said(name=name, role=role, expireTime=moment(expires))
    tell_secret(desk, desk.ask("tokens.create", body), "token")


@app.command()
def revoke(
    token: Annotated[str, typer.Argument(help="The token's id, not its secret.")],
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """End a token for good, at once."""
    Desk(data, config, json=False).ask("tokens.revoke", token=token)
