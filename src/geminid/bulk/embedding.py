"""Lines of ``asyncBatchEmbedContent``, answered by the same act as live requests for vectors.

It knows no files. Invariant: as of :mod:`geminid.bulk.answering`, nothing is charged here.
"""

from __future__ import annotations

import msgspec

from geminid.bulk.answering import Copier, caller_of, digest_of
from geminid.bulk.work import Answered, Name, Prepared
from geminid.core.batch import Job
from geminid.core.errors import DeadlineExceeded
from geminid.service.acting import NowMs, now_ms
from geminid.service.embed import Embeddings
from geminid.wire.gemini.batch_lines import EMBED, write_embedding
from geminid.wire.gemini.embed import read_embed, write_values


class EmbedAnswerer:
    """Answers lines that want vectors. They leave nothing to chance: what is asked twice is computed once."""

    method = EMBED

    def __init__(self, embeddings: Embeddings, copier: Copier, *, now_ms: NowMs = now_ms) -> None:
        self._embeddings = embeddings
        self.copy = copier.copy
        self._now_ms = now_ms

    def prepare(self, job: Job, request: bytes) -> Prepared:
        """Read the body of one request."""
        read = msgspec.structs.replace(read_embed(request, job.model), tier="batch")
        return Prepared(read, None, digest_of(read), "")

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
        vector = embedded.embeddings[0]
        return Answered(write_embedding(write_values(vector), vector.tokens), embedded.charge)
