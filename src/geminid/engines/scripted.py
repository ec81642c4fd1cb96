"""An engine that answers from a script: deterministic text, thoughts, calls, delays and failures.

For this project's tests and for the CI of whoever builds on geminid: no weights, no chance, no
waiting unless asked for. A token is a word with the space before it; a picture counts for 256. A prefix
that is kept makes up as many tokens of a prompt as the parts count for that both begin with. Invariant:
the same request to the same script gives the same events, but for the ids of calls, which come from a
source of their own.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import chain, takewhile
from typing import NamedTuple

from geminid.core import ids
from geminid.core.card import ModelCard
from geminid.core.content import Modality, Part, Picture, Text, ToolCall, ToolResult
from geminid.core.errors import CachesFull, InputTooLong
from geminid.core.events import (
    Event,
    Finished,
    FinishReason,
    PrefixFound,
    Started,
    TextDelta,
    ThoughtDelta,
    TokenLogprob,
    ToolCallMade,
)
from geminid.core.request import EnumOutput, GenerateRequest, Tool
from geminid.core.usage import Usage
from geminid.engines.protocol import EngineState, Prefix
from geminid.engines.script import ECHO, FAILURES, Rule, ScriptedCall
from geminid.engines.thinking import allowance

TOKEN = re.compile(r"\s*\S+|\s+$")
PICTURE_TOKENS = 256
CACHED_TOKENS_MAX = 1_000_000
_UNLIKELY = -10.0  # the logarithm of a label's probability that was not chosen


class ScriptedEngine:
    """Answers by the first rule that matches. ``new_id`` gives calls their ids. cached_tokens_max: of all
    prefixes that are kept for one model."""

    def __init__(
        self,
        rules: Sequence[Rule] = (),
        new_id: Callable[[], str] = ids.call_id,
        cached_tokens_max: int = CACHED_TOKENS_MAX,
    ) -> None:
        self._rules = tuple((re.compile(rule.match), rule) for rule in rules)
        self._new_id = new_id
        self._cached_tokens_max = cached_tokens_max
        self._kept: dict[tuple[str, str], GenerateRequest] = {}
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
            yield self._perform(rule, _performance(rule, prompt, request, card), request, usage)
        finally:
            self._running -= 1

    async def count(self, card: ModelCard, request: GenerateRequest) -> Usage:
        """Count the words of the whole conversation, and its pictures."""
        parts = _parts(request)
        usage = Usage(prompt=sum(map(_size, parts)), media=_media(parts))
        kept = self._kept.get((card.name, request.prefix))
        if kept is None:
            return usage
        same = takewhile(lambda pair: pair[0] == pair[1], zip(_parts(kept), parts, strict=False))
        shared = [part for part, _ in same]
        return usage + Usage(cached=sum(map(_size, shared)), cached_media=_media(shared))

    async def keep(self, card: ModelCard, prefix: Prefix) -> Usage:
        """Remember a prefix; see :class:`geminid.engines.protocol.Engine`."""
        usage = await self.count(card, prefix.request)
        if (card.name, prefix.id) in self._kept:
            return usage
        if usage.prompt > card.input_tokens_max:
            raise InputTooLong(usage.prompt, card.input_tokens_max)
        if (kept := self._kept_tokens(card.name)) + usage.prompt > self._cached_tokens_max:
            raise CachesFull(usage.prompt, kept, self._cached_tokens_max)
        self._kept[card.name, prefix.id] = prefix.request
        return usage

    async def drop(self, card: ModelCard, prefix_id: str) -> None:
        """Forget a prefix."""
        self._kept.pop((card.name, prefix_id), None)

    async def ready(self, card: ModelCard) -> None:
        """It always is."""

    def states(self) -> Sequence[EngineState]:
        """One state: it needs no loading."""
        return [
            EngineState(
                model="scripted",
                phase="ready",
                producing=self._running,
                prefixes=len(self._kept),
                cached_tokens=sum(map(self._kept_tokens, {model for model, _ in self._kept})),
                cached_tokens_max=self._cached_tokens_max,
            )
        ]

    async def close(self) -> None:
        """Nothing is held."""

    def _kept_tokens(self, model: str) -> int:
        kept = (request for (name, _), request in self._kept.items() if name == model)
        return sum(_size(part) for request in kept for part in _parts(request))

    async def _perform(
        self, rule: Rule, performance: _Performance, request: GenerateRequest, usage: Usage
    ) -> AsyncIterator[Event]:
        yield Started(usage)
        fresh_words = usage.prompt - sum(usage.media.values()) - usage.cached
        if (found := min(rule.found_tokens, fresh_words)) > 0:
            yield PrefixFound(found)
        candidates = range(request.candidates)
        first = True
        for thought in performance.thoughts:
            await _pause(rule, first)
            first = False
            for candidate in candidates:
                yield ThoughtDelta(thought, 1, candidate)
        for number, delta in enumerate(performance.texts):
            if rule.fail and number == rule.fail_after_tokens:
                raise FAILURES[rule.fail](f"The script says so: {rule.fail}.")
            await _pause(rule, first)
            first = False
            for candidate in candidates:
                yield TextDelta(delta.text, delta.tokens, candidate, delta.logprobs)
        for call in performance.calls:
            await _pause(rule, first)
            first = False
            for candidate in candidates:
                made = ToolCall(call.name, call.args, self._new_id())
                yield ToolCallMade(made, _tokens(call), candidate)
        for candidate in candidates:
            yield Finished(performance.reason, candidate, performance.detail)


class _Performance(NamedTuple):
    """One candidate: what is thought, said and called within the bounds, and how it ends."""

    thoughts: Sequence[str]
    texts: Sequence[TextDelta]
    calls: Sequence[ScriptedCall]
    reason: FinishReason
    detail: str = ""


def _performance(rule: Rule, prompt: str, request: GenerateRequest, card: ModelCard) -> _Performance:
    allowed = allowance(card, request)
    thoughts = TOKEN.findall(rule.thought)[: allowed.thoughts]
    left = allowed.total - len(thoughts)
    offered = {tool.name: tool for tool in request.tools}
    calls = [call for call in rule.calls if call.name in offered][: request.calls_max]
    texts = list(_texts(_answer(rule, prompt, request, calls), request))
    if sum(delta.tokens for delta in texts) > left:
        return _Performance(thoughts, list(_cut(texts, left)), (), FinishReason.MAX_TOKENS)
    left -= sum(delta.tokens for delta in texts)
    made: list[ScriptedCall] = []
    for call in calls:
        if not _fits(call, offered[call.name]):
            detail = f"Malformed function call: {_call_words(call.name, call.args)}"
            return _Performance(thoughts, texts, made, FinishReason.MALFORMED_CALL, detail)
        left -= _tokens(call)
        if left < 0:
            return _Performance(thoughts, texts, made, FinishReason.MAX_TOKENS)
        made.append(call)
    return _Performance(thoughts, texts, made, FinishReason.STOP)


def _answer(rule: Rule, prompt: str, request: GenerateRequest, calls: Sequence[ScriptedCall]) -> str:
    if rule.text is not None:
        answer = rule.text.replace("{prompt}", prompt) * rule.repeat
    elif calls:
        return ""
    elif isinstance(request.output, EnumOutput):
        return request.output.labels[0]
    else:
        answer = prompt * rule.repeat
    ends = [at for at in map(answer.find, request.stop) if at >= 0]
    return answer[: min(ends)] if ends else answer


def _texts(answer: str, request: GenerateRequest) -> Iterator[TextDelta]:
    """Yield the words of an answer; a label is one token, whose alternatives are all labels."""
    if isinstance(request.output, EnumOutput) and answer in request.output.labels:
        yield TextDelta(answer, 1, 0, (_label(answer, request.output.labels),) if request.logprobs else ())
        return
    for number, word in enumerate(TOKEN.findall(answer)):
        yield TextDelta(word, 1, 0, (TokenLogprob(word, number, 0.0),) if request.logprobs else ())


def _label(chosen: str, labels: Sequence[str]) -> TokenLogprob:
    known = [
        TokenLogprob(label, number, 0.0 if label == chosen else _UNLIKELY)
        for number, label in enumerate(labels)
    ]
    known.sort(key=lambda entry: -entry.logprob)
    return TokenLogprob(chosen, known[0].token_id, 0.0, tuple(known))


def _cut(texts: Sequence[TextDelta], tokens: int) -> Iterator[TextDelta]:
    for delta in texts:
        tokens -= delta.tokens
        if tokens < 0:
            return
        yield delta


def _fits(call: ScriptedCall, tool: Tool) -> bool:
    """Tell whether a call has the arguments that are required, and no others than are declared."""
    parameters = tool.parameters or {}
    known = parameters.get("properties", {})
    open_ended = tool.parameters is not None and parameters.get("additionalProperties", True) is not False
    required = parameters.get("required", ())
    return all(name in call.args for name in required) and (
        open_ended or all(name in known for name in call.args)
    )


def _parts(request: GenerateRequest) -> list[Part]:
    return [*request.system, *(part for turn in request.turns for part in turn.parts)]


def _media(parts: Sequence[Part]) -> dict[Modality, int]:
    """Return how many tokens of these parts came from media."""
    media: dict[Modality, int] = {}
    for part in chain(parts, *(part.parts for part in parts if isinstance(part, ToolResult))):
        if isinstance(part, Text | Picture) and part.modality != "text":
            media[part.modality] = media.get(part.modality, 0) + _size(part)
    return media


def _last_words(request: GenerateRequest) -> str:
    for turn in reversed(request.turns):
        if turn.role == "user":
            results = [_words(part) for part in turn.parts if isinstance(part, ToolResult)]
            text = "".join(part.text for part in turn.parts if isinstance(part, Text))
            return "\n".join([*results, text] if text or not results else results)
    return ""


def _words(part: Part) -> str:
    """Return a part in words, as it is matched and counted. Thoughts are never prompted."""
    match part:
        case Text():
            return part.text
        case ToolCall():
            return _call_words(part.name, part.args)
        case ToolResult():
            return "\n".join([_call_words(part.name, part.response), *map(_words, part.parts)])
    return ""


def _size(part: Part) -> int:
    """Return how many tokens a part counts for."""
    if isinstance(part, Picture):
        return PICTURE_TOKENS
    inner = part.parts if isinstance(part, ToolResult) else ()
    pictures = sum(isinstance(each, Picture) for each in inner)
    return len(TOKEN.findall(_words(part))) + pictures * PICTURE_TOKENS


def _call_words(name: str, members: object) -> str:
    return f"{name}: {json.dumps(members, ensure_ascii=False)}"


def _tokens(call: ScriptedCall) -> int:
    return len(TOKEN.findall(_call_words(call.name, call.args)))


async def _pause(rule: Rule, first: bool) -> None:
    if delay_ms := rule.first_token_ms if first else rule.token_ms:
        await asyncio.sleep(delay_ms / 1000)
