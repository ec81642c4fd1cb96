"""What is asked of a model that turns texts into vectors, and what it answers, whichever wire it came by."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

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


class EmbedInput(msgspec.Struct, frozen=True, kw_only=True):
    """One text to be embedded.

    title: of the document that the text is from. dimensions: how many numbers the vector shall have, None
    for as many as the model gives.
    """

    text: str
    task: EmbedTask | None = None
    title: str = ""
    dimensions: int | None = None


class EmbedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One call for a vector of each input. ``model`` is the public name, without ``models/``."""

    model: str
    inputs: tuple[EmbedInput, ...]
    labels: dict[str, str] = {}
    project: str = ""


class Embedding(msgspec.Struct, frozen=True):
    """One vector: ``values`` are float32, little-endian, of length 1 in sum. ``tokens`` of its text were
    read."""

    values: bytes
    tokens: int
