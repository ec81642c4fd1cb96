"""Lines that ask for vectors, answered by the same act as live requests for them.

It knows no files. Invariant: as of :mod:`geminid.bulk.answering`, nothing is charged here.
"""

from __future__ import annotations

from geminid.bulk.answering import Copier, caller_of, digest_of
from geminid.bulk.work import Answered, Name, Prepared
from geminid.core.batch import Job
from geminid.core.errors import DeadlineExceeded
from geminid.service.acting import NowMs, now_ms
from geminid.service.embed import Embeddings
from geminid.wire.gemini.batch_formats import VECTORS
from geminid.wire.lines import VectorFormat


class EmbedAnswerer:
    """Answers lines that want vectors. They leave nothing to chance: what is asked twice is computed once."""

    def __init__(
        self,
        embeddings: Embeddings,
        copier: Copier,
        *,
        lines: VectorFormat = VECTORS,
        now_ms: NowMs = now_ms,
    ) -> None:
        self._embeddings = embeddings
        self.lines = lines
        self.copy = copier.of(lines.with_receipt).copy
        self._now_ms = now_ms

    def prepare(self, job: Job, request: bytes) -> Prepared:
        """Read the body of one request."""
        asked, telling = self.lines.read_request(request, job.model)
        return Prepared(asked, telling, digest_of(asked, telling), "")

    async def answer(self, job: Job, prepared: Prepared, name: Name) -> Answered:
        """Ask the embedder, and write what it says on one line."""
        left_ms = job.deadline_ms - self._now_ms()
        if left_ms <= 0:
            raise DeadlineExceeded("The batch expired before this request was answered.")
        embedded = await self._embeddings.embed(
            prepared.request,
            caller_of(job),
            deadline_ms=left_ms,
            request_id=name.request_id,
            deferred=True,
            fresh=name.fresh,
        )
        body = self.lines.write_vectors(embedded.embeddings, embedded.card, embedded.usage, prepared.telling)
        return Answered(body, embedded.charge)
