"""What is asked of a model that turns texts into vectors, and what it answers, whichever wire it came by."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from geminid.core.content import Blob, FileRef, Text
from geminid.core.request import Tier

EmbedTask = Literal[
    "retrieval_query",
    "retrieval_document",
    "semantic_similarity",
    "classification",
    "clustering",
    "question_answering",
    "fact_verification",
    "code_retrieval_query",
]
"""What a vector is for. Models that were trained with instructions are told so in their own words."""

EMBED_TASKS: tuple[EmbedTask, ...] = get_args(EmbedTask)


BETWEEN_PARTS = "\n"
"""What stands between the parts of a content when they become one text."""


class EmbedInput(msgspec.Struct, frozen=True, kw_only=True):
    """One text to be embedded.

    title: of the document that the text is from. dimensions: how many numbers the vector shall have, None
    for as many as the model gives. truncate: whether a text that is too long for the model may be cut.
    parts: what the text is made of while there are media among it that nobody has read yet; no embedder meets
    any. field: what the caller calls the place of this input, for errors, with its dot.
    """

    text: str
    task: EmbedTask | None = None
    title: str = ""
    dimensions: int | None = None
    truncate: bool = True
    parts: tuple[Text | Blob | FileRef, ...] = ()
    field: str = ""


class EmbedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One call for a vector of each input. ``model`` is the public name, without ``models/``."""

    model: str
    inputs: tuple[EmbedInput, ...]
    tier: Tier = "standard"
    labels: dict[str, str] = {}
    project: str = ""


class Embedding(msgspec.Struct, frozen=True):
    """One vector: ``values`` are float32, little-endian, of length 1 in sum. ``tokens`` of its text were
    read; ``truncated`` tells that there were more."""

    values: bytes
    tokens: int
    truncated: bool = False
