"""The official JSON Schema Test Suite: what is accepted of it is honoured."""

import json
import random
from pathlib import Path

import jsonschema
import pytest

from geminid.shape.faults import Fault
from geminid.shape.grammar import compile_shape
from geminid.shape.json_schema import read_json_schema
from unit.shape.sampling import Grammar

SUITE = json.loads((Path(__file__).parent / "suite" / "draft2020-12.json").read_text())
CASES = [
    (f"{name}: {case['description']}", case["schema"]) for name, cases in SUITE.items() for case in cases
]


def as_any_of(schema):
    """``oneOf`` is treated as ``anyOf``, as Google documents."""
    if isinstance(schema, list):
        return [as_any_of(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {("anyOf" if name == "oneOf" else name): as_any_of(value) for name, value in schema.items()}


@pytest.mark.parametrize("schema", [case[1] for case in CASES], ids=[case[0] for case in CASES])
def test_accepted_schemas_are_honoured(schema):
    shape, faults = read_json_schema(schema)
    if shape is None:
        assert faults
        return
    compiled = compile_shape(shape)
    assert not isinstance(compiled, Fault)
    grammar, rng = Grammar(compiled.ebnf), random.Random(7)
    validator = jsonschema.Draft202012Validator(as_any_of(schema))
    for _ in range(20):
        validator.validate(json.loads(grammar.draw(rng, 100)))


def test_most_of_the_suite_is_accepted():
    accepted = sum(read_json_schema(schema)[0] is not None for _, schema in CASES)
    assert accepted / len(CASES) > 0.6
