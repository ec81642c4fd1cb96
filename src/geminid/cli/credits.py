"""``geminid credits``: what a project has paid in advance."""

from __future__ import annotations

from typing import Annotated

import typer

from geminid.cli.desk import RECEIPTS, ConfigFlag, DataFlag, Desk, JsonFlag, dollars, moment, said
from geminid.core.ids import scratch_name

app = typer.Typer(no_args_is_help=True, help="Credits: what a project has paid in advance.")

ProjectArgument = Annotated[str, typer.Argument(help="The project.", metavar="PROJECT")]
AmountArgument = Annotated[str, typer.Argument(help="Dollars, such as 12.50.", metavar="AMOUNT")]
KeyFlag = Annotated[
    str | None,
    typer.Option("--key", help="Your name for this entry, by which it happens once.  [default: a new one]"),
]
NoteFlag = Annotated[str | None, typer.Option("--note", help="Why.")]


@app.command()
def show(
    project: ProjectArgument, json: JsonFlag = False, data: DataFlag = None, config: ConfigFlag = None
) -> None:
    """Show what a project has."""
    desk = Desk(data, config, json)
    desk.show(desk.ask("credits.get", project=project))


@app.command("topup")
def top_up(
    project: ProjectArgument,
    amount: AmountArgument,
    key: KeyFlag = None,
    note: NoteFlag = None,
    json: JsonFlag = False,
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """Enter credits that were paid for."""
    _enter(Desk(data, config, json), project, "top_up", amount, key, note)


@app.command()
def grant(
    project: ProjectArgument,
    amount: AmountArgument,
    expires: Annotated[
        str | None, typer.Option("--expires", help="When they end: 2026-12-31, or 90d from now.")
    ] = None,
    key: KeyFlag = None,
    note: NoteFlag = None,
    json: JsonFlag = False,
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """Give credits away."""
    _enter(Desk(data, config, json), project, "grant", amount, key, note, moment(expires))


@app.command(context_settings={"ignore_unknown_options": True})
def adjust(
    project: ProjectArgument,
    amount: Annotated[str, typer.Argument(help="Dollars; -1.50 takes some away.", metavar="AMOUNT")],
    key: KeyFlag = None,
    note: NoteFlag = None,
    json: JsonFlag = False,
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """Put a balance right, up or down."""
    _enter(Desk(data, config, json), project, "adjust", amount, key, note)


@app.command(context_settings=RECEIPTS)
def refund(
    project: ProjectArgument,
    request: Annotated[str, typer.Argument(help="The id of the request that was charged.")],
    amount: Annotated[str | None, typer.Argument(help="Dollars.  [default: all of it]")] = None,
    note: NoteFlag = None,
    json: JsonFlag = False,
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """Give back what a request was charged, or a part of it, once."""
    desk = Desk(data, config, json)
    body = said(request=request, amount=None if amount is None else dollars(amount), note=note)
    desk.show(desk.ask("credits.refund", body, project=project))


def _enter(
    desk: Desk,
    project: str,
    kind: str,
    amount: str,
    key: str | None,
    note: str | None,
    expires: str | None = None,
) -> None:
    body = said(
        kind=kind,
        key=key or f"cli-{scratch_name()[:16]}",
        amount=dollars(amount),
        note=note,
        expireTime=expires,
    )
    desk.show(desk.ask("credits.enter", body, project=project))
