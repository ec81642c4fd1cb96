"""Forms of answers: which schemas are taken, how they are refused, and that they are compiled once."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geminid.core.errors import InvalidArgument
from geminid.core.request import EnumOutput, JsonOutput, Output
from geminid.wire import schemas
from geminid.wire.gemini import generate

JSON, ENUM = "application/json", "text/x.enum"
RECIPE = {
    "type": "OBJECT",
    "title": "Recipe",
    "properties": {"name": {"type": "STRING"}, "minutes": {"type": "INTEGER", "nullable": True}},
    "required": ["name"],
    "property_ordering": ["name", "minutes"],
}


def read(**config: Any) -> Output | None:
    asked = {"contents": [{"parts": [{"text": "hello"}]}], "generationConfig": config}
    return generate.read_request(json.dumps(asked).encode(), "m").request.output


def refusal(**config: Any) -> list[tuple[str, str]]:
    with pytest.raises(InvalidArgument) as caught:
        read(**config)
    return [
        (violation.field.removeprefix("generation_config."), violation.description)
        for violation in caught.value.violations
    ]


def grammar_of(output: Output | None) -> str:
    assert output is not None
    assert output.grammar.startswith("root ::= ")
    return output.grammar


# JSON.


def test_json_without_a_schema_is_any_json():
    output = read(responseMimeType=JSON)
    assert isinstance(output, JsonOutput)
    assert output.schema is None
    assert grammar_of(output)


@pytest.mark.parametrize("name", ["responseSchema", "response_schema"])
def test_googles_dialect_becomes_json_schema(name):
    output = read(responseMimeType=JSON, **{name: RECIPE})
    assert isinstance(output, JsonOutput)
    assert output.schema is not None
    assert output.schema["type"] == "object"
    assert output.schema["title"] == "Recipe"
    assert output.schema["properties"]["name"] == {"type": "string"}
    assert "name" in grammar_of(output)


@pytest.mark.parametrize("name", ["responseJsonSchema", "response_json_schema", "_responseJsonSchema"])
def test_a_json_schema_is_kept_as_it_was_sent(name):
    schema = {"$defs": {"A": {"type": "string"}}, "type": "array", "items": {"$ref": "#/$defs/A"}}
    output = read(responseMimeType=JSON, **{name: schema})
    assert isinstance(output, JsonOutput)
    assert output.schema == schema


@pytest.mark.parametrize(
    "schema", [{"type": "ARRAY", "items": {"type": "STRING"}}, {"type": "STRING"}, {"type": "NULL"}]
)
def test_the_root_need_not_be_an_object(schema):
    assert grammar_of(read(responseMimeType=JSON, responseSchema=schema))


# Enums.


@pytest.mark.parametrize(
    "schema",
    [
        {"responseSchema": {"type": "STRING", "enum": ["glad", "not sure"]}},
        {"responseSchema": {"type": "STRING", "format": "enum", "enum": ["glad", "not sure", "glad"]}},
        {"responseSchema": {"enum": ["glad", "not sure"], "title": "Feeling"}},
        {"responseJsonSchema": {"type": "string", "enum": ["glad", "not sure"]}},
        {"responseJsonSchema": {"enum": ["glad", "not sure"]}},
    ],
)
def test_labels_are_bare(schema):
    output = read(responseMimeType=ENUM, **schema)
    assert isinstance(output, EnumOutput)
    assert output.labels == ("glad", "not sure")
    assert grammar_of(output)


def test_an_enum_of_json_is_json():
    assert isinstance(
        read(responseMimeType=JSON, responseSchema={"type": "STRING", "enum": ["a"]}), JsonOutput
    )


@pytest.mark.parametrize(
    "schema",
    [
        {"responseSchema": {"type": "STRING"}},
        {"responseSchema": {"type": "STRING", "enum": [""]}},
        {"responseSchema": RECIPE},
        {"responseJsonSchema": {"enum": ["a", 1]}},
        {"responseJsonSchema": True},
    ],
)
def test_an_enum_needs_labels(schema):
    ((field, message),) = refusal(responseMimeType=ENUM, **schema)
    assert field in ("response_schema", "response_json_schema")
    assert message.endswith("`text/x.enum` needs a schema of type STRING with an enum.")


def test_an_enum_needs_a_schema():
    ((field, _),) = refusal(responseMimeType=ENUM)
    assert field == "response_mime_type"


def test_the_alternatives_of_a_label_are_exact():
    asked = {
        "contents": [{"parts": [{"text": "hello"}]}],
        "generationConfig": {
            "responseMimeType": ENUM,
            "responseSchema": {"type": "STRING", "enum": ["a", "b"]},
            "responseLogprobs": True,
            "logprobs": 2,
        },
    }
    read = generate.read_request(json.dumps(asked).encode(), "m")
    assert (read.downgrades, read.telling.alternatives) == ((), 2)


# What does not go together.


@pytest.mark.parametrize("mime_type", [None, "", "text/plain"])
@pytest.mark.parametrize("name", ["response_schema", "response_json_schema"])
def test_a_schema_needs_its_type(mime_type, name):
    ((field, message),) = refusal(responseMimeType=mime_type, **{name: {"type": "STRING"}})
    assert field == name
    assert "a schema needs response_mime_type to be `application/json` or `text/x.enum`." in message


@pytest.mark.parametrize("mime_type", [JSON, ENUM])
def test_schemas_exclude_each_other(mime_type):
    schemas = {"responseSchema": {"type": "STRING", "enum": ["a"]}, "responseJsonSchema": {"type": "string"}}
    ((field, message),) = refusal(responseMimeType=mime_type, **schemas)
    assert field == "response_json_schema"
    assert message.endswith("only one of response_schema and response_json_schema can be set.")


# Faults.


@pytest.mark.parametrize(
    ("schema", "field", "words"),
    [
        (
            {"type": "OBJECT", "properties": {"x": {"type": "STRING", "pattern": "("}}},
            "properties.x.pattern",
            "regular",
        ),
        (
            {"type": "OBJECT", "properties": {"a b": {"type": "FOO"}}},
            "properties.a b.type",
            '.v1beta.Type), "FOO"',
        ),
        ({"type": "ARRAY", "items": {"type": "STRING", "minLength": -1}}, "items.min_length", ""),
        (
            {"anyOf": [{"type": "STRING"}, {"type": "X"}]},
            "any_of[1].type",
            "at 'generation_config.response_schema.any",
        ),
        (
            {"type": "STRING", "const": "x"},
            "",
            "Unknown name \"const\" at 'generation_config.response_schema': Cannot",
        ),
        ({}, "type", "must be specified."),
        ("x", "", "must be an object."),
    ],
)
def test_faults_have_the_path_of_the_body(schema, field, words):
    path, message = refusal(responseMimeType=JSON, responseSchema=schema)[0]
    assert path == f"response_schema.{field}".rstrip(".")
    assert words in message


def test_a_schema_that_is_too_large_is_told_so_in_googles_words():
    schema = {"type": "ARRAY", "items": {"type": "STRING", "enum": [f"{'x' * 200}{i}" for i in range(5000)]}}
    ((field, message),) = refusal(responseMimeType=JSON, responseSchema=schema)
    assert field.startswith("response_schema")
    assert "too many states for serving" in message or "at most" in message


def test_the_answer_to_a_schema_of_many_faults_stays_small():
    properties = {f"p{i}": {"type": "x" * 1000} for i in range(1000)}
    faults = refusal(responseMimeType=JSON, responseSchema={"type": "OBJECT", "properties": properties})
    assert len(faults) == 50
    assert sum(len(message) for _, message in faults) < 50_000


# Compiled once.


def test_a_schema_is_compiled_once(monkeypatch):
    schema = {"type": "OBJECT", "properties": {"only": {"type": "STRING"}, "here": {"type": "INTEGER"}}}
    first = read(responseMimeType=JSON, responseSchema=schema)
    monkeypatch.setattr(schemas, "compile_shape", None)
    for _ in range(3):
        assert read(responseMimeType=JSON, responseSchema=json.loads(json.dumps(schema))) == first


def test_the_order_of_properties_makes_another_schema():
    a, b = {"type": "STRING"}, {"type": "INTEGER"}
    grammars = [
        grammar_of(read(responseMimeType=JSON, responseSchema={"type": "OBJECT", "properties": properties}))
        for properties in ({"a": a, "b": b}, {"b": b, "a": a})
    ]
    assert grammars[0] != grammars[1]


def test_a_dialect_is_not_taken_for_the_other():
    schema = {"type": "string", "const": "x"}
    assert read(responseMimeType=JSON, responseJsonSchema=schema)
    assert refusal(responseMimeType=JSON, responseSchema=schema)


# Laws.

NAMES = st.sampled_from(
    ("type", "properties", "items", "enum", "anyOf", "any_of", "required", "$ref", "$defs", "pattern", "minimum",
     "nullable", "maxItems", "format", "const", "a", "additionalProperties", "prefixItems", "propertyOrdering")
)  # fmt: skip
WORDS = st.sampled_from(
    ("STRING", "object", "ARRAY", "integer", "#", "#/$defs/a", "a", "^a$", "date-time", "null")
)
SCHEMAS = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(SCHEMAS, st.sampled_from(["responseSchema", "responseJsonSchema"]), st.sampled_from([JSON, ENUM]))
def test_whatever_a_schema_is_it_is_no_crash(schema, name, mime_type):
    tool = {"functionDeclarations": [{"name": "f", "parametersJsonSchema": schema}]}
    asked = {
        "contents": [{"parts": [{"text": "hello"}]}],
        "generationConfig": {"responseMimeType": mime_type, name: schema},
        "tools": [tool, {"functionDeclarations": [{"name": "g", "parameters": schema}]}],
    }
    with contextlib.suppress(InvalidArgument):
        assert generate.read_request(json.dumps(asked).encode(), "m").request.tools
