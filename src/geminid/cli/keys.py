"""``geminid keys``: what clients of a project send."""

from __future__ import annotations

from typing import Annotated

import typer

from geminid.cli.desk import ConfigFlag, DataFlag, Desk, JsonFlag, ProjectFlag, moment, said, seconds
from geminid.cli.terminal import errors
from geminid.core.caller import VERBS
from geminid.core.project import DEFAULT_PROJECT

app = typer.Typer(no_args_is_help=True, help="Keys: what clients of a project send.")

KeyArgument = Annotated[str, typer.Argument(help="The key's id, not its secret.", metavar="KEY")]
ModelsFlag = Annotated[
    list[str] | None,
    typer.Option("--model", help="A model that it is good for; gemini-* is all that begin so. Repeatable."),
]
VerbsFlag = Annotated[
    list[str] | None,
    typer.Option("--verb", help=f"What it is good for: {', '.join(VERBS)}. Repeatable."),
]
ExpiresFlag = Annotated[
    str | None, typer.Option("--expires", help="When it ends: 2026-12-31, or 90d from now.", metavar="WHEN")
]
COLUMNS = ("id", "name", "hint", "state", "scopes.models", "scopes.verbs", "createTime", "expireTime")


@app.command("list")
def show_all(
    project: ProjectFlag = DEFAULT_PROJECT,
    json: JsonFlag = False,
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """List the keys of a project."""
    desk = Desk(data, config, json)
    desk.show(desk.pages("keys.list", "keys", project=project), COLUMNS)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="A name for people, such as who will use it.")],
    project: ProjectFlag = DEFAULT_PROJECT,
    model: ModelsFlag = None,
    verb: VerbsFlag = None,
    expires: ExpiresFlag = None,
    json: JsonFlag = False,
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """Make a key. Its secret is written to stdout, this once."""
    scopes = said(models=model, verbs=verb)
    body = said(name=name, scopes=scopes, expireTime=moment(expires))
    desk = Desk(data, config, json)
    tell_secret(desk, desk.ask("keys.create", body, project=project), "key")


@app.command()
def show(
    key: KeyArgument,
    project: ProjectFlag = DEFAULT_PROJECT,
    json: JsonFlag = False,
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """Show a key, without its secret."""
    desk = Desk(data, config, json)
    desk.show(desk.ask("keys.get", project=project, key=key))


@app.command()
def update(
    key: KeyArgument,
    project: ProjectFlag = DEFAULT_PROJECT,
    name: Annotated[str | None, typer.Option("--name", help="A name for people.")] = None,
    model: ModelsFlag = None,
    verb: VerbsFlag = None,
    expires: ExpiresFlag = None,
    forever: Annotated[bool, typer.Option("--forever", help="Take its end away.")] = False,
    json: JsonFlag = False,
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """Change a key. --model and --verb together take the place of what it was good for."""
    body = said(name=name, expireTime=moment(expires))
    if model is not None or verb is not None:
        body["scopes"] = said(models=model, verbs=verb)
    if forever:
        body["expireTime"] = None
    desk = Desk(data, config, json)
    desk.show(desk.ask("keys.update", body, project=project, key=key))


@app.command()
def rotate(
    key: KeyArgument,
    project: ProjectFlag = DEFAULT_PROJECT,
    overlap: Annotated[
        str, typer.Option("--overlap", help="How long the old key works on: 0s, 12h, 7d.", metavar="SPAN")
    ] = "1d",
    json: JsonFlag = False,
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """Replace a key by a new one. The new secret is written to stdout, this once."""
    desk = Desk(data, config, json)
    body = {"overlapSeconds": seconds(overlap)}
    tell_secret(desk, desk.ask("keys.rotate", body, project=project, key=key), "key")


@app.command()
def revoke(
    key: KeyArgument,
    project: ProjectFlag = DEFAULT_PROJECT,
    json: JsonFlag = False,
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """End a key for good, at once."""
    desk = Desk(data, config, json)
    desk.show(desk.ask("keys.revoke", project=project, key=key))


def tell_secret(desk: Desk, made: dict[str, dict[str, str] | str], what: str) -> None:
    """Write a new secret to stdout alone, so that it can be piped, and about it to stderr."""
    if desk.json:
        desk.show(made)
        return
    about = made[what]
    assert isinstance(about, dict)
    errors.print(f"{about['id']} ({about['name']}); its secret is shown this once:", markup=False)
    typer.echo(made["secret"])
