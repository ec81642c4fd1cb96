"""Batches on OpenAI's wire: what is asked for, and jobs one by one and in lists.

It knows no lines. Fields and statuses are those of OpenAI's published reference (openai-python 3.57.0).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from geminid.core.batch import BatchState, Job, LineFault, NewJob
from geminid.wire.openai import files, refused
from geminid.wire.openai.answers import pretty
from geminid.wire.openai.batch_lines import Endpoint, endpoint_of, endpoints_of, format_of, kind_of
from geminid.wire.openai.queries import limit_of
from geminid.wire.openai.reading import Message, Reader
from geminid.wire.openai.refused import Missing, Refused
from geminid.wire.openai.surfaces import SURFACES, Surface

WINDOW = "24h"
WINDOW_MS = 24 * 3_600_000
PAGE_MAX, PAGE_DEFAULT = 100, 20
NO_CANCEL = "Cannot cancel a batch with status '{}'."
WRONG_PURPOSE = (
    "Invalid value for 'input_file_id': the file {} has purpose '{}', and a batch needs one of 'batch'."
)
NO_FILE = "Cannot find file {}, or organization does not have access to it."

_STATUSES: dict[BatchState, str] = {
    "pending": "validating",
    "running": "in_progress",
    "succeeded": "completed",
    "failed": "failed",
    "cancelled": "cancelled",
    "expired": "expired",
}

Metadata = Annotated[
    dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=512)]], Meta(max_length=16)
]


class OutputExpiresAfter(Message):
    """How long the files of results shall live."""

    anchor: Literal["created_at"]
    seconds: Annotated[int, Meta(ge=files.TTL_S_MIN, le=files.TTL_S_MAX)]


class BatchCreate(Message):
    """The body by which a batch is made."""

    input_file_id: Annotated[str, Meta(min_length=1)]
    endpoint: Endpoint
    completion_window: Literal["24h"]
    metadata: Metadata | None = None
    output_expires_after: OutputExpiresAfter | None = None


class Listing(NamedTuple):
    """A page of a list. after: the id of the batch that it begins behind, empty for none."""

    size: int
    after: str


class LineError(msgspec.Struct, kw_only=True):
    """Why a batch could not be taken."""

    code: str
    message: str
    param: str | None
    line: int | None


class Errors(msgspec.Struct, kw_only=True):
    """All of these."""

    object: Literal["list"] = "list"
    data: list[LineError]


class Counts(msgspec.Struct):
    """Lines by how they ended."""

    total: int
    completed: int
    failed: int


class InputDetails(msgspec.Struct):
    """Tokens of prompts that came from a cache."""

    cached_tokens: int


class OutputDetails(msgspec.Struct):
    """Tokens of answers that are thoughts."""

    reasoning_tokens: int


class BatchUsage(msgspec.Struct, kw_only=True):
    """Tokens that all answers used."""

    input_tokens: int
    input_tokens_details: InputDetails
    output_tokens: int
    output_tokens_details: OutputDetails
    total_tokens: int


class Batch(msgspec.Struct, kw_only=True):
    """A batch. Times are seconds since 1970."""

    id: str
    object: Literal["batch"] = "batch"
    endpoint: str
    model: str | None
    errors: Errors | None
    input_file_id: str
    completion_window: str = WINDOW
    status: str
    output_file_id: str | None
    error_file_id: str | None
    created_at: int
    in_progress_at: int | None
    expires_at: int
    finalizing_at: int | None
    completed_at: int | None
    failed_at: int | None
    expired_at: int | None
    cancelling_at: int | None
    cancelled_at: int | None
    request_counts: Counts
    usage: BatchUsage | None
    metadata: dict[str, str] | None


class BatchList(msgspec.Struct, kw_only=True):
    """Some of a project's batches, the newest first."""

    object: Literal["list"] = "list"
    data: list[Batch]
    first_id: str | None
    last_id: str | None
    has_more: bool


_READER = Reader(BatchCreate)


def read_create(body: bytes, surface: Surface) -> NewJob:
    """Return the job that a body asks for; raises :class:`~geminid.wire.openai.refused.Refused`.

    Which model is asked, its lines say.
    """
    message = _READER.read(body)
    if message.endpoint not in (known := endpoints_of(surface)):
        raise refused.wrong_value("endpoint", message.endpoint, known)
    expires = message.output_expires_after
    return NewJob(
        model="",
        kind=kind_of(message.endpoint),
        file_id=files.id_of(message.input_file_id),
        format=format_of(message.endpoint, surface),
        expiry_ms=WINDOW_MS,
        metadata=message.metadata,
        output_ttl_ms=expires.seconds * 1000 if expires is not None else None,
    )


def read_list(query: Mapping[str, str]) -> Listing:
    """Return which batches are asked for; raises ``Refused``."""
    after = query.get("after") or ""
    return Listing(limit_of(query.get("limit"), PAGE_DEFAULT, PAGE_MAX), id_of(after) if after else "")


def id_of(name: str) -> str:
    """Return the id that a client's name of a batch means, whichever surface gave it that."""
    prefixes = (surface.batch_prefix for surface in SURFACES)
    return next((name.removeprefix(prefix) for prefix in prefixes if name.startswith(prefix)), name)


def unknown(name: str) -> Missing:
    """Return the problem of a batch that is not there, or is somebody else's."""
    return Missing(f"No batch found with id '{name}'.")


def check_purpose(name: str, purpose: str) -> None:
    """Raise ``Refused`` for a file that is not for batches; of one that came by another wire nobody knows."""
    if purpose not in (files.BATCH, ""):
        raise Refused(WRONG_PURPOSE.format(name, purpose), "input_file_id", refused.INVALID_VALUE)


def no_file(name: str) -> LineFault:
    """Return why a batch fails whose file is not there."""
    return LineFault(code="invalid_request", message=NO_FILE.format(name), param="input_file_id")


def status_of(job: Job) -> str:
    """Return how far a job is, in this wire's words."""
    if job.state == "running" and not job.pending:
        return "finalizing"
    if job.state == "cancelled" and job.settled_ms is None:
        return "cancelling"
    return _STATUSES[job.state]


def write_batch(job: Job, surface: Surface) -> bytes:
    """Return one batch."""
    return pretty(_batch(job, surface))


def write_list(jobs: Sequence[Job], more: bool, surface: Surface) -> bytes:
    """Return one page. more: whether others follow."""
    data = [_batch(job, surface) for job in jobs]
    first, last = (data[0].id, data[-1].id) if data else (None, None)
    return pretty(BatchList(data=data, first_id=first, last_id=last, has_more=more))


def _batch(job: Job, surface: Surface) -> Batch:
    status, ended = status_of(job), _moment(job.ended_ms)
    finalizing = job.updated_ms if status == "finalizing" else job.finalizing_ms

    def file(file_id: str) -> str | None:
        return files.name_of(file_id, surface) if file_id else None

    return Batch(
        id=surface.batch_prefix + job.id,
        endpoint=endpoint_of(job.format),
        model=job.model or None,
        errors=_errors(job),
        input_file_id=files.name_of(job.file_id, surface),
        status=status,
        output_file_id=file(job.output_id),
        error_file_id=file(job.error_id),
        created_at=job.created_ms // 1000,
        in_progress_at=_moment(job.started_ms),
        expires_at=job.deadline_ms // 1000,
        finalizing_at=_moment(finalizing),
        completed_at=ended if job.state == "succeeded" else None,
        failed_at=ended if job.state == "failed" else None,
        expired_at=ended if job.state == "expired" else None,
        cancelling_at=ended if job.state == "cancelled" else None,
        cancelled_at=_moment(job.settled_ms) if job.state == "cancelled" else None,
        request_counts=Counts(job.lines, job.succeeded, job.failed),
        usage=_usage(job) if job.settled_ms is not None and job.lines else None,
        metadata=job.metadata,
    )


def _errors(job: Job) -> Errors | None:
    faults = job.faults
    if not faults and job.fault_code:
        faults = (LineFault(code=job.fault_code.lower(), message=job.fault),)
    if not faults:
        return None
    data = [
        LineError(code=each.code, message=each.message, param=each.param, line=each.line) for each in faults
    ]
    return Errors(data=data)


def _usage(job: Job) -> BatchUsage:
    output = job.candidates_tokens + job.thoughts_tokens
    return BatchUsage(
        input_tokens=job.prompt_tokens,
        input_tokens_details=InputDetails(job.cached_tokens),
        output_tokens=output,
        output_tokens_details=OutputDetails(job.thoughts_tokens),
        total_tokens=job.prompt_tokens + output,
    )


def _moment(ms: int | None) -> int | None:
    return None if ms is None else ms // 1000
