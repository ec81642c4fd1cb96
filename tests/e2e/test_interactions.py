"""The same request as an interaction and as generateContent: the same answer, the same usage, the same bill."""

import json

import pytest

from e2e.test_two_wires import CASES, MODEL, PARAMETERS, SCHEMA, Priced, billed, said_by_google
from serving import serving
from tenants import PRICES, balance_of, proved, rows_of, tenant

pytestmark = pytest.mark.e2e

PATH = "/v1beta/interactions"
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "Tell the weather.",
    "parameters": PARAMETERS,
}


def step(kind, words):
    return {"type": kind, "content": [{"type": "text", "text": words}]}


def asked(given, config=None, **fields):
    return {
        "model": MODEL,
        "input": given,
        "generation_config": {"temperature": 0, **(config or {})},
        **fields,
    }


SAME = {
    "plain": asked("Name a colour", {"max_output_tokens": 16}),
    "instructed": asked("Who are you?", {"max_output_tokens": 16}, system_instruction="Be brief."),
    "several turns": asked(
        [
            step("user_input", "I am Ada."),
            step("model_output", "Hello Ada."),
            step("user_input", "Who am I?"),
        ],
        {"max_output_tokens": 16},
    ),
    "stopped": asked(
        "Count from one to ten in words.", {"max_output_tokens": 40, "stop_sequences": ["five", "5"]}
    ),
    "a seed": {**asked("Tell me a word", {"max_output_tokens": 8, "temperature": 1, "seed": 7})},
    "thinking": asked("What is 2 + 3?", {"max_output_tokens": 60, "thinking_level": "low"}),
    "a schema": asked(
        "A word and a count",
        {"max_output_tokens": 60},
        response_format={"type": "text", "mime_type": "application/json", "schema": SCHEMA},
    ),
    "a function": asked(
        "The weather in Paris?", {"max_output_tokens": 80, "tool_choice": "any"}, tools=[WEATHER]
    ),
    "a result": asked(
        [
            step("user_input", "The weather in Rome?"),
            {"type": "thought", "signature": "skip_thought_signature_validator"},
            {"type": "function_call", "id": "c1", "name": "get_weather", "arguments": {"city": "Rome"}},
            {"type": "function_result", "call_id": "c1", "result": {"degrees": 21}},
        ],
        {"max_output_tokens": 16},
    ),
    "a file": asked(
        [
            {"type": "text", "text": "What colour?"},
            {"type": "document", "mime_type": "text/plain", "data": "VGhlIGxhbXAgaXMgcmVkLg=="},
        ],
        {"max_output_tokens": 12},
    ),
}
"""By the names of ``CASES``, the same requests as interactions."""
ENDS = {"completed": "STOP", "requires_action": "STOP", "incomplete": "MAX_TOKENS"}


def said(body):
    """What an interaction says, in the form of ``said_by_google``."""
    steps = body.get("steps", ())
    text = "".join(each["text"] for step in steps if "content" in step for each in step["content"])
    calls = [(step["name"], step["arguments"]) for step in steps if step["type"] == "function_call"]
    usage = body["usage"]
    counts = ("total_input_tokens", "total_output_tokens", "total_thought_tokens", "total_tokens")
    return [(text, calls, ENDS[body["status"]])], tuple(usage[name] for name in counts)


REAL = ("plain", "several turns", "thinking", "a function")
"""Those that the real model answers too; it has been shown elsewhere to answer all wires alike."""
BY = [("scripted", case) for case in SAME] + [("smollm2-135m-instruct", case) for case in REAL]


@pytest.fixture(scope="module")
def priced(request, tmp_path_factory):
    folder, model = tmp_path_factory.mktemp("interactions"), getattr(request, "param", "scripted")
    (folder / "prices.toml").write_text(PRICES.replace('"scripted"', f'"{model}"'))
    (folder / "data").mkdir()
    url = f"sqlite:///{folder / 'data' / 'geminid.db'}"
    key = tenant(url, "team", credit_nano=10**12)
    environ = {"GEMINID_BILLING_PRICES": str(folder / "prices.toml"), "GEMINID_ENGINE_KV_CACHE_GIB": "1"}
    with serving(folder, "--pull", "--model", model, environ=environ) as server:
        server.wait_ready()
        yield Priced(server, url, key)


def ask(priced, body, **headers):
    return priced.server.post(PATH, json=body, headers={"x-goog-api-key": priced.key, **headers})


@pytest.mark.parametrize(("priced", "case"), BY, indirect=["priced"])
def test_an_interaction_gives_the_same_answer_usage_and_bill(priced, case):
    google = CASES[case][1]
    assert priced.google(google).status_code == 200  # from now on both find the prompt in the cache
    by_interaction, by_google = ask(priced, SAME[case]), priced.google(google)
    assert by_interaction.status_code == by_google.status_code == 200, by_interaction.text + by_google.text
    assert said(by_interaction.json()) == said_by_google(by_google.json())
    assert int(by_interaction.headers["x-geminid-cost-nano"]) > 0
    assert by_interaction.headers["x-geminid-cost-nano"] == by_google.headers["x-geminid-cost-nano"]
    receipts = {answer.headers["x-geminid-receipt"] for answer in (by_interaction, by_google)}
    first, second = [billed(row) for row in rows_of(priced.url, "team") if row.id in receipts]
    assert first == second


def test_what_the_server_remembers_is_asked_as_what_the_client_sends(priced):
    first = ask(priced, asked("I am Ada.", {"max_output_tokens": 8})).json()
    follow_up = asked("Who am I?", {"max_output_tokens": 8})
    stored = ask(priced, {**follow_up, "previous_interaction_id": first["id"]}).json()
    history = [step("user_input", "I am Ada."), *first["steps"], step("user_input", "Who am I?")]
    sent = ask(priced, {**follow_up, "input": history, "store": False}).json()
    assert said(stored) == said(sent)


def test_a_stream_and_the_background_cost_what_the_whole_answer_costs(priced):
    def cost_of(act):
        before = balance_of(priced.url, "team").posted_nano
        act()
        return before - balance_of(priced.url, "team").posted_nano

    body = SAME["plain"]
    ask(priced, body)
    whole = cost_of(lambda: ask(priced, body))
    streamed = cost_of(lambda: ask(priced, {**body, "stream": True}))
    behind = cost_of(lambda: ask(priced, {**body, "stream": True, "background": True}))
    assert whole == streamed == behind > 0
    assert proved(priced.url)


def test_a_request_with_a_name_of_its_own_is_charged_once(priced):
    named = {"x-geminid-request-id": "interaction-once"}
    assert ask(priced, SAME["plain"], **named).status_code == 200
    after = balance_of(priced.url, "team").posted_nano
    again = ask(priced, SAME["plain"], **named)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "already_exists")
    assert balance_of(priced.url, "team").posted_nano == after


def test_another_project_does_not_see_it(priced):
    mine = ask(priced, SAME["plain"]).json()["id"]
    other = {"x-goog-api-key": tenant(priced.url, "others", credit_nano=10**12)}
    answers = [
        priced.server.get(f"{PATH}/{mine}", headers=other),
        priced.server.get(f"{PATH}/{mine}?stream=true", headers=other),
        priced.server.post(f"{PATH}/{mine}/cancel", headers=other),
        priced.server.post(PATH, json={**SAME["plain"], "previous_interaction_id": mine}, headers=other),
    ]
    none = priced.server.get(f"{PATH}/v1_none", headers=other)
    for answer in answers:
        assert answer.status_code == none.status_code == 404
        assert answer.json()["error"]["code"] == "not_found"
    assert json.loads(none.text.replace("v1_none", mine)) == answers[0].json()


def test_who_has_no_credits_is_told_so(priced):
    poor = {"x-goog-api-key": tenant(priced.url, "poor", credit_nano=1)}
    for more in ({}, {"stream": True}):
        answer = priced.server.post(PATH, json={**SAME["plain"], **more}, headers=poor)
        assert (answer.status_code, answer.json()["error"]["code"]) == (402, "payment_required")
