"""Messages about batches."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from geminid.wire.admin.fields import Time
from geminid.wire.admin.message import Message


class Batch(Message, frozen=True):
    """A job of many requests."""

    project: str
    name: Annotated[str, Meta(description="Without `batches/`.")]
    display_name: str
    model: str
    kind: Literal["generate", "embed"]
    state: Literal["pending", "running", "succeeded", "failed", "cancelled", "expired"]
    priority: Annotated[int, Meta(description="Jobs of one project with a higher one come first.")]
    requests: int
    succeeded: int
    failed: int
    tokens: Annotated[int, Meta(description="An estimate of what its requests ask for, from their bytes.")]
    input_file: Annotated[str, Meta(description="The file of its requests, or empty for those of a body.")]
    output_file: Annotated[str, Meta(description="The file of its results, once there is one.")]
    key: Annotated[str, Meta(description="The key that it was made with.")]
    create_time: Time
    end_time: Time | None
    deadline: Annotated[Time, Meta(description="When it expires.")]
    note: Annotated[str, Meta(description="What it waits for, if it does.")]
    fault: Annotated[str, Meta(description="Why it failed as a whole, if it did.")]


class BatchPage(Message, frozen=True):
    """A project's jobs, the newest first."""

    batches: tuple[Batch, ...]
    next_page_token: str = ""
