"""Google's official Python SDK, unmodified: ``client.interactions`` against a server process."""

import asyncio
import base64
import json
import time

import pytest
from google import genai
from google.genai import _interactions, interactions
from google.genai.types import HttpOptions, HttpRetryOptions

MODEL = "gemini-3.1-flash-lite"
NO_RETRIES = HttpRetryOptions(attempts=1)

proves = pytest.mark.proves

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "Tell the weather.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
TIME = {"type": "function", "name": "current_time"}


@pytest.fixture(scope="module")
def once(scripted):
    """A client that does not try again, so that errors come at once."""
    options = HttpOptions(base_url=scripted.url, retry_options=NO_RETRIES)
    client = genai.Client(api_key="anything", http_options=options)
    yield client
    client.close()


def say(client, words, **options):
    return client.interactions.create(model=options.pop("model", MODEL), input=words, **options)


def refused(client, kind=_interactions.BadRequestError, words="hello", **options):
    with pytest.raises(kind) as caught:
        say(client, words, **options)
    error = caught.value.body["error"]
    assert set(error) == {"message", "code"}
    return error


def deltas(events, kind="text"):
    return [event.delta for event in events if event.event_type == "step.delta" and event.delta.type == kind]


def text_of(events):
    return "".join(delta.text for delta in deltas(events))


def raw(client, words, **options):
    return client.interactions.with_raw_response.create(model=MODEL, input=words, **options)


# -- whole ---------------------------------------------------------------------------------------------


@proves("interactions · answer")
def test_an_answer(client):
    answer = say(client, "hello there world")
    assert isinstance(answer, interactions.Interaction)
    assert answer.output_text == "hello there world"
    assert (answer.status, answer.model) == ("completed", "scripted")
    assert [step.type for step in answer.steps] == ["model_output"]


@proves("interactions · id, object, created, updated, service_tier")
def test_what_an_interaction_tells_of_itself(client):
    answer = say(client, "hello")
    assert answer.id.startswith("v1_")
    assert answer.object == "interaction"
    assert answer.created <= answer.updated
    assert answer.service_tier == "standard"


@proves("interactions · usage")
def test_usage_adds_up(client):
    usage = say(client, "hello there world").usage
    assert (usage.total_input_tokens, usage.total_output_tokens, usage.total_tokens) == (3, 3, 6)
    assert (usage.total_thought_tokens, usage.total_cached_tokens, usage.total_tool_use_tokens) == (0, 0, 0)
    assert [(each.modality, each.tokens) for each in usage.input_tokens_by_modality] == [("text", 3)]


@proves("interactions · input: a string, a content, contents, steps")
def test_every_form_of_input(client):
    text = {"type": "text", "text": "hello there"}
    for words in ("hello there", text, [text], [{"type": "user_input", "content": [text]}]):
        assert say(client, words).output_text == "hello there"


@proves("interactions · steps of several turns")
def test_a_history_is_read(client):
    answer = say(
        client,
        [
            {"type": "user_input", "content": [{"type": "text", "text": "first"}]},
            {"type": "model_output", "content": [{"type": "text", "text": "an answer"}]},
            {"type": "user_input", "content": [{"type": "text", "text": "last"}]},
        ],
    )
    assert (answer.output_text, answer.usage.total_input_tokens) == ("last", 4)


@proves("interactions · system_instruction")
def test_instructions(client):
    answer = say(client, "hello", system_instruction="be brief")
    assert (answer.output_text, answer.usage.total_input_tokens) == ("hello", 3)


@proves("interactions · generation_config: max_output_tokens, status incomplete")
def test_a_cut_answer_is_incomplete(client):
    answer = say(client, "count to ten", generation_config={"max_output_tokens": 3})
    assert (answer.output_text, answer.status) == ("one two three", "incomplete")


@proves("interactions · generation_config: stop_sequences")
def test_stop_sequences(client):
    answer = say(client, "count to ten", generation_config={"stop_sequences": [" four"]})
    assert (answer.output_text, answer.status) == ("one two three", "completed")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@proves("interactions · generation_config: temperature, top_p, top_k, seed")
def test_sampling_is_taken(client):
    config = {"temperature": 0.5, "top_p": 0.9, "seed": 7}
    assert say(client, "hello", generation_config=config).status == "completed"
    body = {"generation_config": {"top_k": 10}}
    assert say(client, "hello", extra_body=body).status == "completed"


@proves("interactions · generation_config: thinking_level, thinking_summaries")
def test_thoughts(client):
    config = {"thinking_level": "low", "thinking_summaries": "auto"}
    thought, said = say(client, "think about life", generation_config=config).steps
    assert thought.summary[0].text == "First this, then that."
    assert said.content[0].text == "The answer is 42."
    silent = say(client, "think about life", generation_config={"thinking_level": "low"})
    assert silent.steps[0].summary is None
    assert silent.steps[0].signature
    assert silent.usage.total_thought_tokens > 0


@proves("interactions · response_format: JSON and schemas")
def test_forms_of_answers(client):
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    form = {"type": "text", "mime_type": "application/json", "schema": schema}
    for response_format in (form, [form], schema):
        answer = say(client, "a recipe", response_format=response_format)
        assert json.loads(answer.output_text)["name"] == "Bread"


@proves("interactions · service_tier")
def test_a_tier_is_told(client):
    assert say(client, "hello", service_tier="flex").service_tier == "flex"


@proves("interactions · labels, safety_settings")
def test_labels_and_safety(client):
    answer = raw(
        client,
        "hello",
        labels={"team": "a"},
        safety_settings=[{"type": "hate_speech", "threshold": "block_only_high"}],
    )
    assert answer.headers["x-geminid-downgraded"] == "safety_settings=not-enforced"
    assert answer.parse().status == "completed"


@proves("interactions · headers: x-gemini-service-tier, x-geminid-receipt")
def test_headers(client):
    headers = raw(client, "hello").headers
    assert headers["x-gemini-service-tier"] == "standard"
    assert headers["x-geminid-receipt"]


@proves("interactions · text/plain as document, by data and by uri of a file")
def test_files_are_read(client, tmp_path):
    lamp = b"The lamp is red."
    given = [
        {"type": "text", "text": "lamp"},
        {"type": "document", "data": base64.b64encode(lamp).decode(), "mime_type": "text/plain"},
    ]
    assert say(client, given).usage.total_input_tokens > 3
    path = tmp_path / "lamp.txt"
    path.write_bytes(lamp)
    file = client.files.upload(file=path)
    given[1] = {"type": "document", "uri": file.uri, "mime_type": "text/plain"}
    by_uri = say(client, given)
    kinds = {each.modality for each in by_uri.usage.input_tokens_by_modality}
    assert kinds <= {"text", "document"}
    assert "red" in by_uri.output_text


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@proves("interactions · cached_content")
def test_cached_contents(client, once):
    words = "word " * 3000
    cache = client.caches.create(model=MODEL, config={"contents": words, "ttl": "300s"})
    answer = say(client, "hello", cached_content=cache.name)
    assert answer.usage.total_cached_tokens == cache.usage_metadata.total_token_count
    assert answer.usage.total_input_tokens == answer.usage.total_cached_tokens + 1
    error = refused(once, cached_content=cache.name, system_instruction="be brief")
    assert "CachedContent can not be used" in error["message"]
    client.caches.delete(name=cache.name)
    refused(once, _interactions.PermissionDeniedError, cached_content=cache.name)


# -- streams -------------------------------------------------------------------------------------------


@proves("interactions, streamed · events in their order")
def test_a_stream(client):
    events = list(say(client, "hello there world", stream=True))
    kinds = [event.event_type for event in events]
    assert kinds[:3] == ["interaction.created", "interaction.status_update", "step.start"]
    assert kinds[-2:] == ["step.stop", "interaction.completed"]
    assert text_of(events) == "hello there world"
    assert events[0].interaction.id == events[-1].interaction.id
    assert events[-1].interaction.status == "completed"
    assert events[-1].interaction.usage.total_tokens == 6


@proves("interactions, streamed · thoughts and signatures")
def test_a_stream_of_thoughts(client):
    config = {"thinking_level": "low", "thinking_summaries": "auto"}
    events = list(say(client, "think about life", stream=True, generation_config=config))
    assert (
        "".join(each.content.text for each in deltas(events, "thought_summary")) == "First this, then that."
    )
    assert deltas(events, "thought_signature")[0].signature
    assert text_of(events) == "The answer is 42."


@proves("interactions, streamed · function calls")
def test_a_stream_with_a_call(client):
    events = list(say(client, "weather in Boston", stream=True, tools=[WEATHER]))
    call = next(
        event.step
        for event in events
        if event.event_type == "step.start" and event.step.type == "function_call"
    )
    assert (call.name, call.arguments) == ("get_weather", {})
    assert json.loads(deltas(events, "arguments_delta")[0].arguments) == {"city": "Boston"}
    assert events[-1].interaction.status == "requires_action"


@proves("interactions, streamed · an error is the last event")
def test_a_stream_that_breaks(client):
    events = list(say(client, "break after three", stream=True))
    assert text_of(events).split() == ["one", "two", "three"]
    assert events[-1].event_type == "error"
    assert events[-1].error.code == "service_unavailable"
    kept = client.interactions.get(events[0].interaction.id)
    assert (kept.status, kept.errors[0].code) == ("failed", "service_unavailable")


@proves("interactions, streamed · leaving ends it")
def test_a_stream_that_is_left(client):
    with say(client, "slowly", stream=True) as stream:
        events = [next(stream) for _ in range(6)]
    kept = until(client, events[0].interaction.id, lambda one: one.status != "in_progress")
    assert kept.status == "cancelled"
    assert 0 < kept.usage.total_output_tokens < 2000


@proves("interactions · async, whole and streamed")
def test_async(scripted):
    async def all_of():
        async with genai.Client(api_key="any", http_options={"base_url": scripted.url}).aio as client:
            whole = await client.interactions.create(model=MODEL, input="hello there")
            stream = await client.interactions.create(model=MODEL, input="hello there", stream=True)
            events = [event async for event in stream]
            kept = await client.interactions.get(whole.id)
            await client.interactions.delete(whole.id)
            return whole, events, kept

    whole, events, kept = asyncio.run(all_of())
    assert whole.output_text == kept.output_text == text_of(events) == "hello there"


# -- functions -----------------------------------------------------------------------------------------


@proves("interactions, functions · a call, its result, an answer, by previous_interaction_id")
def test_a_round_trip_that_the_server_remembers(client):
    asked = say(client, "weather in Boston", tools=[WEATHER])
    assert asked.status == "requires_action"
    call = asked.steps[-1]
    assert (call.type, call.name, call.arguments) == ("function_call", "get_weather", {"city": "Boston"})
    result = {"type": "function_result", "call_id": call.id, "name": call.name, "result": {"degrees": 21}}
    said = say(client, [result], previous_interaction_id=asked.id, tools=[WEATHER])
    assert said.status == "completed"
    assert said.output_text == 'It is get_weather: {"degrees": 21}'
    assert said.previous_interaction_id == asked.id


@proves("interactions, functions · stateless, all steps sent back")
def test_a_round_trip_that_the_client_remembers(client):
    history = [{"type": "user_input", "content": [{"type": "text", "text": "weather in Paris and Rome"}]}]
    asked = say(client, history, tools=[WEATHER], store=False)
    assert not asked.id
    calls = [step for step in asked.steps if step.type == "function_call"]
    assert [call.arguments["city"] for call in calls] == ["Paris", "Rome"]
    history += asked.steps
    history += [
        {"type": "function_result", "call_id": call.id, "result": json.dumps({"degrees": 20 + index})}
        for index, call in enumerate(calls)
    ]
    said = say(client, history, tools=[WEATHER], store=False)
    assert said.output_text.startswith("Both: ")


@proves("interactions, functions · result as contents, is_error")
def test_results_of_every_form(client):
    asked = say(client, "weather in Boston", tools=[WEATHER])
    result = {"type": "function_result", "call_id": asked.steps[-1].id}
    for given in (
        {"result": "sunny"},
        {"result": [{"type": "text", "text": "sunny"}]},
        {"result": "no such city", "is_error": True},
    ):
        said = say(client, [{**result, **given}], previous_interaction_id=asked.id, tools=[WEATHER])
        assert said.output_text.startswith("It is get_weather: ")


@proves("interactions, functions · tool_choice: any, none, allowed_tools")
def test_tool_choice(client):
    def called(choice):
        config = {"tool_choice": choice}
        answer = say(client, "what time is it", tools=[WEATHER, TIME], generation_config=config)
        return [step.name for step in answer.steps if step.type == "function_call"]

    assert called("auto") == called("any") == ["current_time"]
    assert called({"allowed_tools": {"mode": "any", "tools": ["current_time"]}}) == ["current_time"]
    assert called("none") == []


@proves("interactions, functions · a call without its signature")
def test_an_unsigned_call_in_a_history_is_refused(once):
    history = [
        {"type": "user_input", "content": [{"type": "text", "text": "weather"}]},
        {"type": "function_call", "id": "c1", "name": "get_weather", "arguments": {}},
        {"type": "function_result", "call_id": "c1", "result": "sunny"},
    ]
    error = refused(once, words=history, tools=[WEATHER], store=False)
    assert "missing a `thought_signature`" in error["message"]


# -- stored --------------------------------------------------------------------------------------------


def until(client, name, done, seconds=60):
    deadline = time.monotonic() + seconds
    while True:
        found = client.interactions.get(name)
        if done(found):
            return found
        assert time.monotonic() < deadline
        time.sleep(0.05)


@proves("interactions, stored · previous_interaction_id")
def test_a_conversation_that_the_server_remembers(client):
    first = say(client, "first")
    second = say(client, "and then", previous_interaction_id=first.id)
    assert second.usage.total_input_tokens == 1 + 1 + 2
    third = say(client, "last", previous_interaction_id=second.id, store=False)
    assert third.usage.total_input_tokens == 1 + 1 + 2 + 2 + 1


@proves("interactions, stored · get, include_input")
def test_an_interaction_is_told_again(client):
    given = [{"type": "user_input", "content": [{"type": "text", "text": "hello there"}]}]
    answer = say(client, given)
    again = client.interactions.get(answer.id)
    for name in ("id", "status", "created", "updated", "service_tier", "model", "steps"):
        assert getattr(again, name) == getattr(answer, name)
    assert again.usage.total_tokens == answer.usage.total_tokens
    assert again.input is None
    whole = client.interactions.get(answer.id, include_input=True)
    assert whole.input[0].content[0].text == "hello there"


@proves("interactions, stored · get streamed, last_event_id")
def test_a_stream_is_told_again_from_any_event_on(client):
    events = list(say(client, "count to ten", stream=True))
    name = events[0].interaction.id
    again = list(client.interactions.get(name, stream=True))
    assert text_of(again) == text_of(events)
    middle = events[len(events) // 2]
    rest = list(client.interactions.get(name, stream=True, last_event_id=middle.event_id))
    before = events[: len(events) // 2 + 1]
    assert text_of(before) + text_of(rest) == text_of(events)
    assert rest[-1].event_type == "interaction.completed"


@proves("interactions, stored · delete")
def test_a_deleted_interaction_is_gone(client, once):
    answer = say(client, "hello")
    client.interactions.delete(answer.id)
    for act in (once.interactions.get, once.interactions.delete, once.interactions.cancel):
        with pytest.raises(_interactions.NotFoundError):
            act(answer.id)
    error = refused(once, _interactions.NotFoundError, previous_interaction_id=answer.id)
    assert (error["code"], answer.id in error["message"]) == ("not_found", True)


@proves("interactions, stored · store: false")
def test_what_is_not_stored_has_no_id(client):
    answer = say(client, "hello", store=False)
    assert not answer.id
    events = list(say(client, "hello", store=False, stream=True))
    assert events[0].interaction.id == events[-1].interaction.id == ""


@proves("interactions, background · create, poll")
def test_in_the_background(client):
    begun = say(client, "hello there", background=True)
    assert begun.status == "in_progress"
    done = until(client, begun.id, lambda one: one.status != "in_progress")
    assert (done.status, done.output_text) == ("completed", "hello there")


@proves("interactions, background · streamed, left, resumed")
def test_a_background_stream_goes_on_without_its_reader(client):
    with say(client, "count to ten", background=True, stream=True) as stream:
        seen = [next(stream) for _ in range(4)]
    name = seen[0].interaction.id
    rest = list(client.interactions.get(name, stream=True, last_event_id=seen[-1].event_id))
    assert (text_of(seen) + text_of(rest)).split()[-1] == "ten"
    assert rest[-1].interaction.status == "completed"


@proves("interactions, background · cancel")
def test_a_background_interaction_is_cancelled(client, once):
    begun = say(client, "slowly", background=True)
    until(client, begun.id, lambda one: one.usage and one.usage.total_output_tokens > 3)
    stopped = client.interactions.cancel(begun.id)
    assert stopped.status == "cancelled"
    assert 0 < stopped.usage.total_output_tokens < 2000
    assert client.interactions.cancel(begun.id).status == "cancelled"
    whole = say(client, "hello")
    with pytest.raises(_interactions.BadRequestError) as caught:
        once.interactions.cancel(whole.id)
    assert caught.value.body["error"]["code"] == "failed_precondition"


# -- mistakes ------------------------------------------------------------------------------------------

REFUSED = {
    "agents": ({"extra_body": {"agent": "deep-research-preview-04-2026"}}, "agent"),
    "built-in tools": ({"tools": [{"type": "google_search"}]}, "tools[0].type"),
    "modalities": ({"extra_body": {"response_modalities": ["audio"]}}, "response_modalities"),
    "environment": ({"environment": "env_1"}, "environment"),
    "webhook_config": (
        {"background": True, "webhook_config": {"uris": ["https://example.com"]}},
        "webhook_config",
    ),
    "continuation_token": ({"continuation_token": "abc"}, "continuation_token"),
    "background without store": ({"background": True, "store": False}, "background"),
    "deferred": ({"service_tier": "deferred"}, "service_tier"),
    "speech_config": ({"generation_config": {"speech_config": [{"voice": "Kore"}]}}, "speech_config"),
    "image format": ({"response_format": {"type": "image"}}, "response_format.type"),
}


@pytest.mark.parametrize("name", REFUSED)
@proves("interactions, errors · what is not supported names its field")
def test_what_is_not_supported_is_refused(once, name):
    options, field = REFUSED[name]
    error = refused(once, **options)
    assert error["code"] == "invalid_request"
    assert field in error["message"]


@proves("interactions, errors · unknown fields, models, interactions")
def test_what_is_unknown(once):
    assert refused(once, extra_body={"temprature": 1})["code"] == "parameter_unknown"
    assert refused(once, _interactions.NotFoundError, model="gemini-0")["code"] == "model_not_found"
    with pytest.raises(_interactions.NotFoundError) as caught:
        once.interactions.get("v1_nothing")
    assert caught.value.body["error"]["code"] == "not_found"


@proves("interactions, errors · statuses become the SDK's exceptions")
def test_problems_are_the_sdks_exceptions(once, keyed, client_of):
    assert refused(once, _interactions.RateLimitError, "exhausted")["code"] == "too_many_requests"
    lost = refused(once, _interactions.InternalServerError, "fail now with UNAVAILABLE")
    assert lost["code"] == "service_unavailable"
    stranger = client_of(keyed, retry_options=NO_RETRIES)
    assert refused(stranger, _interactions.AuthenticationError)["code"] == "authentication"


@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha"])
@proves("interactions · every version of the API")
def test_every_version(scripted, client_of, version):
    assert say(client_of(scripted, api_version=version), "hello").output_text == "hello"
