"""``geminid projects``: who owns keys, files, credits and limits."""

from __future__ import annotations

from typing import Annotated

import typer

from geminid.cli.desk import ConfigFlag, DataFlag, Desk, JsonFlag, said

app = typer.Typer(no_args_is_help=True, help="Projects: who owns keys, files, credits and limits.")

IdArgument = Annotated[str, typer.Argument(help="The project.", metavar="ID")]
TitleFlag = Annotated[str | None, typer.Option("--title", help="A title for people.")]
ModeFlag = Annotated[
    str | None,
    typer.Option("--mode", help="prepaid: credits must cover a request. postpaid: it is written down."),
]
TierFlag = Annotated[
    str | None, typer.Option("--tier", help="The limits to begin with: unlimited, free, 1, 2, 3.")
]
COLUMNS = ("id", "title", "mode", "tier", "createTime")


@app.command("list")
def show_all(json: JsonFlag = False, data: DataFlag = None, config: ConfigFlag = None) -> None:
    """List projects."""
    desk = Desk(data, config, json)
    desk.show(desk.pages("projects.list", "projects"), COLUMNS)


@app.command()
def create(
    project: IdArgument,
    title: TitleFlag = None,
    mode: ModeFlag = None,
    tier: TierFlag = None,
    json: JsonFlag = False,
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """Make a project."""
    desk = Desk(data, config, json)
    desk.show(desk.ask("projects.create", said(id=project, title=title, mode=mode, tier=tier)))


@app.command()
def show(
    project: IdArgument, json: JsonFlag = False, data: DataFlag = None, config: ConfigFlag = None
) -> None:
    """Show a project."""
    desk = Desk(data, config, json)
    desk.show(desk.ask("projects.get", project=project))


@app.command()
def update(
    project: IdArgument,
    title: TitleFlag = None,
    mode: ModeFlag = None,
    tier: TierFlag = None,
    json: JsonFlag = False,
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """Change a project."""
    desk = Desk(data, config, json)
    desk.show(desk.ask("projects.update", said(title=title, mode=mode, tier=tier), project=project))


@app.command()
def delete(
    project: IdArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """Delete a project and revoke its keys. Its ledger and usage stay; its id is not given again."""
    if not yes:
        typer.confirm(f"Delete {project} and revoke its keys?", abort=True)
    Desk(data, config, json=False).ask("projects.delete", project=project)
