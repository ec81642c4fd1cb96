"""A job of any length takes the same memory."""

import os
from hashlib import blake2b

import psutil
import pytest

from batching import bulk
from geminid.bulk.work import Answered, Prepared
from geminid.core.batch import NewJob
from geminid.core.file import File
from geminid.store import files
from geminid.store.files import Kept
from geminid.wire.gemini.batch_formats import ANSWERS
from money import MODEL, NOW_MS

FEW, MANY = 10_000, 1_000_000 if os.environ.get("PROVE") == "all" else 60_000
ROOM_BYTES = 16 * 1024 * 1024


class Quick:
    """Answers at once and for nothing."""

    lines = ANSWERS

    def prepare(self, job, request):
        return Prepared(None, None, blake2b(request, digest_size=16).digest(), "")

    async def answer(self, job, prepared, name):
        return Answered(
            b'{"candidates":[{"content":{"parts":[{"text":"yes"}]}}],"padding":"%s"}' % (b"x" * 300), None
        )


async def done(made, count):
    """Have a job of so many different lines answered; return the memory that the process has then."""
    path = made.blobs.path(f"up{count}")
    with path.open("wb") as file:
        for n in range(count):
            file.write(b'{"key":"%d","request":{"say":"%s %020d"}}\n' % (n, b"y" * 200, n))
    name = f"in{count}"
    row = File(project="p", id=name, mime_type="text/plain", size_bytes=path.stat().st_size, sha256_hex="",
               created_us=1, updated_us=1, expires_us=NOW_MS * 2000)  # fmt: skip
    await made.house.database.write(lambda c: files.add(c, Kept(row, path.name)))
    team = await made.house.project(f"p{count}") if count != FEW else await made.house.project("p")
    job = await made.batches.create(type(team)(project="p"), NewJob(model=MODEL, file_id=name))
    ended = await made.ended(job, 1_800)
    assert (ended.succeeded, ended.failed) == (count, 0)
    path = (await made.files.path("p", ended.output_id))[1]
    with path.open("rb") as results:
        assert all(line.endswith(b',"key":"%d"}\n' % n) for n, line in enumerate(results))
    return psutil.Process().memory_info().rss


@pytest.mark.timeout(2_000)
async def test_a_job_of_any_length_takes_the_same_memory(tmp_path):
    async with bulk(f"sqlite:///{tmp_path / 'g.db'}", tmp_path, at_once=64, ahead=512) as made:
        made.runner._answerers = {"generate": Quick()}
        few = await done(made, FEW)
        many = await done(made, MANY)
        assert many - few < ROOM_BYTES, f"{few:,} bytes after {FEW:,} lines, {many:,} after {MANY:,}"
