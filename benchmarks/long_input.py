"""A needle in texts from 8K to 1M tokens, with ``--long-input=fold``: is it kept, is it answered, how fast.

One sentence of each text tells the access code of an office; others tell those of other offices, and
other things about the same one. The question stands at the end. Two figures are kept apart: whether the
needle survived the folding (no model is asked), and whether the model then answered with the code.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import httpx
import msgspec

from benchmarks import machine
from benchmarks.arms import serving
from benchmarks.figures import Figure, Goal, Outcome, Table, figure
from benchmarks.prompts import WHAT, WHERE, WHO
from geminid.core.content import Text, Turn
from geminid.core.request import GenerateRequest
from geminid.service.folding import folded_to_fit
from geminid.service.generate import FOLDED_SHARE

CHARACTERS_PER_TOKEN = 4.2
"""Of these texts, with the default model's tokenizer; lengths are met within a few percent."""
TOKENS_MAX = 32
DISTRACTORS = 0.04  # share of sentences
CITY_NAMES = """
Lisbon Oslo Vienna Prague Athens Dublin Madrid Warsaw Helsinki Zagreb Turin Lyon Ghent Porto Riga
Tallinn Cracow Seville Bergen Basel Leipzig Malmo Naples Nantes Toulouse Utrecht Valencia Bilbao
Cork Sofia Vilnius Graz Bremen Aarhus Tampere Trieste
"""
CITIES = tuple(CITY_NAMES.split())
PLACES = ("office", "depot", "archive", "laboratory", "warehouse", "branch")
THINGS = ("phone extension", "room number", "postal code", "parking permit", "order number", "staff number")
ADVERBS = ("slowly", "at dawn", "in the rain", "without a word", "twice a year", "by candlelight", "for once")
FILLER = (
    "The {who} walked {adverb} through {where} and thought of {what}.",
    "Nobody in {where} remembered why the {who} had brought {what}.",
    "A train from {city} arrived {adverb}, and the {who} stepped out with {what}.",
    "In {where}, the {who} said {adverb}, one could still buy {what}.",
    "The {place} in {city} was closed, so the {who} went back to {where}.",
    "Letters from {city} spoke of {what}, of the {who}, and of nothing else.",
    "It cost {number} coins to repair {what}, which the {who} paid {adverb}.",
    "Page {number} of the report describes {where} and its only {who}.",
    "Why would a {who} carry {what} to the {place} in {city}?",
    "The code of conduct in {where} did not allow the {who} to access {what}.",
)
NEEDLE = "The access code of the {city} office is {number}."
NEAR = "The {thing} of the {city} office is {number}."
QUESTION = "What is the access code of the {city} office? Answer with the code only."


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured. ``folded`` and ``asked``: texts for each length and depth."""

    tokens: tuple[int, ...] = tuple(1024 * 2**power for power in range(3, 11))
    depths: tuple[float, ...] = (0.25, 0.75)
    folded: int = 5
    asked: int = 1
    window_tokens: int = 8192 // FOLDED_SHARE


QUICK = Plan(tokens=(8192, 131072), depths=(0.05, 0.5, 0.95), folded=1)


class Case(NamedTuple):
    """A text with its question, and what the answer must contain."""

    tokens: int
    depth: float
    text: str
    needle: str
    code: str


def run(plan: Plan, say: Callable[[str], None]) -> Outcome:
    """Measure everything in the plan."""
    model = machine.model()
    folded = folded_runs(plan, say)
    with serving("--model", model.card.name, environ={"GEMINID_ENGINE_LONG_INPUT": "fold"}) as server:
        url = f"http://127.0.0.1:{server.port}/v1beta/models/{model.card.name}:generateContent"
        asked = list(_asked_runs(plan, url, say))
    longest = [each["seconds"] for each in folded if each["tokens"] == max(plan.tokens)]
    return Outcome(
        arguments={**msgspec.to_builtins(plan), "model": machine.model_facts(model)},
        runs=[*folded, *asked],
        tables=[_table(plan, folded, asked)],
        goals=[
            Goal(name="needles kept", bound=0.95, at_least=True, figure=figure([_share(folded)]), unit="×"),
            Goal(name="folding the longest text", bound=5, at_least=False, figure=figure(longest), unit="s"),
        ],
    )


def folded_runs(plan: Plan, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Fold every text as the service does, with tokens estimated by length; no model is needed."""
    runs = []
    for case in _cases(plan, plan.folded):
        request = GenerateRequest(model="any", turns=(Turn("user", (Text(case.text),)),))
        began_s = time.perf_counter()
        folded = asyncio.run(folded_to_fit(request, plan.window_tokens, _estimated_tokens))
        seconds = time.perf_counter() - began_s
        hit = case.needle in _words(folded.request)
        runs.append(_run("folded", case, hit, seconds) | {"characters_kept": folded.characters_kept})
        say(f"{case.tokens} tokens, depth {case.depth}: {'kept' if hit else 'LOST'}, {seconds:.2f} s")
    return runs


def _asked_runs(plan: Plan, url: str, say: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """Ask the server about every text."""
    config = {"maxOutputTokens": TOKENS_MAX, "temperature": 0}
    with httpx.Client(timeout=1200) as client:
        client.post(url, json={"contents": [{"parts": [{"text": "Hello."}]}], "generationConfig": config})
        for case in _cases(plan, plan.asked):
            body = {"contents": [{"parts": [{"text": case.text}]}], "generationConfig": config}
            began_s = time.perf_counter()
            reply = client.post(url, json=body)
            seconds = time.perf_counter() - began_s
            answer = _answer(reply)
            yield _run("asked", case, case.code in answer, seconds) | {"answer": answer}
            say(f"{case.tokens} tokens, depth {case.depth}: {answer!r} for {case.code}, {seconds:.1f} s")


def _answer(reply: httpx.Response) -> str:
    if reply.is_error:
        return f"error {reply.status_code}: {reply.text[:200]}"
    parts = reply.json()["candidates"][0].get("content", {}).get("parts", [])
    return "".join(part.get("text", "") for part in parts)


def _run(kind: str, case: Case, hit: bool, seconds: float) -> dict[str, Any]:
    return {"kind": kind, "tokens": case.tokens, "depth": case.depth, "hit": hit, "seconds": seconds}


def _words(request: GenerateRequest) -> str:
    return "".join(part.text for turn in request.turns for part in turn.parts if isinstance(part, Text))


async def _estimated_tokens(request: GenerateRequest) -> int:
    return int(len(_words(request)) / CHARACTERS_PER_TOKEN)


def _cases(plan: Plan, texts: int) -> Iterator[Case]:
    """Yield the texts of a plan, each with its own seed."""
    for tokens in plan.tokens:
        for depth in plan.depths:
            for number in range(texts):
                yield case_of(tokens, depth, seed=tokens * 10_000 + round(depth * 100) * 100 + number)


def case_of(tokens: int, depth: float, seed: int) -> Case:
    """Return a text of about ``tokens`` tokens, the same for the same seed; ``depth`` is 0 to 1."""
    chance = random.Random(seed)
    city, code = chance.choice(CITIES), str(chance.randrange(10_000, 100_000))
    needle = NEEDLE.format(city=city, number=code)
    question = QUESTION.format(city=city)
    sentences, length = [], int(tokens * CHARACTERS_PER_TOKEN) - len(needle) - len(question)
    while length > 0:
        sentences.append(_sentence(chance, city, code))
        length -= len(sentences[-1]) + 1
    sentences.insert(int(depth * len(sentences)), needle)
    text = "".join(sentence + ("\n\n" if chance.random() < 0.15 else " ") for sentence in sentences)
    return Case(tokens, depth, f"{text.rstrip()}\n\n{question}", needle, code)


def _sentence(chance: random.Random, city: str, code: str) -> str:
    """Return filler, or now and then a sentence that only looks like the needle."""
    drawn, number = chance.random(), str(chance.randrange(10_000, 100_000))
    number = "10000" if number == code else number
    if drawn < DISTRACTORS / 2:
        return NEEDLE.format(city=chance.choice([each for each in CITIES if each != city]), number=number)
    if drawn < DISTRACTORS:
        return NEAR.format(thing=chance.choice(THINGS), city=chance.choice(CITIES), number=number)
    return chance.choice(FILLER).format(
        who=chance.choice(WHO),
        where=chance.choice(WHERE),
        what=chance.choice(WHAT),
        city=chance.choice(CITIES),
        place=chance.choice(PLACES),
        adverb=chance.choice(ADVERBS),
        number=number,
    )


def _share(runs: list[dict[str, Any]]) -> float:
    return sum(each["hit"] for each in runs) / len(runs) if runs else float("nan")


def _table(plan: Plan, folded: list[dict[str, Any]], asked: list[dict[str, Any]]) -> Table:
    rows: list[list[str | Figure]] = []
    for tokens in plan.tokens:
        row: list[str | Figure] = [f"{tokens // 1024}K"]
        for runs in ([each for each in kind if each["tokens"] == tokens] for kind in (folded, asked)):
            row.append(f"{sum(each['hit'] for each in runs)} of {len(runs)}")
            row.append(figure(each["seconds"] for each in runs))
        rows.append(row)
    return Table(
        title="A needle in a long text, folded",
        note="Kept: the needle's sentence survived the folding; no model was asked. Answered: the answer "
        "over HTTP contains the code; its time is that of the whole request, at depths from "
        f"{min(plan.depths)} to {max(plan.depths)}.",
        columns=["tokens", "kept", "folding, s", "answered", "answer, s"],
        rows=rows,
    )
