"""instructor, unmodified, against the scripted server at CONTRACT_URL; run in an environment of its own."""

import asyncio
import os

import instructor
import openai
import pytest
from google import genai
from pydantic import BaseModel

URL = os.environ["CONTRACT_URL"]
NAME = "gemini-3.1-flash-lite"
BREAD = {"name": "Bread", "minutes": 90, "steps": ["mix", "bake"]}
ASKED = [{"role": "user", "content": "a recipe"}]


class Recipe(BaseModel):
    """How something is cooked."""

    name: str
    minutes: int
    steps: list[str]


class get_weather(BaseModel):  # noqa: N801  # its name is that of the function that is called
    """Tell the weather."""

    city: str


def by_openai(mode):
    return instructor.from_openai(
        openai.OpenAI(base_url=f"{URL}/v1", api_key="anything", max_retries=0), mode=mode
    )


def by_google(mode):
    return instructor.from_genai(genai.Client(api_key="anything", http_options={"base_url": URL}), mode=mode)


@pytest.mark.parametrize("mode", [instructor.Mode.JSON_SCHEMA, instructor.Mode.JSON])
def test_objects(mode):
    recipe = by_openai(mode).create(model=NAME, response_model=Recipe, messages=ASKED, max_retries=0)
    assert recipe.model_dump() == BREAD


def test_objects_by_calls():
    asked = [{"role": "user", "content": "the weather in Boston"}]
    client = by_openai(instructor.Mode.TOOLS)
    called = client.create(model=NAME, response_model=get_weather, messages=asked, max_retries=0)
    assert called.city == "Boston"


def test_objects_by_calls_of_responses():
    asked = [{"role": "user", "content": "the weather in Boston"}]
    client = by_openai(instructor.Mode.RESPONSES_TOOLS)
    assert (
        client.create(model=NAME, response_model=get_weather, messages=asked, max_retries=0).city == "Boston"
    )


def test_objects_with_their_completion():
    client = by_openai(instructor.Mode.JSON_SCHEMA)
    recipe, completion = client.create_with_completion(model=NAME, response_model=Recipe, messages=ASKED)
    assert recipe.model_dump() == BREAD
    assert completion.usage.total_tokens > 0


def test_objects_while_they_are_written():
    client = by_openai(instructor.Mode.JSON_SCHEMA)
    parts = list(client.create_partial(model=NAME, response_model=Recipe, messages=ASKED))
    assert parts[-1].model_dump() == BREAD
    assert len(parts) > 1


def test_objects_asynchronously():
    async def asked():
        client = instructor.from_openai(
            openai.AsyncOpenAI(base_url=f"{URL}/v1", api_key="anything"), mode=instructor.Mode.JSON_SCHEMA
        )
        return await client.create(model=NAME, response_model=Recipe, messages=ASKED)

    assert asyncio.run(asked()).model_dump() == BREAD


def test_by_the_name_of_a_provider():
    client = instructor.from_provider(
        f"openai/{NAME}", base_url=f"{URL}/v1", api_key="anything", mode=instructor.Mode.JSON_SCHEMA
    )
    assert client.create(response_model=Recipe, messages=ASKED).model_dump() == BREAD


def test_objects_by_googles_client():
    client = by_google(instructor.Mode.GENAI_STRUCTURED_OUTPUTS)
    assert client.create(model=NAME, response_model=Recipe, messages=ASKED).model_dump() == BREAD


def test_calls_by_googles_client():
    asked = [{"role": "user", "content": "the weather in Boston"}]
    client = by_google(instructor.Mode.GENAI_TOOLS)
    assert client.create(model=NAME, response_model=get_weather, messages=asked).city == "Boston"
