"""Each keyword: what it admits, and what is refused with which path."""

import json
import random
import time

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geminid.shape.ebnf import TooLarge, measure
from geminid.shape.faults import Fault
from geminid.shape.grammar import GrammarBuilder, any_json, compile_shape
from geminid.shape.json_schema import read_json_schema
from unit.shape.sampling import Grammar
from unit.shape.schemas import Maker

VALIDATOR = jsonschema.Draft202012Validator
NODE = {"type": "object", "properties": {"next": {"$ref": "#/$defs/N"}}}


def grammar_of(schema):
    shape, faults = read_json_schema(schema)
    assert faults == ()
    compiled = compile_shape(shape)
    assert not isinstance(compiled, Fault), compiled
    return Grammar(compiled.ebnf)


def values(schema, count=200, seed=3):
    grammar, rng = grammar_of(schema), random.Random(seed)
    return [json.loads(grammar.draw(rng, 150)) for _ in range(count)]


def faults_of(schema):
    shape, faults = read_json_schema(schema)
    assert (shape is None) == bool(faults)
    return faults


@pytest.mark.parametrize(
    "schema",
    [
        {},
        True,
        {"type": "string", "minLength": 2, "maxLength": 5},
        {"type": "string", "minLength": 95, "maxLength": 1000},
        {"type": "string", "maxLength": 5000},
        {"type": "integer", "minimum": -17, "maximum": 233},
        {"type": "integer", "exclusiveMinimum": 9.5},
        {"type": "integer", "minimum": 10**16},
        {"type": "integer", "maximum": -(10**18)},
        {"type": "integer", "multipleOf": 7, "minimum": 1, "maximum": 100},
        {"type": "integer", "multipleOf": 100, "maximum": 5},
        {"type": "integer", "format": "int32"},
        {"type": "number", "minimum": 0.1, "maximum": 0.35},
        {"type": "number", "exclusiveMinimum": 0},
        {"type": "number", "exclusiveMinimum": 16, "exclusiveMaximum": 17},
        {"type": "number", "exclusiveMinimum": -1000.5, "maximum": 12},
        {"type": "number", "exclusiveMaximum": 0.1, "minimum": -1e-7},
        {"type": "number", "minimum": -1e308, "maximum": 1e308},
        {"type": "array", "items": {"type": "null"}, "minItems": 2, "maxItems": 200},
        {
            "type": "array",
            "prefixItems": [{"type": "integer"}, {"type": "null"}],
            "items": False,
            "minItems": 1,
        },
        {"type": "object", "properties": {"a": {}, "b": {}, "c": {}}, "minProperties": 2, "maxProperties": 2},
        {
            "type": "object",
            "additionalProperties": {"type": "integer"},
            "minProperties": 1,
            "maxProperties": 3,
        },
        {"type": "object", "required": ["x"], "additionalProperties": {"type": "integer"}},
        {"type": "object", "properties": {"a": False, "b": {}}},
        {"type": ["string", "null"], "maxLength": 3, "uniqueItems": True},
        {"enum": ["a", 1, None, {"k": [1.5, "ß"]}], "type": ["integer", "object"]},
        {"const": 'quo"te\n\x01ße'},
        {"allOf": [{"type": "object", "properties": {"a": {"type": "integer"}}}, {"required": ["a"]}]},
        {
            "type": "object",
            "properties": {"a": {}, "b": {}},
            "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
        },
        {"$defs": {"N": {**NODE}}, "$ref": "#/$defs/N"},
        {"$defs": {"S": {"type": "string"}}, "$ref": "#/$defs/S", "maxLength": 2},
    ],
    ids=json.dumps,
)
def test_everything_that_is_generated_validates(schema):
    validator = VALIDATOR(schema)
    for value in values(schema):
        validator.validate(value)


@pytest.mark.parametrize(
    "name", ["date-time", "date", "time", "duration", "uuid", "email", "ipv4", "ipv6", "uri", "hostname"]
)
def test_formats_are_valid(name):
    schema = {"type": "string", "format": name}
    validator = VALIDATOR(schema, format_checker=VALIDATOR.FORMAT_CHECKER)
    for value in values(schema):
        validator.validate(value)
        if name in ("date-time", "date", "time"):
            assert time.strptime(value.split("T")[0], "%Y-%m-%d" if "date" in name else value)


@pytest.mark.parametrize(
    "pattern",
    [
        *(
            "abc",
            "^[A-Z]{2,4}-\\d+$",
            "^(foo|ba[rz])*$",
            "^a$|^b",
            '^[^\\s"]+\\\\(\\.\\w+)?$',
            "^((a*)*|b?)*$",
        ),
        *(
            "\\S{3}\\D\\W",
            "^[^éa0]{3}$",
            "(a|)(b|)",
            "",
            "^$",
            "^.{100}$",
            "^(ab){3,5}?$",
            "[\\n\\t]x",
            "ß[à-ÿ]e",
        ),
    ],
)
def test_patterns_are_matched(pattern):
    for value in values({"type": "string", "pattern": pattern}):
        jsonschema.validate(value, {"pattern": pattern})


def test_a_pattern_takes_over_lengths_where_that_is_easy():
    found = {len(value) for value in values({"type": "string", "pattern": "^[a-z]+$", "maxLength": 4})}
    assert found == {1, 2, 3, 4}


def test_order_is_that_of_property_ordering_then_of_declaration():
    properties = {name: {"type": "null"} for name in "cab"}
    schema = {"type": "object", "properties": properties, "required": list("abc"), "propertyOrdering": ["b"]}
    assert list(values(schema, 1)[0]) == ["b", "c", "a"]


def test_every_combination_of_optional_properties_is_possible():
    schema = {"type": "object", "properties": {name: {"type": "null"} for name in "abc"}, "required": ["b"]}
    assert {"".join(value) for value in values(schema)} == {"b", "ab", "bc", "abc"}


def test_nullable_admits_null():
    assert {None, True, False} == set(values({"type": "boolean", "nullable": True}))


def test_bounds_of_integers_are_exact():
    assert set(values({"type": "integer", "minimum": -12, "maximum": 12}, 3000)) == set(range(-12, 13))


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ({"type": 12}, "type"),
        ({"type": "text"}, "type"),
        ({"required": "a"}, "required"),
        ({"type": "array", "minItems": -1}, "minItems"),
        ({"type": "integer", "minimum": 3, "maximum": 2}, "minimum"),
        ({"properties": {"p": {"$ref": "#/$defs/None"}}}, "properties.p.$ref"),
        ({"$ref": "https://elsewhere/schema"}, "$ref"),
        ({"$ref": "#"}, ""),
        ({"anyOf": [{"$ref": "#"}, {"$ref": "#/anyOf/0"}]}, ""),
        ({"$defs": {"N": {**NODE, "required": ["next"]}}, "$ref": "#/$defs/N"}, "$defs.N"),
        ({"properties": {"a": {"not": {}}}}, "properties.a.not"),
        ({"anyOf": [{"type": "null"}, {"items": {"contains": {}}}]}, "anyOf[1].items.contains"),
        ({"type": "array", "uniqueItems": True}, "uniqueItems"),
        ({"properties": {"a": False}, "required": ["a"]}, "required"),
        ({"required": ["a"], "additionalProperties": False}, "required"),
        ({"type": "string", "enum": [1]}, "enum"),
        ({"enum": ["a"], "pattern": "b"}, "enum"),
        ({"enum": []}, "enum"),
        ({"const": float("inf")}, "const"),
        ({"const": "\ud800"}, "const"),
        ({"pattern": "(?=a)"}, "pattern"),
        ({"pattern": "("}, "pattern"),
        ({"pattern": r"(a)\1"}, "pattern"),
        ({"pattern": r"a\bb"}, "pattern"),
        ({"pattern": "(a{1,1000}){1,1000}"}, "pattern"),
        ({"pattern": "abc", "maxLength": 5}, "pattern"),
        ({"type": "number", "multipleOf": 0.01}, "multipleOf"),
        ({"type": "integer", "multipleOf": 7}, "multipleOf"),
        ({"type": "object", "minProperties": 2}, "minProperties"),
        ({"properties": {"a": {}}, "minProperties": 2}, "minProperties"),
        ({"properties": {"a": {}}, "propertyOrdering": ["b"]}, "propertyOrdering[0]"),
        ({"anyOf": [{}], "oneOf": [{}]}, "oneOf"),
        ({"allOf": [{"pattern": "a"}, {"pattern": "b"}]}, "pattern"),
        (False, ""),
        (12, ""),
        ({"enum": list(range(5001))}, "enum"),
    ],
    ids=str,
)
def test_what_cannot_be_honoured_is_refused_with_its_path(schema, path):
    assert faults_of(schema)[0].path == path


def test_unknown_keywords_are_annotations():
    assert faults_of({"type": "string", "x-order": 1, "$comment": "", "default": 5, "examples": [[]]}) == ()


def nested(depth, wrap):
    schema = {}
    for _ in range(depth):
        schema = wrap(schema)
    return schema


@pytest.mark.parametrize(
    "schema",
    [
        nested(5000, lambda inner: {"items": inner}),
        nested(5000, lambda inner: [inner]),
        nested(90, lambda inner: {"items": inner}),
        nested(20, lambda inner: {"allOf": [inner, inner]}),
        nested(14, lambda inner: {"anyOf": [inner, inner]}),
        {"properties": {f"p{i}": {} for i in range(100_000)}},
        {"enum": ["x" * 100] * 60_000},
        {
            "$defs": {f"D{i}": {"items": {"$ref": f"#/$defs/D{i + 1}"}} for i in range(3000)},
            "$ref": "#/$defs/D0",
        },
        {"$defs": {"A": {"allOf": [{"$ref": "#/$defs/A"}, {"minLength": 1}]}}, "$ref": "#/$defs/A"},
        {"$defs": {"A": {"items": {"$ref": "#/$defs/A", "minItems": 1}}}, "$ref": "#/$defs/A"},
        {"pattern": "(" * 900},
        {"pattern": "(a?){400}" * 50},
        {"type": "integer", "minimum": 10**5000},
        {"type": "string", "minLength": 1e300},
        {"properties": {"a": {}}, "required": [["a"]]},
        {1: 2},
        {"type": {"a": []}, "enum": {}},
        pytest.param(object(), id="no JSON at all"),
    ],
    ids=lambda schema: str(schema)[:50] if not isinstance(schema, dict | list) else "nested",
)
def test_hostile_schemas_are_refused_in_time(schema):
    started = time.process_time()
    faults = faults_of(schema)
    assert 1 <= len(faults) <= 50
    assert all(len(fault.reason) < 400 for fault in faults)
    assert time.process_time() - started < 5


def test_a_chain_of_definitions_does_not_nest_calls():
    chain = {f"D{i}": {"items": {"$ref": f"#/$defs/D{i + 1}"}} for i in range(900)}
    assert grammar_of({"$defs": {**chain, "D900": {"type": "null"}}, "$ref": "#/$defs/D0"})


def test_what_the_engine_cannot_compile_in_time_is_refused():
    properties = {f"p{i}": {"type": "string", "pattern": f"^.{{20}}x{i}$"} for i in range(20)}
    shape, _ = read_json_schema({"type": "object", "properties": properties})
    assert isinstance(compile_shape(shape), Fault)


@pytest.mark.parametrize("bound", [1, 50, 2_000, 100_000, 2**31 - 1])
def test_long_bounds_of_lengths_stay_small(bound):
    shape, _ = read_json_schema({"type": "string", "minLength": bound // 2, "maxLength": bound})
    compiled = compile_shape(shape)
    assert not isinstance(compiled, Fault)
    assert compiled.size.rules < 700


def test_a_builder_holds_several_schemas_between_fixed_texts():
    builder = GrammarBuilder()
    rules = [builder.schema({"type": kind}) for kind in ("boolean", "null", "boolean")]
    text = builder.text(f"{builder.literal('[')} {' | '.join(rules)} {builder.literal(']')}")
    assert measure(text).fits
    assert Grammar(text)
    with pytest.raises(ValueError, match="minimum"):
        builder.schema({"type": "integer", "minimum": 2, "maximum": 1})


def test_a_builder_stops_at_too_many_rules():
    builder = GrammarBuilder()
    with pytest.raises(TooLarge):
        for index in range(20_000):
            builder.rule(str(index))


def test_json_mode_makes_an_object_or_a_list():
    grammar, rng = Grammar(any_json().ebnf), random.Random(1)
    assert {type(json.loads(grammar.draw(rng, 100))) for _ in range(100)} == {dict, list}


def test_an_object_that_needs_a_member_and_has_endless_ones_alone_is_refused():
    endless = {"type": "object", "properties": {"a": {"$ref": "#"}}, "minProperties": 1}
    assert [fault.reason for fault in faults_of(endless)] == ["the schema has no finite value."]
    endless["properties"]["b"] = {"type": "null"}
    assert not faults_of(endless)


@settings(max_examples=150, deadline=None)
@given(st.integers(min_value=0))
def test_texts_of_random_schemas_validate(seed):
    schema = Maker(seed).document()
    shape, faults = read_json_schema(schema)
    if shape is None:
        assert faults
        return
    compiled = compile_shape(shape)
    if isinstance(compiled, Fault):
        return
    grammar, rng = Grammar(compiled.ebnf), random.Random(seed)
    validator = VALIDATOR(schema, format_checker=VALIDATOR.FORMAT_CHECKER)
    for _ in range(5):
        validator.validate(json.loads(grammar.draw(rng, 120)))


KEYWORDS = [
    "type",
    "enum",
    "const",
    "properties",
    "items",
    "required",
    "anyOf",
    "allOf",
    "$ref",
    "$defs",
    "minLength",
    "pattern",
    "minimum",
]
ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["object", "#"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYWORDS) | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=15,
)


@settings(max_examples=300, deadline=None)
@given(ANY_JSON)
def test_any_json_as_a_schema_raises_nothing(document):
    shape, faults = read_json_schema(document)
    assert (shape is None) == bool(faults)
    if shape is not None:
        compile_shape(shape)
