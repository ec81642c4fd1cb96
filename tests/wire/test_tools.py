"""Functions that may be called: what is declared, what is allowed, and what is refused by its path."""

from __future__ import annotations

import json
from typing import Any

import pytest

from geminid.core.errors import InvalidArgument
from geminid.core.request import GenerateRequest, Tool
from geminid.wire.gemini import count, generate

CITY = {
    "type": "OBJECT",
    "properties": {"city": {"type": "STRING", "description": "Where."}},
    "required": ["city"],
}
NORMAL = {
    "type": "object",
    "properties": {"city": {"type": "string", "description": "Where."}},
    "required": ["city"],
}
WEATHER = {"name": "weather", "description": "Tell the weather.", "parameters": CITY}
NOW = {"name": "now"}


def document(*declarations: Any, **config: Any) -> dict[str, Any]:
    asked: dict[str, Any] = {"contents": [{"parts": [{"text": "hello"}]}]}
    if declarations:
        asked["tools"] = [{"functionDeclarations": list(declarations)}]
    if config:
        asked["toolConfig"] = {"functionCallingConfig": config}
    return asked


def read(asked: dict[str, Any]) -> GenerateRequest:
    return generate.read_request(json.dumps(asked).encode(), "m").request


def refusal(*declarations: Any, **config: Any) -> list[tuple[str, str]]:
    with pytest.raises(InvalidArgument) as caught:
        read(document(*declarations, **config))
    return [(violation.field, violation.description) for violation in caught.value.violations]


def called(name: str, **fields: Any) -> list[tuple[str, str]]:
    return refusal({"name": name} | fields)


def test_declarations_of_all_tools_are_read_in_order():
    asked = document(WEATHER)
    asked["tools"] += [
        {},
        {"function_declarations": {"name": "now", "parametersJsonSchema": {"type": "object"}}},
    ]
    assert read(asked).tools == (Tool("weather", "Tell the weather.", NORMAL), Tool("now"))
    assert read(asked).call_mode == "auto"


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"parameters": None},
        {"parameters": {}},
        {"parameters": {"type": "OBJECT"}},
        {"parameters": {"type": "object", "properties": {}}},
        {"parametersJsonSchema": {}},
        {"parametersJsonSchema": {"type": "object", "properties": {}, "additionalProperties": False}},
        {"parametersJsonSchema": {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"}},
    ],
)
def test_a_function_without_arguments_has_no_parameters(parameters):
    assert read(document(NOW | parameters)).tools == (Tool("now"),)


def test_a_json_schema_is_kept_as_it_was_sent():
    schema = {
        "type": "object",
        "properties": {"b": {"$ref": "#/$defs/B", "description": "b"}, "a": {"type": ["string", "null"]}},
        "$defs": {"B": {"enum": ["x", 1]}},
        "additionalProperties": False,
    }
    (tool,) = read(document({"name": "f", "parameters_json_schema": schema})).tools
    assert tool.parameters == schema
    assert list(tool.parameters["properties"]) == ["b", "a"]


def test_arguments_of_any_name_are_arguments():
    schema = {"type": "object", "additionalProperties": {"type": "integer"}}
    assert read(document({"name": "f", "parametersJsonSchema": schema})).tools == (Tool("f", "", schema),)


@pytest.mark.parametrize("name", ["f", "_f", "F9", "a.b:c-d_e", "x" * 128])
def test_names_that_are_valid(name):
    assert read(document({"name": name})).tools == (Tool(name),)


@pytest.mark.parametrize("name", ["", "9f", "-f", "a b", "é", "f\n", "x" * 129, None])
def test_names_that_are_not(name):
    ((field, message),) = called(name)
    assert field == "tools[0].function_declarations[0].name"
    assert "[FIELD_INVALID] Invalid function name. Must start with a letter or an underscore." in message


def test_a_name_is_declared_once():
    assert refusal(NOW, WEATHER, NOW) == [
        ("tools[0].function_declarations[2].name", "Duplicate function declaration found: now")
    ]


def test_functions_are_at_most_512():
    assert len(read(document(*({"name": f"f{i}"} for i in range(512)))).tools) == 512
    ((field, message),) = refusal(*({"name": f"f{i}"} for i in range(600)))
    assert field == "tools[0].function_declarations[512]"
    assert message.endswith("at most 512 functions may be declared.")


def test_parameters_are_given_in_one_dialect():
    ((field, message),) = called("f", parameters=CITY, parametersJsonSchema=NORMAL)
    assert field == "tools[0].function_declarations[0].parameters_json_schema"
    assert message.endswith("only one of parameters and parameters_json_schema can be set.")


@pytest.mark.parametrize(
    ("parameters", "path"),
    [
        ({"parameters": {"type": "STRING"}}, "parameters"),
        (
            {"parameters": {"type": "OBJECT", "properties": {"a": {"type": "X"}}}},
            "parameters.properties.a.type",
        ),
        (
            {"parameters": {"type": "OBJECT", "properties": {"a": {"type": "STRING", "pattern": "("}}}},
            "parameters.properties.a.pattern",
        ),
        ({"parameters": {"type": "OBJECT", "oneOf": []}}, "parameters"),
        ({"parameters": 5}, "parameters"),
        ({"parametersJsonSchema": []}, "parameters_json_schema"),
        ({"parametersJsonSchema": {"type": "array"}}, "parameters_json_schema"),
        (
            {"parametersJsonSchema": {"properties": {"a": {"not": {}}}}},
            "parameters_json_schema.properties.a.not",
        ),
        ({"parametersJsonSchema": {"$ref": "#/nowhere"}}, "parameters_json_schema.$ref"),
    ],
)
def test_wrong_parameters_are_refused_by_their_path(parameters, path):
    faults = called("f", **parameters)
    assert {field for field, _ in faults} == {f"tools[0].function_declarations[0].{path}"}


def test_an_unknown_field_of_a_schema_is_told_in_googles_words():
    assert called("f", parameters={"type": "OBJECT", "$schema": "x"}) == [
        (
            "tools[0].function_declarations[0].parameters",
            'Invalid JSON payload received. Unknown name "$schema" at '
            "'tools[0].function_declarations[0].parameters': Cannot find field.",
        )
    ]


def test_paths_are_those_of_the_body_that_was_sent():
    inner = document({"name": "f", "parameters": {"type": "OBJECT", "x": 1}})
    with pytest.raises(InvalidArgument) as caught:
        count.read_request(json.dumps({"generateContentRequest": inner}).encode(), "m")
    path = "generate_content_request.tools[0].function_declarations[0].parameters"
    assert f"at '{path}'" in caught.value.message
    assert caught.value.violations[0].field == path


def test_functions_of_live_sessions_are_refused():
    assert called("f", behavior="NON_BLOCKING")[0][0] == "tools[0].function_declarations[0].behavior"
    assert read(document({"name": "f", "behavior": "BLOCKING"})).tools == (Tool("f"),)


def test_what_a_function_gives_back_is_not_checked():
    declared = {"name": "f", "response": {"type": "nonsense"}, "responseJsonSchema": 5}
    assert read(document(declared)).tools == (Tool("f"),)


# Whether and which may be called.


@pytest.mark.parametrize(
    ("config", "names", "mode"),
    [
        ({}, ["weather", "now"], "auto"),
        ({"mode": "MODE_UNSPECIFIED"}, ["weather", "now"], "auto"),
        ({"mode": "auto", "allowedFunctionNames": []}, ["weather", "now"], "auto"),
        ({"mode": "ANY"}, ["weather", "now"], "any"),
        ({"mode": 2, "allowed_function_names": ["now"]}, ["now"], "any"),
        ({"mode": "VALIDATED"}, ["weather", "now"], "validated"),
        ({"mode": "VALIDATED", "allowedFunctionNames": "weather"}, ["weather"], "validated"),
        ({"mode": "NONE"}, [], "none"),
    ],
)
def test_modes(config, names, mode):
    request = read(document(WEATHER, NOW, **config))
    assert ([tool.name for tool in request.tools], request.call_mode) == (names, mode)


@pytest.mark.parametrize("config", [{}, {"mode": "AUTO"}, {"mode": "NONE"}, {"mode": "VALIDATED"}])
def test_without_functions_nothing_is_called(config):
    assert read(document(**config)).tools == ()


def test_a_call_cannot_be_forced_without_functions():
    assert refusal(mode="ANY") == [
        (
            "tool_config.function_calling_config",
            "Function calling config is set without function_declarations.",
        )
    ]


@pytest.mark.parametrize("mode", ["AUTO", "NONE", "MODE_UNSPECIFIED"])
def test_allowed_names_need_a_mode_that_chooses(mode):
    ((field, message),) = refusal(NOW, mode=mode, allowedFunctionNames=["now"])
    assert field == "tool_config.function_calling_config.allowed_function_names"
    assert message.endswith("only valid when the function calling mode is ANY or VALIDATED.")


def test_allowed_names_are_declared():
    ((field, message),) = refusal(NOW, mode="ANY", allowedFunctionNames=["now", "then"])
    assert field == "tool_config.function_calling_config.allowed_function_names[1]"
    assert message.endswith("then is not among the declared functions.")


def test_functions_and_json_may_be_asked_for_together():
    asked = document(NOW) | {"generationConfig": {"responseMimeType": "application/json"}}
    request = read(asked)
    assert request.output is not None
    assert request.tools == (Tool("now"),)
