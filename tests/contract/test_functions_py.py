"""Functions with the official Python SDK: the loop that it runs by itself, and everything by hand."""

import asyncio

import pytest
from google.genai import errors, types

MODEL = "gemini-3.1-flash-lite-preview"
OLDER = "gemini-2.5-flash"

proves = pytest.mark.proves

DECLARED = types.FunctionDeclaration(
    name="get_weather",
    description="Tell the weather.",
    parameters=types.Schema(
        type="OBJECT", properties={"city": types.Schema(type="STRING")}, required=["city"]
    ),
)
MCP = types.FunctionDeclaration(
    name="get_weather",
    description="Tell the weather, as a server of tools declares it.",
    parameters_json_schema={
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "title": "get_weatherArguments",
        "properties": {
            "city": {"type": "string", "title": "City", "description": "Where."},
            "unit": {"anyOf": [{"enum": ["C", "F"], "type": "string"}, {"type": "null"}], "default": None},
        },
        "required": ["city"],
        "additionalProperties": False,
    },
)
BY_HAND = types.AutomaticFunctionCallingConfig(disable=True)


def get_weather(city: str) -> str:
    """Tell the weather.

    Args:
        city: Where.
    """
    return f"21C in {city}"


def current_time() -> str:
    """Tell the time."""
    return "12:00"


def find_station(near: str) -> dict[str, str]:
    """Find a station.

    Args:
        near: Where to look.
    """
    return {"city": "Rome", "near": near}


async def get_weather_slowly(city: str) -> str:
    """Tell the weather after a while.

    Args:
        city: Where.
    """
    await asyncio.sleep(0.01)
    return f"21C in {city}"


get_weather_slowly.__name__ = "get_weather"


def tools_of(*declarations: types.FunctionDeclaration) -> list[types.Tool]:
    return [types.Tool(function_declarations=list(declarations))]


def say(client, contents, model=MODEL, **config):
    return client.models.generate_content(model=model, contents=contents, config=config)


def by_hand(client, contents, *declarations, model=MODEL, **config):
    config = {
        "tools": tools_of(*(declarations or (DECLARED,))),
        "automatic_function_calling": BY_HAND,
        **config,
    }
    return client.models.generate_content(model=model, contents=contents, config=config)


def calling(mode: str, *names: str) -> types.ToolConfig:
    config = types.FunctionCallingConfig(mode=mode, allowed_function_names=list(names) or None)
    return types.ToolConfig(function_calling_config=config)


def answered(call: types.FunctionCall, **fields) -> types.Part:
    response = types.FunctionResponse(name=call.name, id=call.id, response={"output": "21C"}, **fields)
    return types.Part(function_response=response)


# -- the SDK's own loop --------------------------------------------------------------------------------


@proves("functions · automatic calling", "functions · thoughtSignature on the first call")
def test_the_loop(client):
    answer = say(client, "the weather in Boston", tools=[get_weather])
    assert answer.text == 'It is get_weather: {"result": "21C in Boston"}'
    _, called, told = answer.automatic_function_calling_history
    assert called.parts[0].function_call.args == {"city": "Boston"}
    assert len(called.parts[0].thought_signature) >= 50
    assert told.parts[0].function_response.response == {"result": "21C in Boston"}


@proves("functions · automatic calling")
async def test_the_loop_asynchronously(scripted, client_of):
    async with client_of(scripted).aio as client:
        config = {"tools": [get_weather_slowly]}
        answer = await client.models.generate_content(
            model=MODEL, contents="weather in Boston", config=config
        )
    assert answer.text == 'It is get_weather: {"result": "21C in Boston"}'


@proves("functions · automatic calling of a stream")
def test_the_loop_of_a_stream(client):
    chunks = client.models.generate_content_stream(
        model=MODEL, contents="weather in Paris and Rome", config={"tools": [get_weather]}
    )
    said = "".join(part.text or "" for chunk in chunks for part in chunk.candidates[0].content.parts)
    assert said == 'Both: get_weather: {"result": "21C in Paris"}\nget_weather: {"result": "21C in Rome"}'


@proves("functions · automatic calling of a stream")
async def test_the_loop_of_an_asynchronous_stream(scripted, client_of):
    async with client_of(scripted).aio as client:
        chunks = await client.models.generate_content_stream(
            model=MODEL, contents="weather in Boston", config={"tools": [get_weather_slowly]}
        )
        said = "".join(
            [part.text or "" async for chunk in chunks for part in chunk.candidates[0].content.parts]
        )
    assert said.endswith('It is get_weather: {"result": "21C in Boston"}')


@proves("functions · several calls at once")
def test_several_calls_at_once(client):
    answer = say(client, "weather in Paris and Rome", tools=[get_weather])
    assert answer.text.startswith("Both: get_weather: ")
    parts = answer.automatic_function_calling_history[1].parts
    assert [part.function_call.args["city"] for part in parts] == ["Paris", "Rome"]
    assert len({part.function_call.id for part in parts}) == 2
    assert [part.thought_signature is not None for part in parts] == [True, False]


@proves("functions · several steps")
def test_several_steps(client):
    answer = say(client, "weather at the station", tools=[find_station, get_weather])
    assert answer.text == 'It is get_weather: {"result": "21C in Rome"}'
    steps = [content.role for content in answer.automatic_function_calling_history]
    assert steps == ["user", "model", "user", "model", "user"]


@proves("functions · no arguments")
def test_no_arguments(client):
    answer = say(client, "what time is it", tools=[current_time])
    assert answer.text == 'Now is current_time: {"result": "12:00"}'
    (call,) = by_hand(
        client, "what time is it", types.FunctionDeclaration(name="current_time")
    ).function_calls
    assert (call.name, call.args) == ("current_time", {})


# -- by hand -------------------------------------------------------------------------------------------


@proves("functions · functionCall and functionResponse")
@pytest.mark.parametrize("declaration", [DECLARED, MCP], ids=["Schema", "JSON Schema"])
def test_a_call_by_hand(client, declaration):
    answer = by_hand(client, "weather in Boston", declaration)
    (candidate,) = answer.candidates
    assert candidate.finish_reason is types.FinishReason.STOP
    (call,) = answer.function_calls
    assert (call.name, call.args, len(call.id)) == ("get_weather", {"city": "Boston"}, 8)
    turns = [types.UserContent("weather in Boston"), candidate.content, types.UserContent([answered(call)])]
    assert by_hand(client, turns, declaration).text == 'It is get_weather: {"output": "21C"}'


@proves("functions · parametersJsonSchema")
def test_tools_of_servers_of_tools(client):
    (call,) = by_hand(client, "weather in Boston", MCP).function_calls
    assert call.args == {"city": "Boston"}
    wrong = MCP.model_copy(update={"parameters_json_schema": {"type": "object", "properties": 5}})
    with pytest.raises(errors.ClientError) as caught:
        by_hand(client, "weather in Boston", wrong)
    assert "tools[0].function_declarations[0].parameters_json_schema.properties" in caught.value.message


@proves("functions · functionCallingConfig")
@pytest.mark.parametrize(
    ("config", "called"),
    [
        (calling("AUTO"), ["get_weather"]),
        (calling("ANY"), ["get_weather"]),
        (calling("VALIDATED"), ["get_weather"]),
        (calling("ANY", "get_weather"), ["get_weather"]),
        (calling("VALIDATED", "current_time"), []),
        (calling("NONE"), []),
    ],
    ids=["AUTO", "ANY", "VALIDATED", "ANY of one", "VALIDATED of another", "NONE"],
)
def test_modes(client, config, called):
    declarations = (DECLARED, types.FunctionDeclaration(name="current_time"))
    answer = by_hand(client, "weather in Boston", *declarations, tool_config=config)
    assert [call.name for call in answer.function_calls or ()] == called


@proves("functions · functionCallingConfig")
@pytest.mark.parametrize(
    ("config", "declarations", "words"),
    [
        (
            calling("AUTO", "get_weather"),
            (DECLARED,),
            "only valid when the function calling mode is ANY or VALID",
        ),
        (calling("ANY", "nothing"), (DECLARED,), "nothing is not among the declared functions."),
        (calling("AUTO"), (DECLARED, DECLARED), "Duplicate function declaration found: get_weather"),
        (calling("AUTO"), (types.FunctionDeclaration(name="1st"),), "Invalid function name. Must start with"),
    ],
    ids=["names without a mode", "unknown name", "twice", "bad name"],
)
def test_what_cannot_be_meant(client, config, declarations, words):
    with pytest.raises(errors.ClientError) as caught:
        by_hand(client, "weather in Boston", *declarations, tool_config=config)
    assert caught.value.code == 400
    assert words in caught.value.message


@proves("functions · functionCallingConfig")
def test_calling_without_functions(client):
    with pytest.raises(errors.ClientError, match="Function calling config is set without function_declarat"):
        say(client, "hello", tool_config=calling("ANY"))


@proves("functions · MALFORMED_FUNCTION_CALL")
def test_a_malformed_call(client):
    (candidate,) = by_hand(client, "weather nowhere").candidates
    assert candidate.finish_reason is types.FinishReason.MALFORMED_FUNCTION_CALL
    assert candidate.content.parts is None


@proves("functions · order of turns")
def test_the_order_of_turns(client):
    answer = by_hand(client, "weather in Boston")
    (call,) = answer.function_calls
    asked, called = types.UserContent("weather in Boston"), answer.candidates[0].content
    wrong = {
        "number of function response parts": [asked, called, types.UserContent([answered(call)] * 2)],
        "function response turn comes immediately after": [asked, types.UserContent([answered(call)])],
        "function call turn comes immediately after": [called, types.UserContent([answered(call)])],
    }
    for words, turns in wrong.items():
        with pytest.raises(errors.ClientError, match=words) as caught:
            by_hand(client, turns)
        assert caught.value.code == 400


@proves("functions · text beside a result")
def test_text_beside_a_result(client):
    answer = by_hand(client, "weather in Boston")
    (call,) = answer.function_calls
    more = types.FunctionResponsePart.from_bytes(data=b"from the station", mime_type="text/plain")
    turns = [types.UserContent("weather in Boston"), answer.candidates[0].content]
    said = by_hand(client, [*turns, types.UserContent([answered(call, parts=[more])])])
    assert said.text.rstrip().endswith("from the station")
    image = types.FunctionResponsePart.from_bytes(data=b"\xff", mime_type="image/png")
    with pytest.raises(errors.ClientError, match=r"function_response\.parts\[0\]\.inline_data"):
        by_hand(client, [*turns, types.UserContent([answered(call, parts=[image])])])


@proves("countTokens · functions")
def test_calls_and_results_are_counted_signed_or_not(client):
    (call,) = by_hand(client, "weather in Boston").function_calls
    turns = [types.UserContent("weather in Boston"), types.ModelContent([types.Part(function_call=call)])]
    for model in (MODEL, OLDER):
        counted = client.models.count_tokens(
            model=model, contents=[*turns, types.UserContent([answered(call)])]
        )
        assert counted.total_tokens == 3 + 3 + 3
    with pytest.raises(errors.ClientError, match="function response parts"):
        client.models.count_tokens(
            model=MODEL, contents=[*turns, types.UserContent([answered(call), answered(call)])]
        )


# -- signatures ----------------------------------------------------------------------------------------


def with_signature(client, signature: bytes | None, model=MODEL):
    (call,) = by_hand(client, "weather in Boston").function_calls
    part = types.Part(function_call=call, thought_signature=signature)
    turns = [types.UserContent("weather in Boston"), types.ModelContent([part])]
    return by_hand(client, [*turns, types.UserContent([answered(call)])], model=model)


@proves("functions · thoughtSignature is checked in the current turn")
@pytest.mark.parametrize(
    ("signature", "words"),
    [
        (None, "Function call `get_weather` in the `2.` content block is missing a `thought_signature`."),
        (b"made up", "Thought signature is not valid"),
        (b"\x01" + b"\0" * 52, "Thought signature is not valid"),
    ],
    ids=["missing", "made up", "of the right length"],
)
def test_signatures_are_checked(client, signature, words):
    with pytest.raises(errors.ClientError) as caught:
        with_signature(client, signature)
    assert (caught.value.code, caught.value.message) == (400, words)
    (detail,) = caught.value.details["error"]["details"]
    assert detail["fieldViolations"][0]["field"] == "contents[1].parts[0].thought_signature"


@proves("functions · documented values instead of a thoughtSignature")
@pytest.mark.parametrize(
    "value", [b"skip_thought_signature_validator", b"context_engineering_is_the_way_to_go"]
)
def test_documented_values_pass(client, value):
    assert with_signature(client, value).text == 'It is get_weather: {"output": "21C"}'


@proves("functions · thoughtSignature is not checked for names of 2.5")
@pytest.mark.parametrize("signature", [None, b"made up"])
def test_older_names_check_nothing(client, signature):
    assert with_signature(client, signature, OLDER).text == 'It is get_weather: {"output": "21C"}'


@proves("chats · functions, with their signatures sent back")
def test_a_chat_with_functions(client):
    chat = client.chats.create(model=MODEL, config={"tools": [get_weather]})
    assert chat.send_message("weather in Boston").text.startswith("It is ")
    assert chat.send_message("weather in Paris and Rome").text.startswith("Both: ")
    assert chat.send_message("thank you").text == "thank you"
    signed = [part for content in chat.get_history() for part in content.parts if part.thought_signature]
    assert len(signed) == 2 + 2 + 1


@proves(
    "chats · functions, with their signatures sent back", "chats · a streamed answer sent back as history"
)
def test_a_streamed_chat_with_functions(client):
    chat = client.chats.create(model=MODEL, config={"tools": [get_weather]})
    said = "".join(chunk.text or "" for chunk in chat.send_message_stream("weather in Paris and Rome"))
    assert said.startswith("Both: ")
    assert chat.send_message("thank you").text == "thank you"
    calls = [part for content in chat.get_history() for part in content.parts if part.function_call]
    assert [part.thought_signature is not None for part in calls] == [True, False]


@proves("chats · functions, with their signatures sent back")
async def test_an_asynchronous_chat_with_functions(scripted, client_of):
    async with client_of(scripted).aio as client:
        chat = client.chats.create(model=MODEL, config={"tools": [get_weather]})
        chunks = await chat.send_message_stream("weather in Paris and Rome")
        said = "".join([chunk.text or "" async for chunk in chunks])
        answer = await chat.send_message("thank you")
    assert said.startswith("Both: ")
    assert answer.text == "thank you"
