"""``geminid prices``: what a million tokens cost, since when, and what the list says."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from geminid.cli.desk import ConfigFlag, DataFlag, Desk, JsonFlag, dollars, moment, said

app = typer.Typer(no_args_is_help=True, help="Prices: what a million tokens cost, and since when.")

KeyArgument = Annotated[str, typer.Argument(help="A name of a model.", metavar="KEY")]
KindArgument = Annotated[str, typer.Argument(help="input, output, cached, storage.", metavar="KIND")]
ModalityFlag = Annotated[str, typer.Option("--modality", help="text (and pictures, film) or audio.")]
TierFlag = Annotated[str, typer.Option("--tier", help="standard, batch, flex, priority.")]
FromFlag = Annotated[
    str | None, typer.Option("--from", help="From when on: 2026-12-31, or 7d from now.  [default: now]")
]
COLUMNS = ("key", "tier", "kind", "modality", "perMillion", "listPerMillion", "discountPercent", "untilTime")
HISTORY = ("kind", "modality", "tier", "perMillion", "effectiveTime", "author", "createTime")


@app.command("list")
def show_all(json: JsonFlag = False, data: DataFlag = None, config: ConfigFlag = None) -> None:
    """Show the prices in force beside the list's, dollars per million tokens."""
    desk = Desk(data, config, json)
    sheets = desk.pages("prices.list", "sheets")
    rows: list[dict[str, Any]] = [{**sheet, **line} for sheet in sheets for line in sheet["lines"]]
    desk.show(sheets if json else rows, COLUMNS)


@app.command("set")
def put(
    key: KeyArgument,
    kind: KindArgument,
    price: Annotated[str, typer.Argument(help="Dollars per million tokens.", metavar="PRICE")],
    modality: ModalityFlag = "text",
    tier: TierFlag = "standard",
    from_when: FromFlag = None,
    json: JsonFlag = False,
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """Set a price. What was billed never changes."""
    _set(Desk(data, config, json), key, kind, dollars(price), modality, tier, from_when)


@app.command()
def end(
    key: KeyArgument,
    kind: KindArgument,
    modality: ModalityFlag = "text",
    tier: TierFlag = "standard",
    from_when: FromFlag = None,
    json: JsonFlag = False,
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """End a price. What has none is refused to prepaid projects, never free."""
    _set(Desk(data, config, json), key, kind, None, modality, tier, from_when)


@app.command()
def history(
    key: KeyArgument, json: JsonFlag = False, data: DataFlag = None, config: ConfigFlag = None
) -> None:
    """List what was set for one key, in its order."""
    desk = Desk(data, config, json)
    desk.show(desk.pages("prices.history", "entries", key=key), HISTORY)


def _set(
    desk: Desk, key: str, kind: str, price: str | None, modality: str, tier: str, from_when: str | None
) -> None:
    body = said(key=key, kind=kind, modality=modality, tier=tier, effectiveTime=moment(from_when))
    desk.show(desk.ask("prices.set", {**body, "perMillion": price}))
