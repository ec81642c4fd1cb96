"""The lenient reader: what it takes, what it refuses and in which words, and that its two ways agree."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Mapping
from enum import Enum
from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import inspect

from geminid.core.errors import InvalidArgument
from geminid.wire.gemini.schema import CountTokensRequest, GenerateContentRequest
from geminid.wire.protojson import FreeForm, Message, Reader
from geminid.wire.scalars import Faults, Int32, Int64


class Colour(Enum):
    NO_COLOUR = "NO_COLOUR"
    RED = "RED"
    DARK_BLUE = "DARK_BLUE"


class Leaf(Message):
    ONEOFS: ClassVar[Mapping[str, tuple[str, ...]]] = {"kind": ("left_side", "right_side")}

    left_side: str | None = None
    right_side: str | None = None


class Tree(Message):
    ALIASES: ClassVar[Mapping[str, str]] = {"_freeValue": "free_value"}

    small_count: Int32 | None = None
    big_count: Int64 | None = None
    share: float | None = None
    on: bool | None = None
    raw_data: bytes | None = None
    colour: Colour | None = None
    one_leaf: Leaf | None = None
    many_leaves: list[Leaf] | None = None
    names: list[str] | None = None
    labels: dict[str, str] | None = None
    free_value: FreeForm | None = None
    below: Tree | None = None


TREE = Reader(Tree)
GENERATE = Reader(GenerateContentRequest)
COUNT = Reader(CountTokensRequest)


def read(document: object) -> Tree:
    return TREE.read(json.dumps(document).encode())


def refusal(body: bytes, reader: Reader[Any] = TREE) -> InvalidArgument:
    with pytest.raises(InvalidArgument) as caught:
        reader.read(body)
    return caught.value


def complaint(document: object) -> tuple[str, list[tuple[str, str]]]:
    error = refusal(json.dumps(document).encode())
    return error.message, [(violation.field, violation.description) for violation in error.violations]


# What is taken.


def test_both_spellings_of_names_mix_in_one_document():
    assert read({"small_count": 1, "manyLeaves": [{"left_side": "a"}, {"rightSide": "b"}]}) == Tree(
        small_count=1, many_leaves=[Leaf(left_side="a"), Leaf(right_side="b")]
    )


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (40, 40),
        ("40", 40),
        (40.0, 40),
        ("40.0", 40),
        ("4e1", 40),
        (-0.0, 0),
        ("-7", -7),
        (2**31 - 1, 2**31 - 1),
    ],
)
def test_integers_are_read_from_numbers_strings_and_whole_floats(said, meant):
    value = read({"small_count": said}).small_count
    assert value == meant
    assert type(value) is int


@pytest.mark.parametrize(
    "said", [40.5, True, "abc", "", " 1", "0x10", 2**31, -(2**31) - 1, "1e400", "9" * 401]
)
def test_what_is_no_int32_is_refused(said):
    message, _ = complaint({"small_count": said})
    assert message.startswith("Invalid value at 'small_count' (TYPE_INT32), ")


def test_int64_takes_its_whole_range_and_no_more():
    assert read({"big_count": str(2**63 - 1)}).big_count == 2**63 - 1
    assert complaint({"big_count": 2**63})[0] == f"Invalid value at 'big_count' (TYPE_INT64), {2**63}"


@pytest.mark.parametrize(("said", "meant"), [(1, 1.0), ("0.5", 0.5), ("-1e2", -100.0), (0, 0.0)])
def test_floats_are_read_from_numbers_and_strings(said, meant):
    value = read({"share": said, "small_count": "1"}).share
    assert value == meant
    assert type(value) is float


@pytest.mark.parametrize("said", ["NaN", "Infinity", "-Infinity", True, "x", "1e999", 10**400])
def test_what_is_no_finite_float_is_refused(said):
    assert complaint({"share": said})[0].startswith("Invalid value at 'share' (TYPE_FLOAT), ")


@pytest.mark.parametrize("text", [b"{'share': NaN}", b"{'share': Infinity}", b"{'share': -Infinity}"])
def test_numbers_that_are_not_finite_are_refused_also_without_quotes(text):
    assert "'share' (TYPE_FLOAT)" in refusal(text).message


def test_truth_values_are_read_from_strings_too():
    assert read({"on": "true"}).on is True
    assert read({"on": "false"}).on is False
    assert complaint({"on": 1})[0] == "Invalid value at 'on' (TYPE_BOOL), 1"


@given(st.binary(max_size=40))
def test_bytes_are_read_from_both_alphabets_padded_or_not(data):
    standard = base64.b64encode(data).decode()
    url_safe = base64.urlsafe_b64encode(data).decode()
    for spelling in (standard, url_safe, standard.rstrip("="), url_safe.rstrip("=")):
        assert read({"raw_data": spelling}).raw_data == data


@pytest.mark.parametrize("said", ["a", "&&&&", "é", "YQ==YQ=="])
def test_what_is_no_base64_is_refused(said):
    assert "(TYPE_BYTES), Base64 decoding failed" in complaint({"raw_data": said})[0]


def test_bytes_that_are_no_text_are_refused():
    assert complaint({"raw_data": 5})[0] == "Invalid value at 'raw_data' (TYPE_BYTES), 5"


@pytest.mark.parametrize("said", ["DARK_BLUE", "dark_blue", "Dark_Blue", 2, 2.0])
def test_enums_are_read_by_name_in_any_case_and_by_number(said):
    assert read({"colour": said}).colour is Colour.DARK_BLUE


@pytest.mark.parametrize("said", ["GREEN", "2", 3, -1, 1.5, True])
def test_unknown_enum_values_are_refused(said):
    kind = "type.googleapis.com/google.ai.generativelanguage.v1beta.Colour"
    assert complaint({"colour": said})[0] == f"Invalid value at 'colour' ({kind}), {json.dumps(said)}"


def test_null_is_absent():
    assert (
        read({"share": None, "colour": None, "manyLeaves": None, "below": None, "freeValue": None}) == Tree()
    )


def test_one_object_stands_for_a_list_of_one():
    assert read({"many_leaves": {"left_side": "a"}, "names": "b"}) == Tree(
        many_leaves=[Leaf(left_side="a")], names=["b"]
    )


def test_free_form_values_keep_their_names_and_order():
    value = {"snake_case": {"zeta": 1, "camelCase": [None, {"a_b": 1.5}]}, "alpha": "x"}
    free = read({"free_value": value}).free_value
    assert free == FreeForm(value)
    assert json.dumps(free.value) == json.dumps(value)


def test_an_alias_names_the_same_field():
    assert read({"_freeValue": [1]}) == Tree(free_value=FreeForm([1]))


def test_labels_are_text_by_any_name():
    assert read({"labels": {"any_key": "v"}, "small_count": "1"}).labels == {"any_key": "v"}
    assert complaint({"labels": {"a": 1}})[0] == "Invalid value at 'labels.a' (TYPE_STRING), 1"
    assert len(complaint({"labels": {"a" * 9999: 1}})[0]) < 200
    assert complaint({"labels": "x"})[0] == "Invalid value at 'labels' (Map), \"x\""


@pytest.mark.parametrize("body", [b"", b"  \n ", b"{}", b"\xef\xbb\xbf{}", b"{/*nothing*/}"])
def test_an_empty_body_is_an_empty_message(body):
    assert TREE.read(body) == Tree()


def test_trailing_commas_and_single_quotes_are_taken():
    assert TREE.read(b"{'names': ['a', 'b',], 'share': .5,}") == Tree(names=["a", "b"], share=0.5)


# What is refused.


def test_an_unknown_name_at_the_root_has_no_field():
    message = 'Invalid JSON payload received. Unknown name "x": Cannot find field.'
    assert complaint({"x": 1}) == (message, [("", message)])


def test_all_unknown_names_are_told_together():
    message, violations = complaint({"x": 1, "below": {"y_z": 1}, "many_leaves": [{}, {"w": None}]})
    assert message.split("\n") == [
        'Invalid JSON payload received. Unknown name "x": Cannot find field.',
        "Invalid JSON payload received. Unknown name \"y_z\" at 'below': Cannot find field.",
        "Invalid JSON payload received. Unknown name \"w\" at 'many_leaves[1]': Cannot find field.",
    ]
    assert [field for field, _ in violations] == ["", "below", "many_leaves[1]"]


def test_wrong_types_are_told_with_the_path_of_the_value():
    assert complaint({"below": {"small_count": "abc"}}) == (
        "Invalid value at 'below.small_count' (TYPE_INT32), \"abc\"",
        [("below.small_count", "Invalid value at 'below.small_count' (TYPE_INT32), \"abc\"")],
    )


def test_a_list_where_one_value_is_due_is_told_as_not_repeating():
    assert complaint({"below": {"share": [1]}})[0] == (
        "Invalid JSON payload received. Unknown name \"share\" at 'below': "
        "Proto field is not repeating, cannot start list."
    )


def test_a_list_in_a_list_is_told_as_not_repeating():
    assert complaint({"names": [["a"]]})[0] == (
        'Invalid JSON payload received. Unknown name "names": '
        "Proto field is not repeating, cannot start list."
    )


def test_an_object_where_a_scalar_is_due_is_told():
    assert complaint({"share": {}})[0] == (
        "Invalid value at 'share' (TYPE_FLOAT), Starting an object on a scalar field"
    )


def test_a_scalar_where_a_message_is_due_is_told():
    kind = "type.googleapis.com/google.ai.generativelanguage.v1beta.Leaf"
    assert complaint({"oneLeaf": "x"})[0] == f"Invalid value at 'one_leaf' ({kind}), \"x\""


def test_null_inside_a_list_is_refused():
    assert complaint({"names": ["a", None]})[0] == "Invalid value at 'names[1]' (TYPE_STRING), null"


def test_both_spellings_of_one_field_are_refused():
    message, violations = complaint({"below": {"small_count": 1, "smallCount": 2}})
    assert message == (
        "Invalid JSON payload received. Unknown name \"smallCount\" at 'below': Field is set more than once."
    )
    assert violations[0][0] == "below"


def test_null_beside_the_other_spelling_is_no_second_value():
    assert read({"smallCount": None, "small_count": 3}).small_count == 3


def test_two_members_of_a_oneof_are_refused():
    assert complaint({"one_leaf": {"left_side": "a", "right_side": "b"}})[0] == (
        "Invalid value at 'one_leaf' (oneof), oneof field 'kind' is already set. Cannot set 'rightSide'"
    )


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"5", b"null", b"true"])
def test_a_body_that_is_no_object_is_refused(body):
    assert refusal(body).message == (
        'Invalid JSON payload received. Unknown name "": Root element must be a message.'
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"a":tru}', 'Unexpected token.\n{"a":tru}\n     ^'),
        (b'{"a" 1}', 'Unexpected token.\n{"a" 1}\n     ^'),
        (b'{"a":1}}', 'Unexpected token.\n{"a":1}}\n      ^'),
        (b'{\n  "on": yes\n}', 'Unexpected token.\n  "on": yes\n        ^'),
        (b"\x00", "Unexpected token.\n\x00\n^"),
        (b'{"on":"\xff"}', "Invalid UTF-8 encoded data in the request body."),
        (b"[" * 200, "Message too deep. Max recursion depth reached."),
        (b"[" * 100_000 + b"]" * 100_000, "Message too deep. Max recursion depth reached."),
    ],
)
def test_broken_json_is_told_with_the_place(body, message):
    error = refusal(body)
    assert error.message == f"Invalid JSON payload received. {message}"
    assert [violation.field for violation in error.violations] == [""]


@pytest.mark.parametrize("text", [r"\ud800", r"\ud800x", r"\ud800A", r"\udc00\ud800"])
def test_lone_surrogates_are_refused(text):
    refusal(b'{"names":["' + text.encode() + b'"]}')


def test_surrogate_pairs_and_nul_are_text():
    assert TREE.read(rb'{"names":["\ud83d\ude00 \u0000"]}').names == ["\U0001f600 \0"]


@pytest.mark.parametrize("spelling", ["freeValue", "free_value"])
def test_free_form_values_that_nest_too_deep_are_refused(spelling):
    deep = b"[" * 101 + b"]" * 101
    error = refusal(b'{"' + spelling.encode() + b'":' + deep + b"}")
    assert error.message == "Invalid value at 'free_value': nested too deep."
    assert TREE.read(b'{"free_value":' + deep[1:-1] + b"}").free_value is not None


def test_free_form_values_hold_no_infinite_numbers():
    assert (
        refusal(b"{freeValue:{a:Infinity}}").message == "Invalid value at 'free_value': not a finite number."
    )


def test_the_answer_to_a_wrong_body_stays_small():
    error = refusal(json.dumps({"x" * 10_000 + str(i): 1 for i in range(1000)}).encode())
    assert len(error.violations) == 50
    assert len(error.message) < 20_000
    assert len(complaint({"small_count": "9" * 10_000})[0]) < 400


def test_a_refusal_does_not_drag_the_parser_error_along():
    assert refusal(b'{"x":1}').__context__ is None


def test_free_form_values_compare_and_print_but_do_not_hash():
    assert repr(FreeForm([1])) == "FreeForm([1])"
    assert FreeForm(1) != 1
    with pytest.raises(TypeError):
        hash(FreeForm(1))


# Laws. Each example is one message in two spellings: the strict one, and a free one.

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def spelled(draw, kind: inspect.Type, depth: int = 0) -> tuple[Any, Any]:
    match kind:
        case inspect.UnionType():
            return draw(spelled(kind.types[0], depth))
        case inspect.StructType():
            return draw(spelled_message(kind, depth))
        case inspect.ListType():
            pairs = draw(st.lists(spelled(kind.item_type, depth + 1), max_size=2 if depth < 6 else 0))
            strict, free = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
            return strict, free[0] if len(free) == 1 and draw(st.booleans()) else free
        case inspect.DictType():
            return (
                labels := draw(st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2))
            ), labels
        case inspect.EnumType():
            index = draw(st.integers(0, len(kind.cls) - 1))
            name = list(kind.cls)[index].value
            return name, draw(st.sampled_from([name, name.lower(), name.upper(), index, float(index)]))
        case inspect.IntType():
            number = draw(st.integers(kind.ge, kind.le))
            forms = [number, str(number)] + ([float(number)] if abs(number) < 2**53 else [])
            return number, draw(st.sampled_from(forms))
        case inspect.FloatType():
            number = draw(st.floats(allow_nan=False, allow_infinity=False))
            return number, draw(st.sampled_from([number, repr(number)]))
        case inspect.BytesType():
            data = draw(st.binary(max_size=8))
            text = base64.b64encode(data).decode()
            free = base64.urlsafe_b64encode(data).decode().rstrip("=")
            return text, draw(st.sampled_from([text, free]))
        case inspect.BoolType():
            return (flag := draw(st.booleans())), flag
        case inspect.StrType():
            return (words := draw(st.text(max_size=8))), words
    value = draw(JSON.filter(lambda value: value is not None))
    return value, value


@st.composite
def spelled_message(draw, kind: inspect.StructType, depth: int) -> tuple[Any, Any]:
    fields = draw(
        st.lists(st.sampled_from(kind.fields), max_size=4 if depth < 6 else 0, unique_by=lambda f: f.name)
    )
    taken: set[str] = set()
    strict: dict[str, Any] = {}
    free: dict[str, Any] = {}
    for field in fields:
        group = next((g for g, names in kind.cls.ONEOFS.items() if field.name in names), field.name)
        key = draw(st.sampled_from([field.name, field.encode_name]))
        if group in taken:
            free.setdefault(key, None)
            continue
        taken.add(group)
        strict[field.encode_name], free[key] = draw(spelled(field.type, depth + 1))
    return strict, free


LAWS = settings(max_examples=100, suppress_health_check=list(HealthCheck), deadline=None)


@pytest.mark.parametrize("reader", [TREE, GENERATE, COUNT], ids=["tree", "generate", "count"])
@LAWS
@given(data=st.data())
def test_the_strict_and_the_lenient_way_read_the_same(reader, data):
    kind = {id(TREE): Tree, id(GENERATE): GenerateContentRequest, id(COUNT): CountTokensRequest}[id(reader)]
    strict, free = data.draw(spelled(inspect.type_info(kind)))
    body = msgspec.json.encode(strict)
    message = reader.read(body)
    assert reader.read_lenient(body) == message
    assert reader.read(msgspec.json.encode(free)) == message
    assert reader.read(msgspec.json.encode(message, enc_hook=lambda value: value.value)) == message


@LAWS
@given(data=st.data())
def test_a_parsed_value_reads_as_its_body_does(data):
    strict, free = data.draw(spelled(inspect.type_info(Tree)))
    for value in (strict, free):
        faults, parsed = Faults(), json.loads(msgspec.json.encode(value))
        assert TREE.read_value(parsed, "a", faults) == TREE.read(msgspec.json.encode(value))
        assert not faults.violations


def test_what_is_wrong_with_a_parsed_value_has_its_path():
    faults = Faults()
    TREE.read_value({"smallCount": "many", "nothing": 1}, "input[0]", faults)
    assert [fault.field for fault in faults.violations] == ["input[0].small_count", "input[0]"]


@LAWS
@given(st.binary() | st.text().map(str.encode) | JSON.map(msgspec.json.encode))
def test_whatever_the_bytes_only_invalid_argument_comes_out(body):
    for reader in (TREE, GENERATE):
        with contextlib.suppress(InvalidArgument):
            assert isinstance(reader.read(body), Message)
