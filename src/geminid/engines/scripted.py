"""An engine that answers from a script: deterministic text, delays and failures.

For this project's tests and for the CI of whoever builds on geminid: no weights, no chance, no
waiting unless asked for. A token is a word with the space before it. Invariant: the same request to
the same script gives the same events.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from geminid.core.card import ModelCard
from geminid.core.content import Text
from geminid.core.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    InputTooLong,
    Internal,
    InvalidArgument,
    PermissionDenied,
    Problem,
    ResourceExhausted,
    Unavailable,
)
from geminid.core.events import Event, Finished, FinishReason, Started, TextDelta, TokenLogprob
from geminid.core.request import GenerateRequest
from geminid.core.usage import Usage
from geminid.engines.protocol import EngineState

TOKEN = re.compile(r"\s*\S+|\s+$")

FAILURES: dict[str, type[Problem]] = {
    problem.code: problem
    for problem in (
        DeadlineExceeded,
        FailedPrecondition,
        Internal,
        InvalidArgument,
        PermissionDenied,
        ResourceExhausted,
        Unavailable,
    )
}


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to answer when ``match``, a regular expression, is found in the last user turn.

    text: the answer; ``{prompt}`` stands for the last user turn. repeat: how many times over.
    first_token_ms, token_ms: delays before the first and before every other token.
    fail: a google.rpc code such as ``UNAVAILABLE``; the request fails with it after
    ``fail_after_tokens`` tokens of the answer.
    """

    match: str = ""
    text: str = "{prompt}"
    repeat: int = 1
    first_token_ms: float = 0.0
    token_ms: float = 0.0
    fail: str = ""
    fail_after_tokens: int = 0


ECHO = Rule()
"""What answers when no rule matches: the last user turn, given back."""


def read_script(path: Path) -> tuple[Rule, ...]:
    """Read rules from a TOML file of ``[[rule]]`` tables; raises ``InvalidArgument`` with the place."""
    try:
        script = msgspec.toml.decode(path.read_bytes(), type=dict[str, list[Rule]])
    except (OSError, msgspec.DecodeError) as error:
        raise InvalidArgument(f"The script {path} cannot be read: {error}") from error
    rules = tuple(script.get("rule", ()))
    for rule in rules:
        _check(rule, path)
    return rules


def _check(rule: Rule, path: Path) -> None:
    if rule.fail and rule.fail not in FAILURES:
        raise InvalidArgument(f"The script {path} names an unknown failure {rule.fail!r}.")
    try:
        re.compile(rule.match)
    except re.error as error:
        raise InvalidArgument(f"The script {path} has a bad pattern {rule.match!r}: {error}") from error


class ScriptedEngine:
    """Answers by the first rule that matches."""

    def __init__(self, rules: Sequence[Rule] = ()) -> None:
        self._rules = tuple((re.compile(rule.match), rule) for rule in rules)
        self._running = 0

    @asynccontextmanager
    async def generate(
        self, card: ModelCard, request: GenerateRequest
    ) -> AsyncIterator[AsyncIterator[Event]]:
        """Answer one request; see :class:`geminid.engines.protocol.Engine`."""
        usage = await self.count(card, request)
        if usage.prompt > card.input_tokens_max:
            raise InputTooLong(usage.prompt, card.input_tokens_max)
        prompt = _last_words(request)
        rule = next((rule for pattern, rule in self._rules if pattern.search(prompt)), ECHO)
        if rule.fail and not rule.fail_after_tokens:
            raise FAILURES[rule.fail](f"The script says so: {rule.fail}.")
        self._running += 1
        try:
            yield _perform(rule, prompt, request, card, usage)
        finally:
            self._running -= 1

    async def count(self, card: ModelCard, request: GenerateRequest) -> Usage:
        """Count the words of the whole conversation."""
        parts = [*request.system, *(part for turn in request.turns for part in turn.parts)]
        return Usage(prompt=sum(len(TOKEN.findall(part.text)) for part in parts if isinstance(part, Text)))

    async def ready(self, card: ModelCard) -> None:
        """It always is."""

    def states(self) -> Sequence[EngineState]:
        """One state: it needs no loading."""
        return [EngineState(model="scripted", phase="ready", producing=self._running)]

    async def close(self) -> None:
        """Nothing is held."""


def _last_words(request: GenerateRequest) -> str:
    for turn in reversed(request.turns):
        if turn.role == "user":
            return "".join(part.text for part in turn.parts if isinstance(part, Text))
    return ""


async def _perform(
    rule: Rule, prompt: str, request: GenerateRequest, card: ModelCard, usage: Usage
) -> AsyncIterator[Event]:
    yield Started(usage)
    answer = rule.text.replace("{prompt}", prompt) * rule.repeat
    ends = [at for at in map(answer.find, request.stop) if at >= 0]
    tokens = TOKEN.findall(answer[: min(ends)] if ends else answer)
    tokens_max = min(request.tokens_max or card.output_tokens_max, card.output_tokens_max)
    for number, token in enumerate(tokens[:tokens_max]):
        if rule.fail and number == rule.fail_after_tokens:
            raise FAILURES[rule.fail](f"The script says so: {rule.fail}.")
        if delay_ms := rule.token_ms if number else rule.first_token_ms:
            await asyncio.sleep(delay_ms / 1000)
        logprobs = (TokenLogprob(token, number, 0.0),) if request.logprobs else ()
        for candidate in range(request.candidates):
            yield TextDelta(token, 1, candidate, logprobs)
    reason = FinishReason.MAX_TOKENS if len(tokens) > tokens_max else FinishReason.STOP
    for candidate in range(request.candidates):
        yield Finished(reason, candidate)
