"""What no grammar enforces is left out where a schema need not be kept to the letter."""

from __future__ import annotations

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminid.wire.loosened import loosely


@pytest.mark.parametrize(
    ("schema", "left_out"),
    [
        ({"type": "object", "properties": {"a": {"type": "array", "uniqueItems": True}}}, ("uniqueItems",)),
        ({"type": "object", "propertyNames": {"pattern": "^a"}}, ("propertyNames",)),
        (
            {"type": "array", "contains": {"type": "string"}, "items": {"not": {"const": 1}}},
            ("contains", "not"),
        ),
        (
            {"$defs": {"x": {"type": "string", "not": {"const": "b"}}}, "anyOf": [{"$ref": "#/$defs/x"}]},
            ("not",),
        ),
        ({"type": "object", "if": {"required": ["a"]}, "then": {"required": ["b"]}}, ("if",)),
    ],
)
def test_it_is_named(schema, left_out):
    assert loosely(schema, strict=True).faults
    found = loosely(schema, strict=False)
    assert found.faults == ()
    assert set(found.left_out) == set(left_out)
    assert found.compiled.grammar


def test_properties_may_be_called_like_keywords():
    schema = {
        "type": "object",
        "properties": {"not": {"type": "string"}, "contains": {"type": "array", "uniqueItems": True}},
        "required": ["not"],
    }
    found = loosely(schema, strict=False)
    assert found.left_out == ("uniqueItems",)
    assert set(found.compiled.schema["properties"]) == {"not", "contains"}


def test_what_patterns_allow_is_not_forbidden_without_them():
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "patternProperties": {"^x": {}},
        "additionalProperties": False,
    }
    found = loosely(schema, strict=False)
    assert found.left_out == ("patternProperties",)
    assert "additionalProperties" not in found.compiled.schema


def test_what_is_wrong_stays_wrong():
    assert loosely({"type": "nonsense", "uniqueItems": True}, strict=False).faults


LOOSE = st.fixed_dictionaries(
    {"type": st.just("object")},
    optional={
        "properties": st.dictionaries(
            st.sampled_from("abx"),
            st.sampled_from(
                [{"type": "integer"}, {"type": "array", "uniqueItems": True}, {"not": {"type": "null"}}, {}]
            ),
            max_size=2,
        ),
        "patternProperties": st.just({"^x": {"type": "integer"}}),
        "additionalProperties": st.booleans(),
        "dependentRequired": st.just({"a": ["b"]}),
        "propertyNames": st.just({"maxLength": 1}),
    },
)
VALUES = st.dictionaries(
    st.sampled_from("abxy"),
    st.none() | st.integers(0, 3) | st.lists(st.integers(0, 1), max_size=2),
    max_size=3,
)


@given(LOOSE, VALUES)
def test_whatever_the_schema_admits_is_admitted_by_what_is_left_of_it(schema, value):
    found = loosely(schema, strict=False)
    if found.faults or not jsonschema.Draft202012Validator(schema).is_valid(value):
        return
    assert jsonschema.Draft202012Validator(found.compiled.schema).is_valid(value)
