"""Anthropic's official Python SDK, unmodified, against a server process."""

import asyncio
import json
from collections.abc import Callable, Iterator

import anthropic
import pytest
from pydantic import BaseModel

from serving import Server

MODEL = "gemini-3.1-flash-lite"
WEATHER = {
    "name": "get_weather",
    "description": "Tell the weather.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
THINKING = {"type": "enabled", "budget_tokens": 1024}

proves = pytest.mark.proves


@pytest.fixture(autouse=True)
def no_ambient_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL", "ANTHROPIC_LOG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def anthropic_of() -> Iterator[Callable[..., anthropic.Anthropic]]:
    """Make clients as users do; they are closed at the end."""
    clients = []

    def make(server: Server, key: str = "sk-anything", **options) -> anthropic.Anthropic:
        clients.append(anthropic.Anthropic(api_key=key, base_url=server.url, max_retries=0, **options))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture(scope="module")
def client(scripted, anthropic_of):
    return anthropic_of(scripted)


def asked(words, **options):
    messages = words if isinstance(words, list) else [{"role": "user", "content": words}]
    return {"model": MODEL, "max_tokens": 2048, "messages": messages, **options}


def say(client, words, **options):
    return client.messages.create(**asked(words, **options))


def refused(client, words="hello", kind=anthropic.BadRequestError, **options):
    with pytest.raises(kind) as caught:
        say(client, words, **options)
    return caught.value


@proves("messages · answer, id, model, usage")
def test_an_answer(client):
    answer = say(client, "hello there world", system="be kind", metadata={"user_id": "u-1"})
    (block,) = answer.content
    assert (block.type, block.text) == ("text", "hello there world")
    assert (answer.role, answer.type, answer.model) == ("assistant", "message", "scripted")
    assert (answer.stop_reason, answer.stop_sequence) == ("end_turn", None)
    assert answer.id.startswith("msg_")
    assert answer._request_id.startswith("req_")
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (5, 3)
    assert (answer.usage.cache_read_input_tokens, answer.usage.service_tier) == (0, "standard")


@proves("messages · max_tokens")
def test_max_tokens(client):
    answer = say(client, "count to ten", max_tokens=3)
    assert (answer.content[0].text, answer.stop_reason) == ("one two three", "max_tokens")


@proves("messages · stop_sequences", approximated="the answer ends there, and is told as `end_turn`")
def test_stop_sequences(client):
    answer = client.messages.with_raw_response.create(**asked("count to ten", stop_sequences=["four"]))
    assert answer.headers["x-geminid-downgraded"] == "stop_sequences=told-as-end_turn"
    assert answer.parse().content[0].text.rstrip() == "one two three"


@proves("messages · temperature, top_p, top_k, service_tier")
def test_settings(client):
    sampling = {
        "temperature": 0.5,
        "top_p": 0.5,
        "top_k": 5,
    }  # which the newer version of the API has no more
    answer = say(client, "hello", service_tier="standard_only", extra_body=sampling)
    assert answer.content[0].text == "hello"


@proves("messages · stream, sync and async")
def test_stream(client, scripted):
    with client.messages.stream(**asked("count to ten")) as stream:
        parts = list(stream.text_stream)
        message = stream.get_final_message()
    assert "".join(parts) == "one two three four five six seven eight nine ten"
    assert len(parts) == 10
    assert (message.stop_reason, message.usage.output_tokens) == ("end_turn", 10)

    async def streamed():
        async with (
            anthropic.AsyncAnthropic(api_key="x", base_url=scripted.url) as another,
            another.messages.stream(**asked("count to ten")) as stream,
        ):
            return await stream.get_final_text()

    assert asyncio.run(streamed()) == "".join(parts)


@proves("messages · raw events of a stream, in their order")
def test_raw_events(client):
    names = [event.type for event in say(client, "hello there", stream=True)]
    assert names[:2] == ["message_start", "content_block_start"]
    assert names[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert set(names[2:-3]) == {"content_block_delta"}


@proves("messages · tools, there and back, whole and streamed")
def test_tools(client):
    history = [{"role": "user", "content": "the weather in Paris and Rome"}]
    first = say(client, history, tools=[WEATHER])
    calls = [block for block in first.content if block.type == "tool_use"]
    assert first.stop_reason == "tool_use"
    assert [(call.name, call.input) for call in calls] == [
        ("get_weather", {"city": "Paris"}),
        ("get_weather", {"city": "Rome"}),
    ]
    with client.messages.stream(**asked(history, tools=[WEATHER])) as stream:
        streamed = stream.get_final_message()
    assert [block.input for block in streamed.content if block.type == "tool_use"] == [c.input for c in calls]
    results = [
        {"type": "tool_result", "tool_use_id": call.id, "content": json.dumps({"celsius": 21})}
        for call in calls
    ]
    history += [{"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
    assert say(client, history, tools=[WEATHER]).content[0].text.startswith("Both: get_weather: ")


@proves("messages · tool_choice")
def test_tool_choice(client):
    choice = {"type": "tool", "name": "get_weather", "disable_parallel_tool_use": True}
    answer = say(client, "the weather in Boston", tools=[WEATHER], tool_choice=choice)
    assert [block.type for block in answer.content] == ["tool_use"]
    none = say(client, "hello", tools=[WEATHER], tool_choice={"type": "none"})
    assert none.content[0].text == "hello"


@proves("messages · thinking blocks with signatures, there and back")
def test_thinking(client):
    answer = say(client, "think about it", thinking=THINKING)
    thought, text = answer.content
    assert (thought.type, thought.thinking, text.text) == (
        "thinking",
        "First this, then that.",
        "The answer is 42.",
    )
    with client.messages.stream(**asked("think about it", thinking=THINKING)) as stream:
        again = stream.get_final_message().content[0]
    assert (again.thinking, len(again.signature)) == (thought.thinking, len(thought.signature))
    history = [
        {"role": "user", "content": "think about it"},
        {"role": "assistant", "content": answer.content},
    ]
    later = {"role": "user", "content": "hello"}
    assert say(client, [*history, later], thinking=THINKING).content[-1].text == "hello"
    forged = [{**thought.model_dump(), "signature": "AAAA"}, text.model_dump()]
    error = refused(client, [history[0], {"role": "assistant", "content": forged}, later], thinking=THINKING)
    assert "messages.1.content.0: Invalid `signature` in `thinking` block" in error.message


@proves("messages · output_config.format, and parse() with pydantic")
def test_parse(client):
    class Recipe(BaseModel):
        name: str
        minutes: int
        steps: list[str]

    parsed = client.messages.parse(**asked("a recipe", output_format=Recipe)).parsed_output
    assert parsed == Recipe(name="Bread", minutes=90, steps=["mix", "bake"])


@proves("messages · documents and pictures, inline")
def test_documents(client):
    source = {"type": "text", "media_type": "text/plain", "data": "The rent is 900."}
    document = {"type": "document", "source": source, "title": "Lease"}
    question = {"type": "text", "text": "What is the rent?"}
    answer = say(client, [{"role": "user", "content": [document, question]}])
    assert "The rent is 900." in answer.content[0].text


@proves(
    "messages · cache_control",
    approximated="what requests share is cached by itself; x-geminid-downgraded says so",
)
def test_cache_control(client):
    system = [{"type": "text", "text": "be kind", "cache_control": {"type": "ephemeral"}}]
    answer = client.messages.with_raw_response.create(**asked("hello", system=system))
    assert answer.headers["x-geminid-downgraded"] == "cache_control=implicit"


@proves("messages · count_tokens")
def test_count_tokens(client):
    body = asked("hello there world", system="be kind", tools=[WEATHER])
    del body["max_tokens"]
    assert (
        client.messages.count_tokens(**body).input_tokens
        == say(client, "hello there world", system="be kind", tools=[WEATHER]).usage.input_tokens
    )


@proves("messages · models, list and retrieve")
def test_models(client):
    models = list(client.models.list())
    assert MODEL in [model.id for model in models]
    model = client.models.retrieve(MODEL)
    assert (model.id, model.type) == (MODEL, "model")
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("nosuch")


@proves("messages · errors, in the SDK's exceptions")
@pytest.mark.parametrize(
    ("options", "kind", "type_", "said"),
    [
        ({"model": "nosuch"}, anthropic.NotFoundError, "not_found_error", "model: nosuch"),
        (
            {"max_tokens": 0},
            anthropic.BadRequestError,
            "invalid_request_error",
            "max_tokens: Input should be",
        ),
        ({"words": "exhausted"}, anthropic.RateLimitError, "rate_limit_error", "The script says so"),
        ({"words": "fail now with UNAVAILABLE"}, anthropic.InternalServerError, "overloaded_error", "script"),
    ],
)
def test_errors(client, options, kind, type_, said):
    error = refused(client, kind=kind, **options)
    assert error.body["type"] == "error"
    assert error.body["error"]["type"] == type_
    assert said in error.body["error"]["message"]
    assert error.request_id == error.body["request_id"]


@proves("messages · errors within a stream")
def test_an_error_within_a_stream(client):
    with (
        pytest.raises(anthropic.APIStatusError) as caught,
        client.messages.stream(**asked("break after three")) as s,
    ):
        list(s)
    assert caught.value.body["error"]["type"] == "overloaded_error"


@proves("messages · keys: x-api-key, or a bearer")
def test_keys(keyed, anthropic_of):
    assert say(anthropic_of(keyed, key="sk-two"), "hello").content
    bearing = anthropic.Anthropic(auth_token="sk-two", base_url=keyed.url, max_retries=0)
    assert say(bearing, "hello").content
    error = refused(anthropic_of(keyed, key="sk-three"), kind=anthropic.AuthenticationError)
    assert error.body["error"]["message"] == "invalid x-api-key"
    bearing.close()


@proves("messages · anthropic-version is required; receipts, and what is not here")
def test_transport(scripted, client):
    answer = scripted.post("/v1/messages", json=asked("hello"))
    assert (answer.status_code, answer.json()["error"]["message"]) == (
        400,
        "anthropic-version: header is required",
    )
    raw = client.messages.with_raw_response.create(**asked("hello"))
    assert raw.parse().id == f"msg_{raw.headers['x-geminid-receipt']}"
    with pytest.raises(anthropic.NotFoundError, match="There is no POST /v1/messages/batches here"):
        client.messages.batches.create(requests=[])


@proves("messages · the same answer, usage and cost as by the other wires")
def test_the_same_by_every_wire(scripted, client):
    mine = client.messages.with_raw_response.create(**asked("think about it", max_tokens=60))
    body = {"model": MODEL, "max_tokens": 60, "messages": [{"role": "user", "content": "think about it"}]}
    other = scripted.post("/v1/chat/completions", json=body)
    message, completion = mine.parse(), other.json()
    assert message.content[0].text == completion["choices"][0]["message"]["content"]
    assert message.usage.input_tokens == completion["usage"]["prompt_tokens"]
    assert message.usage.output_tokens == completion["usage"]["completion_tokens"]
    assert mine.headers.get("x-geminid-cost-nano") == other.headers.get("x-geminid-cost-nano")


@pytest.mark.e2e
@proves("messages · the real engine")
def test_the_real_engine(real, anthropic_of):
    client = anthropic_of(real)
    options = {"extra_body": {"temperature": 0}, "max_tokens": 24}
    whole = say(client, "Explain how AI works in a few words", **options)
    with client.messages.stream(**asked("Explain how AI works in a few words", **options)) as stream:
        assert stream.get_final_text() == whole.content[0].text
    assert whole.content[0].text
