"""Google's dialect: its spellings, its types, and what it does not know."""

import json
import random

import pytest
from hypothesis import given, settings

from geminid.shape.google import read_google, to_json_schema
from geminid.shape.grammar import compile_shape
from geminid.shape.labels import compile_labels
from unit.shape.sampling import Grammar
from unit.shape.test_json_schema import ANY_JSON


def test_both_spellings_and_any_case_mean_the_same():
    schema = {
        "type": "OBJECT",
        "properties": {
            "anyOf": {"any_of": [{"type": "Integer", "minimum": "3"}, {"type": "string", "min_length": "2"}]},
            "any_of": {"type": "ARRAY", "items": {"type": "STRING", "enum": ["minItems"]}, "maxItems": 2},
        },
        "property_ordering": ["any_of", "anyOf"],
        "nullable": True,
        "title": "T",
        "default": {"min_items": 1},
    }
    found, faults = to_json_schema(schema)
    assert faults == ()
    assert found == {
        "type": "object",
        "properties": {
            "anyOf": {"anyOf": [{"type": "integer", "minimum": 3}, {"type": "string", "minLength": 2}]},
            "any_of": {"type": "array", "items": {"type": "string", "enum": ["minItems"]}, "maxItems": 2},
        },
        "propertyOrdering": ["any_of", "anyOf"],
        "nullable": True,
        "title": "T",
        "default": {"min_items": 1},
    }


@pytest.mark.parametrize("name", ["$schema", "const", "oneOf", "allOf", "exclusiveMinimum", "$defs", "not"])
def test_what_is_no_field_is_unknown(name):
    _, faults = read_google({"properties": {"a": {"type": "STRING", name: 1}}})
    assert faults == (("properties.a", f'Unknown name "{name}": Cannot find field.'),)


def test_types_are_inferred():
    found, faults = to_json_schema({"properties": {"a": {"items": {"enum": ["x"]}}}})
    assert faults == ()
    assert found["type"] == "object"
    assert found["properties"]["a"] == {"type": "array", "items": {"type": "string", "enum": ["x"]}}


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ({"properties": {"a": {}}}, "properties.a.type"),
        ({"type": "FOO"}, "type"),
        ({"any_of": [{"type": "NULL"}, {"type": "ARRAY", "items": {"minItems": 1}}]}, "any_of[1].items.type"),
        ({"type": "ARRAY", "minItems": "x"}, "min_items"),
        ({"type": "STRING", "minLength": "3", "maxLength": 2}, "min_length"),
        ({"type": "STRING", "enum": [1]}, "enum"),
        ({"type": "INTEGER", "enum": ["1"]}, "enum"),
        ({"ref": "#/defs/N", "defs": {"N": {"items": {"ref": "#/defs/N"}, "minItems": 1}}}, "defs.N"),
        ([], ""),
        ("OBJECT", ""),
    ],
)
def test_refusals_have_the_path_of_the_proto(schema, path):
    assert read_google(schema)[1][0].path == path


def test_definitions_are_followed():
    schema = {"ref": "#/defs/N", "defs": {"N": {"type": "ARRAY", "items": {"ref": "#/defs/N"}}}}
    shape, faults = read_google(schema)
    assert faults == ()
    text = Grammar(compile_shape(shape).ebnf).draw(random.Random(1))
    assert set(text) <= set("[], ")
    json.loads(text)


@settings(max_examples=200, deadline=None)
@given(ANY_JSON)
def test_any_json_as_a_schema_raises_nothing(document):
    shape, faults = read_google(document)
    assert (shape is None) == bool(faults)


def test_labels_are_bare():
    grammar = Grammar(compile_labels(("yes", "no", "ße\n", "yes")).ebnf)
    assert {grammar.draw(random.Random(seed)) for seed in range(50)} == {"yes", "no", "ße\n"}
