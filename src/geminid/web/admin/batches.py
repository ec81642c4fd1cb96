"""Handlers of batches."""

from __future__ import annotations

from geminid.service.administration import Administration
from geminid.service.batch_desk import Job
from geminid.web.admin.call import Call, Handler
from geminid.wire.admin import batches as wire
from geminid.wire.admin.fields import maybe_time, time_of


async def _list(acts: Administration, call: Call) -> wire.BatchPage:
    page = await acts.batches.page(call.path["project"], call.size, call.after)
    return wire.BatchPage(batches=tuple(map(batch_of, page.items)), next_page_token=page.next)


async def _get(acts: Administration, call: Call) -> wire.Batch:
    return batch_of(await acts.batches.get(call.path["project"], call.path["batch"]))


async def _cancel(acts: Administration, call: Call) -> wire.Batch:
    return batch_of(await acts.batches.cancel(call.actor, call.path["project"], call.path["batch"]))


HANDLERS: dict[str, Handler] = {
    "batches.list": _list,
    "batches.get": _get,
    "batches.cancel": _cancel,
}


def batch_of(job: Job) -> wire.Batch:
    """Return a job as it is told."""
    return wire.Batch(
        project=job.project,
        name=job.id,
        display_name=job.display_name,
        model=job.model,
        kind=job.kind,
        state=job.state,
        priority=job.priority,
        requests=job.lines,
        succeeded=job.succeeded,
        failed=job.failed,
        tokens=job.tokens,
        input_file=f"files/{job.file_id}" if job.file_id else "",
        output_file=f"files/{job.output_id}" if job.output_id else "",
        key=job.key_name or job.key_id,
        create_time=time_of(job.created_ms),
        end_time=maybe_time(job.ended_ms),
        deadline=time_of(job.deadline_ms),
        note=job.note,
        fault=job.fault,
    )
