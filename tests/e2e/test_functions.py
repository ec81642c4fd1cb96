"""Function calls on the real engine: valid, allowed, whole. ``make prove`` runs all cases."""

import json
import random

import jsonschema
import pytest
from google import genai
from google.genai import types

from e2e.crowd import MODEL, ask_all, cases, contents
from unit.shape.schemas import Maker

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(3600)]

PLAIN = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 20}}, "required": ["city"]}


def asked(seed: int) -> tuple[dict, dict[str, dict | None], str]:
    """A random request with functions, the allowed ones with their schemas, and the mode."""
    chance, maker = random.Random(seed), Maker(seed)
    functions: dict[str, dict | None] = {}
    for number in range(chance.randint(1, 4)):
        members = {f"m{index}": maker.schema(1) for index in range(chance.randint(0, 3))}
        schema = {"type": "object", "properties": members, "required": list(members)[:2]}
        functions[f"fn_{number}"] = chance.choice([schema, schema, None])
    mode = chance.choice(["ANY", "ANY", "VALIDATED", "AUTO"])
    declarations = [
        {
            "name": name,
            "description": "Does something.",
            **({"parametersJsonSchema": schema} if schema else {}),
        }
        for name, schema in functions.items()
    ]
    calling: dict = {"mode": mode}
    if mode in ("ANY", "VALIDATED") and chance.random() < 0.4:
        calling["allowedFunctionNames"] = chance.sample(list(functions), chance.randint(1, len(functions)))
        functions = {name: functions[name] for name in calling["allowedFunctionNames"]}
    body = {
        "contents": contents("Please call a function. <tool_call>"),
        "tools": [{"functionDeclarations": declarations}],
        "toolConfig": {"functionCallingConfig": calling},
        "generationConfig": {"maxOutputTokens": 100, "temperature": 1, "seed": seed},
    }
    return body, functions, mode


async def test_calls_are_valid_allowed_and_named_apart(real):
    wanted = [asked(seed) for seed in range(cases(12, 300))]
    answers = await ask_all(real.url, [body for body, _, _ in wanted])
    called = 0
    for seed, (answer, (_, allowed, mode)) in enumerate(zip(answers, wanted, strict=True)):
        if answer.status_code == 400:  # a random schema that cannot be honoured
            (violation, *_) = answer.json()["error"]["details"][0]["fieldViolations"]
            assert violation["field"].startswith("tools"), seed
            continue
        assert answer.status_code == 200, (seed, answer.text)
        candidate = answer.json()["candidates"][0]
        calls = [
            part["functionCall"] for part in candidate["content"].get("parts", []) if "functionCall" in part
        ]
        assert len({call["id"] for call in calls}) == len(calls), seed
        for call in calls:
            assert call["name"] in allowed, seed
            jsonschema.validate(call["args"], allowed[call["name"]] or {"maxProperties": 0})
        if mode == "ANY":
            assert calls or candidate["finishReason"] == "MAX_TOKENS", (seed, candidate)
        called += len(calls)
    assert called > len(wanted) / 4


@pytest.mark.parametrize("streamed", [False, True], ids=["unary", "streamed"])
def test_a_call_without_arguments_is_emitted(real, streamed):
    body = {
        "contents": contents("What time is it?"),
        "tools": [{"functionDeclarations": [{"name": "now"}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
    }
    verb = "streamGenerateContent?alt=sse" if streamed else "generateContent"
    answer = real.post(f"/v1beta/models/{MODEL}:{verb}", json=body).text
    documents = (
        [json.loads(line[6:]) for line in answer.split("\r\n") if line.startswith("data: ")]
        if streamed
        else [json.loads(answer)]
    )
    parts = [part for each in documents for part in each["candidates"][0]["content"].get("parts", [])]
    calls = [part for part in parts if "functionCall" in part]
    assert [(part["functionCall"]["name"], part["functionCall"]["args"]) for part in calls] == [("now", {})]
    assert calls[0]["thoughtSignature"]
    assert documents[-1]["candidates"][0]["finishReason"] == "STOP"


def test_the_sdks_own_loop_runs_to_its_end(real):
    client = genai.Client(http_options={"api_version": "v1beta", "base_url": real.url}, api_key="x")
    heard = []

    def weather(city: str) -> str:
        """Tell the weather of a city."""
        heard.append(city)
        return "sunny"

    config = types.GenerateContentConfig(
        tools=[weather],
        tool_config={"function_calling_config": {"mode": "ANY"}},
        automatic_function_calling={"maximum_remote_calls": 3},
        max_output_tokens=150,
    )
    answer = client.models.generate_content(model=MODEL, contents="Weather in Paris?", config=config)
    assert heard
    assert len(answer.automatic_function_calling_history) >= 3


def test_what_declarations_and_schemas_cost_is_counted(real):
    plain = {"contents": contents("Hi")}
    tools = {
        **plain,
        "tools": [{"functionDeclarations": [{"name": "weather", "parametersJsonSchema": PLAIN}]}],
    }
    schema = {
        **plain,
        "generationConfig": {"responseMimeType": "application/json", "responseJsonSchema": PLAIN},
    }

    def count(request: dict) -> int:
        body = {"generateContentRequest": {"model": f"models/{MODEL}", **request}}
        return real.post(f"/v1beta/models/{MODEL}:countTokens", json=body).json()["totalTokens"]

    for request in (tools, schema):
        assert count(request) > count(plain) + 10
        answer = real.post(
            f"/v1beta/models/{MODEL}:generateContent",
            json={
                **request,
                "generationConfig": {**request.get("generationConfig", {}), "maxOutputTokens": 1},
            },
        ).json()
        assert answer["usageMetadata"]["promptTokenCount"] == count(request)
