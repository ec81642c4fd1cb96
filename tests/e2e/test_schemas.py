"""Schemas on the real engine: honoured, or refused with a path, and never a danger to anybody.

``make prove`` runs 2,000 random schemas and the whole of the JSON Schema Test Suite.
"""

import asyncio
import json

import httpx
import jsonschema
import pytest

from e2e.crowd import MODEL, ask_all, cases, contents, text_of
from unit.shape.schemas import Maker
from unit.shape.test_suite import CASES as SUITE
from unit.shape.test_suite import as_any_of

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(7200)]

TOKENS_MAX = 120


def body_of(schema, tokens_max=TOKENS_MAX):
    config = {
        "responseMimeType": "application/json",
        "responseJsonSchema": schema,
        "maxOutputTokens": tokens_max,
        "temperature": 1,
    }
    return {"contents": contents("Make something up."), "generationConfig": config}


async def hold(server, schemas) -> dict[str, int]:
    """Ask for every schema; return how many answers were whole, cut off and refused."""
    pid, outcomes = server.engine()["pid"], {"whole": 0, "cut": 0, "refused": 0}
    for schema, answer in zip(schemas, await ask_all(server.url, map(body_of, schemas)), strict=True):
        if answer.status_code == 400:
            outcomes["refused"] += 1
            (violation, *_) = answer.json()["error"]["details"][0]["fieldViolations"]
            assert violation["field"].startswith("generation_config.response_json_schema"), schema
            continue
        assert answer.status_code == 200, (schema, answer.text)
        told = answer.json()
        if told["candidates"][0]["finishReason"] == "MAX_TOKENS":
            outcomes["cut"] += 1
            continue
        outcomes["whole"] += 1
        document = {"$schema": "https://json-schema.org/draft/2020-12/schema", **as_any_of(schema)}
        jsonschema.Draft202012Validator(document).validate(json.loads(text_of(told)))
    assert server.engine()["pid"] == pid, "the engine was restarted"
    return outcomes


async def test_random_schemas_are_honoured_or_refused_with_their_path(real):
    outcomes = await hold(real, [Maker(seed).document() for seed in range(cases(24, 2000))])
    print(outcomes)
    assert outcomes["whole"] > outcomes["refused"]


async def test_the_json_schema_test_suite_is_honoured_where_it_is_accepted(real):
    schemas = [schema for _, schema in SUITE if isinstance(schema, dict)]
    outcomes = await hold(real, schemas[:: max(1, len(schemas) // cases(12, len(schemas)))])
    print(outcomes)
    assert outcomes["whole"]


# -- poison ----------------------------------------------------------------------------------------------


def poisons():
    """Schemas that have broken engines, or are made to."""
    deep = {"type": "string"}
    for _ in range(300):
        deep = {"type": "array", "items": deep}
    wide = {f"p{number}": {"type": "string", "pattern": f"^[^{number % 10}]{{90}}$"} for number in range(60)}
    bomb = "(" * 60 + "a" + "{1,99})" * 60
    yield from (
        {"type": 12},
        {"type": []},
        {"type": "objekt"},
        {"$ref": "#"},
        {"$ref": "#/$defs/none"},
        {"$ref": "http://127.0.0.1:9/schema"},
        {"anyOf": []},
        {"anyOf": [{"$ref": "#"}]},
        {"allOf": [{"$ref": "#"}, {"$ref": "#"}]},
        {"type": "object", "properties": {"x": {"$ref": "#"}}, "required": ["x"]},
        {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
        {"enum": []},
        {"enum": ["x" * 100_000] * 50},
        {"enum": [str(number) for number in range(50_000)]},
        {"enum": ["\ud800"]},
        {"const": "\x00" * 5000},
        {"not": {}},
        {"if": {}, "then": {"type": "string"}},
        {"type": "array", "minItems": 10**9, "items": {"type": "integer"}},
        {"type": "array", "minItems": 5, "maxItems": 2},
        {"type": "array", "uniqueItems": True},
        {"type": "array", "contains": {"type": "integer"}},
        {"type": "array", "prefixItems": [{"type": "string"}] * 20_000},
        {"type": "string", "minLength": 10**12},
        {"type": "string", "minLength": -1},
        {"type": "string", "maxLength": "many"},
        {"type": "string", "pattern": "("},
        {"type": "string", "pattern": "(?<=a)b"},
        {"type": "string", "pattern": r"(a)\1"},
        {"type": "string", "pattern": bomb},
        {"type": "string", "pattern": "((((((((((x{1,50}){1,50}){1,50}){1,50}){1,50}){1,50})))))"},
        {"type": "string", "pattern": "(a|aa)*" * 200},
        {"type": "string", "pattern": "[^\u0080\u2080\u4e80]{1,80}"},
        {"type": "string", "pattern": "^[\\x00-\\x1f]+$"},
        {"type": "string", "pattern": "a" * 200_000},
        {"type": "integer", "minimum": 10, "maximum": 1},
        {"type": "integer", "minimum": -(10**400)},
        {"type": "number", "multipleOf": 1e-300},
        {"type": "number", "exclusiveMinimum": True},
        {"type": "object", "required": "name"},
        {"type": "object", "properties": [1, 2]},
        {"type": "object", "properties": {"": {}, "\n": {}, '"': {}}, "required": ["", "nowhere"]},
        {"type": "object", "minProperties": 10**6},
        {"type": "object", "patternProperties": {"^x": {}}},
        {"type": "object", "additionalProperties": {"$ref": "#/nothing"}},
        {"type": "object", "properties": {f"p{number}": {"type": "string"} for number in range(20_000)}},
        {"type": "object", "properties": wide, "required": list(wide)},
        {"properties": {"x" * 1_000_000: {"type": "string"}}},
        {"$id": "x", "$anchor": "y", "$dynamicRef": "#z"},
        deep,
    )


async def test_fifty_poisonous_schemas_have_no_effect_on_sixteen_streams(real):
    wanted = list(poisons())
    assert len(wanted) == 50
    before = real.engine()
    async with httpx.AsyncClient(base_url=real.url, timeout=300) as client:

        async def stream(number: int) -> list[dict]:
            config = {"maxOutputTokens": cases(60, 300), "temperature": 1, "seed": number}
            body = {
                "contents": contents(f"Write a long story about the number {number}."),
                "generationConfig": config,
            }
            path = f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse"
            async with client.stream("POST", path, json=body) as answer:
                return [
                    json.loads(line[6:]) async for line in answer.aiter_lines() if line.startswith("data: ")
                ]

        streams = [asyncio.create_task(stream(number)) for number in range(16)]
        await asyncio.sleep(0.5)
        answers = await ask_all(
            real.url,
            (
                {
                    **body_of({}, 8),
                    "generationConfig": {**body_of({}, 8)["generationConfig"], "responseJsonSchema": schema},
                }
                for schema in wanted
            ),
            at_once=4,
        )
        told = await asyncio.gather(*streams)
    for schema, answer in zip(wanted, answers, strict=True):
        assert answer.status_code in (200, 400), (str(schema)[:200], answer.text[:300])
    for chunks in told:
        assert "error" not in chunks[-1]
        assert chunks[-1]["candidates"][0]["finishReason"] in ("STOP", "MAX_TOKENS")
    after = real.engine()
    assert (after["pid"], after["restarts"]) == (before["pid"], before["restarts"])
    assert sum(answer.status_code == 400 for answer in answers) > 25


def test_a_streamed_answer_under_a_schema_is_the_same_text_in_pieces(real):
    body = body_of(
        {
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "boolean"}},
            "required": ["a", "b"],
        }
    )
    streamed = real.post(f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse", json=body).text
    chunks = [json.loads(line[6:]) for line in streamed.split("\r\n") if line.startswith("data: ")]
    assert set(json.loads("".join(map(text_of, chunks)))) == {"a", "b"}


def test_members_come_in_the_order_that_was_asked_for(real):
    schema = {
        "type": "OBJECT",
        "properties": {"z": {"type": "BOOLEAN"}, "a": {"type": "BOOLEAN"}, "m": {"type": "BOOLEAN"}},
        "required": ["a", "m", "z"],
        "propertyOrdering": ["m", "z", "a"],
    }
    config = {"responseMimeType": "application/json", "responseSchema": schema}
    answer = real.post(
        f"/v1beta/models/{MODEL}:generateContent",
        json={"contents": contents("Go."), "generationConfig": config},
    )
    assert list(json.loads(text_of(answer.json()))) == ["m", "z", "a"]


def test_every_label_has_a_probability(real):
    labels = ["billing", "delivery", "praise"]
    config = {
        "responseMimeType": "text/x.enum",
        "responseSchema": {"type": "STRING", "enum": labels},
        "responseLogprobs": True,
        "logprobs": 3,
    }
    body = {"contents": contents("Thank you so much!"), "generationConfig": config}
    answer = real.post(f"/v1beta/models/{MODEL}:generateContent", json=body).json()["candidates"][0]
    (ranked,) = answer["logprobsResult"]["topCandidates"]
    assert {each["token"] for each in ranked["candidates"]} == set(labels)
    assert sum(2.718281828 ** each["logProbability"] for each in ranked["candidates"]) == pytest.approx(
        1, abs=1e-6
    )
    assert answer["content"]["parts"][0]["text"] == ranked["candidates"][0]["token"]
