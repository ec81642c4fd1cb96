"""LangChain, unmodified, against the scripted server at CONTRACT_URL; run in an environment of its own."""

import asyncio
import os

import openai as sdk
import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

URL = os.environ["CONTRACT_URL"]
NAME = "gemini-3.1-flash-lite"


class Recipe(BaseModel):
    """How something is cooked."""

    name: str
    minutes: int
    steps: list[str]


@tool
def get_weather(city: str) -> str:
    """Tell the weather."""
    return f"21 degrees in {city}"


def openai(**options):
    return ChatOpenAI(model=NAME, base_url=f"{URL}/v1", api_key="anything", max_retries=0, **options)


def responses(**options):
    return openai(use_responses_api=True, **options)


def google(**options):
    return ChatGoogleGenerativeAI(
        model=NAME, base_url=URL, google_api_key="anything", max_retries=1, **options
    )


@pytest.fixture(params=[openai, responses, google], ids=["openai", "responses", "google"])
def model(request):
    return request.param()


def test_chat(model):
    answer = model.invoke([SystemMessage("be very brief"), HumanMessage("hello there world")])
    assert answer.text == "hello there world"
    assert answer.usage_metadata["output_tokens"] == 3


def test_chat_asynchronously():
    """All in one event loop: LangChain keeps its asynchronous clients for the process."""

    async def asked():
        return await asyncio.gather(*(make().ainvoke("hello") for make in (openai, responses, google)))

    assert [answer.text for answer in asyncio.run(asked())] == ["hello"] * 3


def test_batch(model):
    assert [answer.text for answer in model.batch(["one", "two", "three"])] == ["one", "two", "three"]


def test_stream(model):
    chunks = list(model.stream("count to ten"))
    assert "".join(chunk.text for chunk in chunks) == "one two three four five six seven eight nine ten"
    assert len(chunks) > 3


def test_stream_tells_usage():
    chunks = list(openai(stream_usage=True).stream("count to ten"))
    (usage,) = [chunk.usage_metadata for chunk in chunks if chunk.usage_metadata]
    assert usage["output_tokens"] == 10


def test_tools_there_and_back(model):
    bound = model.bind_tools([get_weather])
    messages = [HumanMessage("the weather in Paris and Rome")]
    messages.append(bound.invoke(messages))
    calls = messages[-1].tool_calls
    assert [(call["name"], call["args"]) for call in calls] == [
        ("get_weather", {"city": "Paris"}),
        ("get_weather", {"city": "Rome"}),
    ]
    messages += [get_weather.invoke(call) for call in calls]
    assert all(isinstance(message, ToolMessage) for message in messages[-2:])
    assert bound.invoke(messages).text.startswith("Both: get_weather: ")


def test_tools_streamed(model):
    gathered = None
    for chunk in model.bind_tools([get_weather]).stream("the weather in Boston"):
        gathered = chunk if gathered is None else gathered + chunk
    assert [(call["name"], call["args"]) for call in gathered.tool_calls] == [
        ("get_weather", {"city": "Boston"})
    ]


def test_a_tool_that_must_be_called(model):
    answer = model.bind_tools([get_weather], tool_choice="get_weather").invoke("the weather in Boston")
    assert isinstance(answer, AIMessage)
    assert answer.tool_calls[0]["name"] == "get_weather"


def test_structured_output(model):
    recipe = model.with_structured_output(Recipe, method="json_schema").invoke("a recipe")
    assert recipe == Recipe(name="Bread", minutes=90, steps=["mix", "bake"])


def test_log_probabilities():
    answer = openai(logprobs=True).invoke("hello there")
    assert [each["token"] for each in answer.response_metadata["logprobs"]["content"]] == ["hello", " there"]


def test_errors():
    with pytest.raises(sdk.NotFoundError, match="does not exist"):
        ChatOpenAI(model="nosuch", base_url=f"{URL}/v1", api_key="anything", max_retries=0).invoke("hello")
