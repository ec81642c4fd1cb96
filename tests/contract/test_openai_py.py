"""OpenAI's official Python SDK, unmodified, against a server process."""

import asyncio
import base64
import io
import json
from collections.abc import Callable, Iterator

import openai
import pytest
from PIL import Image
from pydantic import BaseModel

from serving import Server

MODEL = "gemini-3.1-flash-lite"
NO_RETRIES = {"max_retries": 0}

proves = pytest.mark.proves

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Tell the weather.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}
TIME = {"type": "function", "function": {"name": "current_time"}}


@pytest.fixture(autouse=True)
def no_ambient_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_LOG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def openai_of() -> Iterator[Callable[..., openai.OpenAI]]:
    """Make clients as users do; they are closed at the end."""
    clients = []

    def make(server: Server, path: str = "/v1", key: str = "sk-anything", **options) -> openai.OpenAI:
        clients.append(openai.OpenAI(api_key=key, base_url=server.url + path, **{**NO_RETRIES, **options}))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture(scope="module")
def client(scripted, openai_of):
    return openai_of(scripted)


@pytest.fixture(scope="module")
def googles(scripted, openai_of):
    """A client of Google's imitation."""
    return openai_of(scripted, "/v1beta/openai/")


def say(client, words, **options):
    messages = words if isinstance(words, list) else [{"role": "user", "content": words}]
    return client.chat.completions.create(model=options.pop("model", MODEL), messages=messages, **options)


def refused(client, words="hello", kind=openai.BadRequestError, **options):
    with pytest.raises(kind) as caught:
        say(client, words, **options)
    return caught.value


def raw(client, words, **options):
    messages = [{"role": "user", "content": words}]
    return client.chat.completions.with_raw_response.create(model=MODEL, messages=messages, **options)


# -- answers -------------------------------------------------------------------------------------------


@proves("chat completions · answer")
def test_an_answer(client):
    answer = say(client, "hello there world")
    (choice,) = answer.choices
    assert choice.message.content == "hello there world"
    assert (choice.index, choice.message.role, choice.finish_reason) == (0, "assistant", "stop")
    assert choice.message.refusal is None
    assert answer.object == "chat.completion"


@proves("chat completions · id, created, model, system_fingerprint")
def test_what_an_answer_tells_about_itself(client):
    answer, other = say(client, "hello"), say(client, "hello")
    assert answer.id.startswith("chatcmpl-")
    assert answer.id != other.id
    assert answer.model == "scripted"
    assert answer.created > 1_700_000_000
    assert answer.system_fingerprint == other.system_fingerprint
    assert answer.system_fingerprint.startswith("fp_")


@proves("chat completions · usage with its details")
def test_usage(client):
    usage = say(client, "hello there world").usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (3, 3, 6)
    assert usage.prompt_tokens_details.cached_tokens == 0
    assert usage.completion_tokens_details.reasoning_tokens == 0


@proves("chat completions · messages: system, developer, user, assistant")
def test_messages(client):
    answer = say(
        client,
        [
            {"role": "system", "content": "be very brief"},
            {"role": "developer", "content": [{"type": "text", "text": "and kind"}]},
            {"role": "user", "content": "first"},
            {"role": "assistant", "content": "an answer"},
            {"role": "user", "content": [{"type": "text", "text": "and"}, {"type": "text", "text": " last"}]},
        ],
    )
    assert answer.choices[0].message.content == "and last"
    assert answer.usage.prompt_tokens == 10


@proves(
    "chat completions · instructions that do not stand first",
    approximated="moved to the front, which x-geminid-downgraded says",
)
def test_late_instructions(client):
    messages = [{"role": "user", "content": "hello"}, {"role": "system", "content": "be brief"}]
    answer = client.chat.completions.with_raw_response.create(model=MODEL, messages=messages)
    assert answer.headers["x-geminid-downgraded"] == "messages.role=system-moved-to-the-front"
    assert answer.parse().choices[0].message.content == "hello"


@proves(
    "chat completions · messages[].name", approximated="not told to the model; x-geminid-downgraded says so"
)
def test_names(client):
    messages = [{"role": "user", "content": "hello", "name": "Ada"}]
    answer = client.chat.completions.with_raw_response.create(model=MODEL, messages=messages)
    assert answer.headers["x-geminid-downgraded"] == "messages.name=not-told-to-the-model"


@proves("chat completions · an answer sent back as history")
def test_an_answer_sent_back(client):
    first = say(client, "hello").choices[0].message
    answer = say(
        client, [{"role": "user", "content": "hello"}, first, {"role": "user", "content": "and now"}]
    )
    assert answer.choices[0].message.content == "and now"


@proves("chat completions · parallel requests")
async def test_parallel_requests(scripted):
    async with openai.AsyncOpenAI(api_key="sk-x", base_url=f"{scripted.url}/v1") as client:
        answers = await asyncio.gather(*(say(client, f"number {i}") for i in range(30)))
    assert [answer.choices[0].message.content for answer in answers] == [f"number {i}" for i in range(30)]
    assert len({answer.id for answer in answers}) == 30


# -- settings ------------------------------------------------------------------------------------------


@proves("chat completions · max_tokens, max_completion_tokens")
@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_bounds_on_the_answer(client, name):
    answer = say(client, "count to ten", **{name: 3})
    assert answer.choices[0].message.content == "one two three"
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 3


@proves("chat completions · stop")
@pytest.mark.parametrize("stop", ["four", ["nine", "four"]])
def test_stop(client, stop):
    answer = say(client, "count to ten", stop=stop)
    assert answer.choices[0].message.content.rstrip() == "one two three"
    assert answer.choices[0].finish_reason == "stop"


@proves("chat completions · n")
def test_several_choices(client):
    answer = say(client, "hello", n=3)
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert answer.usage.completion_tokens == 3


@proves(
    "chat completions · logprobs, top_logprobs",
    approximated="of free text only the chosen token is told, and x-geminid-downgraded says so",
)
def test_logprobs(client):
    answer = raw(client, "hello there", logprobs=True, top_logprobs=3)
    assert answer.headers["x-geminid-downgraded"] == "top_logprobs=chosen-token-only"
    content = answer.parse().choices[0].logprobs.content
    assert "".join(token.token for token in content) == "hello there"
    assert bytes(content[0].bytes) == b"hello"
    assert [top.token for top in content[0].top_logprobs] == ["hello"]
    assert say(client, "hello").choices[0].logprobs is None


@proves("chat completions · temperature, top_p, seed, presence_penalty, frequency_penalty")
def test_sampling(client):
    settings = {"temperature": 0.5, "top_p": 0.5, "seed": 7, "presence_penalty": 1, "frequency_penalty": -1}
    assert say(client, "hello", **settings).choices[0].message.content == "hello"


@proves("chat completions · service_tier")
@pytest.mark.parametrize(
    ("asked", "served"),
    [
        ("auto", "default"),
        ("default", "default"),
        ("flex", "flex"),
        ("priority", "priority"),
        ("fast", "priority"),
    ],
)
def test_service_tier(client, asked, served):
    assert say(client, "hello", service_tier=asked).service_tier == served


@proves(
    "chat completions · store, verbosity, service_tier scale",
    approximated="served with less than was asked for; x-geminid-downgraded says so",
)
@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"store": True}, "store=not-kept"),
        ({"verbosity": "low"}, "verbosity=not-enforced"),
        ({"service_tier": "scale"}, "service_tier=default"),
        ({"store": False, "verbosity": "medium"}, None),
    ],
)
def test_downgrades(client, options, told):
    assert raw(client, "hello", **options).headers.get("x-geminid-downgraded") == told


@proves("chat completions · metadata, user, safety_identifier")
def test_labels(client):
    said = {"metadata": {"team": "search"}, "user": "u-1", "safety_identifier": "s-1"}
    assert say(client, "hello", **said).choices[0].message.content == "hello"


@proves(
    "chat completions · prompt_cache_key, prompt_cache_options, prompt_cache_retention",
    approximated="accepted and ignored: what requests share is cached by itself",
)
def test_cache_hints(client):
    hints = {"prompt_cache_key": "k", "prompt_cache_options": {"mode": "implicit", "ttl": "30m"}}
    assert say(client, "hello", **hints, prompt_cache_retention="24h").choices


@proves("chat completions · fields that ask for nothing")
def test_null_is_unsaid(client):
    nothing = dict.fromkeys(
        ("temperature", "top_p", "n", "stop", "stream", "tools", "response_format", "logit_bias", "audio")
    )
    assert say(client, "hello", extra_body=nothing).choices[0].message.content == "hello"


# -- streams -------------------------------------------------------------------------------------------


@proves("chat completions, streamed · answer")
def test_a_stream(client):
    chunks = list(say(client, "count to ten", stream=True))
    words = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert words == "one two three four five six seven eight nine ten"
    assert len(chunks) == 12
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * 11 + ["stop"]
    assert len({chunk.id for chunk in chunks}) == 1
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert all(chunk.usage is None for chunk in chunks)


@proves("chat completions, streamed · stream_options.include_usage")
def test_usage_of_a_stream(client):
    chunks = list(say(client, "count to ten", stream=True, stream_options={"include_usage": True}))
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert chunks[-1].choices == []
    assert chunks[-1].usage == say(client, "count to ten").usage


@proves("chat completions, streamed · n")
def test_a_stream_of_choices(client):
    said = {0: "", 1: ""}
    for chunk in say(client, "count to ten", stream=True, n=2):
        for choice in chunk.choices:
            said[choice.index] += choice.delta.content or ""
    assert said[0] == said[1] == "one two three four five six seven eight nine ten"


@proves("chat completions, streamed · logprobs")
def test_logprobs_of_a_stream(client):
    chunks = list(say(client, "hello there", stream=True, logprobs=True))
    tokens = [
        token.token
        for chunk in chunks
        if chunk.choices[0].logprobs
        for token in chunk.choices[0].logprobs.content
    ]
    assert tokens == ["hello", " there"]


@proves("chat completions, streamed · asynchronously")
async def test_an_asynchronous_stream(scripted):
    async with openai.AsyncOpenAI(api_key="sk-x", base_url=f"{scripted.url}/v1") as client:
        stream = await say(client, "count to ten", stream=True)
        words = [chunk.choices[0].delta.content async for chunk in stream]
    assert "".join(word or "" for word in words).endswith("nine ten")


@proves("chat completions, streamed · the stream helper")
def test_the_stream_helper(client):
    messages = [{"role": "user", "content": "count to ten"}]
    with client.chat.completions.stream(model=MODEL, messages=messages) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= kinds
    assert final.choices[0].message.content.endswith("nine ten")


@proves("chat completions, streamed · failure before the first chunk")
def test_failure_before_the_first_chunk(client):
    error = refused(client, "fail now with UNAVAILABLE", openai.InternalServerError, stream=True)
    assert error.status_code == 503


@proves("chat completions, streamed · failure within the stream")
def test_failure_within_the_stream(client, scripted):
    words = []
    with pytest.raises(openai.APIError, match="The script says so") as caught:
        for chunk in say(client, "break after three", stream=True):
            words.append(chunk.choices[0].delta.content)
    assert "".join(words) == "one two three"
    assert caught.value.type == "server_error"
    body = {
        "model": MODEL,
        "stream": True,
        "messages": [{"role": "user", "content": "break after three"}],
    }
    assert b"[DONE]" not in scripted.post("/v1/chat/completions", json=body).content


@proves("chat completions, streamed · the client leaves")
async def test_the_client_leaves(scripted):
    async with openai.AsyncOpenAI(api_key="sk-x", base_url=f"{scripted.url}/v1") as client:
        stream = await say(client, "slowly", stream=True)
        async for chunk in stream:
            if chunk.choices[0].delta.content:
                break
        await stream.close()
    for _ in range(200):
        if scripted.engine("scripted")["producing"] == 0:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the answer goes on although nobody listens")


# -- tools ---------------------------------------------------------------------------------------------


def loop(client, question, tools, **options):
    """Run functions as agents do, until there is an answer; return it and what was called."""
    messages, called = [{"role": "user", "content": question}], []
    for _ in range(5):
        message = say(client, messages, tools=tools, **options).choices[0].message
        if not message.tool_calls:
            return message.content, called
        messages.append(message)
        for call in message.tool_calls:
            called.append((call.function.name, json.loads(call.function.arguments)))
            messages.append({"role": "tool", "tool_call_id": call.id, "content": f"21C for {called[-1][1]}"})
    raise AssertionError("no end")


@proves("chat completions, tools · tool_calls and their results")
def test_the_loop(client):
    answer, called = loop(client, "the weather in Boston", [WEATHER])
    assert called == [("get_weather", {"city": "Boston"})]
    assert answer.startswith("It is get_weather: ")
    assert "21C for" in answer


@proves("chat completions, tools · a call")
def test_a_call(client):
    choice = say(client, "the weather in Boston", tools=[WEATHER]).choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    (call,) = choice.message.tool_calls
    assert call.id.startswith("call_")
    assert (call.type, call.function.name) == ("function", "get_weather")
    assert json.loads(call.function.arguments) == {"city": "Boston"}


@proves("chat completions, tools · several calls at once")
def test_parallel_calls(client):
    answer, called = loop(client, "weather in Paris and Rome", [WEATHER])
    assert [arguments["city"] for _, arguments in called] == ["Paris", "Rome"]
    assert answer.startswith("Both: ")


@proves("chat completions, tools · parallel_tool_calls false")
def test_one_call_at_a_time(client):
    message = say(client, "weather in Paris and Rome", tools=[WEATHER], parallel_tool_calls=False)
    assert len(message.choices[0].message.tool_calls) == 1


@proves("chat completions, tools · streamed")
def test_calls_of_a_stream(client):
    gathered = {}
    for chunk in say(client, "weather in Paris and Rome", tools=[WEATHER], stream=True):
        for call in chunk.choices[0].delta.tool_calls or ():
            known = gathered.setdefault(call.index, {"id": "", "name": "", "arguments": ""})
            known["id"] += call.id or ""
            known["name"] += call.function.name or ""
            known["arguments"] += call.function.arguments or ""
    assert [json.loads(call["arguments"])["city"] for call in gathered.values()] == ["Paris", "Rome"]
    assert len({call["id"] for call in gathered.values()}) == 2
    assert chunk.choices[0].finish_reason == "tool_calls"


@proves("chat completions, tools · tool_choice")
def test_tool_choice(client):
    def calls(choice):
        answer = say(client, "the weather in Boston", tools=[WEATHER, TIME], tool_choice=choice)
        return [call.function.name for call in answer.choices[0].message.tool_calls or ()]

    named = {"type": "function", "function": {"name": "get_weather"}}
    allowed = {"mode": "auto", "tools": [{"type": "function", "function": {"name": "current_time"}}]}
    assert calls("auto") == calls("required") == calls(named) == ["get_weather"]
    assert calls("none") == calls({"type": "allowed_tools", "allowed_tools": allowed}) == []
    unknown = {"type": "function", "function": {"name": "nobody"}}
    error = refused(client, tools=[WEATHER], tool_choice=unknown)
    assert error.param == "tool_choice.function.name"


@proves(
    "chat completions, tools · schemas beyond what is enforced",
    approximated="where a function is not strict, the rest is enforced, and x-geminid-downgraded says what is not",
)
def test_loose_schemas(client):
    parameters = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "tags": {"type": "array", "uniqueItems": True}},
    }
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": parameters}}
    answer = raw(client, "the weather in Boston", tools=[tool])
    assert answer.headers["x-geminid-downgraded"] == "tools[0].function.parameters=without-uniqueItems"
    assert answer.parse().choices[0].message.tool_calls
    tool["function"]["strict"] = True
    error = refused(client, tools=[tool])
    assert (error.param, error.code) == ("tools[0].function.parameters", "invalid_function_parameters")


@proves("chat completions, tools · a call that was begun and not written")
def test_a_malformed_call(client, googles):
    choice = say(client, "weather nowhere", tools=[WEATHER]).choices[0]
    assert choice.finish_reason == "stop"
    assert choice.message.refusal.startswith("Malformed function call")
    quirk = say(googles, "weather nowhere", tools=[WEATHER]).choices[0]
    assert quirk.finish_reason == "function_call_filter: MALFORMED_FUNCTION_CALL"


@proves("chat completions, tools · order of messages")
@pytest.mark.parametrize(
    ("messages", "words"),
    [
        (
            [{"role": "tool", "tool_call_id": "x", "content": "21C"}],
            "must be a response to a preceeding message with 'tool_calls'",
        ),
        (
            [
                {"role": "user", "content": "hello"},
                {
                    "role": "assistant",
                    "tool_calls": [
                        {
                            "id": "call_1",
                            "type": "function",
                            "function": {"name": "get_weather", "arguments": "{}"},
                        }
                    ],
                },
                {"role": "user", "content": "well?"},
            ],
            "did not have response messages: call_1",
        ),
    ],
)
def test_order_of_messages(client, messages, words):
    assert words in refused(client, messages).message


# -- forms of answers ----------------------------------------------------------------------------------


class Recipe(BaseModel):
    name: str
    minutes: int
    steps: list[str]


@proves("chat completions, forms · parse() with pydantic")
def test_parse(client):
    messages = [{"role": "user", "content": "a recipe"}]
    message = client.chat.completions.parse(model=MODEL, messages=messages, response_format=Recipe)
    assert message.choices[0].message.parsed == Recipe(name="Bread", minutes=90, steps=["mix", "bake"])


@proves("chat completions, forms · streamed and parsed")
def test_a_stream_is_parsed(client):
    messages = [{"role": "user", "content": "a recipe"}]
    with client.chat.completions.stream(model=MODEL, messages=messages, response_format=Recipe) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.parsed.name == "Bread"


@proves("chat completions, forms · parse() of functions, sent back")
def test_parsed_functions(client):
    class GetWeather(BaseModel):
        city: str

    tool = openai.pydantic_function_tool(GetWeather, name="get_weather")
    question = {"role": "user", "content": "the weather in Boston"}
    message = client.chat.completions.parse(model=MODEL, messages=[question], tools=[tool]).choices[0].message
    assert message.tool_calls[0].function.parsed_arguments == GetWeather(city="Boston")
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "21C"}
    answer = say(client, [question, message, result], tools=[tool])
    assert answer.choices[0].message.content.startswith("It is get_weather")


@proves("chat completions, forms · response_format text, json_object")
@pytest.mark.parametrize("kind", ["text", "json_object"])
def test_plain_formats(client, kind):
    answer = say(client, "a recipe", response_format={"type": kind})
    assert json.loads(answer.choices[0].message.content)["minutes"] == 90


@proves("chat completions, forms · schemas that cannot be served")
def test_an_impossible_schema(client):
    schema = {"name": "odd", "strict": True, "schema": {"type": "array", "uniqueItems": True, "items": {}}}
    error = refused(client, response_format={"type": "json_schema", "json_schema": schema})
    assert error.param == "response_format"
    assert "Invalid schema for response_format 'odd'" in error.message


# -- media ---------------------------------------------------------------------------------------------


def shown(*parts):
    return [{"role": "user", "content": [{"type": "text", "text": "what is this?"}, *parts]}]


@proves("chat completions, media · image_url as data:")
def test_a_picture(client):
    file = io.BytesIO()
    Image.new("RGB", (64, 48), "white").save(file, "PNG")
    data = base64.b64encode(file.getvalue()).decode()
    part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}", "detail": "low"}}
    answer = say(client, shown(part))
    assert "what is this?" in answer.choices[0].message.content
    assert answer.usage.prompt_tokens > 3


@proves("chat completions, media · file_data")
def test_a_file(client):
    data = base64.b64encode(b"The lamp is green.").decode()
    for file_data in (data, f"data:text/plain;base64,{data}"):
        part = {"type": "file", "file": {"file_data": file_data, "filename": "lamp.txt"}}
        assert "The lamp is green." in say(client, shown(part)).choices[0].message.content


@proves("chat completions, media · file_id")
def test_an_uploaded_file(client, scripted):
    uploaded = scripted.post(
        "/upload/v1beta/files",
        content=b"The door is red.",
        headers={"x-goog-api-key": "k", "x-goog-upload-protocol": "raw", "content-type": "text/plain"},
    )
    name = uploaded.json()["file"]["name"]
    for file_id in (name, name.replace("files/", "file-")):
        part = {"type": "file", "file": {"file_id": file_id}}
        assert "The door is red." in say(client, shown(part)).choices[0].message.content
    part = {"type": "file", "file": {"file_id": "file-nosuch"}}
    assert refused(client, shown(part), openai.NotFoundError).message.endswith("nosuch")


@proves("chat completions, media · media that cannot be read")
@pytest.mark.parametrize(
    ("part", "param"),
    [
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,####"}}, "image_url.url"),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}, "image_url.url"),
        ({"type": "image_url", "image_url": {"url": "nonsense"}}, "image_url.url"),
        ({"type": "input_audio", "input_audio": {"data": "QUJD", "format": "wav"}}, "input_audio.data"),
        ({"type": "file", "file": {}}, "file"),
    ],
)
def test_broken_media(client, part, param):
    error = refused(client, shown(part))
    assert error.param == f"messages[0].content[1].{param}"


# -- thinking, and Google's options --------------------------------------------------------------------


@proves("chat completions, thinking · reasoning_effort, reasoning_tokens")
def test_reasoning_effort(client):
    answer = say(client, "think about it", reasoning_effort="high")
    usage = answer.usage
    assert answer.choices[0].message.content == "The answer is 42."
    assert usage.completion_tokens_details.reasoning_tokens == 4
    assert usage.completion_tokens == 8
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    for effort in ("none", "minimal"):
        quick = say(client, "think about it", reasoning_effort=effort)
        assert quick.usage.completion_tokens_details.reasoning_tokens == 0


@proves("chat completions, thinking · extra_body.google.thinking_config")
@pytest.mark.parametrize("nested", [True, False])
@pytest.mark.parametrize("streamed", [True, False])
def test_google_options(client, nested, streamed):
    options = {"google": {"thinking_config": {"thinking_level": "HIGH", "include_thoughts": True}}}
    extra_body = {"extra_body": options} if nested else options
    answer = say(client, "think about it", extra_body=extra_body, stream=streamed)
    if streamed:
        words = "".join(chunk.choices[0].delta.content or "" for chunk in answer)
    else:
        words = answer.choices[0].message.content
    assert words == "<thought>First this, then that.</thought>The answer is 42."


@proves("chat completions, thinking · not both ways at once")
def test_one_way_to_think(client):
    extra_body = {"google": {"thinking_config": {"thinking_budget": 100}}}
    error = refused(client, reasoning_effort="low", extra_body=extra_body)
    assert error.param == "reasoning_effort"


# -- errors --------------------------------------------------------------------------------------------


@proves("chat completions, errors · unknown fields")
def test_unknown_fields(client):
    error = refused(client, extra_body={"temprature": 1})
    assert error.body["message"] == "Unrecognized request argument supplied: temprature"
    assert error.type == "invalid_request_error"
    inner = refused(client, [{"role": "user", "content": "hello", "colour": "red"}])
    assert (inner.param, inner.code) == ("messages[0].colour", "unknown_parameter")


@proves("chat completions, errors · values of the wrong type or beyond their bounds")
@pytest.mark.parametrize(
    ("options", "param", "code"),
    [
        ({"temperature": 3}, "temperature", "decimal_above_max_value"),
        ({"temperature": "hot"}, "temperature", "invalid_type"),
        ({"n": 0}, "n", "integer_below_min_value"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop", "array_above_max_length"),
        ({"reasoning_effort": "extreme"}, "reasoning_effort", "invalid_value"),
        ({"max_tokens": 3, "max_completion_tokens": 3}, "max_tokens", "invalid_parameter_combination"),
        ({"top_logprobs": 3}, "top_logprobs", None),
    ],
)
def test_wrong_values(client, options, param, code):
    error = refused(client, **options)
    assert (error.param, error.code, error.type) == (param, code, "invalid_request_error")


@proves("chat completions, errors · what is known and not supported")
@pytest.mark.parametrize(
    "options",
    [
        {"logit_bias": {"50256": -100}},
        {"prediction": {"type": "content", "content": "x"}},
        {"audio": {"voice": "alloy", "format": "wav"}},
        {"modalities": ["text", "audio"]},
        {"web_search_options": {}},
        {"functions": [{"name": "f"}]},
        {"function_call": "auto"},
    ],
    ids=lambda options: next(iter(options)),
)
def test_unsupported(client, options):
    error = refused(client, **options)
    assert (error.param, error.code) == (next(iter(options)), "unsupported_parameter")


@proves("chat completions, errors · unknown model")
def test_unknown_model(client):
    error = refused(client, model="nosuch", kind=openai.NotFoundError)
    assert error.code == "model_not_found"
    assert "The model `nosuch` does not exist or you do not have access to it." in error.message


@proves("chat completions, errors · keys")
def test_keys(keyed, openai_of):
    assert say(openai_of(keyed, key="sk-two"), "hello").choices
    error = refused(openai_of(keyed, key="sk-three"), kind=openai.AuthenticationError)
    assert error.code == "invalid_api_key"
    assert "sk-three" not in error.message
    assert keyed.post("/v1/chat/completions", json={}).status_code == 401


@proves("chat completions, errors · a prompt beyond the window")
def test_a_prompt_that_is_too_long(client):
    error = refused(client, "word " * 1_048_577)
    assert (error.code, error.param) == ("context_length_exceeded", "messages")


@proves("chat completions, errors · failures of the engine, and whether clients try again")
@pytest.mark.parametrize(
    ("prompt", "kind", "status"),
    [
        ("fail now with UNAVAILABLE", openai.InternalServerError, 503),
        ("exhausted", openai.RateLimitError, 429),
    ],
)
def test_failures(client, prompt, kind, status):
    assert refused(client, prompt, kind).status_code == status


@proves("chat completions, errors · unknown URLs, and what is gone upstream")
def test_unknown_urls(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.post("/assistants", cast_to=object, body={})
    assert caught.value.code == "unknown_url"
    assert "Use the Responses API instead" in caught.value.message
    with pytest.raises(openai.NotFoundError, match="Invalid URL"):
        client.get("/nosuch", cast_to=object)


@proves("chat completions, errors · a body that is no JSON")
def test_no_json(scripted):
    answer = scripted.post("/v1/chat/completions", content=b'{"model": }')
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith("We could not parse the JSON body of your request.")


# -- headers -------------------------------------------------------------------------------------------


@proves("chat completions, headers · x-request-id, openai-processing-ms, openai-version")
def test_headers(client):
    answer = raw(client, "hello")
    assert answer.request_id.startswith("req_")
    assert int(answer.headers["openai-processing-ms"]) >= 0
    assert answer.headers["openai-version"] == "2020-10-01"
    error = refused(client, extra_body={"x": 1})
    assert error.request_id.startswith("req_")


@proves("chat completions, headers · receipts and costs")
def test_receipts(client):
    answer = raw(client, "hello")
    assert answer.parse().id == f"chatcmpl-{answer.headers['x-geminid-receipt']}"


@proves("chat completions, headers · Idempotency-Key")
def test_idempotency(client):
    """That it is charged once is shown by ``tests/e2e/test_two_wires.py``."""
    assert say(client, "hello", extra_headers={"Idempotency-Key": "1b4e28ba-2fa1"}).choices
    error = refused(client, extra_headers={"Idempotency-Key": "not a name"})
    assert "idempotency-key must be" in error.message


# -- models --------------------------------------------------------------------------------------------


@proves("models (OpenAI) · list and retrieve")
def test_models(client):
    names = [model.id for model in client.models.list()]
    assert names[0] == "scripted"
    assert MODEL in names
    model = client.models.retrieve(MODEL)
    assert (model.id, model.object, model.owned_by) == (MODEL, "model", "geminid")
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("nosuch")
    assert caught.value.code == "model_not_found"


@proves("models (OpenAI) · /v1/models is Google's without a bearer alone")
@pytest.mark.parametrize(
    ("headers", "query", "openais"),
    [
        ({"authorization": "Bearer sk-x"}, "", True),
        ({}, "", False),
        ({"x-goog-api-key": "k"}, "", False),
        ({}, "?key=k", False),
        ({"authorization": "Bearer ya29.token", "x-goog-user-project": "p"}, "", False),
        ({"authorization": "Bearer ya29.token"}, "?key=k", False),
    ],
)
def test_whose_models(scripted, headers, query, openais):
    listed = scripted.get(f"/v1/models{query}", headers=headers).json()
    assert ("data" in listed, "models" in listed) == (openais, not openais)
    one = scripted.get(f"/v1/models/scripted{query}", headers=headers).json()
    assert ("id" in one, "name" in one) == (openais, not openais)


# -- Google's imitation --------------------------------------------------------------------------------


@proves("/v1beta/openai · answer")
def test_googles_answer(googles):
    answer = say(googles, "think about it", model=f"models/{MODEL}", reasoning_effort="high")
    assert len(answer.id) == 22
    usage = answer.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (3, 4, 11)


@proves("/v1beta/openai · models with their prefix")
def test_googles_models(googles):
    assert f"models/{MODEL}" in [model.id for model in googles.models.list()]
    for name in (MODEL, f"models/{MODEL}"):
        model = googles.models.retrieve(name)
        assert (model.id, model.owned_by) == (f"models/{MODEL}", "google")


@proves("/v1beta/openai · thought signatures, there and back")
def test_googles_signatures(googles):
    answer, called = loop(googles, "the weather in Boston", [WEATHER])
    assert called
    assert answer.startswith("It is get_weather")
    question = {"role": "user", "content": "the weather in Boston"}
    message = say(googles, [question], tools=[WEATHER]).choices[0].message
    assert "content" not in message.model_fields_set
    (call,) = message.tool_calls
    assert call.model_extra["extra_content"]["google"]["thought_signature"]
    bare = {
        "role": "assistant",
        "tool_calls": [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": "get_weather", "arguments": call.function.arguments},
            }
        ],
    }
    result = {"role": "tool", "tool_call_id": call.id, "content": "21C"}
    error = refused(googles, [question, bare, result], tools=[WEATHER])
    assert "is missing a `thought_signature`" in error.body[0]["error"]["message"]
    assert say(googles, [question, bare, result], tools=[WEATHER], model="gemini-2.5-flash").choices


@proves("/v1beta/openai · errors as a list")
def test_googles_errors(googles):
    error = refused(googles, model="nosuch", kind=openai.NotFoundError)
    assert error.body[0]["error"]["status"] == "NOT_FOUND"
    assert error.body[0]["error"]["message"].startswith("models/nosuch is not found for API version v1beta")
    unknown = refused(googles, extra_body={"colour": "red"}).body[0]["error"]
    assert unknown["message"] == 'Invalid JSON payload received. Unknown name "colour": Cannot find field.'
    assert "field" not in unknown["details"][0]["fieldViolations"][0]


@proves("/v1beta/openai · streamed")
def test_googles_stream(googles):
    chunks = list(say(googles, "count to ten", stream=True, stream_options={"include_usage": True}))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices).endswith("nine ten")
    assert chunks[-1].usage.completion_tokens == 10
    with pytest.raises(openai.APIError, match="The script says so"):
        list(say(googles, "break after three", stream=True))


# -- the strict mode, the real engine ------------------------------------------------------------------


@proves("chat completions · strict mode")
@pytest.mark.parametrize(
    "options", [{"n": 2}, {"logprobs": True}, {"presence_penalty": 1}, {"frequency_penalty": 1}]
)
def test_strict(strict, openai_of, options):
    error = refused(openai_of(strict), **options)
    assert (error.param, error.code) == (next(iter(options)), "unsupported_parameter")


@pytest.mark.e2e
@proves("chat completions · the real engine")
def test_the_real_engine(real, openai_of):
    client = openai_of(real)
    options = {"temperature": 0, "max_tokens": 24}
    whole = say(client, "Explain how AI works in a few words", **options)
    parts = list(say(client, "Explain how AI works in a few words", stream=True, **options))
    assert whole.choices[0].message.content
    assert whole.choices[0].message.content == "".join(
        chunk.choices[0].delta.content or "" for chunk in parts
    )


@pytest.mark.e2e
@proves("chat completions, forms · the real engine")
def test_the_real_engine_keeps_to_a_schema(real, openai_of):
    class Mood(BaseModel):
        word: str
        strength: int

    messages = [{"role": "user", "content": "How do you feel?"}]
    answer = openai_of(real).chat.completions.parse(
        model=MODEL, messages=messages, response_format=Mood, temperature=0, max_tokens=200
    )
    assert isinstance(answer.choices[0].message.parsed, Mood)


@pytest.mark.e2e
@proves("chat completions, tools · the real engine")
def test_the_real_engine_calls(real, openai_of):
    answer = say(
        openai_of(real),
        "the weather in Boston, please",
        tools=[WEATHER],
        tool_choice="required",
        parallel_tool_calls=False,
        temperature=0,
        max_tokens=200,
    )
    (call,) = answer.choices[0].message.tool_calls
    assert set(json.loads(call.function.arguments)) == {"city"}
