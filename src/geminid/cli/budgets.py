"""``geminid budgets``: amounts that tell when they are used up."""

from __future__ import annotations

from typing import Annotated

import typer

from geminid.cli.desk import ConfigFlag, DataFlag, Desk, JsonFlag, dollars

app = typer.Typer(
    no_args_is_help=True, help="Budgets: they tell when spending reaches them, and block nothing."
)

ProjectArgument = Annotated[str, typer.Argument(help="The project.", metavar="PROJECT")]
NameArgument = Annotated[str, typer.Argument(help="The budget's name.", metavar="NAME")]
COLUMNS = ("name", "period", "amount", "thresholdsPermille", "toldPermille", "webhook")


@app.command("list")
def show_all(
    project: ProjectArgument, json: JsonFlag = False, data: DataFlag = None, config: ConfigFlag = None
) -> None:
    """List a project's budgets."""
    desk = Desk(data, config, json)
    desk.show(list(desk.ask("budgets.list", project=project)["budgets"]), COLUMNS)


@app.command("set")
def put(
    project: ProjectArgument,
    name: NameArgument,
    amount: Annotated[str, typer.Argument(help="Dollars, such as 100.", metavar="AMOUNT")],
    period: Annotated[str, typer.Option(help="day, month or ever; Pacific days and months.")] = "month",
    at: Annotated[
        list[int] | None,
        typer.Option(
            help="A percentage that is told; may be given more than once.  [default: 50, 90, 100]", min=1
        ),
    ] = None,
    webhook: Annotated[
        str, typer.Option(help="An address that is told.  [default: none]", show_default=False)
    ] = "",
    json: JsonFlag = False,
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """Set a budget, or replace the one of this name."""
    desk = Desk(data, config, json)
    body = {"period": period, "amount": dollars(amount), "webhook": webhook}
    shares = {"thresholdsPermille": sorted({10 * share for share in at})} if at else {}
    desk.show(desk.ask("budgets.put", {**body, **shares}, project=project, budget=name))


@app.command()
def delete(
    project: ProjectArgument, name: NameArgument, data: DataFlag = None, config: ConfigFlag = None
) -> None:
    """Delete a budget."""
    Desk(data, config, json=False).ask("budgets.delete", project=project, budget=name)


@app.command()
def secret(
    project: ProjectArgument, json: JsonFlag = False, data: DataFlag = None, config: ConfigFlag = None
) -> None:
    """Show the secret with which messages of this project are verified (Standard Webhooks)."""
    desk = Desk(data, config, json)
    found = desk.ask("budgets.secret", project=project)
    if json:
        desk.show(found)
    else:
        typer.echo(found["secret"])
