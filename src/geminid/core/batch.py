"""Batches as values: a job of many requests, what is asked for, how far it has come.

They know no bytes, no database and no spelling of any wire. A request of a job is called a line, whether it
came in a file or in the body. Times are milliseconds since 1970, UTC. Invariant: ``succeeded + failed`` is
never more than ``lines``, and a job in one of :data:`ENDED` changes its state no more.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

BatchKind = Literal["generate", "embed"]
BatchState = Literal["pending", "running", "succeeded", "failed", "cancelled", "expired"]

ENDED: tuple[BatchState, ...] = ("succeeded", "failed", "cancelled", "expired")

OUTPUT_PREFIX = "batch-"
"""How the id of a job's output file begins; its job's id follows."""
ERROR_SUFFIX = "-e"
"""What is added to that for the file of what was not answered."""


class Webhook(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who is told when a job has ended. ``metadata``: a JSON object that is sent along as it is."""

    uris: tuple[str, ...] = ()
    metadata: dict[str, Any] | None = None


NO_WEBHOOK = Webhook()


class LineFault(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why lines cannot be taken, in the words of their wire. line: from 1; None where it is none of them."""

    code: str
    message: str
    param: str | None = None
    line: int | None = None


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """What the lines of a job say of themselves: which model they ask, and what is wrong with them."""

    model: str = ""
    faults: tuple[LineFault, ...] = ()


class NewJob(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller wants: requests to ``model``, given in ``lines`` or as an uploaded file.

    model: the public name without ``models/``. lines: one JSON object each, as they stood in the body
    (``{"request": …, "metadata": …}``), of any formatting. file_id: without ``files/``. Exactly one of the
    two is given. priority: jobs of one project with a higher one are answered first. format: how its lines
    are spelled, a name that whoever answers them knows; empty is the first. expiry_ms: how long it may take,
    which may be less than jobs may take here. metadata: what the caller wants to be told again.
    output_ttl_ms: how long the files of its results shall live, likewise. once: what the caller calls this
    request, empty for nothing; a second one that is called the same means the job that the first has made.
    """

    model: str
    kind: BatchKind = "generate"
    display_name: str = ""
    priority: int = 0
    lines: tuple[bytes, ...] | None = None
    file_id: str = ""
    webhook: Webhook = NO_WEBHOOK
    format: str = ""
    expiry_ms: int | None = None
    metadata: dict[str, str] | None = None
    output_ttl_ms: int | None = None
    once: str = ""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A job. ``id`` is its name without ``batches/``.

    file_id: the file that its requests came in, without ``files/``; empty for those of the body. lines,
    succeeded, failed: counts. ended_ms: when it came to its last state. deadline_ms: when it expires.
    output_id: the file with its results, without ``files/``, once there is one. output: whether results can
    be read. fault_code, fault: why it failed as a whole: google.rpc's code by name, and words. note: what it
    waits for at the moment, in words, empty when it goes on. tokens: an estimate of what it asks for.
    error_id: the file with what is to be said of lines that were not answered, where its format keeps that
    apart. faults: why it was not taken. prompt_tokens and so on: what its answers used, once it is settled.
    started_ms, finalizing_ms, settled_ms: when its first line was begun, its last result was there, its
    results could be read; None before.
    """

    id: str
    project: str
    model: str
    kind: BatchKind
    display_name: str = ""
    priority: int = 0
    state: BatchState = "pending"
    file_id: str = ""
    lines: int = 0
    succeeded: int = 0
    failed: int = 0
    tokens: int = 0
    created_ms: int
    updated_ms: int
    ended_ms: int | None = None
    deadline_ms: int
    output_id: str = ""
    output: bool = False
    fault_code: str = ""
    fault: str = ""
    note: str = ""
    webhook: Webhook = NO_WEBHOOK
    key_id: str = ""
    key_name: str = ""
    format: str = ""
    error_id: str = ""
    metadata: dict[str, str] | None = None
    faults: tuple[LineFault, ...] = ()
    prompt_tokens: int = 0
    cached_tokens: int = 0
    candidates_tokens: int = 0
    thoughts_tokens: int = 0
    started_ms: int | None = None
    finalizing_ms: int | None = None
    settled_ms: int | None = None
    output_ttl_ms: int | None = None

    @property
    def ended(self) -> bool:
        """Whether it has come to its last state."""
        return self.state in ENDED

    @property
    def pending(self) -> int:
        """How many lines have no result yet."""
        return self.lines - self.succeeded - self.failed


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """What lies before a job that has not ended.

    position: how many jobs of its project come before it; 0 is being answered. eta_ms: for how long it will
    still take, by the speed of the last minutes; None while nobody knows.
    """

    position: int = 0
    eta_ms: int | None = None


class Place(msgspec.Struct, frozen=True):
    """Where a page of a list ended: the last job on it, by creation and id."""

    created_ms: int
    id: str
