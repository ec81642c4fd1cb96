"""``geminid reconcile``: an upstream's invoice against our own usage, and every difference."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from geminid.cli.desk import ConfigFlag, DataFlag, Desk, JsonFlag
from geminid.cli.terminal import write_json, write_table
from geminid.core.errors import InvalidArgument

FIGURES = ("ours", "theirs", "theirs - ours")
_SHARE = re.compile(r"(\d{1,3})(?:\.(\d{1,4}))?%", re.ASCII)


def reconcile(
    invoice: Annotated[Path, typer.Argument(help="The upstream's invoice, CSV.", metavar="FILE")],
    month: Annotated[str, typer.Option(help="The month that is compared, such as 2026-11.", metavar="MONTH")],
    column: Annotated[
        list[str],
        typer.Option(
            help="Which column means what: day=NAME, model=NAME, and some of requests, input, fresh (input "
            "that was not cached), cached, output, amount.",
            metavar="MEANING=NAME",
        ),
    ],
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="A model's name there and here; without =, that of all lines.", metavar="THEIRS=OURS"
        ),
    ] = None,
    zone: Annotated[str, typer.Option(help="The time zone of its days and of the month.")] = "UTC",
    day_format: Annotated[
        str,
        typer.Option(help="How days are written, as for strptime.  [default: ISO 8601]", show_default=False),
    ] = "",
    tolerance: Annotated[
        str, typer.Option(help="A share of the larger figure that is no difference.", metavar="PERCENT")
    ] = "0%",
    project: Annotated[
        str, typer.Option(help="One project.  [default: all]", metavar="ID", show_default=False)
    ] = "",
    json: JsonFlag = False,
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """Compare an upstream's invoice with our usage, day by day; status 1 and every difference, if any."""
    names = dict(_pair(each) for each in model or () if "=" in each)
    alone = [each for each in model or () if "=" not in each]
    if len(alone) > 1:
        raise typer.BadParameter("only one model can be that of all lines")

    async def act(acts: Any) -> Any:
        from geminid.web.admin.reconciling import Mapped, reconciled

        mapped = Mapped(
            columns=dict(map(_pair, column)), models=names, day_format=day_format, model="".join(alone)
        )
        with _opened(invoice) as lines:
            return await reconciled(
                acts, lines, mapped, month=month, zone=zone, project=project, tolerance_ppm=_ppm(tolerance)
            )

    found = Desk(data, config, json).act(act)
    if json:
        write_json(_plain(found))
    else:
        _show(found)
    if not found.sound:
        raise typer.Exit(1)


def _show(found: Any) -> None:
    totals = [
        (figure, _decimal(ours), _decimal(theirs), _decimal(theirs - ours))
        for figure, (ours, theirs) in found.totals.items()
    ]
    write_table(("figure", *FIGURES), totals, numbers=FIGURES)
    typer.echo()
    if found.sound:
        typer.echo(f"{found.compared:,} days of models agree.")
        return
    differences = [
        (each.day, each.model, each.figure, _decimal(each.ours), _decimal(each.theirs), _decimal(each.by))
        for each in found.differences
    ]
    write_table(("day", "model", "figure", *FIGURES), differences, numbers=FIGURES)


def _plain(found: Any) -> dict[str, Any]:
    return {
        "sound": found.sound,
        "compared": found.compared,
        "totals": {
            figure: {"ours": _decimal(ours), "theirs": _decimal(theirs)}
            for figure, (ours, theirs) in found.totals.items()
        },
        "differences": [
            {
                "day": each.day,
                "model": each.model,
                "figure": each.figure,
                "ours": _decimal(each.ours),
                "theirs": _decimal(each.theirs),
            }
            for each in found.differences
        ],
    }


def _decimal(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise typer.BadParameter(f"{text} is not of the form NAME=NAME")
    return name, value


def _ppm(text: str) -> int:
    share = _SHARE.fullmatch(text.strip())
    if share is None:
        raise typer.BadParameter(f"{text} is no share such as 0.5%")
    return int(share[1]) * 10_000 + int((share[2] or "").ljust(4, "0"))


def _opened(path: Path) -> Any:
    try:
        return path.open(encoding="utf-8", newline="")
    except OSError as error:
        raise InvalidArgument(f"Cannot read {path}: {error.strerror}.") from error
