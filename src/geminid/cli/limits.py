"""``geminid limits``: how much a project may do."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from geminid.cli.desk import ConfigFlag, DataFlag, Desk, JsonFlag, dollars
from geminid.cli.projects import IdArgument, TierFlag

app = typer.Typer(no_args_is_help=True, help="Limits: how much a project may do.")

LimitFlag = str | None
NUMBER = "a number, none for no limit, tier for the tier's again."


@app.command()
def show(
    project: IdArgument, json: JsonFlag = False, data: DataFlag = None, config: ConfigFlag = None
) -> None:
    """Show a project's limits."""
    desk = Desk(data, config, json)
    desk.show(desk.ask("limits.get", project=project))


@app.command("set")
def put(
    project: IdArgument,
    tier: TierFlag = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Limits of this model; without it, of every model.")
    ] = None,
    rpm: Annotated[LimitFlag, typer.Option("--rpm", help=f"Requests a minute: {NUMBER}")] = None,
    tpm: Annotated[LimitFlag, typer.Option("--tpm", help=f"Input tokens a minute: {NUMBER}")] = None,
    rpd: Annotated[LimitFlag, typer.Option("--rpd", help=f"Requests a Pacific day: {NUMBER}")] = None,
    concurrent: Annotated[
        LimitFlag, typer.Option("--concurrent", help=f"Requests that run at once: {NUMBER}")
    ] = None,
    spend_day: Annotated[
        LimitFlag, typer.Option("--spend-day", help="Dollars a day, all models together; none, tier.")
    ] = None,
    spend_month: Annotated[
        LimitFlag, typer.Option("--spend-month", help="Dollars a month, all models together; none, tier.")
    ] = None,
    json: JsonFlag = False,
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """Change a project's limits; what is not named stays."""
    given = {"rpm": rpm, "tpm": tpm, "rpd": rpd, "concurrent": concurrent}
    rates = {name: _number(name, text) for name, text in given.items() if text is not None}
    spending = {"day": spend_day, "month": spend_month}
    body: dict[str, Any] = {} if tier is None else {"tier": tier}
    if rates:
        body |= {"everyModel": rates} if model is None else {"models": {model: rates}}
    body["spending"] = {name: _dollars(text) for name, text in spending.items() if text is not None}
    desk = Desk(data, config, json)
    desk.show(desk.ask("limits.update", body, project=project))


@app.command()
def reset(
    project: IdArgument,
    model: Annotated[str, typer.Option("--model", help="The model that loses its own limits.")],
    json: JsonFlag = False,
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """Take away what was set for one model."""
    desk = Desk(data, config, json)
    desk.show(desk.ask("limits.update", {"models": {model: None}}, project=project))


def _number(name: str, text: str) -> int | str | None:
    if text in ("none", "tier"):
        return None if text == "none" else text
    if not text.isdecimal() or not text.isascii():
        raise typer.BadParameter(f"must be a number, none or tier, not {text}", param_hint=f"--{name}")
    return int(text)


def _dollars(text: str) -> str | None:
    if text in ("none", "tier"):
        return None if text == "none" else text
    return dollars(text)
