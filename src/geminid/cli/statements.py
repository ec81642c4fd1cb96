"""``geminid statement``: a month of a project, for people and programs, and the proof that it fits."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Annotated, Any

import typer

from geminid.cli.desk import ConfigFlag, DataFlag, Desk
from geminid.cli.terminal import errors, write_json

WORDS = {
    "top_up": "Paid in",
    "grant": "Granted",
    "refund": "Refunded",
    "adjust": "Adjusted",
    "post": "Charged for usage",
    "expire": "Expired",
}


class StatementFormat(Enum):
    """Formats of a statement."""

    MARKDOWN = "md"
    JSON = "json"
    CSV = "csv"


def statement(
    project: Annotated[str, typer.Argument(help="The project.")],
    month: Annotated[
        str,
        typer.Argument(help="Such as 2026-11; months are Pacific.  [default: this one]", show_default=False),
    ] = "",
    form: Annotated[StatementFormat, typer.Option("--format", help="For people, or programs.")] = (
        StatementFormat.MARKDOWN
    ),
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """Make the statement of a month and prove it; status 1 if ledger and usage do not agree."""
    found = Desk(data, config, json=True).ask("statements.get", project=project, month=month)
    match form:
        case StatementFormat.JSON:
            write_json(found)
        case StatementFormat.CSV:
            typer.echo(csv_of(found), nl=False)
        case StatementFormat.MARKDOWN:
            typer.echo(markdown_of(found), nl=False)
    wrong = [check for check in found["checks"] if not check["sound"]]
    for check in wrong:
        errors.print("error:", style="bold red", end=" ")
        errors.print(f"{check['name']}: {check['what']}", markup=False, highlight=False, soft_wrap=True)
    if wrong:
        raise typer.Exit(1)


def markdown_of(found: Mapping[str, Any]) -> str:
    """Return a statement for people."""
    title = f"{found['title']} ({found['project']})" if found["title"] else found["project"]
    state = "" if found["closed"] else " so far"
    lines = [
        f"# Statement of {_cell(title)} for {found['month']}{state}",
        "",
        f"{found['fromTime']} to {found['untilTime']}, made {found['createTime']}. Amounts are US dollars.",
        "",
        "## Credits",
        "",
        *_table(
            ("", "entries", "amount"),
            [
                ("At the beginning", "", found["opening"]),
                *((WORDS[each["kind"]], each["entries"], each["amount"]) for each in found["entries"]),
                ("At the end", "", found["closing"]),
            ],
        ),
        "",
        "## Usage",
        "",
        *(_usage(found) if found["models"] else ["None."]),
        "",
        f"Used {found['used']}, of which {found['due']} are due.",
    ]
    if found["unpaid"] != "0":
        lines.append(f"Bills exceeded what was told before by {found['unpaid']}, which nobody pays.")
    lines += ["", "## Proof", ""]
    lines += [
        f"- {check['name']}: {'' if check['sound'] else '**WRONG** '}{check['what']}"
        for check in found["checks"]
    ]
    lines += [f"- last entry: {found['seq']}, sealed `{found['head'] or '-'}`", ""]
    return "\n".join(lines)


def _usage(found: Mapping[str, Any]) -> list[str]:
    models = [
        (
            each["model"],
            each["tier"],
            f"{each['total']['requests']:,}",
            f"{each['total']['tokens']['prompt']:,}",
            f"{each['total']['tokens']['candidates'] + each['total']['tokens']['thoughts']:,}",
            each["total"]["cost"],
        )
        for each in found["models"]
    ]
    lines = [
        (
            each["model"],
            each["tier"],
            _item(each),
            f"{each['quantity']:,}",
            each["perMillion"],
            each["cost"],
        )
        for each in found["lines"]
    ]
    return [
        *_table(("model", "tier", "requests", "input tokens", "output tokens", "cost"), models),
        "",
        *_table(("model", "tier", "line", "quantity", "price of a million", "cost"), lines),
    ]


def _item(line: Mapping[str, Any]) -> str:
    return str(line["item"]) if line["modality"] == "text" else f"{line['item']} ({line['modality']})"


def csv_of(found: Mapping[str, Any]) -> str:
    """Return a statement as one table: entries first, then lines; amounts of charges are not repeated."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ("project", "month", "section", "name", "tier", "line", "quantity", "per_million", "amount")
    )
    where = found["project"], found["month"]
    writer.writerow((*where, "credits", "opening", "", "", "", "", found["opening"]))
    for each in found["entries"]:
        writer.writerow((*where, "credits", each["kind"], "", "", each["entries"], "", each["amount"]))
    writer.writerow((*where, "credits", "closing", "", "", "", "", found["closing"]))
    for each in found["lines"]:
        figures = each["quantity"], each["perMillion"], each["cost"]
        writer.writerow((*where, "usage", each["model"], each["tier"], _item(each), *figures))
    for name in ("used", "due", "unpaid"):
        writer.writerow((*where, "total", name, "", "", "", "", found[name]))
    writer.writerow(
        (*where, "proof", "sound" if found["sound"] else "wrong", "", "", found["seq"], "", found["head"])
    )
    return text.getvalue()


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    body = [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows]
    return [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}", *body]


def _cell(value: Any) -> str:
    return str(value).replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")
