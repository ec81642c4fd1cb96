"""What goes wrong with responses, in OpenAI's words where these differ from those of other requests.

One table from the tree of errors to mistakes of this wire; how they are told,
:mod:`geminid.wire.openai.errors` says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from geminid.core.errors import InputTooLong, NotCancellable, Problem, UnknownInteraction, UnknownPrevious
from geminid.core.vector import UnknownVectorStore
from geminid.wire.openai.refused import Missing, Refused

TOO_LONG = (
    "Your input exceeds the context window of this model. Please adjust your input and try again. "
    "(It has {} tokens; {} are allowed.)"
)
NOT_FOUND = "Response with id '{}' not found."
NO_PREVIOUS = "Previous response with id '{}' not found."
NO_STORE = "Vector store with id '{}' not found."
SYNCHRONOUS = "Cannot cancel a synchronous response."

_WORDS: dict[type[Problem], Callable[[Any], Problem]] = {
    InputTooLong: lambda problem: Refused(
        TOO_LONG.format(problem.tokens, problem.tokens_max), "input", "context_length_exceeded"
    ),
    UnknownInteraction: lambda problem: Missing(NOT_FOUND.format(problem.id)),
    UnknownPrevious: lambda problem: Refused(
        NO_PREVIOUS.format(problem.id), "previous_response_id", "previous_response_not_found"
    ),
    NotCancellable: lambda problem: Refused(SYNCHRONOUS),
    UnknownVectorStore: lambda problem: Missing(NO_STORE.format(problem.id), "tools"),
}


def worded(problem: Problem) -> Problem:
    """Return a problem in the words of Responses; most have the same everywhere."""
    words = _WORDS.get(type(problem))
    if words is not None:
        return words(problem)
    problem.message = renamed(problem.message)
    return problem


def renamed(words: str) -> str:
    """Return words in which what the service calls an interaction is called a response."""
    return words.replace("Interaction", "Response").replace("interaction", "response")
