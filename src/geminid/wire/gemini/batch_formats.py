"""Google's formats of lines of batches: those that ask for answers, and those that ask for vectors.

What a line is, :mod:`geminid.wire.gemini.batch_lines` spells; results stand in one file, in the order of
lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from geminid.core.card import EmbeddingCard
from geminid.core.embed import Embedding, EmbedRequest
from geminid.core.errors import Problem
from geminid.core.events import Answer
from geminid.core.request import GenerateRequest
from geminid.core.usage import Usage
from geminid.wire.gemini import batch_lines, embed, generate
from geminid.wire.gemini.reading import Reading
from geminid.wire.lines import About, Line, Rules, Sign, compact


class _Result(msgspec.Struct):
    response: msgspec.Raw


_RESULT = msgspec.json.Decoder(_Result)


class _Lines:
    """What both have in common. ``method``: what Google calls the verb, for the words of refusals."""

    apart = False
    method = batch_lines.GENERATE

    def read(self, raw: bytes, number: int) -> Line:
        return batch_lines.read_line(raw, number)

    def refused(self, number: int, reason: str) -> Line:
        return batch_lines.refused_line(number, reason)

    def result(self, line: Line, body: bytes, name: str) -> bytes:
        return batch_lines.write_result(line, body)

    def failure(self, line: Line, problem: Problem, name: str) -> bytes:
        return batch_lines.write_failure(line, problem, self.method)

    def body_of(self, result: bytes) -> bytes:
        return bytes(_RESULT.decode(result).response)

    def with_receipt(self, body: bytes, old: str, new: str) -> bytes:
        return body.replace(b'"responseId":"%s"' % old.encode(), b'"responseId":"%s"' % new.encode())


class AnswerLines(_Lines):
    """Lines of ``batchGenerateContent``."""

    method = "generateContent"

    def read_request(self, request: bytes, rules: Rules) -> tuple[GenerateRequest, generate.Telling]:
        """Return what a line asks; raises ``InvalidArgument``."""
        reading = Reading(strict=rules.strict, manner=rules.manner, genuine=rules.genuine)
        read = generate.read_request(request, rules.model, reading)
        asked = msgspec.structs.replace(read.request, tier="batch")
        return asked, msgspec.structs.replace(read.telling, tier="batch")

    def write_answer(self, answer: Answer, about: About, telling: Any, sign: Sign) -> bytes:
        """Return a unary answer on one line."""
        return compact(generate.write_answer(answer, about.card.name, about.id, telling, sign))


class VectorLines(_Lines):
    """Lines of ``asyncBatchEmbedContent``."""

    method = batch_lines.EMBED

    def read_request(self, request: bytes, model: str) -> tuple[EmbedRequest, None]:
        """Return what a line asks; raises ``InvalidArgument``."""
        return msgspec.structs.replace(embed.read_embed(request, model), tier="batch"), None

    def write_vectors(
        self, embeddings: Sequence[Embedding], card: EmbeddingCard, usage: Usage, telling: Any
    ) -> bytes:
        """Return the vector of the one text that a line has."""
        (vector,) = embeddings
        return batch_lines.write_embedding(embed.write_values(vector), vector.tokens)


ANSWERS = AnswerLines()
VECTORS = VectorLines()
