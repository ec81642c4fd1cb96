"""Malformed, hostile and odd interactions: each is answered by a 4xx in this API's form, and none is a 500."""

import base64
import gzip
import json
import os
import random

import httpx
import pytest

pytestmark = pytest.mark.timeout(300)

MODEL = "gemini-3.1-flash-lite"
PATH = "/v1beta/interactions"
SEED = int(os.environ.get("HOSTILE_SEED", "20261125"))
GENERATED = 250
CODES = {
    400: {"invalid_request", "parameter_unknown", "failed_precondition"},
    401: {"authentication"},
    403: {"permission_denied"},
    404: {"not_found", "model_not_found"},
    429: {"too_many_requests"},
}
FILE = {"type": "object", "properties": {"a": {"type": "string"}}}
USER = {"type": "user_input", "content": [{"type": "text", "text": "hi"}]}
CALL = {"type": "function_call", "id": "c", "name": "f", "arguments": {}}
FUNCTION = {"type": "function", "name": "f"}


def said(**fields):
    return {"model": MODEL, "input": "hi", **fields}


def config(**fields):
    return said(generation_config=fields)


def given(*steps):
    return said(input=list(steps))


def content(*contents):
    return given({"type": "user_input", "content": list(contents)})


def medium(kind="image", **fields):
    return content({"type": kind, **fields})


def result(**fields):
    return given(USER, CALL, {"type": "function_result", "call_id": "c", **fields})


def nested(depth, inner="x"):
    value = inner
    for _ in range(depth):
        value = [value]
    return value


BODIES = {
    "a list": [],
    "a string": "hi",
    "a number": 7,
    "null": None,
    "an empty object": {},
    "unknown field": said(temperature=1),
    "camel case": {"model": MODEL, "input": "hi", "systemInstruction": "x"},
    "a field of generateContent": said(contents=[]),
    "a long unknown name": said(**{"x" * 100_000: 1}),
    "many unknown names": said(**{f"x{number}": 1 for number in range(2_000)}),
    "model number": said(model=7),
    "model list": said(model=[MODEL]),
    "model empty": said(model=""),
    "model unknown": said(model="gemini-0"),
    "model path": said(model="models/../../etc/passwd"),
    "model of lone surrogates": said(model="\ud800"),
    "model long": said(model="g" * 100_000),
    "no model": {"input": "hi"},
    "agent": {"agent": "deep-research", "input": "hi"},
    "agent and model": said(agent="deep-research"),
    "agent number": said(agent=1),
    "no input": {"model": MODEL},
    "input null": said(input=None),
    "input number": said(input=7),
    "input true": said(input=True),
    "input empty list": said(input=[]),
    "input empty object": said(input={}),
    "input of numbers": said(input=[1, 2]),
    "input of nulls": said(input=[None]),
    "input nested": said(input=[[USER]]),
    "input deep": said(input=nested(99)),
    "type missing": given({"text": "hi"}),
    "type number": given({"type": 1}),
    "type null": given({"type": None}),
    "type unknown": given({"type": "thinking"}),
    "type long": given({"type": "t" * 100_000}),
    "an old turn": given({"role": "user", "content": "hi"}),
    "step unknown field": given({**USER, "role": "user"}),
    "content number": given({"type": "user_input", "content": 7}),
    "content of strings": given({"type": "user_input", "content": ["hi"]}),
    "content of lists": given({"type": "user_input", "content": [["hi"]]}),
    "content null alone": given({"type": "user_input", "content": None}),
    "content empty alone": given({"type": "user_input", "content": []}),
    "text missing": content({"type": "text"}),
    "text number": content({"type": "text", "text": 1}),
    "text list": content({"type": "text", "text": ["hi"]}),
    "text null": content({"type": "text", "text": None}),
    "text unknown field": content({"type": "text", "text": "hi", "bold": True}),
    "a step as content": content(CALL),
    "data missing": medium(),
    "data empty": medium(data="", mime_type="image/png"),
    "data no base64": medium(data="a", mime_type="image/png"),
    "data of words": medium(data="not base64 at all!", mime_type="image/png"),
    "data number": medium(data=7, mime_type="image/png"),
    "data no picture": medium(data="aGVsbG8=", mime_type="image/png"),
    "data no sound": medium("audio", data="aGVsbG8=", mime_type="audio/wav"),
    "data no film": medium("video", data="aGVsbG8=", mime_type="video/mp4"),
    "data no PDF": medium("document", data="aGVsbG8=", mime_type="application/pdf"),
    "data and uri": medium(data="aGVsbG8=", uri="https://example.com/a.png"),
    "mime type unknown": medium(data="aGVsbG8=", mime_type="application/x-msdownload"),
    "mime type number": medium(data="aGVsbG8=", mime_type=1),
    "mime type long": medium(data="aGVsbG8=", mime_type="x/" + "y" * 100_000),
    "uri empty": medium(uri=""),
    "uri number": medium(uri=1),
    "uri no address": medium(uri="ht!tp://"),
    "uri of this machine": medium(uri="file:///etc/passwd"),
    "uri private": medium(uri="http://169.254.169.254/latest/meta-data"),
    "uri loopback": medium(uri="https://127.0.0.1/a.png"),
    "uri of a bucket": medium(uri="gs://bucket/a.png"),
    "uri of a film site": medium("video", uri="https://youtu.be/abc"),
    "uri of no file": medium(uri="https://generativelanguage.googleapis.com/v1beta/files/none"),
    "uri data broken": medium(uri="data:image/png;base64,%%%"),
    "uri data plain": medium(uri="data:text/plain,hello"),
    "resolution unknown": medium(uri="https://example.com/a.png", resolution="best"),
    "resolution of sound": medium("audio", uri="https://example.com/a.wav", resolution="low"),
    "processing agentic": medium("video", uri="https://example.com/a.mp4", processing="agentic"),
    "processing number": medium("video", uri="https://example.com/a.mp4", processing=1),
    "processing unknown": medium("video", uri="https://example.com/a.mp4", processing={"type": "x"}),
    "processing backwards": medium(
        "video", uri="https://example.com/a.mp4", processing={"start_offset": "9s", "end_offset": "1s"}
    ),
    "processing fps": medium("video", uri="https://example.com/a.mp4", processing={"fps": 1000}),
    "processing offset": medium("video", uri="https://example.com/a.mp4", processing={"start_offset": "1m"}),
    "thought signature number": given(USER, {"type": "thought", "signature": 1}, USER),
    "thought summary number": given(USER, {"type": "thought", "summary": 7}, USER),
    "thought summary of calls": given(USER, {"type": "thought", "summary": [CALL]}, USER),
    "call first": given(CALL),
    "call without name": given(USER, {"type": "function_call", "id": "c", "arguments": {}}, USER),
    "call arguments text": given(USER, {**CALL, "arguments": "{}"}, USER),
    "call arguments list": given(USER, {**CALL, "arguments": []}, USER),
    "call unanswered": given(USER, CALL, USER),
    "call unsigned": result(result="x"),
    "call signature forged": given(
        USER, {**CALL, "signature": "AAAA"}, {"type": "function_result", "call_id": "c", "result": "x"}
    ),
    "result alone": given({"type": "function_result", "call_id": "c", "result": "x"}),
    "result twice": given(USER, CALL, *[{"type": "function_result", "call_id": "c", "result": "x"}] * 2),
    "result of nobody": given(USER, CALL, {"type": "function_result", "call_id": "d", "result": "x"}),
    "result without id": given(USER, CALL, {"type": "function_result", "result": "x"}),
    "result id number": given(USER, CALL, {"type": "function_result", "call_id": 1, "result": "x"}),
    "result missing": result(),
    "result is_error text": result(result="x", is_error="maybe"),
    "result name number": result(result="x", name=7),
    "a search of the server": given(USER, {"type": "google_search_call", "id": "s", "arguments": {}}),
    "code of the server": given(USER, {"type": "code_execution_result", "call_id": "s", "result": "1"}),
    "system instruction object": said(system_instruction={"parts": [{"text": "x"}]}),
    "system instruction number": said(system_instruction=7),
    "tools text": said(tools="f"),
    "tools number": said(tools=7),
    "tools of strings": said(tools=["google_search"]),
    "tools of null": said(tools=[None]),
    "tools of the other API": said(tools=[{"function_declarations": [{"name": "f"}]}]),
    "tool unknown": said(tools=[{"type": "magic"}]),
    "tool search": said(tools=[{"type": "google_search"}]),
    "tool code": said(tools=[{"type": "code_execution"}]),
    "tool pages": said(tools=[{"type": "url_context"}]),
    "tool files": said(tools=[{"type": "file_search", "file_search_store_names": ["x"]}]),
    "tool maps": said(tools=[{"type": "google_maps"}]),
    "tool computer": said(tools=[{"type": "computer_use", "environment": "browser"}]),
    "tool MCP": said(tools=[{"type": "mcp_server", "url": "http://169.254.169.254/"}]),
    "tool retrieval": said(tools=[{"type": "retrieval"}]),
    "function without name": said(tools=[{"type": "function"}]),
    "function name of spaces": said(tools=[{"type": "function", "name": "a b"}]),
    "function name long": said(tools=[{"type": "function", "name": "f" * 129}]),
    "function twice": said(tools=[FUNCTION, FUNCTION]),
    "function unknown field": said(tools=[{**FUNCTION, "strict": True}]),
    "functions without end": said(tools=[{"type": "function", "name": f"f{n}"} for n in range(513)]),
    "parameters text": said(tools=[{**FUNCTION, "parameters": "x"}]),
    "parameters list": said(tools=[{**FUNCTION, "parameters": [FILE]}]),
    "parameters of an array": said(tools=[{**FUNCTION, "parameters": {"type": "array"}}]),
    "parameters of no type": said(tools=[{**FUNCTION, "parameters": {"type": "OBJECTION"}}]),
    "parameters of a circle": said(tools=[{**FUNCTION, "parameters": {"$ref": "#"}}]),
    "tool choice unknown": said(tools=[FUNCTION], generation_config={"tool_choice": "must"}),
    "tool choice number": said(tools=[FUNCTION], generation_config={"tool_choice": 7}),
    "tool choice list": said(tools=[FUNCTION], generation_config={"tool_choice": ["f"]}),
    "tool choice of nobody": said(
        tools=[FUNCTION], generation_config={"tool_choice": {"allowed_tools": {"tools": ["g"]}}}
    ),
    "tool choice any of none": config(tool_choice="any"),
    "config list": said(generation_config=[]),
    "config text": said(generation_config="hot"),
    "config unknown": config(candidate_count=2),
    "temperature hot": config(temperature=3),
    "temperature text": config(temperature="warm"),
    "temperature beyond numbers": config(temperature=10**400),
    "top_p beyond": config(top_p=1.5),
    "top_k zero": config(top_k=0),
    "top_k half": config(top_k=1.5),
    "seed beyond": config(seed=2**31),
    "max tokens zero": config(max_output_tokens=0),
    "max tokens negative": config(max_output_tokens=-1),
    "max tokens beyond": config(max_output_tokens=2**40),
    "stops of numbers": config(stop_sequences=[1]),
    "stops many": config(stop_sequences=list("abcdef")),
    "stops empty": config(stop_sequences=[""]),
    "level unknown": config(thinking_level="deep"),
    "level xhigh": config(thinking_level="xhigh"),
    "summaries unknown": config(thinking_summaries="detailed"),
    "speech": config(speech_config=[{"voice": "Kore"}]),
    "pictures": config(image_config={"image_size": "1K"}),
    "films": config(video_config={"task": "edit"}),
    "transcription": config(transcription_config={"mode": "verbatim"}),
    "format text": said(response_format="json"),
    "format number": said(response_format=7),
    "format of a picture": said(response_format={"type": "image"}),
    "format of sound": said(response_format=[{"type": "audio"}]),
    "format of a film": said(response_format={"type": "video"}),
    "format of strings": said(response_format=["text"]),
    "format unknown type": said(response_format={"type": "poem"}),
    "format unknown field": said(response_format={"type": "text", "strict": True}),
    "format mime type": said(response_format={"type": "text", "mime_type": "application/xml"}),
    "format plain with a schema": said(
        response_format={"type": "text", "mime_type": "text/plain", "schema": FILE}
    ),
    "format schema list": said(response_format={"type": "text", "schema": [FILE]}),
    "format schema of no type": said(response_format={"type": "text", "schema": {"type": "strin"}}),
    "format schema of a circle": said(response_format={"type": "text", "schema": {"$ref": "#"}}),
    "format schema lost": said(response_format={"type": "text", "schema": {"$ref": "#/$defs/a"}}),
    "format schema pattern": said(response_format={"type": "object", "properties": {"a": {"pattern": "("}}}),
    "format schema too large": said(
        response_format={"type": "object", "properties": {f"p{n}": FILE for n in range(6_000)}}
    ),
    "formats two": said(response_format=[{"type": "text"}, {"type": "text"}]),
    "mime type of the answer": said(response_mime_type="application/xml"),
    "modalities": said(response_modalities=["image"]),
    "modalities unknown": said(response_modalities=["smell"]),
    "modalities text": said(response_modalities="audio"),
    "previous unknown": said(previous_interaction_id="v1_none"),
    "previous of the other wire": said(previous_interaction_id="resp_none"),
    "previous long": said(previous_interaction_id="v" * 100_000),
    "previous number": said(previous_interaction_id=7),
    "previous surrogate": said(previous_interaction_id="\ud800"),
    "previous NUL": said(previous_interaction_id="v1_\0"),
    "store text": said(store="maybe"),
    "stream number": said(stream=7),
    "background unstored": said(background=True, store=False),
    "background list": said(background=[True]),
    "tier unknown": said(service_tier="warp"),
    "tier deferred": said(service_tier="deferred"),
    "cached contents unknown": said(cached_content="cachedContents/none"),
    "cached contents beside": said(cached_content="cachedContents/none", system_instruction="x"),
    "labels list": said(labels=["a"]),
    "labels of numbers": said(labels={"a": 1}),
    "labels long": said(labels={"a" * 64: "b"}),
    "labels many": said(labels={f"l{number}": "x" for number in range(65)}),
    "safety text": said(safety_settings="off"),
    "safety threshold": said(safety_settings=[{"type": "hate_speech", "threshold": "sometimes"}]),
    "webhook": said(background=True, webhook_config={"uris": ["https://example.com"]}),
    "webhook text": said(webhook_config="https://example.com"),
    "environment": said(environment="env_1"),
    "environment object": said(environment={"type": "remote"}),
    "continuation": said(continuation_token="abc"),
}
"""Bodies that ask for nothing that can be given."""

RAW = {
    "nothing": b"",
    "no JSON": b"{model",
    "half": b'{"model": "gemini',
    "two": b'{"model":"a"} {"model":"b"}',
    "not UTF-8": b'{"model":"\xff\xfe"}',
    "NUL": b"\0" * 100,
    "brackets": b"[" * 200_000,
    "objects": b'{"input":' * 50_000,
    "a number without end": b'{"input":' + b"9" * 100_000,
    "infinity": b'{"model":"m","input":"x","generation_config":{"temperature":1e999}}',
    "NaN": b'{"model":"m","input":"x","generation_config":{"temperature":NaN}}',
    "a lone surrogate": b'{"model":"m","input":"\\ud800"}',
    "XML": b"<interaction/>",
}
GETS = {
    "unknown": f"{PATH}/v1_none",
    "stream of unknown": f"{PATH}/v1_none?stream=true",
    "stream wrong": f"{PATH}/v1_none?stream=maybe",
    "event without stream": f"{PATH}/v1_none?last_event_id=3",
    "event of words": f"{PATH}/v1_none?stream=true&last_event_id=three",
    "event beyond": f"{PATH}/v1_none?stream=true&last_event_id={'9' * 4000}",
    "a path": f"{PATH}/..%2f..%2fetc%2fpasswd",
    "NUL": f"{PATH}/%00",
    "not UTF-8": f"{PATH}/%ff%fe",
    "long": f"{PATH}/{'v' * 8000}",
    "quotes": f"{PATH}/'%20or%201=1--",
}


def error_of(answer):
    """The error of an answer, after its form was checked."""
    whole = answer.json()
    assert list(whole) == ["error"], whole
    assert set(whole["error"]) == {"message", "code"}, whole
    assert whole["error"]["code"] in CODES[answer.status_code], (answer.status_code, whole)
    assert whole["error"]["message"]
    assert len(answer.content) < 100_000, "an answer must not be as large as the request"
    return whole["error"]


@pytest.fixture(scope="module")
def server(scripted):
    """The server. At the end it has answered nothing with a 500, and still answers."""
    yield scripted
    answer = scripted.post(PATH, json=said())
    assert (answer.status_code, answer.json()["status"]) == (200, "completed")
    log = scripted.log.read_text()
    assert " 500 " not in log
    assert "Traceback" not in log


def encoded(body):
    return json.dumps(body).encode()


@pytest.mark.parametrize("name", BODIES)
def test_a_wrong_body_is_refused_in_words(server, name):
    assert error_of(server.post(PATH, content=encoded(BODIES[name])))


@pytest.mark.parametrize("name", RAW)
def test_what_is_no_message_is_refused_in_words(server, name):
    assert error_of(server.post(PATH, content=RAW[name]))


def test_a_wrong_body_is_refused_before_a_stream_begins(server):
    for name in ("unknown field", "model unknown", "call unsigned", "data no picture", "previous unknown"):
        answer = server.post(PATH, content=encoded({**BODIES[name], "stream": True}))
        assert error_of(answer)
        assert answer.headers["content-type"].startswith("application/json")


def test_packed_bodies_are_unpacked_within_bounds(server):
    packed = gzip.compress(encoded(said()))
    assert server.post(PATH, content=packed, headers={"content-encoding": "gzip"}).status_code == 200
    for wrong in (packed[:-9], b"no gzip", gzip.compress(b" " * 300_000_000)):
        assert error_of(server.post(PATH, content=wrong, headers={"content-encoding": "gzip"}))


@pytest.mark.parametrize("name", GETS)
def test_a_wrong_address_is_refused_in_words(server, name):
    assert error_of(server.get(GETS[name]))


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_acts_on_what_is_not_there_are_refused(server, method):
    path = f"{PATH}/v1_none/cancel" if method == "POST" else f"{PATH}/v1_none"
    assert error_of(httpx.request(method, server.url + path, timeout=60))["code"] == "not_found"


def test_what_is_odd_but_right_is_answered(server):
    lamp = base64.urlsafe_b64encode(b"The lamp is red. \xf0\x9f\x98\x80??>").decode().rstrip("=")
    odd = (
        said(input=""),
        said(input=[""]),
        said(tools=None, generation_config=None, labels=None, store=None, stream=None),
        said(tools=[], safety_settings=[], response_modalities=[], labels={}),
        config(temperature="0.5", top_k="40", max_output_tokens=8.0),
        medium("document", data=lamp, mime_type="text/plain; charset=utf-8"),
        said(response_modalities=["TEXT"], service_tier="STANDARD"),
        said(input="\0\ufffe\u202e" * 100),
        content(*[{"type": "text", "text": "x"}] * 3_000),
        given(*[USER, {"type": "model_output", "content": [{"type": "text", "text": "ho"}]}] * 500, USER),
    )
    for body in odd:
        answer = server.post(PATH, content=encoded(body))
        assert answer.status_code == 200, (body, answer.text)


# -- generated -----------------------------------------------------------------------------------------

VALUES = (None, True, -1, 0, 1.5, 10**30, "", "x", "\0", [], {}, [[]], [None], {"type": "text"}, "9" * 3000)
SEEDS = tuple(body for body in BODIES.values() if isinstance(body, dict) and len(json.dumps(body)) < 2_000)


def mutated(value, chance):
    """The value with something in it changed."""
    if isinstance(value, dict) and value and chance.random() < 0.9:
        name = chance.choice(sorted(value))
        return {**value, name: mutated(value[name], chance)}
    if isinstance(value, list) and value and chance.random() < 0.9:
        index = chance.randrange(len(value))
        return [*value[:index], mutated(value[index], chance), *value[index + 1 :]]
    return chance.choice(VALUES)


def test_bodies_made_of_others_are_answered_or_refused(server):
    chance = random.Random(SEED)
    with httpx.Client(base_url=server.url, timeout=60) as client:
        for number in range(GENERATED):
            body = mutated(mutated(chance.choice(SEEDS), chance), chance)
            answer = client.post(PATH, content=encoded(body))
            if answer.status_code != 200:
                assert error_of(answer), (SEED, number, body)
