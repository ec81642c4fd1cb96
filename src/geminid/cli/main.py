"""The commands. Each reads its flags here and does its work in a file of its own name."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from geminid.cli import (
    aliases,
    batch,
    budgets,
    caches,
    credits,  # noqa: A004
    keys,
    ledger,
    limits,
    prices,
    projects,
    reconcile,
    statements,
    store,
    tokens,
    usage,
)
from geminid.cli.desk import ConfigFlag, DataFlag, Desk, JsonFlag
from geminid.cli.setup import (
    catalog_of,
    fetch,
    find_embedding,
    find_model,
    find_speech,
    read_settings,
    start_logging,
)
from geminid.cli.terminal import told, write_json
from geminid.core.content import Look
from geminid.core.errors import UnknownModel
from geminid.core.price import PriceTier

app = typer.Typer(
    name="geminid",
    help="The Gemini API on your own hardware.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)

for group in (
    *(projects, keys, limits, credits, budgets, prices, aliases, usage, ledger, store, tokens),
    *(batch, caches),
):
    app.add_typer(group.app, name=group.__name__.rpartition(".")[2])

ModelFlag = Annotated[
    str | None,
    typer.Option("--model", help="A name of the catalogue, a path, or hf:ORG/REPO.", metavar="NAME|PATH"),
]


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.  [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.  [default: 8080]")] = None,
    data: DataFlag = None,
    model: ModelFlag = None,
    config: ConfigFlag = None,
    pull: Annotated[
        bool,
        typer.Option("--pull", help="Fetch what is not here first: the models that answer, embed, hear."),
    ] = False,
    strict: Annotated[
        bool | None, typer.Option("--strict", help="Refuse what Gemini 3.1 Flash-Lite refuses.")
    ] = None,
    long_input: Annotated[
        str | None, typer.Option(help="A prompt beyond the model's window: refuse or fold.")
    ] = None,
) -> None:
    """Serve the API."""
    flags = {"server__host": host, "server__port": port, "server__data": data, "server__strict": strict}
    flags["engine__long_input"] = long_input
    settings = read_settings(config, **flags, catalog__model=model).config
    start_logging(settings)
    with told():
        server = _command("serve")
        server.check_doors(settings)
        catalog = catalog_of(settings)
        card = find_model(settings, catalog, settings.catalog.model, pull=pull)
        find_speech(settings, catalog, pull=pull)
        find_embedding(settings, catalog, card, pull=pull)
        server.serve(settings, catalog, card)


@app.command()
def generate(
    prompt: Annotated[str, typer.Argument(help="What to ask; - reads it from stdin.")],
    model: ModelFlag = None,
    file: Annotated[
        list[Path] | None, typer.Option("--file", help="A picture, sound, film or document to ask about.")
    ] = None,
    system: Annotated[str, typer.Option(help="System instruction.")] = "",
    max_output_tokens: Annotated[int | None, typer.Option(help="Bound on the answer, tokens.", min=1)] = None,
    temperature: Annotated[float | None, typer.Option(help="0 is greedy.", min=0.0, max=2.0)] = None,
    seed: Annotated[int | None, typer.Option(help="Makes a draw repeatable.")] = None,
    json: JsonFlag = False,
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """Answer one prompt without a server, streamed to stdout."""
    settings = read_settings(config, server__data=data, catalog__model=model, log__level="error").config
    start_logging(settings)
    with told():
        command, catalog = _command("generate"), catalog_of(settings)
        card = find_model(settings, catalog, settings.catalog.model, pull=False)
        text = sys.stdin.read() if prompt == "-" else prompt
        request = command.request_of(card, text, file or [], system, max_output_tokens, temperature, seed)
        command.generate(settings, catalog, card, request, json=json)


@app.command()
def estimate(
    prompt: Annotated[str, typer.Argument(help="What would be asked; - reads it from stdin.")],
    model: Annotated[
        str | None,
        typer.Option("--model", help="As of generate, or a name that clients use.", metavar="NAME|PATH"),
    ] = None,
    file: Annotated[
        list[Path] | None, typer.Option("--file", help="A picture, sound, film or document to ask about.")
    ] = None,
    system: Annotated[str, typer.Option(help="System instruction.")] = "",
    max_output_tokens: Annotated[int | None, typer.Option(help="Bound on the answer, tokens.", min=1)] = None,
    tier: Annotated[PriceTier, typer.Option(help="standard, batch, flex, priority.")] = "standard",
    json: JsonFlag = False,
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """Tell what a request would cost at most, without running it."""
    settings = read_settings(config, server__data=data, log__level="error").config
    start_logging(settings)
    with told():
        command, catalog, wanted = _command("estimate"), catalog_of(settings), model or settings.catalog.model
        try:
            card = find_model(settings, catalog, wanted, pull=False)
        except UnknownModel:  # a name that the server gives; whether it does is seen when it is asked
            card = find_model(settings, catalog, settings.catalog.model, pull=False)
        else:
            wanted = card.name
        text = sys.stdin.read() if prompt == "-" else prompt
        request = _command("generate").request_of(
            card, text, file or [], system, max_output_tokens, None, None
        )
        request = msgspec.structs.replace(request, model=wanted)
        command.estimate(settings, catalog, card, request, tier, json=json)


@app.command()
def read(
    paths: Annotated[
        list[Path], typer.Argument(help="Pictures, sounds, films, documents.", metavar="PATH...")
    ],
    start: Annotated[float, typer.Option(help="Where to begin in sound and film, seconds.", min=0.0)] = 0.0,
    end: Annotated[float | None, typer.Option(help="Where to end, seconds.", min=0.0)] = None,
    fps: Annotated[
        float | None,
        typer.Option(help="Frames of film looked at, each second.  [default: 1]", min=0.001, max=24.0),
    ] = None,
    json: JsonFlag = False,
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """Show what a model would be given of files."""
    if end is not None and end <= start:
        raise typer.BadParameter("it must be after --start.", param_hint="--end")
    settings = read_settings(config, server__data=data, log__level="error").config
    start_logging(settings)
    with told():
        look = Look(start_ms=int(start * 1000), end_ms=None if end is None else int(end * 1000), fps=fps)
        _command("read").read(settings, catalog_of(settings), paths, look, json=json)


@app.command()
def pull(
    name: Annotated[
        str, typer.Argument(help="A name of the catalogue, or hf:ORG/REPO[@REVISION][:PATTERN].")
    ],
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """Fetch a model's weights, verified, so that it can be served offline."""
    settings = read_settings(config, server__data=data).config
    with told():
        fetched = fetch(settings, catalog_of(settings), name)
        Console().print(
            f"{fetched.name}: {fetched.path or 'needs no weights'}", highlight=False, soft_wrap=True
        )


@app.command()
def models(json: JsonFlag = False, data: DataFlag = None, config: ConfigFlag = None) -> None:
    """List the catalogue, and which models are on this machine."""
    settings = read_settings(config, server__data=data).config
    with told():
        _command("models").models(settings, catalog_of(settings), json=json)


@app.command("config")
def show_config(
    json: JsonFlag = False, data: DataFlag = None, model: ModelFlag = None, config: ConfigFlag = None
) -> None:
    """Show the effective settings and where each came from."""
    settings = read_settings(config, server__data=data, catalog__model=model)
    rows = [
        {
            "setting": each.setting.name,
            "value": _shown(each.setting.name, each.value),
            "source": each.source,
            "variable": each.setting.variable,
        }
        for each in settings.effective
    ]
    if json:
        write_json(rows)
        return
    table = Table(box=None)
    for column in ("setting", "value", "source"):
        table.add_column(column)
    for row in rows:
        table.add_row(row["setting"], str(row["value"]), row["source"])
    Console().print(table)


@app.command()
def doctor(
    json: JsonFlag = False, data: DataFlag = None, model: ModelFlag = None, config: ConfigFlag = None
) -> None:
    """Look at machine, engine, model and port; say what is wrong and how to mend it."""
    settings = read_settings(config, server__data=data, catalog__model=model).config
    with told():
        findings = list(_command("doctor").examine(settings, catalog_of(settings)))
    if json:
        write_json(findings)
    else:
        console = Console(highlight=False)
        for finding in findings:
            style = {"ok": "green", "note": "yellow", "wrong": "bold red"}[finding.verdict]
            console.print(f"[{style}]{finding.verdict:5}[/] {finding.check}: ", end="")
            console.print(finding.seen, markup=False)
            if finding.hint:
                console.print(f"      hint: {finding.hint}", markup=False)
    if any(finding.verdict == "wrong" for finding in findings):
        raise typer.Exit(1)


@app.command()
def audit(json: JsonFlag = False, data: DataFlag = None, config: ConfigFlag = None) -> None:
    """List what administrators changed, the newest first."""
    _command("audit").audit(Desk(data, config, json))


app.command()(statements.statement)
app.command()(reconcile.reconcile)


@app.command("version")
def show_version() -> None:
    """Show the version."""
    Console().print(version("geminid"), highlight=False)


def _shown(name: str, value: Any) -> Any:
    """Keys are told by their number only, an address without its password."""
    if name == "server.keys":
        return f"{len(value)} set"
    return re.sub(r"(://[^:/@]*:)[^@]*@", r"\1***@", value) if name == "store.url" else value


def _command(name: str) -> Any:
    """Import a command when it is called: the engine's libraries cost a second that --help must not."""
    return import_module(f"geminid.cli.{name}")


def main() -> None:
    """Entry point."""
    app()


if __name__ == "__main__":
    main()
