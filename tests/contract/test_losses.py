"""What is lost when a Gemini request is translated for another backend, and is not lost here.

One test for each of ten losses that a widely used translating proxy has: what it drops in silence is
served or refused. Plain HTTP, since official clients hide half of them.
"""

import json

import pytest

MODEL = "gemini-3.1-flash-lite-preview"
UNARY = f"/v1beta/models/{MODEL}:generateContent"
STREAM = f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse"

WEATHER = {
    "name": "get_weather",
    "parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}},
}
TIME = {"name": "current_time"}


@pytest.fixture
def ask(scripted):
    """Ask with a text and fields of a request; return the answer."""

    def ask(text: str, **fields) -> dict:
        request = {"contents": [{"role": "user", "parts": [{"text": text}]}], **fields}
        response = scripted.post(UNARY, json=request)
        return response.json() | {"status": response.status_code}

    return ask


@pytest.fixture
def chunks(scripted):
    """Ask for a stream; return its chunks."""

    def chunks(text: str, **fields) -> list[dict]:
        request = {"contents": [{"role": "user", "parts": [{"text": text}]}], **fields}
        events = scripted.post(STREAM, json=request).text.split("\r\n\r\n")[:-1]
        return [json.loads(event.removeprefix("data: ")) for event in events]

    return chunks


def parts_of(answer: dict) -> list[dict]:
    return answer["candidates"][0]["content"].get("parts", [])


def text_of(answer: dict) -> str:
    return "".join(part.get("text", "") for part in parts_of(answer) if not part.get("thought"))


def config(**members) -> dict:
    return {"generationConfig": members}


def functions(*declarations: dict, **calling) -> dict:
    tools = {"tools": [{"functionDeclarations": list(declarations)}]}
    return tools | ({"toolConfig": {"functionCallingConfig": calling}} if calling else {})


def test_1_thinking_is_honoured_and_thoughts_come_back(ask, chunks):
    thinking = config(thinkingConfig={"includeThoughts": True, "thinkingLevel": "LOW"})
    answer = ask("think about it", **thinking)
    assert parts_of(answer)[0] == {"text": "First this, then that.", "thought": True}
    assert answer["usageMetadata"]["thoughtsTokenCount"] == 4
    assert parts_of(chunks("think about it", **thinking)[0])[0]["thought"] is True
    assert (
        "thoughtsTokenCount"
        not in ask("think about it", **config(thinkingConfig={"thinkingBudget": 0}))["usageMetadata"]
    )


def test_2_usage_is_told_by_purpose_and_kind(ask):
    usage = ask("think about it", **config(thinkingConfig={"thinkingLevel": "LOW"}))["usageMetadata"]
    assert usage == {
        "promptTokenCount": 3,
        "candidatesTokenCount": 4,
        "totalTokenCount": 11,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 3}],
        "thoughtsTokenCount": 4,
        "serviceTier": "standard",
    }


@pytest.mark.parametrize(
    ("schema", "answer"),
    [
        ({"responseSchema": {"type": "ARRAY", "items": {"type": "OBJECT"}}}, "two recipes"),
        ({"responseSchema": {"type": "OBJECT", "properties": {"name": {"type": "STRING"}}}}, "a recipe"),
        ({}, "a recipe"),
    ],
    ids=["list", "object", "any"],
)
def test_3_every_form_of_json_is_honoured(ask, schema, answer):
    assert json.loads(text_of(ask(answer, **config(responseMimeType="application/json", **schema))))


def test_3_enums_are_honoured(ask):
    schema = {"type": "STRING", "enum": ["glad", "sad"]}
    asked = config(responseMimeType="text/x.enum", responseSchema=schema)
    assert text_of(ask("a feeling", **asked)) == "sad"
    assert text_of(ask("no rule knows this", **asked)) == "glad"


def test_4_every_part_of_the_system_instruction_counts(ask):
    parts = [{"text": "be very brief"}, {"text": "and be kind"}, {"text": "always"}]
    assert (
        ask("hello", systemInstruction={"parts": parts})["usageMetadata"]["promptTokenCount"] == 3 + 3 + 1 + 1
    )


def test_5_allowed_names_and_tools_of_the_server_are_not_dropped(ask):
    only = functions(WEATHER, TIME, mode="ANY", allowedFunctionNames=["current_time"])
    assert not any("functionCall" in part for part in parts_of(ask("weather in Boston", **only)))
    both = functions(WEATHER, TIME, mode="ANY", allowedFunctionNames=["get_weather"])
    assert parts_of(ask("weather in Boston", **both))[0]["functionCall"]["name"] == "get_weather"
    for tool in ("googleSearch", "codeExecution", "urlContext"):
        answer = ask("hello", tools=[{tool: {}}])
        assert (answer["status"], answer["error"]["status"]) == (400, "INVALID_ARGUMENT")


def test_6_parallel_calls_of_one_function_have_ids_and_a_signature(ask, scripted):
    asked = functions(WEATHER)
    answer = ask("weather in Paris and Rome", **asked)
    first, second = parts_of(answer)
    assert first["functionCall"]["id"] != second["functionCall"]["id"]
    assert first["thoughtSignature"]
    contents = [
        {"role": "user", "parts": [{"text": "weather in Paris and Rome"}]},
        answer["candidates"][0]["content"],
        {
            "role": "user",
            "parts": [
                {
                    "functionResponse": {
                        "id": part["functionCall"]["id"],
                        "name": "get_weather",
                        "response": {"n": n},
                    }
                }
                for n, part in enumerate((first, second))
            ],
        },
    ]
    told = scripted.post(UNARY, json={"contents": contents, **asked})
    assert text_of(told.json()) == 'Both: get_weather: {"n": 0}\nget_weather: {"n": 1}'


def test_7_settings_are_honoured_named_or_refused(ask, scripted):
    answer = ask(
        "hello", **config(topK=5, seed=1, candidateCount=2, presencePenalty=0.5, frequencyPenalty=0.5)
    )
    assert len(answer["candidates"]) == 2
    (token,) = ask("hello", **config(responseLogprobs=True))["candidates"][0]["logprobsResult"][
        "chosenCandidates"
    ]
    assert token["token"] == "hello"
    assert ask("hello", cachedContent="cachedContents/x")["status"] == 403
    blocked = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_ONLY_HIGH"}]
    request = {"contents": [{"parts": [{"text": "hello"}]}], "safetySettings": blocked}
    assert (
        scripted.post(UNARY, json=request).headers["x-geminid-downgraded"] == "safety_settings=not-enforced"
    )


def test_8_a_streamed_call_without_arguments_comes(chunks):
    told = chunks("what time is it", **functions(TIME))
    call = parts_of(told[0])[0]["functionCall"]
    assert (call["name"], call["args"]) == ("current_time", {})
    assert told[-1]["candidates"][0]["finishReason"] == "STOP"


def test_9_answers_name_themselves_and_their_true_end(ask, chunks):
    required = {**WEATHER, "parameters": {**WEATHER["parameters"], "required": ["city"]}}
    for answer in (
        ask("weather nowhere", **functions(required)),
        chunks("weather nowhere", **functions(required))[-1],
    ):
        assert len(answer["responseId"]) == 22
        assert answer["modelVersion"] == "scripted"
        assert answer["candidates"][0]["finishReason"] == "MALFORMED_FUNCTION_CALL"
        assert answer["candidates"][0]["finishMessage"]


def test_10_wrong_input_is_refused_with_its_path(ask):
    asked = config(topK="many", nonsense=1, responseSchema={"type": "OBJECT"})
    fields = [
        violation.get("field")
        for violation in ask("hello", **asked)["error"]["details"][0]["fieldViolations"]
    ]
    assert fields == ["generation_config.top_k", "generation_config"]
    schema = {"type": "OBJECT", "properties": {"a": {"type": "STRING", "const": "x"}}}
    answer = ask("hello", **config(responseMimeType="application/json", responseSchema=schema))
    (violation,) = answer["error"]["details"][0]["fieldViolations"]
    assert violation["field"] == "generation_config.response_schema.properties.a"
