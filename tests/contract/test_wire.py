"""The wire itself: bytes, headers, paths and forms that SDKs hide."""

import base64
import contextlib
import gzip
import json
import socket
import time
from pathlib import Path

import httpx
import pytest

from geminid.wire.gemini.generate import REFUSALS
from serving import serving

SCRIPT = Path(__file__).parents[1] / "script.toml"
MODEL = "gemini-3.1-flash-lite-preview"
UNARY = f"/v1beta/models/{MODEL}:generateContent"
STREAM = f"/v1beta/models/{MODEL}:streamGenerateContent"
COUNT = f"/v1beta/models/{MODEL}:countTokens"

proves = pytest.mark.proves


def body(text: str, **config) -> dict:
    return {"contents": [{"role": "user", "parts": [{"text": text}]}], "generationConfig": config}


def said(response: httpx.Response) -> str:
    assert response.status_code == 200, response.text
    return response.json()["candidates"][0]["content"]["parts"][0]["text"]


def signature_of(answer: dict) -> str:
    """Return the signature of the last part, after checking that it is one."""
    signature = answer["candidates"][0]["content"]["parts"][-1]["thoughtSignature"]
    assert len(base64.b64decode(signature, validate=True)) >= 50
    return signature


def error_of(response: httpx.Response) -> dict:
    """Return the error, after checking that the body is one in Google's form."""
    assert response.headers["content-type"] == "application/json; charset=UTF-8"
    whole = response.json()
    assert list(whole) == ["error"]
    assert whole["error"]["code"] == response.status_code
    return whole["error"]


# -- bodies --------------------------------------------------------------------------------------------


@proves("transport · form of a whole answer", "generateContent · usageMetadata")
def test_a_whole_answer_byte_for_byte(scripted):
    response = scripted.post(UNARY, json=body("hello"))
    response_id = response.json()["responseId"]
    assert response.text == (
        """{
  "candidates": [
    {
      "content": {
        "parts": [
          {
            "text": "hello",
            "thoughtSignature": "SIGNATURE"
          }
        ],
        "role": "model"
      },
      "finishReason": "STOP",
      "index": 0
    }
  ],
  "usageMetadata": {
    "promptTokenCount": 1,
    "candidatesTokenCount": 1,
    "totalTokenCount": 2,
    "promptTokensDetails": [
      {
        "modality": "TEXT",
        "tokenCount": 1
      }
    ],
    "serviceTier": "standard"
  },
  "modelVersion": "scripted",
  "responseId": "RESPONSE_ID"
}
""".replace("RESPONSE_ID", response_id).replace("SIGNATURE", signature_of(response.json()))
    )
    assert response.headers["content-type"] == "application/json; charset=UTF-8"
    assert {"Origin", "X-Origin", "Referer"} <= set(response.headers["vary"].split(", "))


@proves("transport · x-gemini-service-tier")
def test_the_tier_header(scripted):
    for path in (UNARY, STREAM, f"{STREAM}?alt=sse"):
        assert scripted.post(path, json=body("hello")).headers["x-gemini-service-tier"] == "standard"


@proves("transport · server-sent events", "streamGenerateContent · answer")
def test_events_byte_for_byte(scripted):
    response = scripted.post(f"{STREAM}?alt=sse", json=body("count to ten", maxOutputTokens=2))
    assert response.headers["content-type"] == "text/event-stream"
    assert response.headers["content-disposition"] == "attachment"
    assert response.headers["transfer-encoding"] == "chunked"
    chunks = [json.loads(line.removeprefix("data: ")) for line in response.text.split("\r\n\r\n")[:-1]]
    exact = [json.dumps(chunk, separators=(",", ":")) for chunk in chunks]
    assert response.text == "".join(f"data: {chunk}\r\n\r\n" for chunk in exact)
    response_id = chunks[0]["responseId"]
    assert exact[-1] == (
        '{"candidates":[{"content":{"parts":[{"text":"","thoughtSignature":"SIGNATURE"}],"role":"model"},'
        '"finishReason":"MAX_TOKENS",'
        '"index":0}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2,"totalTokenCount":5,'
        '"promptTokensDetails":[{"modality":"TEXT","tokenCount":3}],"serviceTier":"standard"},'
        '"modelVersion":"scripted","responseId":"RESPONSE_ID"}'.replace("RESPONSE_ID", response_id).replace(
            "SIGNATURE", signature_of(chunks[-1])
        )
    )


@proves("transport · one JSON list instead of events")
def test_a_list_byte_for_byte(scripted):
    response = scripted.post(STREAM, json=body("count to ten", maxOutputTokens=2))
    assert response.headers["content-type"] == "application/json; charset=UTF-8"
    exact = [json.dumps(chunk, separators=(",", ":")) for chunk in response.json()]
    assert len(exact) == 3
    assert response.text == "[" + "\r\n,\r\n".join(exact) + "\r\n]"


@proves("generateContent · candidateCount", "generateContent · responseLogprobs")
def test_candidates_and_logprobs(scripted):
    asked = body("hello", candidateCount=2, responseLogprobs=True, maxOutputTokens=1)
    token = {"token": "hello", "tokenId": 0, "logProbability": 0.0}
    result = {"chosenCandidates": [token], "logProbabilitySum": 0.0}
    candidates = scripted.post(UNARY, json=asked).json()["candidates"]
    signatures = [candidate["content"]["parts"][0].pop("thoughtSignature") for candidate in candidates]
    assert len(set(signatures)) == 2
    assert candidates == [
        {
            "content": {"parts": [{"text": "hello"}], "role": "model"},
            "finishReason": "STOP",
            "index": index,
            "avgLogprobs": 0.0,
            "logprobsResult": result,
        }
        for index in (0, 1)
    ]


@proves("streamGenerateContent · failure within the stream")
def test_failures_within_streams(scripted):
    failure = '{"error":{"code":503,"message":"The script says so: UNAVAILABLE.","status":"UNAVAILABLE"}}'
    events = scripted.post(f"{STREAM}?alt=sse", json=body("break after three"))
    assert events.status_code == 200
    assert events.text.endswith(f"\r\n\r\ndata: {failure}\r\n\r\n")
    listed = scripted.post(STREAM, json=body("break after three"))
    assert listed.status_code == 200
    assert listed.text.endswith(f"\r\n,\r\n{failure}\r\n]")
    assert len(listed.json()) == 4


@proves("streamGenerateContent · failure before the first chunk")
def test_failures_before_streams(scripted):
    events = scripted.post(f"{STREAM}?alt=sse", json=body("fail now with UNAVAILABLE"))
    assert (events.status_code, error_of(events)["status"]) == (503, "UNAVAILABLE")
    listed = scripted.post(STREAM, json=body("fail now with UNAVAILABLE"))
    assert listed.status_code == 503
    assert [item["error"]["status"] for item in listed.json()] == ["UNAVAILABLE"]


@proves("generateContent · answer")
@pytest.mark.parametrize("path", [UNARY, f"{STREAM}?alt=sse"], ids=["whole", "events"])
def test_an_answer_without_a_word(scripted, path):
    response = scripted.post(path, json=body("say nothing"))
    answer = json.loads(response.text.removeprefix("data: "))
    signed = {"text": "", "thoughtSignature": signature_of(answer)}
    assert answer["candidates"] == [
        {"content": {"parts": [signed], "role": "model"}, "finishReason": "STOP", "index": 0}
    ]


@proves("transport · text of every script")
def test_unicode(scripted):
    expected = 'naïve café 😀 漢字 \0 "quoted" \\ back'
    assert said(scripted.post(UNARY, json=body("unicode"))) == expected
    events = scripted.post(f"{STREAM}?alt=sse", json=body("unicode")).text.split("\r\n\r\n")[:-1]
    chunks = [json.loads(event.removeprefix("data: ")) for event in events]
    assert "".join(chunk["candidates"][0]["content"]["parts"][0]["text"] for chunk in chunks) == expected


# -- requests ------------------------------------------------------------------------------------------


@proves("transport · /v1, /v1beta, /v1alpha")
@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha"])
def test_versions(scripted, version):
    assert said(scripted.post(f"/{version}/models/{MODEL}:generateContent", json=body("hello"))) == "hello"
    assert scripted.get(f"/{version}/models/{MODEL}").json()["name"] == f"models/{MODEL}"


@proves("transport · doubled versions, as LiteLLM sends them")
def test_doubled_versions(scripted):
    assert scripted.post(f"/v1beta{COUNT}", json=body("hello there")).json()["totalTokens"] == 2
    error = error_of(scripted.post("/v1beta/v1beta/models/nothing:generateContent", json=body("hello")))
    assert error["message"].startswith("models/nothing is not found for API version v1beta, ")


@proves("transport · percent-encoded colon before the verb")
def test_encoded_colon(scripted):
    assert said(scripted.post(UNARY.replace(":", "%3A"), json=body("hello"))) == "hello"


@proves("transport · gzip request bodies")
def test_gzip(scripted):
    packed = gzip.compress(json.dumps(body("hello")).encode())
    assert said(scripted.post(UNARY, content=packed, headers={"content-encoding": "gzip"})) == "hello"


@proves("transport · chunked request bodies")
def test_chunked(scripted):
    whole = json.dumps(body("hello")).encode()
    assert said(scripted.post(UNARY, content=iter([whole[:9], whole[9:20], whole[20:]]))) == "hello"


@proves("transport · any content type")
@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/x-www-form-urlencoded"])
def test_content_types(scripted, kind):
    whole = json.dumps(body("hello"))
    assert said(scripted.post(UNARY, content=whole, headers={"content-type": kind})) == "hello"


@proves("transport · lenient JSON: both spellings of names, numbers as text, single objects for lists")
def test_lenient_json(scripted):
    sloppy = """{'contents': {'parts': {'text': 'count to ten'}},
      "generation_config": {"max_output_tokens": "2", "topK": 40.0, "stop_sequences": "nine",},
      "safetySettings": [], "toolConfig": {}, "system_instruction": null}"""
    assert said(scripted.post(UNARY, content=sloppy)) == "one two"


@proves("countTokens · contents", "countTokens · a whole request")
def test_count(scripted):
    inner = {
        "model": f"models/{MODEL}",
        "systemInstruction": {"parts": {"text": "be brief"}},
        **body("hello"),
    }
    assert scripted.post(COUNT, json={"generateContentRequest": inner}).json()["totalTokens"] == 3
    assert scripted.post(COUNT, json=body("hello there")).text == (
        '{\n  "totalTokens": 2,\n  "promptTokensDetails": [\n    {\n      "modality": "TEXT",\n'
        '      "tokenCount": 2\n    }\n  ]\n}\n'
    )
    error = error_of(scripted.post(COUNT, json={}))
    assert error["message"] == "CountTokens requires generate_content_request or contents to be set."


@proves("models · list, page by page")
def test_list(scripted):
    names, token = [], ""
    while token is not None:
        page = scripted.get("/v1beta/models", params={"pageSize": 7, "pageToken": token}).json()
        names += [model["name"] for model in page["models"]]
        token = page.get("nextPageToken")
    assert names == [model["name"] for model in scripted.get("/v1beta/models").json()["models"]]
    assert error_of(scripted.get("/v1beta/models?pageToken=nonsense"))["status"] == "INVALID_ARGUMENT"


@proves("models · get")
def test_get(scripted):
    model = scripted.get(f"/v1beta/models/{MODEL}").json()
    assert model["name"] == f"models/{MODEL}"
    assert model["baseModelId"] == "scripted"
    methods = ["generateContent", "countTokens", "createCachedContent", "batchGenerateContent"]
    assert model["supportedGenerationMethods"] == methods


@proves("errors · unknown model")
@pytest.mark.parametrize("verb", ["generateContent", "streamGenerateContent", "countTokens"])
def test_unknown_models(scripted, verb):
    response = scripted.post(f"/v1beta/models/nothing:{verb}?alt=sse", json=body("hello"))
    assert response.status_code == 404
    assert error_of(response)["message"] == (
        f"models/nothing is not found for API version v1beta, or is not supported for {verb}. "
        "Call ModelService.ListModels to see the list of available models and their supported methods."
    )


@proves("errors · unknown path, method or verb")
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"/v1beta/models/{MODEL}:embedContent"),
        ("POST", f"/v1beta/models/{MODEL}"),
        ("POST", f"{UNARY}/"),
        ("PUT", UNARY),
        ("GET", UNARY),
        ("GET", "/v2/models"),
        ("GET", "/"),
    ],
)
def test_unknown_paths(scripted, method, path):
    response = httpx.request(method, scripted.url + path, timeout=20)
    assert (response.status_code, error_of(response)["status"]) == (404, "NOT_FOUND")


@proves("errors · failures of the engine")
def test_failures(scripted):
    response = scripted.post(UNARY, json=body("exhausted"))
    assert (response.status_code, error_of(response)["status"]) == (429, "RESOURCE_EXHAUSTED")


@proves("errors · unknown or ill-typed fields, all at once, with their paths")
def test_unknown_fields(scripted):
    response = scripted.post(UNARY, json={**body("hello", topK="many", nonsense=1), "more": {}})
    error = error_of(response)
    assert error["message"].split("\n") == [
        "Invalid value at 'generation_config.top_k' (TYPE_INT32), \"many\"",
        "Invalid JSON payload received. Unknown name \"nonsense\" at 'generation_config': Cannot find field.",
        'Invalid JSON payload received. Unknown name "more": Cannot find field.',
    ]
    assert error["details"] == [
        {
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [
                {"field": "generation_config.top_k", "description": error["message"].split("\n")[0]},
                {"field": "generation_config", "description": error["message"].split("\n")[1]},
                {"description": error["message"].split("\n")[2]},
            ],
        }
    ]


# -- what is refused -----------------------------------------------------------------------------------

ASKED_FOR: dict[str, object] = {
    **{row.path: {} for row in REFUSALS if row.path.startswith("tools[].")},
    "tools[].mcp_servers": [{"name": "x"}],
    "continuation_token": "x",
    "model_armor_config": {"x": 1},
    "contents[].parts[].executable_code": {"language": "PYTHON", "code": "1"},
    "contents[].parts[].code_execution_result": {"outcome": "OUTCOME_OK"},
    "contents[].parts[].tool_call": {"id": "x"},
    "contents[].parts[].tool_response": {"id": "x"},
    "contents[].parts[].media_processing": {"x": 1},
    "contents[].parts[].audio_transcription": {"x": 1},
    "contents[].parts[].speech_metadata": {"x": 1},
    "generation_config.response_mime_type": "application/xml",
    "generation_config.response_format": [{"x": 1}],
    "generation_config.response_modalities": ["IMAGE"],
    "generation_config.speech_config": {"voiceConfig": {}},
    "generation_config.image_config": {"aspectRatio": "1:1"},
    "generation_config.routing_config": {"autoMode": {}},
    "generation_config.model_selection_config": {"x": 1},
}
"""Of every refused field, a value that asks for something."""

ANNOTATIONS = ("media_processing", "audio_transcription", "speech_metadata")


def asking(path: str, values: dict[str, object] = ASKED_FOR) -> dict:
    """Return a request whose field at ``path`` has its value of ``values``, spelled in snake_case."""
    request = {**body("hello"), "generation_config": {}}
    del request["generationConfig"]
    *parents, name = path.split(".")
    if parents == ["tools[]"]:
        return {**request, "tools": [{}, {name: values[path]}]}
    if parents[:1] == ["contents[]"]:
        part = {"text": ""} if name in ANNOTATIONS else {}
        request["contents"][0]["parts"] = [{"text": "hello"}, {**part, name: values[path]}]
        return request
    message = request
    for parent in parents:
        message = message.setdefault(parent, {})
    message[name] = values[path]
    return request


@proves("errors · a field that is not supported")
@pytest.mark.parametrize("refusal", [pytest.param(row, id=row.path) for row in REFUSALS])
def test_refusals(scripted, refusal):
    path = refusal.path.replace("contents[].parts[]", "contents[0].parts[1]").replace("tools[]", "tools[1]")
    for url in (UNARY, f"{STREAM}?alt=sse"):
        response = scripted.post(url, json=asking(refusal.path))
        error = error_of(response)
        assert (response.status_code, error["status"]) == (400, "INVALID_ARGUMENT")
        assert error["message"] == f"* GenerateContentRequest.{path}: {refusal.reason}"
        assert [violation["field"] for violation in error["details"][0]["fieldViolations"]] == [path]


LET_THROUGH: dict[str, object] = {
    "tools[].mcp_servers": [],
    "continuation_token": "",
    "model_armor_config": {},
    "contents[].parts[].media_processing": {},
    "contents[].parts[].audio_transcription": {},
    "contents[].parts[].speech_metadata": {},
    "generation_config.response_mime_type": "text/plain",
    "generation_config.response_format": [],
    "generation_config.response_modalities": ["TEXT"],
    "generation_config.routing_config": {},
    "generation_config.model_selection_config": {},
}
"""Of every field that is refused except for some values, one of these values."""


@pytest.mark.parametrize("refusal", [pytest.param(row, id=row.path) for row in REFUSALS if row.accepted])
def test_values_that_are_let_through(scripted, refusal):
    assert said(scripted.post(UNARY, json=asking(refusal.path, LET_THROUGH))) == "hello"


def ignored(feature: str, why: str, **fields: object):
    mark = proves(f"generateContent · {feature}", approximated=f"accepted and ignored{why}")
    return pytest.param(fields, id=feature, marks=mark)


@pytest.mark.parametrize(
    "fields",
    [
        ignored("labels", ": only their sizes are checked", labels={"team": "green"}),
        ignored("store", ": nothing is stored", store=True),
        ignored(
            "audioTimestamp", ": media are read for the model", generationConfig={"audioTimestamp": True}
        ),
        ignored(
            "audioTranscriptionConfig, translationConfig",
            ": media are read for the model",
            generationConfig={"audioTranscriptionConfig": {"a": 1}, "translationConfig": {"a": 1}},
        ),
        ignored("enableAffectiveDialog", "", generationConfig={"enableAffectiveDialog": True}),
        ignored("enableEnhancedCivicAnswers", "", generationConfig={"enableEnhancedCivicAnswers": True}),
        ignored(
            "toolConfig.retrievalConfig",
            ": nothing is retrieved",
            toolConfig={"retrievalConfig": {"languageCode": "en"}},
        ),
    ],
)
def test_ignored_fields(scripted, fields):
    assert said(scripted.post(UNARY, json={**body("hello"), **fields})) == "hello"


@proves("generateContent · safetySettings", "generateContent · logprobs")
def test_downgrades_are_told(scripted):
    settings = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_ONLY_HIGH"}]
    asked = {**body("hello", responseLogprobs=True, logprobs=2), "safetySettings": settings}
    for path in (UNARY, f"{STREAM}?alt=sse"):
        told = scripted.post(path, json=asked).headers["x-geminid-downgraded"]
        assert told == "safety_settings=not-enforced, generation_config.logprobs=chosen-token-only"


@proves("generateContent · serviceTier")
@pytest.mark.parametrize("tier", ["standard", "flex", "priority"])
def test_the_tier_that_was_asked_for_is_told(scripted, tier):
    whole = scripted.post(UNARY, json={**body("hello"), "serviceTier": tier})
    assert whole.headers["x-gemini-service-tier"] == whole.json()["usageMetadata"]["serviceTier"] == tier
    events = scripted.post(f"{STREAM}?alt=sse", json={**body("hello"), "serviceTier": tier})
    assert events.headers["x-gemini-service-tier"] == tier
    assert f'"serviceTier":"{tier}"' in events.text


# -- functions and thoughts ----------------------------------------------------------------------------

WEATHER = {
    "name": "get_weather",
    "parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}},
}


def with_functions(text: str, **config) -> dict:
    return {**body(text, **config), "tools": [{"functionDeclarations": [WEATHER]}]}


@proves("functions · functionCall and functionResponse")
def test_calls_byte_for_byte(scripted):
    answer = scripted.post(UNARY, json=with_functions("weather in Boston")).json()
    (candidate,) = answer["candidates"]
    (part,) = candidate["content"]["parts"]
    assert list(part) == ["functionCall", "thoughtSignature"]
    assert list(part["functionCall"]) == ["name", "args", "id"]
    assert candidate["finishReason"] == "STOP"
    assert candidate["finishMessage"] == "Model generated function call(s)."
    events = scripted.post(f"{STREAM}?alt=sse", json=with_functions("weather in Boston"))
    chunks = [json.loads(event.removeprefix("data: ")) for event in events.text.split("\r\n\r\n")[:-1]]
    parts = [chunk["candidates"][0]["content"]["parts"] for chunk in chunks]
    assert [list(part) for part in parts[0]] == [["functionCall", "thoughtSignature"]]
    assert parts[1:] == [[{"text": ""}]]
    assert [chunk["candidates"][0].get("finishReason") for chunk in chunks] == [None, "STOP"]


@proves("functions · MALFORMED_FUNCTION_CALL")
def test_a_malformed_call(scripted):
    strict = {**WEATHER, "parameters": {**WEATHER["parameters"], "required": ["city"]}}
    asked = {**body("weather nowhere"), "tools": [{"functionDeclarations": [strict]}]}
    assert scripted.post(UNARY, json=asked).json()["candidates"] == [
        {
            "content": {"role": "model"},
            "finishReason": "MALFORMED_FUNCTION_CALL",
            "index": 0,
            "finishMessage": "Malformed function call: get_weather: {}",
        }
    ]


@proves("functions · functionResponse in other roles, without ids, and as a bare value")
@pytest.mark.parametrize("role", ["user", "function", "tool"])
def test_sloppy_results(scripted, role):
    asked = with_functions("weather in Boston")
    called = scripted.post(UNARY, json=asked).json()["candidates"][0]["content"]
    told = {"role": role, "parts": {"functionResponse": {"name": "get_weather", "response": "21C"}}}
    asked["contents"] += [called, told]
    assert said(scripted.post(UNARY, json=asked)) == 'It is get_weather: {"output": "21C"}'


@proves("functions · documented values instead of a thoughtSignature")
def test_the_documented_value_as_it_is(scripted):
    asked = with_functions("weather in Boston")
    call = {"functionCall": {"name": "get_weather"}, "thought_signature": "skip_thought_signature_validator"}
    told = {"functionResponse": {"name": "get_weather", "response": {}}}
    asked["contents"] += [{"role": "model", "parts": [call]}, {"role": "user", "parts": [told]}]
    assert said(scripted.post(UNARY, json=asked)) == "It is get_weather: {}"


@proves("functions · signatures survive a restart; server.signatures = accept")
def test_signatures_survive_a_restart(tmp_path, scripted):
    environ = {"GEMINID_SERVER_DATA": str(tmp_path), "GEMINID_SCRIPTED_SCRIPT": str(SCRIPT)}
    asked = with_functions("weather in Boston")
    with serving(tmp_path, "--model", "scripted", environ=environ) as server:
        called = server.post(UNARY, json=asked).json()["candidates"][0]["content"]
    told = {"role": "user", "parts": {"functionResponse": {"name": "get_weather", "response": {}}}}
    asked["contents"] += [called, told]
    with serving(tmp_path, "--model", "scripted", environ=environ) as server:
        assert said(server.post(UNARY, json=asked)) == "It is get_weather: {}"
    assert scripted.post(UNARY, json=asked).status_code == 400  # another key
    del called["parts"][0]["thoughtSignature"]
    relaxed = {**environ, "GEMINID_SERVER_SIGNATURES": "accept"}
    with serving(tmp_path, "--model", "scripted", environ=relaxed) as server:
        assert said(server.post(UNARY, json=asked)) == "It is get_weather: {}"


@proves("thinking · streamed")
def test_a_chunk_of_thoughts(scripted):
    asked = body("think about it", thinkingConfig={"includeThoughts": True, "thinkingLevel": "LOW"})
    events = scripted.post(f"{STREAM}?alt=sse", json=asked).text.split("\r\n\r\n")
    first = json.loads(events[0].removeprefix("data: "))
    assert first["candidates"][0]["content"]["parts"] == [{"text": "First", "thought": True}]
    assert first["usageMetadata"] == {
        "promptTokenCount": 3,
        "totalTokenCount": 4,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 3}],
        "thoughtsTokenCount": 1,
        "serviceTier": "standard",
    }


# -- callers -------------------------------------------------------------------------------------------


@proves("transport · CORS for pages in a browser")
def test_cors(scripted):
    asked = {
        "origin": "https://app.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,x-goog-api-client,x-goog-api-key,x-server-timeout",
    }
    preflight = httpx.options(scripted.url + UNARY, headers=asked, timeout=20)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert "POST" in preflight.headers["access-control-allow-methods"]
    allowed = preflight.headers["access-control-allow-headers"].replace(" ", "").split(",")
    assert set(asked["access-control-request-headers"].split(",")) <= set(allowed)
    answer = scripted.post(UNARY, json=body("hello"), headers={"origin": "https://app.example"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "x-gemini-service-tier" in answer.headers["access-control-expose-headers"]
    failure = scripted.post(UNARY, json={}, headers={"origin": "https://app.example"})
    assert failure.headers["access-control-allow-origin"] == "*"


@proves("transport · API keys")
@pytest.mark.parametrize(
    "credentials",
    [
        {"headers": {"x-goog-api-key": "sk-one"}},
        {"params": {"key": "sk-two"}},
        {"headers": {"authorization": "Bearer sk-one"}},
        {"headers": {"authorization": "bearer sk-other", "x-goog-api-key": "sk-two"}},
    ],
    ids=["header", "query", "bearer", "both"],
)
def test_right_keys(keyed, credentials):
    assert said(keyed.post(UNARY, json=body("hello"), **credentials)) == "hello"
    assert keyed.get("/v1/models", **credentials).status_code == 200
    assert keyed.get(f"/v1/models/{MODEL}", **credentials).status_code == 200


@proves("errors · no API key")
@pytest.mark.parametrize("path", [UNARY, STREAM, COUNT, "/v1/models", "/v1/models/scripted"])
def test_no_key(keyed, path):
    response = keyed.post(f"{path}?alt=sse", json={}) if ":" in path else keyed.get(path)
    error = error_of(response)
    assert (response.status_code, error["status"]) == (403, "PERMISSION_DENIED")
    assert error["message"].startswith("Method doesn't allow unregistered callers")


@proves("errors · wrong API key")
@pytest.mark.parametrize(
    "credentials",
    [
        {"headers": {"x-goog-api-key": "sk-three"}},
        {"params": {"key": "sk-on"}},
        {"headers": {"authorization": "Bearer SK-ONE"}},
    ],
    ids=["header", "query", "bearer"],
)
def test_wrong_keys(keyed, credentials):
    response = keyed.post(UNARY, json=body("hello"), **credentials)
    error = error_of(response)
    assert (response.status_code, error["status"]) == (400, "INVALID_ARGUMENT")
    assert error["message"] == "API key not valid. Please pass a valid API key."
    assert error["details"] == [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "API_KEY_INVALID",
            "domain": "googleapis.com",
            "metadata": {"service": "generativelanguage.googleapis.com"},
        },
        {
            "@type": "type.googleapis.com/google.rpc.LocalizedMessage",
            "locale": "en-US",
            "message": "API key not valid. Please pass a valid API key.",
        },
    ]


def test_health_needs_no_key_and_nothing_tells_one(keyed):
    assert keyed.get("/healthz").status_code == 200
    assert keyed.get("/readyz").status_code == 200
    assert "sk-" not in keyed.get("/metrics").text + keyed.log.read_text()


# -- time ----------------------------------------------------------------------------------------------


@proves("generateContent · X-Server-Timeout", "streamGenerateContent · X-Server-Timeout")
def test_deadlines(scripted):
    soon = {"x-server-timeout": "0.2"}
    whole = scripted.post(UNARY, json=body("slowly"), headers=soon)
    assert (whole.status_code, error_of(whole)["status"]) == (504, "DEADLINE_EXCEEDED")
    events = scripted.post(f"{STREAM}?alt=sse", json=body("slowly"), headers=soon)
    assert events.status_code == 200
    last = json.loads(events.text.split("\r\n\r\n")[-2].removeprefix("data: "))
    assert (last["error"]["code"], last["error"]["status"]) == (504, "DEADLINE_EXCEEDED")
    listed = scripted.post(STREAM, json=body("slowly"), headers=soon).json()
    assert listed[-1]["error"]["status"] == "DEADLINE_EXCEEDED"


@proves("errors · X-Server-Timeout that is no time")
@pytest.mark.parametrize("said_time", ["0", "-1", "nan", "inf", "soon", ""])
def test_wrong_deadlines(scripted, said_time):
    response = scripted.post(UNARY, json=body("hello"), headers={"x-server-timeout": said_time})
    assert (response.status_code, error_of(response)["status"]) == (400, "INVALID_ARGUMENT")


@proves("transport · events are sent when they happen")
def test_events_come_as_they_are_made(scripted):
    with httpx.stream("POST", f"{scripted.url}{STREAM}?alt=sse", json=body("slowly"), timeout=20) as response:
        times = [time.monotonic() for _, _ in zip(response.iter_lines(), range(60), strict=False)]
    assert times[-1] - times[0] > 0.1


@proves("generateContent · the client leaves", "streamGenerateContent · the client leaves")
@pytest.mark.parametrize("path", [UNARY, f"{STREAM}?alt=sse"], ids=["whole", "events"])
def test_hanging_up(scripted, path):
    whole = json.dumps(body("slowly")).encode()
    host, port = scripted.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as caller:
        caller.sendall(
            f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(whole)}\r\n\r\n".encode() + whole
        )
        wait_for(scripted, 1)
    wait_for(scripted, 0)


def wait_for(server, producing: int) -> None:
    deadline = time.monotonic() + 5
    while server.engine("scripted")["producing"] != producing:
        assert time.monotonic() < deadline, f"the engine does not come to {producing} answers"
        time.sleep(0.02)


def test_slow_readers_do_not_stop_others(scripted):
    """A client that reads nothing of a long stream leaves the server free for everybody else."""
    host, port = scripted.url.removeprefix("http://").split(":")
    whole = json.dumps(body("long")).encode()
    request = f"POST {STREAM}?alt=sse HTTP/1.1\r\nhost: x\r\ncontent-length: {len(whole)}\r\n\r\n"
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            idle = stack.enter_context(socket.create_connection((host, int(port)), timeout=20))
            idle.sendall(request.encode() + whole)
        answer = httpx.post(scripted.url + UNARY, json=body("hello"), timeout=5)
    assert said(answer) == "hello"
