"""OpenAI's official Python SDK, unmodified: responses, against a server process."""

import asyncio
import base64
import io
import json
import time
from collections.abc import Callable, Iterator

import openai
import pytest
from PIL import Image
from pydantic import BaseModel

from serving import Server

MODEL = "gemini-3.1-flash-lite"
PATIENCE_S = 60

proves = pytest.mark.proves

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "Tell the weather.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}
TIME = {"type": "function", "name": "current_time", "parameters": None, "strict": None}


@pytest.fixture(autouse=True)
def no_ambient_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_LOG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def openai_of() -> Iterator[Callable[..., openai.OpenAI]]:
    """Make clients as users do; they are closed at the end."""
    clients = []

    def make(server: Server, key: str = "sk-anything", **options) -> openai.OpenAI:
        options = {"max_retries": 0, **options}
        clients.append(openai.OpenAI(api_key=key, base_url=server.url + "/v1", **options))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture(scope="module")
def client(scripted, openai_of):
    return openai_of(scripted)


def ask(client, words="hello there world", **options):
    return client.responses.create(model=options.pop("model", MODEL), input=words, **options)


def raw(client, words, **options):
    return client.responses.with_raw_response.create(model=MODEL, input=words, **options)


def refused(client, words="hello", kind=openai.BadRequestError, **options):
    with pytest.raises(kind) as caught:
        ask(client, words, **options)
    return caught.value


def kinds(events):
    return [event.type for event in events]


def settled(client, response):
    """Poll as users do."""
    deadline = time.monotonic() + PATIENCE_S
    while response.status in ("queued", "in_progress"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
        response = client.responses.retrieve(response.id)
    return response


def user(*parts):
    return [{"role": "user", "content": list(parts)}]


def words(text):
    return {"type": "input_text", "text": text}


# -- answers -------------------------------------------------------------------------------------------


@proves("responses · answer")
def test_an_answer(client):
    response = ask(client)
    assert response.output_text == "hello there world"
    (message,) = response.output
    assert (message.type, message.role, message.status) == ("message", "assistant", "completed")
    assert (response.status, response.error, response.incomplete_details) == ("completed", None, None)


@proves("responses · id, created_at, completed_at, model")
def test_what_a_response_tells_about_itself(client):
    response = ask(client)
    assert response.id.startswith("resp_")
    assert response.output[0].id.startswith("msg_")
    assert response.object == "response"
    assert response.model == "scripted"
    assert response.completed_at >= response.created_at > 1_700_000_000


@proves("responses · usage with its details")
def test_usage(client):
    usage = ask(client).usage
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (3, 3, 6)
    assert usage.input_tokens_details.cached_tokens == 0
    assert usage.output_tokens_details.reasoning_tokens == 0


@proves("responses · what was asked for is told again")
def test_echo(client):
    response = ask(
        client,
        instructions="be brief",
        temperature=0.5,
        top_p=0.9,
        max_output_tokens=100,
        metadata={"team": "blue"},
        tools=[WEATHER],
        parallel_tool_calls=False,
        reasoning={"effort": "low", "summary": "auto"},
        service_tier="flex",
        safety_identifier="someone",
        prompt_cache_key="mine",
        max_tool_calls=3,
        text={"format": {"type": "text"}},
        user="ada",
    )
    assert response.instructions == "be brief"
    assert (response.temperature, response.top_p, response.max_output_tokens) == (0.5, 0.9, 100)
    assert response.metadata == {"team": "blue"}
    assert response.tools[0].name == "get_weather"
    assert response.tools[0].strict is True
    assert (response.tool_choice, response.parallel_tool_calls) == ("auto", False)
    assert (response.reasoning.effort, response.reasoning.summary) == ("low", "detailed")
    assert (response.service_tier, response.truncation) == ("flex", "disabled")
    assert (response.safety_identifier, response.prompt_cache_key, response.user) == (
        "someone",
        "mine",
        "ada",
    )
    assert (response.max_tool_calls, response.background, response.text.format.type) == (3, False, "text")


@proves("responses · temperature and top_p where nothing was said: the model's own")
def test_defaults(client):
    response = ask(client)
    assert (response.temperature, response.top_p) == (1.0, 0.95)


@proves("responses · input: messages in short and in full, instructions")
def test_messages(client):
    response = ask(
        client,
        [
            {"role": "developer", "content": "and kind"},
            {"type": "message", "role": "user", "content": [words("first")]},
            {"role": "assistant", "content": "an answer"},
            {"role": "user", "content": [words("and"), words(" last")]},
        ],
        instructions="be very brief",
    )
    assert response.output_text == "and last"
    assert response.usage.input_tokens == 10


@proves("responses · input: items of an earlier output, as the SDK gives them")
def test_outputs_are_inputs(client):
    first = ask(client, "first question")
    second = ask(client, [*user(words("first question")), *first.output, *user(words("second"))])
    assert second.output_text == "second"
    assert second.usage.input_tokens == 2 + 2 + 1


@proves("responses · max_output_tokens, status incomplete")
def test_an_answer_that_is_cut_off(client):
    response = ask(client, "one two three four", max_output_tokens=2)
    assert (response.status, response.output_text) == ("incomplete", "one two")
    assert response.incomplete_details.reason == "max_output_tokens"
    assert response.output[0].status == "incomplete"
    assert response.completed_at is None


@proves("responses · top_logprobs, include message.output_text.logprobs")
def test_logprobs(client):
    response = ask(client, "one two", top_logprobs=1, include=["message.output_text.logprobs"])
    (part,) = response.output[0].content
    assert [each.token for each in part.logprobs] == ["one", " two"]
    assert part.logprobs[0].bytes == list(b"one")
    assert part.logprobs[0].top_logprobs[0].token == "one"


@proves("responses · an answer without words")
def test_silence(client):
    response = ask(client, "say nothing")
    assert (response.status, response.output_text) == ("completed", "")


@proves("responses · metadata, user and safety_identifier as labels of the bill")
def test_labels(client):
    assert ask(client, metadata={"a": "b"}, user="ada", safety_identifier="x").status == "completed"


# -- streams -------------------------------------------------------------------------------------------


@proves("responses, streamed · events in their order, sequence_number")
def test_a_stream(client):
    events = list(ask(client, "one two three", stream=True))
    assert kinds(events) == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        *["response.output_text.delta"] * 3,
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert "".join(event.delta for event in events if event.type.endswith("text.delta")) == "one two three"
    assert events[0].response.status == "in_progress"
    assert events[-1].response.output_text == "one two three"
    assert events[-1].response.usage.total_tokens == 6


@proves("responses, streamed · what is streamed is what is kept")
def test_a_stream_is_kept(client):
    *_, last = ask(client, "one two three", stream=True)
    assert client.responses.retrieve(last.response.id) == last.response


@proves("responses, streamed · the helper of the SDK, with deltas put together")
def test_the_streaming_helper(client):
    with client.responses.stream(model=MODEL, input="one two three") as stream:
        snapshots = [event.snapshot for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert snapshots == ["one", "one two", "one two three"]
    assert final.output_text == "one two three"


@proves("responses, streamed · asynchronous clients")
def test_an_asynchronous_stream(scripted):
    async def told():
        async with openai.AsyncOpenAI(api_key="k", base_url=scripted.url + "/v1", max_retries=0) as client:
            whole = await client.responses.create(model=MODEL, input="hello")
            stream = await client.responses.create(model=MODEL, input="one two", stream=True)
            return whole.output_text, kinds([event async for event in stream])

    whole, told_kinds = asyncio.run(told())
    assert whole == "hello"
    assert told_kinds[-1] == "response.completed"


@proves("responses, streamed · response.incomplete")
def test_a_stream_that_is_cut_off(client):
    *_, done, last = ask(client, "one two three", stream=True, max_output_tokens=2)
    assert (done.type, done.item.status) == ("response.output_item.done", "incomplete")
    assert (last.type, last.response.status) == ("response.incomplete", "incomplete")


@proves("responses, streamed · an engine that breaks: error, then response.failed")
def test_a_stream_that_breaks(client):
    events = list(ask(client, "break after three", stream=True))
    assert kinds(events)[-2:] == ["error", "response.failed"]
    assert events[-2].code == "server_error"
    failed = events[-1].response
    assert (failed.status, failed.error.code) == ("failed", "server_error")
    assert failed.output[0].status == "incomplete"
    assert failed.output_text == "one two three"
    assert client.responses.retrieve(failed.id).status == "failed"


@proves("responses, streamed · log-probabilities of each delta")
def test_streamed_logprobs(client):
    events = list(ask(client, "one two", stream=True, include=["message.output_text.logprobs"]))
    deltas = [event for event in events if event.type == "response.output_text.delta"]
    assert [delta.logprobs[0].token for delta in deltas] == ["one", " two"]
    done = next(event for event in events if event.type == "response.output_text.done")
    assert [each.token for each in done.logprobs] == ["one", " two"]


# -- going on ------------------------------------------------------------------------------------------


@proves("responses, stored · previous_response_id")
def test_going_on(client):
    first = ask(client, "one two")
    second = ask(client, "three", previous_response_id=first.id)
    assert second.previous_response_id == first.id
    assert second.usage.input_tokens == 2 + 2 + 1
    third = ask(client, "four", previous_response_id=second.id)
    assert third.usage.input_tokens == 2 + 2 + 1 + 1 + 1


@proves("responses, stored · instructions are not gone on with, developer messages are")
def test_instructions_are_of_one_response(client):
    first = ask(
        client, [{"role": "developer", "content": "be kind"}, *user(words("one"))], instructions="a b c"
    )
    assert first.usage.input_tokens == 6
    second = ask(client, "two", previous_response_id=first.id)
    assert second.usage.input_tokens == 2 + 1 + 1 + 1
    assert second.instructions is None


@proves("responses, stored · get, and include there")
def test_a_stored_response(client):
    response = ask(client, "think about it", reasoning={"effort": "low"})
    again = client.responses.retrieve(response.id)
    assert again == response
    sealed = client.responses.retrieve(response.id, include=["reasoning.encrypted_content"])
    assert sealed.output[0].encrypted_content


@proves("responses, stored · delete")
def test_delete(client):
    response = ask(client)
    client.responses.delete(response.id)
    for gone in (client.responses.retrieve, client.responses.delete, client.responses.cancel):
        with pytest.raises(openai.NotFoundError) as caught:
            gone(response.id)
        assert caught.value.body["message"] == f"Response with id '{response.id}' not found."


@proves("responses, stored · store=false keeps nothing")
def test_nothing_is_kept(client):
    first = ask(client, "one")
    response = ask(client, "two", store=False, previous_response_id=first.id)
    assert (response.store if hasattr(response, "store") else None) is False
    assert response.usage.input_tokens == 3
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(response.id)


@proves("responses, stored · input_items in pages")
def test_input_items(client):
    items = [*user(words("one")), {"role": "assistant", "content": "two"}, *user(words("three"))]
    response = ask(client, items)
    page = client.responses.input_items.list(response.id, limit=2)
    assert [item.content[0].text for item in page.data] == ["three", "two"]
    assert page.has_more
    told = list(client.responses.input_items.list(response.id, order="asc", limit=1))
    assert [item.content[0].text for item in told] == ["one", "two", "three"]
    assert [item.role for item in told] == ["user", "assistant", "user"]
    assert len({item.id for item in told}) == 3


@proves("responses, stored · item_reference")
def test_references(client):
    first = ask(client, "one two")
    (sent,) = client.responses.input_items.list(first.id)
    referred = [{"type": "item_reference", "id": each} for each in (sent.id, first.output[0].id)]
    response = ask(client, [*referred, *user(words("three"))])
    assert response.usage.input_tokens == 5


# -- functions -----------------------------------------------------------------------------------------


@proves("responses, tools · a loop by previous_response_id")
def test_a_loop_by_id(client):
    response = ask(client, "the weather in Paris and Rome?", tools=[WEATHER])
    assert [item.type for item in response.output] == ["function_call", "function_call"]
    assert response.status == "completed"
    results = [
        {
            "type": "function_call_output",
            "call_id": call.call_id,
            "output": f"{json.loads(call.arguments)['city']}: sun",
        }
        for call in response.output
    ]
    answer = ask(client, results, previous_response_id=response.id, tools=[WEATHER])
    assert answer.output_text.startswith("Both: get_weather")
    assert "Rome: sun" in answer.output_text


@proves("responses, tools · a loop by hand, output items sent back")
def test_a_loop_by_hand(client):
    said = user(words("the weather in Boston?"))
    response = ask(client, said, tools=[WEATHER], store=False, include=["reasoning.encrypted_content"])
    said += response.output
    (call,) = [item for item in response.output if item.type == "function_call"]
    said.append({"type": "function_call_output", "call_id": call.call_id, "output": '{"sky": "grey"}'})
    answer = ask(client, said, tools=[WEATHER], store=False)
    assert answer.output_text == 'It is get_weather: {"sky": "grey"}'


@proves("responses, tools · streamed calls")
def test_streamed_calls(client):
    events = list(ask(client, "the weather in Boston?", tools=[WEATHER], stream=True))
    assert kinds(events)[2:] == [
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.completed",
    ]
    added, delta, done, item = events[2:6]
    assert (added.item.name, added.item.arguments, added.item.status) == ("get_weather", "", "in_progress")
    assert json.loads(delta.delta) == json.loads(done.arguments) == {"city": "Boston"}
    assert item.item.call_id == added.item.call_id
    assert item.item.id == done.item_id


@proves("responses, tools · tool_choice: none, required, a function, allowed_tools")
@pytest.mark.parametrize(
    ("choice", "called"),
    [
        ("none", False),
        ("required", True),
        ({"type": "function", "name": "get_weather"}, True),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "get_weather"}]},
            True,
        ),
        (
            {
                "type": "allowed_tools",
                "mode": "auto",
                "tools": [{"type": "function", "name": "current_time"}],
            },
            False,
        ),
    ],
)
def test_tool_choice(client, choice, called):
    response = ask(client, "the weather in Boston?", tools=[WEATHER, TIME], tool_choice=choice)
    assert any(item.type == "function_call" for item in response.output) == called


@proves("responses, tools · parallel_tool_calls=false: one call at most")
def test_one_call(client):
    response = ask(client, "the weather in Paris and Rome?", tools=[WEATHER], parallel_tool_calls=False)
    assert [item.type for item in response.output] == ["function_call"]


@proves("responses, tools · parse() of arguments with pydantic")
def test_parsed_arguments(client):
    class Asked(BaseModel):
        city: str

    tool = openai.pydantic_function_tool(Asked, name="get_weather")
    flat = {"type": "function", **tool["function"]}
    response = client.responses.parse(model=MODEL, input="the weather in Boston?", tools=[flat])
    assert json.loads(response.output[0].arguments) == {"city": "Boston"}


@proves("responses, tools · pictures and files as what a function gave back")
def test_functions_give_back_more_than_words(client):
    first = ask(client, "what time is it", tools=[TIME])
    (call,) = first.output
    document = base64.b64encode(b"noon by the tower").decode()
    output = [
        words("see the file"),
        {"type": "input_file", "filename": "clock.txt", "file_data": document},
    ]
    result = {"type": "function_call_output", "call_id": call.call_id, "output": output}
    answer = ask(client, [result], previous_response_id=first.id, tools=[TIME])
    assert answer.output_text.startswith("Now is current_time")
    assert "noon by the tower" in answer.output_text


@proves("responses, tools · a call that was begun and not written: a refusal in words")
def test_a_malformed_call(client):
    response = ask(client, "the weather nowhere", tools=[WEATHER])
    (message,) = response.output
    assert (message.content[0].type, response.status) == ("refusal", "completed")
    assert "get_weather" in message.content[0].refusal


@proves("responses, tools · strict: a schema that cannot be enforced is refused")
def test_strict(client):
    parameters = {**WEATHER["parameters"], "patternProperties": {"^a": {"type": "string"}}}
    error = refused(client, tools=[{**WEATHER, "parameters": parameters}])
    assert (error.param, error.code) == ("tools[0].parameters", "invalid_function_parameters")


@proves(
    "responses, tools · strict unsaid: what no grammar enforces",
    approximated="left out, which x-geminid-downgraded says; strict is then told as false",
)
def test_loose(client):
    parameters = {**WEATHER["parameters"], "patternProperties": {"^a": {"type": "string"}}}
    tool = {**WEATHER, "parameters": parameters, "strict": None}
    answer = raw(client, "hello", tools=[tool])
    assert answer.headers["x-geminid-downgraded"] == "tools[0].parameters=without-patternProperties"
    assert answer.parse().tools[0].strict is False


# -- forms ---------------------------------------------------------------------------------------------


class Recipe(BaseModel):
    name: str
    minutes: int
    steps: list[str]


@proves("responses, forms · parse() with pydantic")
def test_parse(client):
    response = client.responses.parse(model=MODEL, input="a recipe", text_format=Recipe)
    assert response.output_parsed == Recipe(name="Bread", minutes=90, steps=["mix", "bake"])
    assert response.text.format.type == "json_schema"
    assert response.text.format.name == "Recipe"


@proves("responses, forms · parse() of what was said before sent back as it is")
def test_parsed_outputs_are_inputs(client):
    first = client.responses.parse(model=MODEL, input="a recipe", text_format=Recipe)
    second = ask(client, [*user(words("a recipe")), *first.output, *user(words("thanks"))])
    assert second.output_text == "thanks"


@proves("responses, forms · a stream that is parsed")
def test_a_parsed_stream(client):
    with client.responses.stream(model=MODEL, input="a recipe", text_format=Recipe) as stream:
        final = stream.get_final_response()
    assert final.output_parsed.name == "Bread"


@proves("responses, forms · json_object")
def test_json_object(client):
    response = ask(client, "a recipe", text={"format": {"type": "json_object"}})
    assert json.loads(response.output_text)["name"] == "Bread"
    assert response.text.format.type == "json_object"


@proves(
    "responses, forms · text.verbosity",
    approximated="not enforced, which x-geminid-downgraded says; told again as medium",
)
def test_verbosity(client):
    answer = raw(client, "hello", text={"verbosity": "low"})
    assert answer.headers["x-geminid-downgraded"] == "text.verbosity=not-enforced"
    assert answer.parse().text.verbosity == "medium"


# -- thoughts ------------------------------------------------------------------------------------------


@proves("responses, thinking · reasoning.effort, and an item of it")
def test_thoughts_are_not_told(client):
    response = ask(client, "think about it", reasoning={"effort": "low"})
    thoughts, message = response.output
    assert (thoughts.type, thoughts.summary, message.content[0].text) == (
        "reasoning",
        [],
        "The answer is 42.",
    )
    assert thoughts.id.startswith("rs_")
    assert response.usage.output_tokens_details.reasoning_tokens == 4
    assert response.usage.output_tokens == 8


@proves("responses, thinking · reasoning.summary", approximated="the thoughts themselves, whole")
def test_thoughts_are_told(client):
    response = ask(client, "think about it", reasoning={"effort": "low", "summary": "auto"})
    assert response.output[0].summary[0].text == "First this, then that."


@proves("responses, thinking · thoughts are streamed")
def test_thoughts_are_streamed(client):
    events = list(ask(client, "think about it", reasoning={"effort": "low", "summary": "auto"}, stream=True))
    assert kinds(events)[2:11] == [
        "response.output_item.added",
        "response.reasoning_summary_part.added",
        *["response.reasoning_summary_text.delta"] * 4,
        "response.reasoning_summary_text.done",
        "response.reasoning_summary_part.done",
        "response.output_item.done",
    ]
    assert (events[2].output_index, events[11].output_index) == (0, 1)


@proves("responses, thinking · effort none")
def test_no_thoughts(client):
    response = ask(client, "think about it", reasoning={"effort": "none"})
    assert [item.type for item in response.output] == ["message"]


@proves("responses, thinking · encrypted_content there and back")
def test_sealed_thoughts(client):
    include = ["reasoning.encrypted_content"]
    first = ask(client, "think about it", reasoning={"effort": "low"}, include=include, store=False)
    said = [*user(words("think about it")), *first.output]
    again = ask(client, [*said, *user(words("thanks"))], store=False)
    assert again.output_text == "thanks"
    forged = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "Zm9yZ2Vk"}
    error = refused(client, [*user(words("a")), forged, *user(words("b"))])
    assert error.code == "invalid_encrypted_content"


# -- media ---------------------------------------------------------------------------------------------


def picture() -> str:
    data = io.BytesIO()
    Image.new("RGB", (40, 30), (200, 30, 30)).save(data, "PNG")
    return "data:image/png;base64," + base64.b64encode(data.getvalue()).decode()


@proves("responses, media · input_image, input_file as data")
def test_media(client):
    document = "data:text/plain;base64," + base64.b64encode(b"the lamp is red").decode()
    response = ask(
        client,
        user(
            words("see: "),
            {"type": "input_image", "image_url": picture(), "detail": "low"},
            {"type": "input_file", "filename": "lamp.txt", "file_data": document},
        ),
    )
    assert "the lamp is red" in response.output_text


@proves("responses, media · input_file by the id of an uploaded file")
def test_uploaded_files(client):
    file = client.files.create(file=("lamp.txt", b"the lamp is green"), purpose="user_data")
    response = ask(client, user(words("see: "), {"type": "input_file", "file_id": file.id}))
    assert "the lamp is green" in response.output_text


# -- background ----------------------------------------------------------------------------------------


@proves("responses, background · queued, then polled until it is complete")
def test_background(client):
    response = ask(client, "count to ten", background=True)
    assert response.status in ("queued", "in_progress")
    assert response.background is True
    done = settled(client, response)
    assert (done.status, done.output_text.split()[-1]) == ("completed", "ten")


@proves("responses, background · streamed, resumed with starting_after")
def test_background_streams(client):
    stream = ask(client, "count to ten", background=True, stream=True)
    seen = []
    for event in stream:
        seen.append(event)
        if event.type == "response.output_text.delta" and len(seen) > 8:
            break
    stream.close()
    assert kinds(seen)[:3] == ["response.created", "response.queued", "response.in_progress"]
    place = seen[-1].sequence_number
    rest = list(client.responses.retrieve(seen[0].response.id, stream=True, starting_after=place))
    assert [event.sequence_number for event in rest] == list(range(place + 1, place + 1 + len(rest)))
    assert rest[-1].type == "response.completed"
    deltas = [event.delta for event in (*seen, *rest) if event.type == "response.output_text.delta"]
    assert "".join(deltas) == rest[-1].response.output_text


@proves("responses, background · followed after its end, with the same events")
def test_following_after_the_end(client):
    events = list(ask(client, "one two", background=True, stream=True))
    again = list(client.responses.retrieve(events[0].response.id, stream=True))
    assert [event.to_dict() for event in again] == [event.to_dict() for event in events]


@proves("responses, background · cancel, twice")
def test_cancel(client):
    response = ask(client, "slowly", background=True)
    cancelled = client.responses.cancel(response.id)
    assert cancelled.status == "cancelled"
    assert client.responses.cancel(response.id).status == "cancelled"
    assert client.responses.retrieve(response.id).status == "cancelled"


@proves("responses, background · a failure is told in the response")
def test_background_fails(client):
    done = settled(client, ask(client, "break after three", background=True))
    assert (done.status, done.error.code) == ("failed", "server_error")


@proves("responses, background · must be stored")
def test_background_needs_to_be_stored(client):
    assert refused(client, background=True, store=False).param == "store"


@proves("responses, background · only these are cancelled")
def test_cancelling_what_has_ended(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.cancel(ask(client).id)
    assert caught.value.body["message"] == "Cannot cancel a synchronous response."


# -- counting ------------------------------------------------------------------------------------------


@proves("responses · input_tokens.count")
def test_counting(client):
    first = ask(client, "one two")
    counted = client.responses.input_tokens.count(
        model=MODEL, input="three", instructions="be brief", previous_response_id=first.id
    )
    assert (counted.input_tokens, counted.object) == (7, "response.input_tokens")


# -- errors and headers --------------------------------------------------------------------------------


@proves("responses, errors · previous_response_not_found")
def test_an_unknown_previous_response(client):
    error = refused(client, previous_response_id="resp_nowhere")
    assert (error.code, error.param) == ("previous_response_not_found", "previous_response_id")
    assert error.body["message"] == "Previous response with id 'resp_nowhere' not found."


@proves("responses, errors · going on from what has not ended")
def test_going_on_too_early(client):
    running = ask(client, "slowly", background=True)
    error = refused(client, previous_response_id=running.id)
    assert error.body["message"] == f"Response {running.id} has not ended yet."
    client.responses.cancel(running.id)


@proves("responses, errors · references to items of more responses than are read")
def test_references_have_a_bound(client):
    far = [{"type": "item_reference", "id": f"msg_{number:040d}0000"} for number in range(101)]
    assert refused(client, far).param == "input"
    missing = refused(client, far[:1], kind=openai.NotFoundError)
    assert missing.body["message"].startswith(f"Item with id '{far[0]['id']}' not found.")


@proves("responses, errors · a result without its call, a call without its result")
def test_calls_and_results(client):
    lonely = {"type": "function_call_output", "call_id": "call_x", "output": "1"}
    assert "No tool call found for function call output with call_id call_x" in str(refused(client, [lonely]))
    first = ask(client, "the weather in Boston?", tools=[WEATHER])
    error = refused(client, "and now?", previous_response_id=first.id)
    assert f"No tool output found for function call {first.output[0].call_id}" in str(error)


@proves("responses, errors · a misspelt field, one of chat completions")
def test_unknown_fields(client):
    error = refused(client, extra_body={"temprature": 1})
    assert (error.param, error.code) == ("temprature", "unknown_parameter")
    error = refused(client, extra_body={"max_tokens": 1})
    assert "has moved to 'max_output_tokens'" in str(error)
    assert (error.param, error.code) == ("max_tokens", "unsupported_parameter")


@proves("responses, errors · tools that are not served")
@pytest.mark.parametrize("kind", ["web_search", "code_interpreter", "image_generation", "mcp", "local_shell"])
def test_tools_that_are_not_served(client, kind):
    error = refused(client, tools=[{"type": kind}])
    assert (error.param, error.code) == ("tools[0].type", "unsupported_value")


@proves("responses, errors · fields that are not served")
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("conversation", "conv_1"),
        ("prompt", {"id": "pmpt_1"}),
        ("context_management", [{"type": "compaction"}]),
        ("moderation", {"model": "omni-moderation-latest"}),
    ],
)
def test_fields_that_are_not_served(client, field, value):
    error = refused(client, **{field: value})
    assert (error.param, error.code) == (field, "unsupported_parameter")


@proves("responses, errors · compact")
def test_compact(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.responses.compact(model=MODEL, input="hello")
    assert "previous_response_id" in caught.value.body["message"]


@proves("responses, errors · a model that there is not")
def test_unknown_models(client):
    error = refused(client, kind=openai.NotFoundError, model="gpt-nowhere")
    assert error.code == "model_not_found"


@proves("responses, errors · an engine that fails before the first byte")
def test_failures_have_their_status(client):
    refused(client, "fail now with UNAVAILABLE", kind=openai.InternalServerError)


@proves("responses, headers · x-request-id, receipt, rate limits")
def test_headers(client):
    answer = raw(client, "hello")
    assert answer.headers["x-request-id"].startswith("req_")
    assert answer.headers["x-geminid-receipt"]
    assert answer.headers["openai-version"] == "2020-10-01"
    assert "x-geminid-downgraded" not in answer.headers


@proves(
    "responses · truncation=auto",
    approximated="only where the server folds; else named in x-geminid-downgraded",
)
def test_truncation(client):
    answer = raw(client, "hello", truncation="auto")
    assert answer.headers["x-geminid-downgraded"] == "truncation=disabled"
    assert answer.parse().truncation == "disabled"
