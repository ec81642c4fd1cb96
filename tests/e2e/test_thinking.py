"""Budgets on the real engine: kept, and never at the cost of the answer. ``make prove`` runs all cases."""

import json
import random

import pytest

from e2e.crowd import MODEL, ask_all, cases, contents, text_of, usage_of
from geminid.core.card import ThinkingCard

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(3600)]

BUDGETS = ThinkingCard()
QUESTIONS = (
    "Why is the sky blue?",
    "Tom has {} apples and buys {} more. How many?",
    "Name {} colours.",
    "Is {} larger than {}?",
    "Write a line about the number {}.",
)


def asked(seed: int) -> tuple[dict, int]:
    """A random request and the most tokens it may think."""
    chance = random.Random(seed)
    level = chance.choice(["minimal", "low", "medium", "high", None])
    budget = chance.choice([-1, 0, 1, 7, 50, 200, 5000])
    thinking = {"thinkingBudget": budget} if level is None else {"thinkingLevel": level}
    allowed = (
        BUDGETS.budget_tokens(level) if level else min(budget, BUDGETS.high) if budget >= 0 else BUDGETS.high
    )
    config = {
        "thinkingConfig": {**thinking, "includeThoughts": chance.random() < 0.5},
        "maxOutputTokens": chance.choice([64, 65, 100, 200]),
        "temperature": chance.choice([0, 1]),
        "seed": seed,
    }
    question = chance.choice(QUESTIONS).format(chance.randint(2, 50), chance.randint(2, 50))
    return {"contents": contents(question), "generationConfig": config}, allowed


async def test_thoughts_keep_to_their_budget_and_the_answer_is_never_empty(real):
    wanted = [asked(seed) for seed in range(cases(10, 200))]
    answers = await ask_all(real.url, [body for body, _ in wanted])
    for seed, (answer, (body, allowed)) in enumerate(zip(answers, wanted, strict=True)):
        told, usage = answer.json(), answer.json()["usageMetadata"]
        thoughts = usage.get("thoughtsTokenCount", 0)
        assert answer.status_code == 200, seed
        assert thoughts <= allowed, seed
        assert text_of(told), (seed, told)
        assert thoughts + usage["candidatesTokenCount"] <= body["generationConfig"]["maxOutputTokens"], seed
        shown = any(part.get("thought") for part in told["candidates"][0]["content"]["parts"])
        assert not shown or body["generationConfig"]["thinkingConfig"]["includeThoughts"], seed


@pytest.mark.parametrize("level", ["minimal", "low", "high"])
def test_streamed_and_unary_agree(real, level):
    config = {"thinkingConfig": {"thinkingLevel": level, "includeThoughts": True}, "maxOutputTokens": 48}
    body = {"contents": contents("Name three colours and say why."), "generationConfig": config}
    unary = real.post(f"/v1beta/models/{MODEL}:generateContent", json=body).json()
    streamed = real.post(f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse", json=body).text
    chunks = [json.loads(line[6:]) for line in streamed.split("\r\n") if line.startswith("data: ")]
    for thought in (True, False):
        told = "".join(part["text"] for part in parts_of([unary]) if bool(part.get("thought")) == thought)
        heard = "".join(part["text"] for part in parts_of(chunks) if bool(part.get("thought")) == thought)
        assert told == heard
    assert usage_of(chunks[-1]) == usage_of(unary)
    assert sum("finishReason" in chunk["candidates"][0] for chunk in chunks) == 1


def parts_of(answers):
    return [part for answer in answers for part in answer["candidates"][0]["content"].get("parts", [])]


def test_the_names_that_end_in_thinking_think_much(real):
    body = {"contents": contents("Why is the sky blue?"), "generationConfig": {"maxOutputTokens": 80}}
    plain = real.post(f"/v1beta/models/{MODEL}:generateContent", json=body).json()
    much = real.post(f"/v1beta/models/{MODEL}-thinking:generateContent", json=body).json()
    assert "thoughtsTokenCount" not in plain["usageMetadata"]
    assert much["usageMetadata"]["thoughtsTokenCount"] > 0


def test_a_schema_holds_after_a_thought(real):
    config = {
        "thinkingConfig": {"thinkingBudget": 24},
        "responseMimeType": "application/json",
        "responseJsonSchema": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
    }
    body = {"contents": contents("How many legs has a dog?"), "generationConfig": config}
    answer = real.post(f"/v1beta/models/{MODEL}:generateContent", json=body).json()
    assert isinstance(json.loads(text_of(answer))["n"], int)
    assert 0 < answer["usageMetadata"]["thoughtsTokenCount"] <= 24
