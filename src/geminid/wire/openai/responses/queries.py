"""What the address of a stored response asks for: whole or as events, from where on, and what beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, get_args

from geminid.wire.openai import refused
from geminid.wire.openai.queries import choice_of, number_of
from geminid.wire.openai.refused import Refused
from geminid.wire.openai.responses.kept import Showing
from geminid.wire.openai.responses.schema import Include

NUMBER_MAX = 10**15
ONLY_STREAMED = "The 'starting_after' parameter is only allowed when 'stream' is enabled."
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}


class Query(NamedTuple):
    """after: the number of the event behind which a stream goes on, -1 for all of it."""

    stream: bool
    after: int
    include: tuple[str, ...]


def read_query(said: Sequence[tuple[str, str]]) -> Query:
    """Return what a query asks for; raises :class:`~geminid.wire.openai.refused.Refused`."""
    named = dict(said)
    stream = _boolean("stream", named)
    _boolean("include_obfuscation", named)  # there is no padding, whatever is asked
    after = named.get("starting_after", "")
    if after and not stream:
        raise Refused(ONLY_STREAMED, "starting_after")
    include = [value for name, value in said if name.removesuffix("[]") == "include"]
    for value in include:
        choice_of("include", value, get_args(Include))
    return Query(stream, number_of("starting_after", after, 0, NUMBER_MAX) if after else -1, tuple(include))


def shown(showing: Showing, include: Sequence[str]) -> Showing:
    """Return what of an answer is told to whoever asks for ``include`` beside what was asked for at first."""
    return Showing(
        thoughts=showing.thoughts,
        sealed=showing.sealed or "reasoning.encrypted_content" in include,
        logprobs=showing.logprobs or "message.output_text.logprobs" in include,
        alternatives=showing.alternatives,
        results=showing.results or "file_search_call.results" in include,
    )


def _boolean(param: str, named: dict[str, str]) -> bool:
    value = named.get(param, "false").lower()
    if value not in _BOOLEANS:
        raise refused.wrong_value(param, value, ("true", "false"))
    return _BOOLEANS[value]
