"""Write docs/reference/{configuration,cli,errors,admin-api}.md from the code. ``--check`` only compares."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import typer
from typer.main import get_command

from geminid.cli.main import app
from geminid.config import settings
from geminid.wire.admin.document import reference
from geminid.wire.admin.operations import OPERATIONS
from geminid.wire.gemini.errors import TABLE
from geminid.wire.interactions.errors import TABLE as INTERACTIONS_TABLE
from geminid.wire.openai.errors import TABLE as OPENAI_TABLE

REFERENCE = Path(__file__).parent / "reference"


def configuration() -> str:
    """Every setting."""
    lines = [
        "# Settings",
        "",
        "Layers: a TOML file (`--config FILE`), then the environment, then flags; later ones win. All",
        "mistakes are told at once. `geminid config` shows the effective values and their sources.",
        "",
        "| setting | variable | type | default | meaning |",
        "|---|---|---|---|---|",
    ]
    for each in settings():
        kind = _type(each.type)
        lines.append(
            f"| `{each.name}` | `{each.variable}` | {kind} | `{_plain(each.default)}` | {each.description} |"
        )
    return "\n".join(lines) + "\n"


def _type(declared: object) -> str:
    base = get_args(declared)[0]
    while hasattr(base, "__metadata__"):
        base = get_args(base)[0]
    if choices := get_args(base):
        return "list" if choices[-1] is Ellipsis else " or ".join(f"`{choice}`" for choice in choices)
    return {"int": "integer", "str": "text", "bool": "true or false"}[base.__name__]


def _plain(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "(none)"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if value != "" else "(empty)"


def cli() -> str:
    """Every command and its options."""
    lines = [
        "# Command line",
        "",
        "Data goes to stdout, everything else to stderr. Exit status: 0 done, 1 a problem,",
        "2 a wrong command or setting. `NO_COLOR` is honoured.",
        "",
    ]
    group = get_command(app)
    for name, command in _commands(group, typer.Context(group, info_name="geminid")):
        lines += [f"## geminid {name}", "", command.help or "", "", "| option | meaning |", "|---|---|"]
        for parameter in command.params:
            label = (
                parameter.name.upper()
                if parameter.param_type_name == "argument"
                else ", ".join(parameter.opts)
            )
            meta = (
                f" {parameter.metavar}" if parameter.metavar and parameter.param_type_name == "option" else ""
            )
            label = (label + meta).replace("|", "\\|")
            lines.append(f"| `{label}` | {getattr(parameter, 'help', '') or ''} |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _commands(group: object, context: typer.Context, before: str = "") -> Iterator[tuple[str, object]]:
    """Yield every command with its name, those of groups among them."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if hasattr(command, "list_commands"):
            yield from _commands(command, typer.Context(command, info_name=name), f"{before}{name} ")
        else:
            yield f"{before}{name}", command


def admin_api() -> str:
    """Every operation of administration."""
    return reference(OPERATIONS)


def errors() -> str:
    """The table from problems to the wire."""
    lines = [
        "# Errors",
        "",
        'The body is Google\'s: `{"error": {"code", "message", "status", "details"}}`. In a stream that has',
        "begun the same object comes as the last event.",
        "",
        "| problem | HTTP | status | meaning |",
        "|---|---|---|---|",
    ]
    for kind, row in TABLE.items():
        meaning = (kind.__doc__ or "").split("\n")[0].replace("``", "`")
        lines.append(f"| {kind.__name__} | {row.status} | {row.code} | {meaning} |")
    return "\n".join([*lines, "", *interactions_errors(), "", *openai_errors()]) + "\n"


def interactions_errors() -> Iterator[str]:
    """The same table for interactions."""
    yield "## Of interactions"
    yield ""
    yield 'The body is `{"error": {"message", "code"}}`. A stream that breaks ends with an `error` event that'
    yield "has the same object, and without `[DONE]`. A field that is not known has the code"
    yield "`parameter_unknown`, a limit for a day `quota_exceeded`."
    yield ""
    yield "| problem | HTTP | code |"
    yield "|---|---|---|"
    for kind, row in INTERACTIONS_TABLE.items():
        yield f"| {kind.__name__} | {row.status} | {row.code} |"


def openai_errors() -> Iterator[str]:
    """The same table for OpenAI's wire."""
    yield "## On OpenAI's wire"
    yield ""
    yield 'The body is OpenAI\'s: `{"error": {"message", "type", "param", "code"}}`. A stream that breaks'
    yield "ends with the same object as its last event, and without `[DONE]`. At `/v1beta/openai` the body is"
    yield "Google's, in a list of one."
    yield ""
    yield "| problem | HTTP | type | code |"
    yield "|---|---|---|---|"
    for kind, row in OPENAI_TABLE.items():
        yield f"| {kind.__name__} | {row.status} | {row.type} | {row.code or ''} |"


PAGES: dict[str, Callable[[], str]] = {
    "configuration.md": configuration,
    "cli.md": cli,
    "errors.md": errors,
    "admin-api.md": admin_api,
}


def main() -> None:
    """Write the pages, or with ``--check`` exit with status 1 and name those that are out of date."""
    stale = [name for name, page in PAGES.items() if _text(name) != page()]
    if "--check" in sys.argv:
        sys.exit(f"out of date, run make docs: {', '.join(stale)}" if stale else 0)
    for name in stale:
        (REFERENCE / name).write_text(PAGES[name]())


def _text(name: str) -> str:
    path = REFERENCE / name
    return path.read_text() if path.exists() else ""


if __name__ == "__main__":
    main()
