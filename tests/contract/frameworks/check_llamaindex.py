"""LlamaIndex, unmodified, against the scripted server at CONTRACT_URL; run in an environment of its own."""

import asyncio
import os

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.llms import MessageRole
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel

URL = os.environ["CONTRACT_URL"]


class Recipe(BaseModel):
    """How something is cooked."""

    name: str
    minutes: int
    steps: list[str]


def model(**options):
    return OpenAILike(
        model="gemini-3.1-flash-lite",
        api_base=f"{URL}/v1",
        api_key="anything",
        is_chat_model=True,
        is_function_calling_model=True,
        max_retries=0,
        **options,
    )


def get_weather(city: str) -> str:
    """Tell the weather."""
    return f"21 degrees in {city}"


def test_complete():
    assert model().complete("hello there").text == "hello there"


def test_chat():
    messages = [
        ChatMessage(role=MessageRole.SYSTEM, content="be brief"),
        ChatMessage(role=MessageRole.USER, content="hello there"),
    ]
    answer = model().chat(messages)
    assert answer.message.content == "hello there"
    assert answer.raw.usage.total_tokens == 6


def test_chat_asynchronously():
    answer = asyncio.run(model().achat([ChatMessage(role=MessageRole.USER, content="hello")]))
    assert answer.message.content == "hello"


def test_stream():
    deltas = [part.delta for part in model().stream_complete("count to ten")]
    assert "".join(deltas) == "one two three four five six seven eight nine ten"
    assert len(deltas) > 3


def test_tools_there_and_back():
    tool = FunctionTool.from_defaults(get_weather)
    answer = model().predict_and_call([tool], "the weather in Boston")
    assert answer.response == "21 degrees in Boston"


def test_tools_chosen():
    tool = FunctionTool.from_defaults(get_weather)
    options = {"user_msg": "the weather in Paris and Rome", "allow_parallel_tool_calls": True}
    answer = model().chat_with_tools([tool], **options)
    calls = model().get_tool_calls_from_response(answer)
    assert [(call.tool_name, call.tool_kwargs) for call in calls] == [
        ("get_weather", {"city": "Paris"}),
        ("get_weather", {"city": "Rome"}),
    ]


def test_structured_output():
    answer = model(should_use_structured_outputs=True).as_structured_llm(Recipe).complete("a recipe")
    assert answer.raw == Recipe(name="Bread", minutes=90, steps=["mix", "bake"])
