"""The same request by each wire: the same answer, the same usage, the same bill."""

import json
import time

import pytest

from geminid.billing.standing import Override
from serving import Server, serving
from tenants import PRICES, balance_of, proved, rows_of, tenant

pytestmark = pytest.mark.e2e

MODEL = "gemini-3.1-flash-lite"
SCHEMA = {
    "type": "object",
    "properties": {"word": {"type": "string", "maxLength": 12}, "count": {"type": "integer"}},
    "required": ["word", "count"],
    "additionalProperties": False,
}
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
GREEDY = {"temperature": 0}


def user(*parts):
    return {"role": "user", "parts": list(parts)}


def openais(messages, **fields):
    return {"model": MODEL, "messages": messages, **GREEDY, **fields}


def googles(contents, config=None, **fields):
    return {"contents": contents, "generationConfig": {**GREEDY, **(config or {})}, **fields}


def asked(words):
    return [{"role": "user", "content": words}], [user({"text": words})]


WEATHER = {"name": "get_weather", "description": "Tell the weather.", "parameters": PARAMETERS}
CALLED = {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Rome"}'}}

CASES = {
    "plain": (
        openais(asked("Name a colour")[0], max_tokens=16),
        googles(asked("Name a colour")[1], {"maxOutputTokens": 16}),
    ),
    "instructed": (
        openais(
            [{"role": "system", "content": "Be brief."}, *asked("Who are you?")[0]], max_completion_tokens=16
        ),
        googles(
            asked("Who are you?")[1],
            {"maxOutputTokens": 16},
            systemInstruction={"parts": [{"text": "Be brief."}]},
        ),
    ),
    "several turns": (
        openais(
            [
                {"role": "user", "content": "I am Ada."},
                {"role": "assistant", "content": "Hello Ada."},
                {"role": "user", "content": [{"type": "text", "text": "Who am I?"}]},
            ],
            max_tokens=16,
        ),
        googles(
            [
                user({"text": "I am Ada."}),
                {"role": "model", "parts": [{"text": "Hello Ada."}]},
                user({"text": "Who am I?"}),
            ],
            {"maxOutputTokens": 16},
        ),
    ),
    "stopped": (
        openais(asked("Count from one to ten in words.")[0], max_tokens=40, stop=["five", "5"]),
        googles(
            asked("Count from one to ten in words.")[1],
            {"maxOutputTokens": 40, "stopSequences": ["five", "5"]},
        ),
    ),
    "several answers": (
        openais(asked("Name a river")[0], max_tokens=8, n=2),
        googles(asked("Name a river")[1], {"maxOutputTokens": 8, "candidateCount": 2}),
    ),
    "penalties": (
        openais(asked("rivers rivers rivers")[0], max_tokens=12, frequency_penalty=1, presence_penalty=0.5),
        googles(
            asked("rivers rivers rivers")[1],
            {"maxOutputTokens": 12, "frequencyPenalty": 1, "presencePenalty": 0.5},
        ),
    ),
    "a seed": (
        openais(asked("Tell me a word")[0], max_tokens=8, temperature=1, seed=7),
        googles(asked("Tell me a word")[1], {"maxOutputTokens": 8, "temperature": 1, "seed": 7}),
    ),
    "thinking": (
        openais(asked("What is 2 + 3?")[0], max_tokens=60, reasoning_effort="low"),
        googles(
            asked("What is 2 + 3?")[1],
            {"maxOutputTokens": 60, "thinkingConfig": {"thinkingLevel": "LOW"}},
        ),
    ),
    "a schema": (
        openais(
            asked("A word and a count")[0],
            max_tokens=60,
            response_format={"type": "json_schema", "json_schema": {"name": "pair", "schema": SCHEMA}},
        ),
        googles(
            asked("A word and a count")[1],
            {
                "maxOutputTokens": 60,
                "responseMimeType": "application/json",
                "responseJsonSchema": SCHEMA,
            },
        ),
    ),
    "a function": (
        openais(
            asked("The weather in Paris?")[0],
            max_tokens=80,
            tools=[{"type": "function", "function": WEATHER}],
            tool_choice="required",
        ),
        googles(
            asked("The weather in Paris?")[1],
            {"maxOutputTokens": 80},
            tools=[
                {
                    "functionDeclarations": [
                        {
                            "name": WEATHER["name"],
                            "description": WEATHER["description"],
                            "parametersJsonSchema": PARAMETERS,
                        }
                    ]
                }
            ],
            toolConfig={"functionCallingConfig": {"mode": "ANY"}},
        ),
    ),
    "a result": (
        openais(
            [
                *asked("The weather in Rome?")[0],
                {"role": "assistant", "tool_calls": [CALLED]},
                {"role": "tool", "tool_call_id": "c1", "content": '{"degrees": 21}'},
            ],
            max_tokens=16,
        ),
        googles(
            [
                *asked("The weather in Rome?")[1],
                {
                    "role": "model",
                    "parts": [
                        {
                            "functionCall": {"id": "c1", "name": "get_weather", "args": {"city": "Rome"}},
                            "thoughtSignature": "skip_thought_signature_validator",
                        }
                    ],
                },
                user(
                    {
                        "functionResponse": {
                            "id": "c1",
                            "name": "get_weather",
                            "response": {"degrees": 21},
                        }
                    }
                ),
            ],
            {"maxOutputTokens": 16},
        ),
    ),
    "a file": (
        openais(
            [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "What colour?"},
                        {
                            "type": "file",
                            "file": {"file_data": "data:text/plain;base64,VGhlIGxhbXAgaXMgcmVkLg=="},
                        },
                    ],
                }
            ],
            max_tokens=12,
        ),
        googles(
            [
                user(
                    {"text": "What colour?"},
                    {"inlineData": {"mimeType": "text/plain", "data": "VGhlIGxhbXAgaXMgcmVkLg=="}},
                )
            ],
            {"maxOutputTokens": 12},
        ),
    ),
}
"""By name, a request to each wire."""


RESPONSES = {
    "plain": {"input": "Name a colour", "max_output_tokens": 16},
    "instructed": {"instructions": "Be brief.", "input": "Who are you?", "max_output_tokens": 16},
    "several turns": {
        "input": [
            {"role": "user", "content": "I am Ada."},
            {"role": "assistant", "content": "Hello Ada."},
            {"role": "user", "content": [{"type": "input_text", "text": "Who am I?"}]},
        ],
        "max_output_tokens": 16,
    },
    "thinking": {"input": "What is 2 + 3?", "max_output_tokens": 60, "reasoning": {"effort": "low"}},
    "a schema": {
        "input": "A word and a count",
        "max_output_tokens": 60,
        "text": {"format": {"type": "json_schema", "name": "pair", "schema": SCHEMA}},
    },
    "a function": {
        "input": "The weather in Paris?",
        "max_output_tokens": 80,
        "tools": [{"type": "function", **WEATHER}],
        "tool_choice": "required",
    },
    "a result": {
        "input": [
            {"role": "user", "content": "The weather in Rome?"},
            {"type": "function_call", "call_id": "c1", "name": "get_weather", "arguments": '{"city":"Rome"}'},
            {"type": "function_call_output", "call_id": "c1", "output": '{"degrees": 21}'},
        ],
        "max_output_tokens": 16,
    },
    "a file": {
        "input": [
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "What colour?"},
                    {"type": "input_file", "file_data": "data:text/plain;base64,VGhlIGxhbXAgaXMgcmVkLg=="},
                ],
            }
        ],
        "max_output_tokens": 12,
    },
}
"""Some of the same requests as Responses."""


def said_by_openai(body):
    """What an answer says: texts, calls and ends, and its tokens (prompt, answer, thoughts, all)."""
    ends = {"stop": "STOP", "tool_calls": "STOP", "length": "MAX_TOKENS"}
    choices = [
        (
            choice["message"]["content"] or "",
            [
                (call["function"]["name"], json.loads(call["function"]["arguments"]))
                for call in choice["message"].get("tool_calls", ())
            ],
            ends[choice["finish_reason"]],
        )
        for choice in body["choices"]
    ]
    usage = body["usage"]
    thoughts = usage["completion_tokens_details"]["reasoning_tokens"]
    return choices, (
        usage["prompt_tokens"],
        usage["completion_tokens"] - thoughts,
        thoughts,
        usage["total_tokens"],
    )


def said_by_google(body):
    choices = [
        (
            "".join(part.get("text", "") for part in candidate["content"].get("parts", ())),
            [
                (part["functionCall"]["name"], part["functionCall"]["args"])
                for part in candidate["content"].get("parts", ())
                if "functionCall" in part
            ],
            candidate["finishReason"],
        )
        for candidate in body["candidates"]
    ]
    usage = body["usageMetadata"]
    return choices, (
        usage["promptTokenCount"],
        usage.get("candidatesTokenCount", 0),
        usage.get("thoughtsTokenCount", 0),
        usage["totalTokenCount"],
    )


def said_by_responses(body):
    usage = body["usage"]
    thoughts = usage["output_tokens_details"]["reasoning_tokens"]
    texts = [part["text"] for item in body["output"] for part in item.get("content", ())]
    calls = [
        (item["name"], json.loads(item["arguments"]))
        for item in body["output"]
        if item["type"] == "function_call"
    ]
    end = {"completed": "STOP", "incomplete": "MAX_TOKENS"}[body["status"]]
    counts = usage["input_tokens"], usage["output_tokens"] - thoughts, thoughts, usage["total_tokens"]
    return [("".join(texts), calls, end)], counts


class Priced:
    """A server with prices, and a key of a project that pays in advance."""

    def __init__(self, server: Server, url: str, key: str) -> None:
        self.server, self.url, self.key = server, url, key

    def openai(self, body, **headers):
        headers = {"authorization": f"Bearer {self.key}", **headers}
        return self.server.post("/v1/chat/completions", json=body, headers=headers)

    def responses(self, body):
        headers = {"authorization": f"Bearer {self.key}"}
        return self.server.post("/v1/responses", json={"model": MODEL, **GREEDY, **body}, headers=headers)

    def google(self, body):
        path = f"/v1beta/models/{MODEL}:generateContent"
        return self.server.post(path, json=body, headers={"x-goog-api-key": self.key})


@pytest.fixture(scope="module", params=["scripted", "smollm2-135m-instruct"])
def priced(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wires")
    prices = PRICES.replace('"scripted"', f'"{request.param}"')
    (folder / "prices.toml").write_text(prices)
    (folder / "data").mkdir()
    url = f"sqlite:///{folder / 'data' / 'geminid.db'}"
    key = tenant(url, "team", credit_nano=10**12)
    environ = {"GEMINID_BILLING_PRICES": str(folder / "prices.toml"), "GEMINID_ENGINE_KV_CACHE_GIB": "1"}
    with serving(folder, "--pull", "--model", request.param, environ=environ) as server:
        server.wait_ready()
        yield Priced(server, url, key)


def billed(row):
    """What a row of usage says of money and tokens."""
    return (row.model, row.asked, row.tier, row.usage, row.lines, row.cost_nano, row.outcome)


@pytest.mark.parametrize("case", CASES)
def test_each_wire_gives_the_same_answer_usage_and_bill(priced, case):
    openai, google = CASES[case]
    assert priced.google(google).status_code == 200  # from now on both find the prompt in the cache
    by_openai, by_google = priced.openai(openai), priced.google(google)
    assert by_openai.status_code == by_google.status_code == 200, by_openai.text + by_google.text
    assert said_by_openai(by_openai.json()) == said_by_google(by_google.json())
    assert int(by_openai.headers["x-geminid-cost-nano"]) > 0
    assert by_openai.headers["x-geminid-cost-nano"] == by_google.headers["x-geminid-cost-nano"]
    receipts = {answer.headers["x-geminid-receipt"] for answer in (by_openai, by_google)}
    first, second = [billed(row) for row in rows_of(priced.url, "team") if row.id in receipts]
    assert first == second


@pytest.mark.parametrize("case", RESPONSES)
def test_responses_give_the_same_answer_usage_and_bill(priced, case):
    google = CASES[case][1]
    assert priced.google(google).status_code == 200  # from now on both find the prompt in the cache
    by_responses, by_google = priced.responses(RESPONSES[case]), priced.google(google)
    assert (by_responses.status_code, by_google.status_code) == (200, 200), by_responses.text
    assert said_by_responses(by_responses.json()) == said_by_google(by_google.json())
    assert by_responses.headers["x-geminid-cost-nano"] == by_google.headers["x-geminid-cost-nano"]
    receipts = {answer.headers["x-geminid-receipt"] for answer in (by_responses, by_google)}
    first, second = [billed(row) for row in rows_of(priced.url, "team") if row.id in receipts]
    assert first == second


def test_a_response_that_goes_on_is_asked_what_a_whole_conversation_is_asked(priced):
    first = priced.responses({"input": "I am Ada.", "max_output_tokens": 8}).json()
    (message,) = first["output"]
    by_id = priced.responses(
        {"input": "Who am I?", "previous_response_id": first["id"], "max_output_tokens": 8}
    ).json()
    by_hand = priced.responses(
        {
            "input": [
                {"role": "user", "content": "I am Ada."},
                message,
                {"role": "user", "content": "Who am I?"},
            ],
            "max_output_tokens": 8,
            "store": False,
        }
    ).json()
    assert said_by_responses(by_id) == said_by_responses(by_hand)


def test_a_stream_costs_what_the_whole_answer_costs(priced):
    before = balance_of(priced.url, "team").posted_nano
    body = CASES["plain"][0]
    whole = priced.openai(body)
    after = balance_of(priced.url, "team").posted_nano
    streamed = priced.openai({**body, "stream": True})
    assert streamed.text.endswith("data: [DONE]\n\n")
    assert balance_of(priced.url, "team").posted_nano - after == after - before
    assert after - before == -int(whole.headers["x-geminid-cost-nano"])


def test_a_request_with_a_key_of_its_own_is_charged_once(priced):
    body = CASES["plain"][0]
    assert priced.openai(body, **{"idempotency-key": "only-once"}).status_code == 200
    after = balance_of(priced.url, "team").posted_nano
    again = priced.openai(body, **{"idempotency-key": "only-once"})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "already_exists")
    assert balance_of(priced.url, "team").posted_nano == after
    assert proved(priced.url)


def test_who_has_no_credits_is_told_so_and_not_to_try_again(priced):
    key = tenant(priced.url, "poor", credit_nano=1)
    poor = Priced(priced.server, priced.url, key)
    answer = poor.openai(CASES["plain"][0])
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "insufficient_quota")
    assert answer.headers["x-should-retry"] == "false"


def test_limits_are_told_with_their_headers(priced):
    key = tenant(priced.url, "slow", credit_nano=10**12, every_model=Override(rpm=1))
    slow = Priced(priced.server, priced.url, key)
    first = slow.openai(CASES["plain"][0])
    assert (first.status_code, first.headers["x-ratelimit-limit-requests"]) == (200, "1")
    second = slow.openai(CASES["plain"][0])
    assert (second.status_code, second.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert second.headers["x-ratelimit-remaining-requests"] == "0"
    assert second.json()["error"]["message"].startswith("Rate limit reached for")
    assert int(second.headers["retry-after"]) > 0


def batched(priced, name, body):
    """The result of a batch of one line: beside others, a model rounds otherwise."""
    headers = {"authorization": f"Bearer {priced.key}"}
    line = {"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": body}
    form = {"files": {"file": ("lines.jsonl", json.dumps(line))}, "data": {"purpose": "batch"}}
    file = priced.server.post("/v1/files", headers=headers, **form).json()["id"]
    said = {"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    batch = priced.server.post("/v1/batches", headers=headers, json=said).json()
    until = time.monotonic() + 120
    while batch["status"] != "completed":
        assert time.monotonic() < until, batch
        time.sleep(0.1)
        batch = priced.server.get(f"/v1/batches/{batch['id']}", headers=headers).json()
    path = f"/v1/files/{batch['output_file_id']}/content"
    return priced.server.get(path, headers=headers).json()


@pytest.mark.parametrize("case", ["plain", "instructed", "a schema", "a result"])
def test_a_line_of_a_batch_gives_the_live_answer_at_half_its_price(priced, case):
    body = CASES[case][0]
    assert priced.openai(body).status_code == 200  # from now on both find the prompt in the cache
    live, result = priced.openai(body), batched(priced, case, body)
    told = result["response"]["body"]
    assert (result["custom_id"], result["error"]) == (case, None)
    assert said_by_openai(told) == said_by_openai(live.json())
    rows = {row.id: row for row in rows_of(priced.url, "team")}
    paid, full = rows[told["id"].removeprefix("chatcmpl-")], rows[live.headers["x-geminid-receipt"]]
    assert (paid.tier, paid.request) == ("batch", result["response"]["request_id"])
    assert paid.usage == full.usage
    assert paid.cost_nano * 2 == full.cost_nano
