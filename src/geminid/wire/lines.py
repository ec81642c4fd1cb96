"""Lines of batches, whichever wire spells them: what one asks, and what a format must be able to do.

A format is how the lines of one kind of jobs are read and their results written. It is given to whoever
answers batches under a name that jobs carry; who answers knows no spelling, and a format no order, no file
and no money. Invariant: whatever the bytes of a line are, it becomes a :class:`Line`, and its result is one
line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from geminid.core.card import EmbeddingCard, ModelCard
from geminid.core.embed import Embedding, EmbedRequest
from geminid.core.errors import InvalidArgument, Problem
from geminid.core.events import Answer
from geminid.core.manner import Manner
from geminid.core.request import GenerateRequest
from geminid.core.usage import Usage

Sign = Callable[[int, int], str]
"""(candidate, number of the part) → the signature that the first call carries."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One request of a batch.

    request: the JSON of its body, empty where ``fault`` says why there is none. key, metadata: the JSON of
    what its result carries, empty where nothing was said.
    """

    request: bytes = b""
    key: bytes = b""
    metadata: bytes = b""
    fault: InvalidArgument | None = None


class Rules(NamedTuple):
    """How requests for answers are read. model: of the job; card: what that means. manner: how the name
    behaves. strict: refuse what recent Gemini models refuse. genuine: tells whether this server gave a
    thought signature."""

    model: str
    card: ModelCard
    manner: Manner
    strict: bool
    genuine: Callable[[str], bool]


class About(NamedTuple):
    """What an answer tells of itself. created_s: seconds since 1970."""

    card: ModelCard
    id: str
    created_s: int


class LineFormat(Protocol):
    """How lines and results are spelled. ``name`` is what a line is charged as."""

    apart: bool
    """Whether lines that were not answered have a file of their own."""

    def read(self, raw: bytes, number: int) -> Line:
        """Return what a line asks for; never raises. number: of the line, from 1."""

    def refused(self, number: int, reason: str) -> Line:
        """Return a line that is answered with a reason only, such as one that is too long to be read."""

    def result(self, line: Line, body: bytes, name: str) -> bytes:
        """Return the result of a line that was answered, with its newline; ``body`` is one line of JSON."""

    def failure(self, line: Line, problem: Problem, name: str) -> bytes:
        """Return the result of a line that was not answered, with its newline."""

    def body_of(self, result: bytes) -> bytes:
        """Return the body out of the result of a line that was answered."""

    def with_receipt(self, body: bytes, old: str, new: str) -> bytes:
        """Return a body that tells another receipt."""


class AnswerFormat(LineFormat, Protocol):
    """Lines that ask for answers."""

    def read_request(self, request: bytes, rules: Rules) -> tuple[GenerateRequest, Any]:
        """Return what a line asks and what of the answer it wants told, both in the tier of batches.

        Raises ``InvalidArgument``.
        """

    def write_answer(self, answer: Answer, about: About, telling: Any, sign: Sign) -> bytes:
        """Return the body of an answer, on one line."""


class VectorFormat(LineFormat, Protocol):
    """Lines that ask for vectors."""

    def read_request(self, request: bytes, model: str) -> tuple[EmbedRequest, Any]:
        """Return what a line asks, in the tier of batches, and how it wants to be told; raises
        ``InvalidArgument``."""

    def write_vectors(
        self, embeddings: Sequence[Embedding], card: EmbeddingCard, usage: Usage, telling: Any
    ) -> bytes:
        """Return the body that tells vectors, on one line."""


class Formats(NamedTuple):
    """Formats beside the first, by name."""

    answers: Mapping[str, AnswerFormat] = {}
    vectors: Mapping[str, VectorFormat] = {}


def compact(json: bytes) -> bytes:
    """Return JSON without the space between its tokens, so that it is one line."""
    return msgspec.json.format(json, indent=-1)
