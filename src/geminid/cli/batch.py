"""``geminid batch``: many requests at half the price, through a running server."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
import typer
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn

from geminid.cli.api import Api, Reply
from geminid.cli.desk import ConfigFlag, DataFlag, JsonFlag, said
from geminid.cli.setup import read_settings
from geminid.cli.terminal import errors, fail, told, write_json, write_table
from geminid.core.errors import Problem

app = typer.Typer(no_args_is_help=True, help="Batches: many requests, answered when there is time.")

UrlFlag = Annotated[
    str,
    typer.Option(
        "--url",
        envvar="GOOGLE_GEMINI_BASE_URL",
        help="The server.  [default: the one of the settings]",
        show_default=False,
    ),
]
KeyFlag = Annotated[
    str, typer.Option("--key", envvar="GEMINI_API_KEY", help="The API key.", show_default=False)
]
NameArgument = Annotated[str, typer.Argument(help="The job: batches/ID, or its ID.", metavar="BATCH")]

DEFAULT_MODEL = "gemini-3.1-flash-lite"
LINES = "application/jsonl"
LOOK_S = (0.2, 5.0)
"""How long to wait between two looks, at first and at last."""
STATE = "BATCH_STATE_"
COLUMNS = ("name", "state", "model", "requests", "done", "failed", "created", "display name")
HEADERS = {
    "position": "x-geminid-batch-position",
    "eta_s": "x-geminid-batch-eta-s",
    "deadline": "x-geminid-batch-deadline",
    "note": "x-geminid-batch-note",
}


class Seen(NamedTuple):
    """A job as it was when it was looked at, and what its headers told."""

    name: str
    state: str
    total: int
    succeeded: int
    failed: int
    outlook: Mapping[str, str]
    operation: Mapping[str, Any]

    @property
    def ended(self) -> bool:
        """Whether it has come to its last state."""
        return bool(self.operation.get("done"))


@app.command()
def submit(
    file: Annotated[
        Path,
        typer.Argument(help='JSON lines: {"key": "1", "request": {"contents": […]}}', metavar="FILE"),
    ],
    model: Annotated[str, typer.Option(help="The model that answers.", metavar="NAME")] = DEFAULT_MODEL,
    embed: Annotated[
        bool, typer.Option("--embed", help='Embed: {"key": "1", "request": {"content": …}}')
    ] = False,
    name: Annotated[str, typer.Option(help="What to call the job.  [default: the file's name]")] = "",
    priority: Annotated[
        int, typer.Option(help="Jobs of one project with a higher one come first.", min=-(2**63))
    ] = 0,
    webhook: Annotated[
        list[str] | None,
        typer.Option(help="An address that is told of the end; may be given more than once."),
    ] = None,
    watch_it: Annotated[bool, typer.Option("--watch", help="Wait for its end.")] = False,
    json: JsonFlag = False,
    url: UrlFlag = "",
    key: KeyFlag = "",
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """Upload a file of requests and have them answered."""
    with told():
        api = _api(url, key, data, config)
        batch = said(
            displayName=name or file.name,
            priority=str(priority),
            inputConfig={"fileName": _uploaded(api, file)},
            webhookConfig={"uris": webhook} if webhook else None,
        )
        verb = "asyncBatchEmbedContent" if embed else "batchGenerateContent"
        seen = _seen(api.ask("POST", f"models/{model.removeprefix('models/')}:{verb}", {"batch": batch}))
        if watch_it:
            _watch(api, seen.name, json=json)
        elif json:
            write_json(seen.operation)
        else:
            typer.echo(seen.name)


@app.command("list")
def show_all(
    json: JsonFlag = False,
    url: UrlFlag = "",
    key: KeyFlag = "",
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """List the jobs of the key's project, the newest first."""
    with told():
        found = list(_pages(_api(url, key, data, config)))
    if json:
        write_json(found)
        return
    rows = [_row(operation) for operation in found]
    write_table(COLUMNS, rows, numbers=("requests", "done", "failed"))


@app.command()
def show(
    batch: NameArgument,
    json: JsonFlag = False,
    url: UrlFlag = "",
    key: KeyFlag = "",
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """Show a job: how far it is, and when it will have ended."""
    with told():
        seen = _seen(_api(url, key, data, config).ask("GET", _name(batch)))
    if json:
        write_json({**_without_results(seen.operation), "outlook": dict(seen.outlook)})
    else:
        write_table(("field", "value"), list(_fields(seen)), header=False)


@app.command()
def watch(
    batch: NameArgument,
    json: JsonFlag = False,
    url: UrlFlag = "",
    key: KeyFlag = "",
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """Wait for a job's end; the exit status tells whether it succeeded."""
    with told():
        _watch(_api(url, key, data, config), _name(batch), json=json)


@app.command()
def cancel(
    batch: NameArgument,
    url: UrlFlag = "",
    key: KeyFlag = "",
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """End a job now. What is answered stays, and is paid."""
    with told():
        _api(url, key, data, config).ask("POST", f"{_name(batch)}:cancel", {})


@app.command()
def delete(
    batch: NameArgument,
    url: UrlFlag = "",
    key: KeyFlag = "",
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """Forget a job; one that runs goes on."""
    with told():
        _api(url, key, data, config).ask("DELETE", _name(batch))


@app.command()
def results(
    batch: NameArgument,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to write them.  [default: stdout]")
    ] = None,
    url: UrlFlag = "",
    key: KeyFlag = "",
    data: DataFlag = None,
    config: ConfigFlag = None,
) -> None:
    """Write a job's results, one JSON object a line, in the order of its requests."""
    with told():
        api = _api(url, key, data, config)
        told_of = api.ask("GET", _name(batch)).value["metadata"].get("output")
        if told_of is None:
            raise Problem(
                f"{_name(batch)} has no results yet.\nhint: geminid batch watch {batch} waits for them"
            )
        sink = sys.stdout.buffer if output is None else output.open("wb")
        try:
            for block in _result_blocks(api, told_of):
                sink.write(block)
            sink.flush()
        finally:
            if output is not None:
                sink.close()


# -- what the commands share ---------------------------------------------------------------------------


def _api(url: str, key: str, data: str | None, config: Path | None) -> Api:
    server = read_settings(config, server__data=data, log__level="error").config.server
    host = f"[{server.host}]" if ":" in server.host else server.host
    return Api(url or f"http://{host}:{server.port}", key)


def _name(batch: str) -> str:
    return f"batches/{batch.removeprefix('batches/')}"


def _uploaded(api: Api, file: Path) -> str:
    """Upload a file with a bar on stderr; return its name."""
    try:
        columns = TextColumn("uploading"), BarColumn(), DownloadColumn()
        with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bars:
            task = bars.add_task("", total=file.stat().st_size)
            return api.upload(file, LINES, lambda done: bars.update(task, completed=done))
    except OSError as error:
        raise fail(f"{file} cannot be read: {error.strerror}.") from error


def _pages(api: Api) -> Iterator[dict[str, Any]]:
    token = ""
    while True:
        page = api.ask("GET", "batches", query={"pageSize": "1000", "pageToken": token}).value
        yield from page.get("operations", ())
        if not (token := page.get("nextPageToken", "")):
            return


def _seen(reply: Reply) -> Seen:
    operation = reply.value
    metadata, stats = operation["metadata"], operation["metadata"]["batchStats"]
    return Seen(
        name=operation["name"],
        state=metadata["state"].removeprefix(STATE).lower(),
        total=int(stats["requestCount"]),
        succeeded=int(stats["successfulRequestCount"]),
        failed=int(stats["failedRequestCount"]),
        outlook={name: reply.headers[header] for name, header in HEADERS.items() if header in reply.headers},
        operation=operation,
    )


def _watch(api: Api, name: str, *, json: bool) -> None:
    """Show how far a job is until it has ended; exits with 1 where it did not succeed."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rest]}"),
    )
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bars:
        task, wait_s = bars.add_task("pending", total=None, rest=""), LOOK_S[0]
        while not (seen := _seen(api.ask("GET", name))).ended:
            bars.update(
                task,
                description=seen.state,
                total=seen.total or None,
                completed=seen.succeeded + seen.failed,
                rest=_rest(seen),
            )
            time.sleep(wait_s)
            wait_s = min(wait_s * 1.5, LOOK_S[1])
    if json:
        write_json(_without_results(seen.operation))
    else:
        typer.echo(f"{seen.name} {seen.state}: {seen.succeeded} succeeded, {seen.failed} failed")
    if seen.state != "succeeded":
        raise fail(seen.operation["error"]["message"])


def _rest(seen: Seen) -> str:
    """Return in words what lies before a job."""
    if "note" in seen.outlook:
        return seen.outlook["note"]
    if "eta_s" in seen.outlook:
        minutes, seconds = divmod(int(seen.outlook["eta_s"]), 60)
        hours, minutes = divmod(minutes, 60)
        return f"about {hours}:{minutes:02d}:{seconds:02d} to go"
    position = seen.outlook.get("position", "0")
    return f"{position} before it" if position != "0" else ""


def _row(operation: Mapping[str, Any]) -> tuple[str, ...]:
    seen = _seen(Reply(operation, {}))
    metadata = operation["metadata"]
    return (
        seen.name,
        seen.state,
        metadata["model"].removeprefix("models/"),
        *map(str, (seen.total, seen.succeeded + seen.failed, seen.failed)),
        metadata["createTime"],
        metadata.get("displayName", ""),
    )


def _fields(seen: Seen) -> Iterator[tuple[str, str]]:
    metadata = seen.operation["metadata"]
    yield "name", seen.name
    yield "display name", metadata.get("displayName", "-")
    yield "state", seen.state
    yield "model", metadata["model"].removeprefix("models/")
    yield "priority", metadata["priority"]
    yield "requests", str(seen.total)
    yield "succeeded", str(seen.succeeded)
    yield "failed", str(seen.failed)
    yield "created", metadata["createTime"]
    yield "ended", metadata.get("endTime", "-")
    for name, value in seen.outlook.items():
        yield name.replace("_", " "), value
    if "error" in seen.operation:
        yield "error", seen.operation["error"]["message"]
    output = metadata.get("output", {})
    yield "results", output.get("responsesFile", "inline" if output else "-")


def _without_results(operation: Mapping[str, Any]) -> dict[str, Any]:
    """Return an operation without its inline results: they are what ``results`` is for."""
    metadata = {name: value for name, value in operation["metadata"].items() if name != "output"}
    output = operation["metadata"].get("output", {})
    if "responsesFile" in output:
        metadata["output"] = output
    return {name: value for name, value in {**operation, "metadata": metadata}.items() if name != "response"}


def _result_blocks(api: Api, output: Mapping[str, Any]) -> Iterator[bytes]:
    if "responsesFile" in output:
        yield from api.download(output["responsesFile"])
        return
    for item in output["inlinedResponses"]["inlinedResponses"]:
        yield msgspec.json.encode(item) + b"\n"
