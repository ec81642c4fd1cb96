"""Batches on the Gemini wire: jobs as long-running operations, one by one and in lists.

A job's results stand twice in its operation, under ``metadata.output`` and under ``response``, because
clients read one or the other. Results that were asked for inline may be far more than memory should hold, so
such an operation is written in pieces (:class:`Pieces`) between which the result lines go. It knows no files.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from geminid.core.batch import BatchKind, BatchState, Job, Outlook, Place
from geminid.wire.gemini import answers, pages
from geminid.wire.gemini.batch_schema import WebhookConfig
from geminid.wire.gemini.errors import NUMBERS, Status
from geminid.wire.protojson import FreeForm, Message

POSITION_HEADER = "x-geminid-batch-position"
"""How many jobs of the project come before this one; 0 is being answered."""
ETA_HEADER = "x-geminid-batch-eta-s"
"""For how many seconds the job will still take."""
DEADLINE_HEADER = "x-geminid-batch-deadline"
"""When the job expires."""
NOTE_HEADER = "x-geminid-batch-note"
"""What the job waits for."""

_PACKAGE = "type.googleapis.com/google.ai.generativelanguage.v1main."
_TYPES: dict[BatchKind, str] = {"generate": "GenerateContentBatch", "embed": "EmbedContentBatch"}
_FAULTS: dict[BatchState, tuple[str, str]] = {
    "failed": ("INTERNAL", "The batch failed."),
    "cancelled": ("CANCELLED", "The operation was cancelled."),
    "expired": ("DEADLINE_EXCEEDED", "The batch expired before all of its requests were processed."),
}
"""Code and words of an operation that ended in this state, where the job says none."""

_RESULTS = b'"inlinedResponses": []'
"""Where results go. No text can hold it, since its quotation marks would be escaped."""
_INDENTS = (b" " * 10, b" " * 8)
"""Of results under ``metadata.output`` and under ``response``."""


class BatchStats(Message, kw_only=True):
    """How many requests there are; zeros are said."""

    request_count: str
    successful_request_count: str
    failed_request_count: str
    pending_request_count: str


class Input(Message):
    """The file that requests came in."""

    file_name: str


class InlinedResponses(Message):
    """Results in the operation itself."""

    inlined_responses: list[FreeForm]


class Output(Message):
    """Where results are: in a file, or here."""

    type: str | None = msgspec.field(name="@type", default=None)
    responses_file: str | None = None
    inlined_responses: InlinedResponses | None = None


class BatchResource(Message, kw_only=True):
    """A job; inside of an operation it says its type."""

    type: str | None = msgspec.field(name="@type", default=None)
    model: str
    display_name: str | None = None
    input_config: Input | None = None
    output: Output | None = None
    create_time: str
    end_time: str | None = None
    update_time: str
    batch_stats: BatchStats
    state: str
    priority: str
    webhook_config: WebhookConfig | None = None
    name: str


class Operation(Message, kw_only=True):
    """A job as a google.longrunning.Operation; ``done`` is not said while it is false."""

    name: str
    metadata: BatchResource
    done: bool = False
    error: Status | None = None
    response: Output | None = None


class ListOperationsResponse(Message):
    """One page of jobs."""

    operations: list[Operation] | None = None
    next_page_token: str | None = None


class Pieces(NamedTuple):
    """An operation without its results. Each part but the last ends where results begin."""

    parts: tuple[bytes, ...]

    def result(self, place: int, line: bytes, *, first: bool) -> bytes:
        """Return a result line as it stands after part number ``place``."""
        text = msgspec.json.format(line, indent=2).replace(b"\n", b"\n" + _INDENTS[place])
        return (b"\n" if first else b",\n") + _INDENTS[place] + text

    def end(self, place: int, *, empty: bool) -> bytes:
        """Return the end of the results after part number ``place``."""
        return b"]" if empty else b"\n" + _INDENTS[place][:-2] + b"]"


def write_operation(job: Job) -> bytes:
    """Return a job whose results, if there are any, are in a file."""
    return answers.pretty(_operation(job, inlined=None))


def write_pieces(job: Job) -> Pieces:
    """Return a job with room for its results."""
    whole = answers.pretty(_operation(job, inlined=InlinedResponses(inlined_responses=[])))
    *parts, last = whole.split(_RESULTS)
    return Pieces((*(part + _RESULTS[:-1] for part in parts), last))


def write_batch(job: Job) -> bytes:
    """Return a job bare, as a change is answered."""
    return answers.pretty(_resource(job, None))


def write_list(jobs: Sequence[Job], following: Place | None) -> bytes:
    """Return one page, without inline results, with the token of the page after it if there is one."""
    token = pages.write_token(f"{following.created_ms}:{following.id}") if following else None
    operations = [_operation(job, inlined=None) for job in jobs]
    return answers.pretty(ListOperationsResponse(operations=operations or None, next_page_token=token))


def outlook_headers(job: Job, outlook: Outlook | None) -> list[tuple[str, str]]:
    """Return what is told of a job beside its body: its deadline, and what lies before it until it ends."""
    named = [(DEADLINE_HEADER, _time(job.deadline_ms))]
    if outlook is not None:
        named.append((POSITION_HEADER, str(outlook.position)))
        if outlook.eta_ms is not None:
            named.append((ETA_HEADER, str(-(-outlook.eta_ms // 1000))))
        if job.note:
            named.append((NOTE_HEADER, job.note.encode("ascii", "replace").decode()))
    return named


def inline(job: Job) -> bool:
    """Return whether a job has results that stand in its operation."""
    return job.ended and job.output and not job.file_id


def _operation(job: Job, inlined: InlinedResponses | None) -> Operation:
    output = _output(job, inlined)
    metadata = _resource(job, output)
    metadata.type = _PACKAGE + _TYPES[job.kind]
    operation = Operation(name=f"batches/{job.id}", metadata=metadata, done=job.ended)
    if job.ended and job.state != "succeeded":
        code, words = _FAULTS[job.state]
        operation.error = Status(NUMBERS[job.fault_code or code], job.fault or words)
    elif job.ended:
        operation.response = Output(
            type=f"{_PACKAGE}{_TYPES[job.kind]}Output",
            responses_file=output.responses_file if output else None,
            inlined_responses=output.inlined_responses if output else None,
        )
    return operation


def _output(job: Job, inlined: InlinedResponses | None) -> Output | None:
    if not job.ended or not job.output:
        return None
    if job.output_id:
        return Output(responses_file=f"files/{job.output_id}")
    return None if inlined is None else Output(inlined_responses=inlined)


def _resource(job: Job, output: Output | None) -> BatchResource:
    return BatchResource(
        model=f"models/{job.model}",
        display_name=job.display_name or None,
        input_config=Input(file_name=f"files/{job.file_id}") if job.file_id else None,
        output=output,
        create_time=_time(job.created_ms),
        end_time=None if job.ended_ms is None else _time(job.ended_ms),
        update_time=_time(job.updated_ms),
        batch_stats=BatchStats(
            request_count=str(job.lines),
            successful_request_count=str(job.succeeded),
            failed_request_count=str(job.failed),
            pending_request_count=str(job.pending),
        ),
        state=f"BATCH_STATE_{job.state.upper()}",
        priority=str(job.priority),
        webhook_config=_webhook(job),
        name=f"batches/{job.id}",
    )


def _webhook(job: Job) -> WebhookConfig | None:
    if not job.webhook.uris:
        return None
    said = job.webhook.metadata
    return WebhookConfig(uris=list(job.webhook.uris), user_metadata=None if said is None else FreeForm(said))


def _time(ms: int) -> str:
    seconds, rest = divmod(ms, 1000)
    whole = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{rest:03d}Z" if rest else f"{whole}Z"
