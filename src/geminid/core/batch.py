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


class Webhook(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who is told when a job has ended. ``metadata``: a JSON object that is sent along as it is."""

    uris: tuple[str, ...] = ()
    metadata: dict[str, Any] | None = None


NO_WEBHOOK = Webhook()


class NewJob(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller wants: requests to ``model``, given in ``lines`` or as an uploaded file.

    model: the public name without ``models/``. lines: one JSON object each, as they stood in the body
    (``{"request": …, "metadata": …}``), of any formatting. file_id: without ``files/``. Exactly one of the
    two is given. priority: jobs of one project with a higher one are answered first.
    """

    model: str
    kind: BatchKind = "generate"
    display_name: str = ""
    priority: int = 0
    lines: tuple[bytes, ...] | None = None
    file_id: str = ""
    webhook: Webhook = NO_WEBHOOK


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A job. ``id`` is its name without ``batches/``.

    file_id: the file that its requests came in, without ``files/``; empty for those of the body. lines,
    succeeded, failed: counts. ended_ms: when it came to its last state. deadline_ms: when it expires.
    output_id: the file with its results, without ``files/``, once there is one. output: whether results can
    be read. fault_code, fault: why it failed as a whole: google.rpc's code by name, and words. note: what it
    waits for at the moment, in words, empty when it goes on. tokens: an estimate of what it asks for.
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
