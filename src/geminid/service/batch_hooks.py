"""What is told of jobs that have ended, to the addresses that their callers gave and to the operator's.

The messages are as Google's webhooks tell of batches: which job it was, how it ended, where its results are;
never what was asked or answered. They are signed and sent by :mod:`geminid.service.outbox`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from geminid.core.batch import Job
from geminid.store.outbox import Message


class _Data(msgspec.Struct, omit_defaults=True):
    id: str
    output_file_uri: str = ""
    user_metadata: dict[str, Any] | None = None


class _Event(msgspec.Struct):
    type: str
    version: str
    timestamp: str
    data: _Data


def messages_of(job: Job, hooks: tuple[str, ...], now_ms: int) -> Iterator[Message]:
    """Yield the messages of a job that has ended. hooks: addresses of the operator's."""
    output = f"files/{job.output_id}" if job.output_id else ""
    event = _Event(
        type=f"batch.{job.state}",
        version="v1",
        timestamp=datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(timespec="milliseconds"),
        data=_Data(f"batches/{job.id}", output, job.webhook.metadata),
    )
    body = msgspec.json.encode(event).decode()
    addresses = [(uri, True) for uri in job.webhook.uris] + [(uri, False) for uri in hooks]
    for number, (url, guarded) in enumerate(addresses):
        yield Message(
            id=f"batch.{job.id}.{number}",
            project=job.project,
            url=url,
            body=body,
            created_ms=now_ms,
            due_ms=now_ms,
            guarded=guarded,
        )
