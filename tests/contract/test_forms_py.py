"""Thoughts and forms of answers with the official Python SDK: what it makes of classes comes back as them."""

import enum
import json

import pydantic
import pytest
from google.genai import errors, types
from typing_extensions import TypedDict

MODEL = "gemini-3.1-flash-lite-preview"

proves = pytest.mark.proves


class Recipe(pydantic.BaseModel):
    """A pydantic model, with everything that the SDK writes for one."""

    name: str = pydantic.Field(description="What it is called.")
    minutes: int
    steps: list[str] = []
    author: str | None = None


class Fast(TypedDict):
    name: str
    minutes: int
    steps: list[str]


class Feeling(enum.Enum):
    GLAD = "glad"
    SAD = "sad"


PLAIN = {
    "type": "OBJECT",
    "properties": {
        "name": {"type": "STRING"},
        "minutes": {"type": "INTEGER"},
        "steps": {"type": "ARRAY", "items": {"type": "STRING"}},
    },
    "required": ["name"],
    "propertyOrdering": ["name", "minutes", "steps"],
}
BREAD = {"name": "Bread", "minutes": 90, "steps": ["mix", "bake"]}
JSON = "application/json"


def say(client, contents, model=MODEL, **config):
    return client.models.generate_content(model=model, contents=contents, config=config)


def violations(error: errors.APIError) -> list[str]:
    return [entry["field"] for entry in error.details["error"]["details"][0]["fieldViolations"]]


# -- JSON and enums ------------------------------------------------------------------------------------


@proves("structured output · responseSchema")
def test_a_model_class(client):
    answer = say(client, "a recipe", response_mime_type=JSON, response_schema=Recipe)
    assert answer.parsed == Recipe(**BREAD)


@proves("structured output · responseSchema")
def test_a_list_of_a_model_class(client):
    answer = say(client, "two recipes", response_mime_type=JSON, response_schema=list[Recipe])
    assert [recipe.name for recipe in answer.parsed] == ["Bread", "Soup"]


@proves("structured output · responseSchema")
@pytest.mark.parametrize("schema", [Fast, PLAIN, types.Schema(**PLAIN)], ids=["TypedDict", "dict", "Schema"])
def test_plain_schemas(client, schema):
    answer = say(client, "a recipe", response_mime_type=JSON, response_schema=schema)
    assert answer.parsed == BREAD


@proves("structured output · responseJsonSchema")
def test_a_json_schema(client):
    schema = Recipe.model_json_schema()
    answer = say(client, "a recipe", response_mime_type=JSON, response_json_schema=schema)
    assert Recipe.model_validate_json(answer.text) == Recipe(**BREAD)


@proves("structured output · application/json without a schema")
def test_any_json(client):
    assert json.loads(say(client, "a recipe", response_mime_type=JSON).text) == BREAD


@proves("structured output · text/x.enum")
def test_an_enum(client):
    answer = say(client, "a feeling", response_mime_type="text/x.enum", response_schema=Feeling)
    assert answer.parsed is Feeling.SAD
    assert answer.text == "sad"


@proves("structured output · text/x.enum")
def test_an_enum_that_no_rule_answers(client):
    answer = say(client, "name no rule", response_mime_type="text/x.enum", response_schema=Feeling)
    assert answer.parsed is Feeling.GLAD


@proves("structured output · logprobs of every label of an enum")
def test_the_probabilities_of_labels(client):
    config = {"response_logprobs": True, "logprobs": 5}
    answer = say(client, "a feeling", response_mime_type="text/x.enum", response_schema=Feeling, **config)
    (place,) = answer.candidates[0].logprobs_result.top_candidates
    assert [entry.token for entry in place.candidates] == ["sad", "glad"]
    assert "x-geminid-downgraded" not in answer.sdk_http_response.headers


@proves("structured output · streamed")
def test_a_stream_of_json(client):
    config = {"response_mime_type": JSON, "response_schema": Recipe}
    chunks = list(client.models.generate_content_stream(model=MODEL, contents="a recipe", config=config))
    assert len(chunks) > 2
    assert json.loads("".join(chunk.text or "" for chunk in chunks)) == BREAD


@proves("structured output · together with functions")
def test_json_beside_functions(client):
    tool = types.Tool(function_declarations=[types.FunctionDeclaration(name="look_up")])
    answer = say(client, "a recipe", response_mime_type=JSON, response_schema=Recipe, tools=[tool])
    assert answer.parsed == Recipe(**BREAD)


@proves("structured output · schemas that cannot be served")
@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"response_mime_type": JSON, "response_schema": {"type": "OBJECT"}, "response_json_schema": {}},
         "response_json_schema"),
        ({"response_mime_type": "text/plain", "response_schema": PLAIN}, "response_schema"),
        ({"response_json_schema": {"type": "object"}}, "response_json_schema"),
        ({"response_mime_type": "text/x.enum"}, "response_mime_type"),
        ({"response_mime_type": "text/x.enum", "response_schema": {"type": "STRING"}}, "response_schema"),
        ({"response_mime_type": "application/xml"}, "response_mime_type"),
        (
            {"response_mime_type": JSON, "response_json_schema": {"properties": {"a": {"pattern": "("}}}},
            "response_json_schema.properties.a.pattern",
        ),
    ],
    ids=["both", "plain text", "no type", "enum without", "enum of none", "XML", "pattern"],
)  # fmt: skip
def test_schemas_that_cannot_be_served(client, config, field):
    with pytest.raises(errors.ClientError) as caught:
        say(client, "a recipe", **config)
    assert caught.value.code == 400
    assert violations(caught.value) == [f"generation_config.{field}"]


# -- thoughts ------------------------------------------------------------------------------------------


@proves("thinking · includeThoughts")
@pytest.mark.parametrize(
    "thinking", [{"thinking_level": "low"}, {"thinking_budget": 100}, {"thinking_budget": -1}]
)
def test_thoughts(client, thinking):
    answer = say(client, "think about it", thinking_config={"include_thoughts": True, **thinking})
    thought, said = answer.candidates[0].content.parts
    assert (thought.thought, thought.text) == (True, "First this, then that.")
    assert (answer.text, said.thought) == ("The answer is 42.", None)
    usage = answer.usage_metadata
    assert (usage.thoughts_token_count, usage.candidates_token_count) == (4, 4)
    assert usage.total_token_count == usage.prompt_token_count + 8


@proves("thinking · thoughtsTokenCount without the thoughts")
def test_thoughts_are_counted_unseen(client):
    answer = say(client, "think about it", thinking_config={"thinking_level": "HIGH"})
    assert len(answer.candidates[0].content.parts) == 1
    assert answer.usage_metadata.thoughts_token_count == 4


@proves("thinking · thinkingLevel, thinkingBudget")
@pytest.mark.parametrize(
    ("thinking", "tokens"),
    [
        (None, None),
        ({"thinking_level": "MINIMAL"}, None),
        ({"thinking_budget": 0}, None),
        ({"thinking_budget": 2}, 2),
    ],
)
def test_how_much_is_thought(client, thinking, tokens):
    assert (
        say(client, "think about it", thinking_config=thinking).usage_metadata.thoughts_token_count == tokens
    )


@proves("thinking · names that end in -thinking")
def test_names_that_think(client):
    answer = say(client, "think about it", model="gemini-3.1-flash-lite-thinking")
    assert answer.usage_metadata.thoughts_token_count == 4


@proves("thinking · streamed")
def test_a_stream_of_thoughts(client):
    config = {"thinking_config": {"include_thoughts": True, "thinking_level": "LOW"}}
    chunks = list(
        client.models.generate_content_stream(model=MODEL, contents="think about it", config=config)
    )
    parts = [part for chunk in chunks for part in chunk.candidates[0].content.parts]
    assert "".join(part.text for part in parts if part.thought) == "First this, then that."
    assert "".join(part.text for part in parts if not part.thought) == "The answer is 42."
    assert [bool(part.thought) for part in parts] == sorted((bool(p.thought) for p in parts), reverse=True)
    assert chunks[0].usage_metadata.candidates_token_count is None
    assert chunks[-1].usage_metadata.thoughts_token_count == 4
    assert parts[-1].text == ""
    assert parts[-1].thought_signature


@proves("thinking · thinkingLevel, thinkingBudget")
@pytest.mark.parametrize(
    ("model", "thinking", "words"),
    [
        (
            MODEL,
            {"thinking_level": "LOW", "thinking_budget": 5},
            "only one of thinking budget and thinking level.",
        ),
        (
            MODEL,
            {"thinking_budget": 99_999},
            "The thinking budget (99999) is invalid. Please choose a value betw",
        ),
        ("gemini-2.5-flash", {"thinking_level": "LOW"}, "Thinking level is not supported for this model."),
        ("gemini-2.5-flash-lite", {"thinking_budget": 100}, "a value between 512 and 24576."),
    ],
)
def test_thinking_that_cannot_be_asked_for(client, model, thinking, words):
    with pytest.raises(errors.ClientError) as caught:
        say(client, "think about it", model=model, thinking_config=thinking)
    assert caught.value.code == 400
    assert words in caught.value.message


@proves("chats · thoughts sent back")
def test_a_chat_with_thoughts(client):
    config = {"thinking_config": {"include_thoughts": True, "thinking_level": "LOW"}}
    chat = client.chats.create(model=MODEL, config=config)
    assert chat.send_message("think about it").text == "The answer is 42."
    answer = chat.send_message("again")
    assert answer.text == "again"
    assert answer.usage_metadata.prompt_token_count == 3 + 4 + 1  # thoughts are not prompted again


@proves("generateContent · thoughtSignature on the last text")
def test_a_text_is_signed(client):
    (part,) = say(client, "hello").candidates[0].content.parts
    assert part.text == "hello"
    assert len(part.thought_signature) >= 50
