"""The official Python SDK, unmodified, against a server process."""

import asyncio
import subprocess
import sys

import pytest
from google import genai
from google.genai import errors, types

MODEL = "gemini-3.1-flash-lite-preview"
RIVERS = "Write about rivers. The river the river the river"
"""A prompt on which the small model, asked greedily, repeats itself."""

HELLO = """
from google import genai
client = genai.Client(http_options={"api_version": "v1beta", "base_url": "http://127.0.0.1:8080"}, api_key="anything")
response = client.models.generate_content(model="gemini-3.1-flash-lite-preview", contents="Explain how AI works in a few words")
print(response.text)
"""

proves = pytest.mark.proves


def say(client, contents, model=MODEL, **config):
    return client.models.generate_content(model=model, contents=contents, config=config)


def stream(client, contents, **config):
    return client.models.generate_content_stream(model=MODEL, contents=contents, config=config)


def violations(error: errors.APIError) -> list[str]:
    return [
        violation["field"]
        for detail in error.details["error"]["details"]
        for violation in detail["fieldViolations"]
    ]


# -- answers -------------------------------------------------------------------------------------------


@proves("generateContent · answer")
def test_an_answer(client):
    answer = say(client, "hello there world")
    assert answer.text == "hello there world"
    assert answer.candidates[0].content.role == "model"
    assert answer.candidates[0].index == 0


@proves("generateContent · finishReason, responseId, modelVersion")
def test_what_an_answer_tells_about_itself(client):
    answer, other = say(client, "hello"), say(client, "hello")
    assert answer.candidates[0].finish_reason is types.FinishReason.STOP
    assert answer.model_version == "scripted"
    assert len(answer.response_id) == 22
    assert answer.response_id != other.response_id


@proves("generateContent · usageMetadata")
def test_usage(client):
    usage = say(client, "hello there world").usage_metadata
    assert (usage.prompt_token_count, usage.candidates_token_count, usage.total_token_count) == (3, 3, 6)
    assert usage.prompt_tokens_details == [types.ModalityTokenCount(modality="TEXT", token_count=3)]
    assert usage.thoughts_token_count is None
    assert usage.cached_content_token_count is None


@proves("transport · x-gemini-service-tier")
def test_response_headers(client):
    answer = say(client, "hello")
    assert answer.sdk_http_response.headers["x-gemini-service-tier"] == "standard"
    assert "x-geminid-downgraded" not in answer.sdk_http_response.headers


@proves("generateContent · conversations of several turns")
def test_several_turns(client):
    turns = [
        types.UserContent("first"),
        types.ModelContent("an answer"),
        types.Content(role="user", parts=[types.Part(text="and"), types.Part(text=" last")]),
    ]
    answer = say(client, turns)
    assert answer.text == "and last"
    assert answer.usage_metadata.prompt_token_count == 5


@proves("generateContent · systemInstruction")
@pytest.mark.parametrize(
    "instruction",
    [
        "be very brief",
        types.Content(role="user", parts=[types.Part(text="be very brief")]),
        types.Part(text="be very brief"),
        ["be very ", "brief"],
    ],
    ids=["text", "content", "part", "list"],
)
def test_system_instruction(client, instruction):
    answer = say(client, "hello", system_instruction=instruction)
    assert answer.text == "hello"
    assert answer.usage_metadata.prompt_token_count >= 4


@proves("generateContent · parallel requests")
async def test_parallel_requests(scripted, client_of):
    async with client_of(scripted).aio as client:
        asked = [client.models.generate_content(model=MODEL, contents=f"number {i}") for i in range(30)]
        answers = await asyncio.gather(*asked)
    assert [answer.text for answer in answers] == [f"number {i}" for i in range(30)]
    assert len({answer.response_id for answer in answers}) == 30


# -- settings ------------------------------------------------------------------------------------------


@proves("generateContent · maxOutputTokens")
def test_max_output_tokens(client):
    answer = say(client, "count to ten", max_output_tokens=3)
    assert answer.text == "one two three"
    assert answer.candidates[0].finish_reason is types.FinishReason.MAX_TOKENS
    assert answer.usage_metadata.candidates_token_count == 3


@proves("generateContent · stopSequences")
def test_stop_sequences(client):
    answer = say(client, "count to ten", stop_sequences=["nine", "four"])
    assert answer.text.rstrip() == "one two three"
    assert answer.candidates[0].finish_reason is types.FinishReason.STOP


@proves("generateContent · candidateCount")
def test_candidate_count(client):
    answer = say(client, "hello", candidate_count=3)
    assert [candidate.index for candidate in answer.candidates] == [0, 1, 2]
    assert answer.usage_metadata.candidates_token_count == 3


@proves("generateContent · responseLogprobs")
def test_response_logprobs(client):
    candidate = say(client, "hello there", response_logprobs=True).candidates[0]
    assert [entry.token for entry in candidate.logprobs_result.chosen_candidates] == ["hello", " there"]
    assert candidate.avg_logprobs == 0


@proves(
    "generateContent · safetySettings",
    approximated="accepted and not enforced; x-geminid-downgraded says so where something should be blocked",
)
def test_safety_settings(client):
    setting = types.SafetySetting(category="HARM_CATEGORY_HARASSMENT", threshold="BLOCK_ONLY_HIGH")
    answer = say(client, "hello", safety_settings=[setting])
    assert answer.sdk_http_response.headers["x-geminid-downgraded"] == "safety_settings=not-enforced"
    setting.threshold = types.HarmBlockThreshold.OFF
    answer = say(client, "hello", safety_settings=[setting])
    assert "x-geminid-downgraded" not in answer.sdk_http_response.headers


@proves("generateContent · serviceTier")
@pytest.mark.parametrize("tier", ["standard", "flex", "priority"])
def test_service_tier(client, tier):
    answer = say(client, "hello", service_tier=tier)
    assert answer.sdk_http_response.headers["x-gemini-service-tier"] == tier
    assert "x-geminid-downgraded" not in answer.sdk_http_response.headers


@proves(
    "generateContent · logprobs",
    approximated="of free text only the chosen token is told, and x-geminid-downgraded says so; of enums all",
)
def test_alternatives(client):
    answer = say(client, "hello", response_logprobs=True, logprobs=3)
    (place,) = answer.candidates[0].logprobs_result.top_candidates
    assert [entry.token for entry in place.candidates] == ["hello"]
    told = answer.sdk_http_response.headers["x-geminid-downgraded"]
    assert told == "generation_config.logprobs=chosen-token-only"


@proves("generateContent · labels", approximated="accepted and ignored: only their sizes are checked")
def test_labels(client):
    assert say(client, "hello", labels={"team": "green"}).text == "hello"


@proves("generateContent · mediaResolution")
def test_media_resolution(client):
    assert say(client, "hello", media_resolution="MEDIA_RESOLUTION_LOW").text == "hello"


@proves("generateContent · responseMimeType text/plain, responseModalities TEXT")
def test_plain_text(client):
    answer = say(client, "hello", response_mime_type="text/plain", response_modalities=["TEXT"])
    assert answer.text == "hello"


@proves("errors · a setting out of its range")
@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("temperature", 2.5, "it has a temperature value of 2.5 but the supported range is from 0 (incl"),
        ("top_p", 1.5, "it has a topP value of 1.5 "),
        ("top_k", 0, "it has a topK value of 0 "),
        ("candidate_count", 9, "it has a candidateCount value of 9 "),
        (
            "max_output_tokens",
            0,
            "it has a maxOutputTokens value of 0 ",
        ),
        ("presence_penalty", 2.0, "it has a presencePenalty value of 2 "),
        ("frequency_penalty", -3.0, "it has a frequencyPenalty value of -3 "),
        ("stop_sequences", list("abcdef"), "at most 5 stop sequences are allowed, got 6."),
    ],
)
def test_out_of_range(client, setting, value, words):
    with pytest.raises(errors.ClientError) as caught:
        say(client, "hello", **{setting: value})
    assert caught.value.code == 400
    assert words in caught.value.message
    assert violations(caught.value) == [f"generation_config.{setting}"]


@proves("errors · a field that is not supported")
@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"tools": [types.Tool(google_search=types.GoogleSearch())]}, "tools[0].google_search"),
        ({"response_mime_type": "application/xml"}, "generation_config.response_mime_type"),
        ({"response_modalities": ["IMAGE"]}, "generation_config.response_modalities"),
        ({"speech_config": "Puck"}, "generation_config.speech_config"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refused_settings(client, config, path):
    with pytest.raises(errors.ClientError) as caught:
        say(client, "hello", **config)
    assert caught.value.code == 400
    assert caught.value.status == "INVALID_ARGUMENT"
    assert violations(caught.value) == [path]
    assert caught.value.message.startswith(f"* GenerateContentRequest.{path}: ")


@proves("errors · a field that is not supported")
def test_refused_parts(client):
    image = types.Part.from_bytes(data=b"\xff\xfe\xfd", mime_type="image/png")
    with pytest.raises(errors.ClientError) as caught:
        say(client, ["what is this?", image])
    assert violations(caught.value) == ["contents[0].parts[1].inline_data"]


# -- streams -------------------------------------------------------------------------------------------


@proves("streamGenerateContent · answer")
def test_a_stream(client):
    chunks = list(stream(client, "count to ten", max_output_tokens=4))
    assert "".join(chunk.text or "" for chunk in chunks) == "one two three four"
    assert len(chunks) > 1
    assert len({chunk.response_id for chunk in chunks}) == 1
    assert chunks[0].sdk_http_response.headers["content-type"] == "text/event-stream"
    assert chunks[0].sdk_http_response.headers["x-gemini-service-tier"] == "standard"


@proves("streamGenerateContent · finishReason once, usageMetadata growing")
def test_the_bookkeeping_of_a_stream(client):
    chunks = list(stream(client, "count to ten", max_output_tokens=4))
    reasons = [chunk.candidates[0].finish_reason for chunk in chunks]
    assert reasons == [None] * (len(chunks) - 1) + [types.FinishReason.MAX_TOKENS]
    counts = [chunk.usage_metadata.candidates_token_count for chunk in chunks]
    assert counts == sorted(counts)
    assert counts[-1] == 4
    assert {chunk.usage_metadata.prompt_token_count for chunk in chunks} == {3}


@proves("streamGenerateContent · candidateCount")
def test_a_stream_of_candidates(client):
    said = {0: "", 1: ""}
    for chunk in stream(client, "count to ten", candidate_count=2, max_output_tokens=2):
        for candidate in chunk.candidates:
            said[candidate.index or 0] += candidate.content.parts[0].text
    assert said == {0: "one two", 1: "one two"}


@proves("streamGenerateContent · answer")
async def test_an_asynchronous_stream(scripted, client_of):
    async with client_of(scripted).aio as client:
        chunks = await client.models.generate_content_stream(model=MODEL, contents="count to ten")
        said = [chunk.text or "" async for chunk in chunks]
    assert "".join(said) == "one two three four five six seven eight nine ten"


@proves("streamGenerateContent · failure before the first chunk")
def test_failure_before_the_first_chunk(client):
    with pytest.raises(errors.ServerError) as caught:
        next(iter(stream(client, "fail now with UNAVAILABLE")))
    assert (caught.value.code, caught.value.status) == (503, "UNAVAILABLE")


@proves("streamGenerateContent · failure within the stream")
def test_failure_within_the_stream(client):
    said = []
    with pytest.raises(errors.ServerError) as caught:
        for chunk in stream(client, "break after three"):
            said.append(chunk.text)
    assert "".join(said) == "one two three"
    assert (caught.value.code, caught.value.status) == (503, "UNAVAILABLE")
    assert caught.value.message == "The script says so: UNAVAILABLE."


@proves("streamGenerateContent · X-Server-Timeout")
def test_deadline_of_a_stream(client):
    said = []
    with pytest.raises(errors.ServerError) as caught:
        for chunk in stream(client, "slowly", http_options={"timeout": 1000}):
            said.append(chunk.text)
    assert said
    assert (caught.value.code, caught.value.status) == (504, "DEADLINE_EXCEEDED")


@proves("streamGenerateContent · the client leaves")
async def test_the_client_leaves(scripted, client_of):
    async with client_of(scripted).aio as client:
        chunks = await client.models.generate_content_stream(model=MODEL, contents="slowly")
        await anext(chunks)
        assert scripted.engine("scripted")["producing"] >= 1
        await chunks.aclose()
    for _ in range(50):
        if scripted.engine("scripted")["producing"] == 0:
            return
        await asyncio.sleep(0.05)
    pytest.fail("the answer goes on although nobody listens")


# -- errors --------------------------------------------------------------------------------------------


@proves("errors · unknown model")
def test_unknown_model(client):
    with pytest.raises(errors.ClientError) as caught:
        say(client, "hello", model="gemini-9-ultra")
    assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")
    assert caught.value.message == (
        "models/gemini-9-ultra is not found for API version v1, or is not supported for generateContent. "
        "Call ModelService.ListModels to see the list of available models and their supported methods."
    )


@proves("errors · failures of the engine")
@pytest.mark.parametrize(
    ("prompt", "kind", "code", "status"),
    [
        ("fail now with UNAVAILABLE", errors.ServerError, 503, "UNAVAILABLE"),
        ("exhausted", errors.ClientError, 429, "RESOURCE_EXHAUSTED"),
    ],
)
def test_failures(client, prompt, kind, code, status):
    with pytest.raises(kind) as caught:
        say(client, prompt)
    assert (caught.value.code, caught.value.status) == (code, status)


@proves("generateContent · X-Server-Timeout")
def test_deadline(client):
    with pytest.raises(errors.ServerError) as caught:
        say(client, "slowly", http_options={"headers": {"X-Server-Timeout": "0.2"}})
    assert (caught.value.code, caught.value.status) == (504, "DEADLINE_EXCEEDED")


# -- chats ---------------------------------------------------------------------------------------------


@proves("chats · several turns")
def test_a_chat(client):
    chat = client.chats.create(model=MODEL, config={"system_instruction": "be brief"})
    assert chat.send_message("first words").usage_metadata.prompt_token_count == 4
    answer = chat.send_message("second")
    assert answer.text == "second"
    assert answer.usage_metadata.prompt_token_count == 7
    assert [content.role for content in chat.get_history()] == ["user", "model", "user", "model"]


@proves("chats · a streamed answer sent back as history")
def test_a_streamed_chat(client):
    chat = client.chats.create(model=MODEL)
    assert "".join(chunk.text or "" for chunk in chat.send_message_stream("count to ten")).endswith(" ten")
    answer = chat.send_message("again")
    assert answer.text == "again"
    assert answer.usage_metadata.prompt_token_count == 3 + 10 + 1


@proves("chats · several turns", "chats · a streamed answer sent back as history")
async def test_an_asynchronous_chat(scripted, client_of):
    async with client_of(scripted).aio as client:
        chat = client.chats.create(model=MODEL)
        async for _ in await chat.send_message_stream("count to ten"):
            pass
        answer = await chat.send_message("again")
    assert answer.usage_metadata.prompt_token_count == 3 + 10 + 1


# -- models and tokens ---------------------------------------------------------------------------------


@proves("models · list, page by page")
def test_list_models(client):
    pager = client.models.list(config={"page_size": 7})
    assert pager.page_size == 7
    assert len(pager.page) == 7
    names = [model.name for model in pager]
    assert names[0] == "models/scripted"
    assert f"models/{MODEL}" in names
    assert len(names) == len(set(names)) > 7


@proves("models · list, page by page")
async def test_list_models_asynchronously(scripted, client_of):
    async with client_of(scripted).aio as client:
        names = [model.name async for model in await client.models.list(config={"page_size": 7})]
    assert f"models/{MODEL}" in names
    assert len(names) == len(set(names)) > 7


@proves("models · get")
@pytest.mark.parametrize("name", [MODEL, f"models/{MODEL}"])
def test_get_model(client, name):
    model = client.models.get(model=name)
    assert model.name == f"models/{MODEL}"
    assert model.input_token_limit == 1048576
    assert model.output_token_limit == 65536
    methods = ["generateContent", "countTokens", "createCachedContent", "batchGenerateContent"]
    assert model.supported_actions == methods


@proves("models · get")
def test_get_unknown_model(client):
    with pytest.raises(errors.ClientError) as caught:
        client.models.get(model="nothing")
    assert caught.value.code == 404


@proves("countTokens · contents")
def test_count_tokens(client):
    assert client.models.count_tokens(model=MODEL, contents="hello there world").total_tokens == 3
    turns = [types.UserContent("one two"), types.ModelContent("three"), types.UserContent("four")]
    assert client.models.count_tokens(model=MODEL, contents=turns).total_tokens == 4


@proves("countTokens · contents")
async def test_count_tokens_asynchronously(scripted, client_of):
    async with client_of(scripted).aio as client:
        counted = await client.models.count_tokens(model=MODEL, contents="hello there world")
    assert counted.total_tokens == 3


# -- addresses and versions ----------------------------------------------------------------------------


@proves("transport · /v1, /v1beta, /v1alpha")
@pytest.mark.parametrize(("asked", "served"), [(None, "v1"), ("v1beta", "v1beta"), ("v1alpha", "v1alpha")])
def test_versions(scripted, client_of, asked, served):
    client = client_of(scripted, **({"api_version": asked} if asked else {}))
    assert say(client, "hello").text == "hello"
    with pytest.raises(errors.ClientError, match=f"not found for API version {served},"):
        say(client, "hello", model="nothing")


@proves("transport · base URL with a slash at its end")
def test_trailing_slash(scripted, client_of):
    assert say(client_of(f"{scripted.url}/"), "hello").text == "hello"


@proves("transport · base URL from GOOGLE_GEMINI_BASE_URL")
def test_base_url_from_environment(scripted, monkeypatch):
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", scripted.url)
    monkeypatch.setenv("GEMINI_API_KEY", "anything")
    with genai.Client() as client:
        assert say(client, "hello").text == "hello"


@proves("transport · API keys")
def test_keys(keyed):
    options = {"base_url": keyed.url}
    with genai.Client(api_key="sk-two", http_options=options) as client:
        assert say(client, "hello").text == "hello"
    with (
        genai.Client(api_key="sk-three", http_options=options) as client,
        pytest.raises(errors.ClientError, match="API key not valid") as caught,
    ):
        say(client, "hello")
    assert caught.value.code == 400


@proves("strict mode · candidateCount, penalties and logprobs are refused")
@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"candidate_count": 2}, "Multiple candidates is not enabled for this model"),
        ({"presence_penalty": 0.5}, "Penalty is not enabled for this model"),
        ({"response_logprobs": True}, f"Logprobs is not enabled for models/{MODEL}"),
    ],
)
def test_strict(strict, client_of, config, words):
    with pytest.raises(errors.ClientError) as caught:
        say(client_of(strict), "hello", **config)
    assert (caught.value.code, caught.value.message) == (400, words)


# -- the real model ------------------------------------------------------------------------------------


@pytest.mark.e2e
@proves("generateContent · answer")
def test_the_product_in_four_lines(real):
    lines = HELLO.replace("http://127.0.0.1:8080", real.url)
    done = subprocess.run(
        [sys.executable, "-c", lines], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.e2e
@proves("streamGenerateContent · answer")
async def test_real_answers_are_the_same_whole_and_streamed(real, real_client, client_of):
    config = {"max_output_tokens": 8}
    whole = say(real_client, "Name a river.", **config)
    async with client_of(real).aio as client:
        chunks = await client.models.generate_content_stream(
            model=MODEL, contents="Name a river.", config=config
        )
        streamed = [chunk async for chunk in chunks]
    assert "".join(chunk.text or "" for chunk in streamed) == whole.text
    cached = {"cached_content_token_count": None, "cache_tokens_details": None}  # the second finds the first
    usages = [each.usage_metadata.model_copy(update=cached) for each in (streamed[-1], whole)]
    assert usages[0] == usages[1]
    assert streamed[-1].candidates[0].finish_reason is whole.candidates[0].finish_reason


@pytest.mark.e2e
@proves("countTokens · contents")
def test_real_counts_are_those_of_the_answer(real_client):
    counted = real_client.models.count_tokens(model=MODEL, contents="Name a river.")
    usage = say(real_client, "Name a river.", max_output_tokens=1).usage_metadata
    assert counted.total_tokens == usage.prompt_token_count > 3


# What each setting does to the tokens of a real model.


def drawn(client, **config) -> str:
    return say(client, RIVERS, max_output_tokens=12, **config).text


@pytest.fixture(scope="module")
def greedy(real_client) -> str:
    return drawn(real_client, temperature=0.0)


@pytest.mark.e2e
@proves("generateContent · temperature", "generateContent · seed")
def test_seeds(real_client, greedy):
    hot = [drawn(real_client, temperature=1.5, seed=seed) for seed in (7, 7, 8)]
    assert hot[0] == hot[1]
    assert len({greedy, *hot}) == 3


@pytest.mark.e2e
@proves("generateContent · topK")
def test_top_k(real_client, greedy):
    assert drawn(real_client, temperature=1.5, top_k=1, seed=7) == greedy


@pytest.mark.e2e
@proves("generateContent · topP")
def test_top_p(real_client, greedy):
    assert drawn(real_client, temperature=1.5, top_p=0.0001, seed=7) == greedy


@pytest.mark.e2e
@proves("generateContent · presencePenalty")
def test_presence_penalty(real_client, greedy):
    assert drawn(real_client, temperature=0.0, presence_penalty=1.9) != greedy


@pytest.mark.e2e
@proves("generateContent · frequencyPenalty")
def test_frequency_penalty(real_client, greedy):
    assert drawn(real_client, temperature=0.0, frequency_penalty=1.9) != greedy


@pytest.mark.e2e
@proves("generateContent · stopSequences")
def test_stop(real_client, greedy):
    stop = greedy.split()[1]
    assert drawn(real_client, temperature=0.0, stop_sequences=[stop]) == greedy[: greedy.index(stop)]


@pytest.mark.e2e
@proves("generateContent · responseLogprobs")
def test_logprobs(real_client, greedy):
    answer = say(real_client, RIVERS, max_output_tokens=12, temperature=0.0, response_logprobs=True)
    entries = answer.candidates[0].logprobs_result.chosen_candidates
    assert "".join(entry.token for entry in entries) == greedy
    assert all(entry.log_probability <= 0 for entry in entries)
    assert answer.candidates[0].avg_logprobs < 0


@pytest.mark.e2e
@proves("generateContent · systemInstruction")
def test_system_instruction_matters(real_client):
    config = {"max_output_tokens": 12, "temperature": 0.0}
    pirate = say(real_client, "Who are you?", system_instruction="You are a pirate captain.", **config)
    assert pirate.text != say(real_client, "Who are you?", **config).text
