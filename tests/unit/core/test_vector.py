"""Which files a filter chooses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminid.core.vector import Compare, Counts, Every, Some, chooses

FILE = {"year": 1851.0, "author": "Melville", "read": True}


@pytest.mark.parametrize(
    ("op", "value", "chosen"),
    [
        ("eq", 1851.0, True),
        ("eq", 1852.0, False),
        ("ne", 1852.0, True),
        ("ne", 1851.0, False),
        ("gt", 1850.0, True),
        ("gt", 1851.0, False),
        ("gte", 1851.0, True),
        ("gte", 1852.0, False),
        ("lt", 1852.0, True),
        ("lt", 1851.0, False),
        ("lte", 1851.0, True),
        ("lte", 1850.0, False),
        ("in", (1.0, 1851.0), True),
        ("in", ("1851",), False),
        ("nin", (1.0, 1851.0), False),
        ("nin", (1.0,), True),
    ],
)
def test_numbers(op, value, chosen):
    assert chooses(Compare("year", op, value), FILE) is chosen


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        (Compare("author", "gt", "Lowry"), True),
        (Compare("author", "eq", 1.0), False),
        (Compare("author", "lt", 1.0), False),
        (Compare("read", "eq", True), True),
        (Compare("read", "eq", 1.0), False),
        (Compare("year", "eq", True), False),
        (Compare("nothing", "eq", ""), False),
        (Compare("nothing", "lt", 1.0), False),
        (Compare("nothing", "ne", ""), True),
        (Compare("nothing", "nin", ("",)), True),
        (Compare("nothing", "in", ("",)), False),
    ],
)
def test_kinds_and_absence(wanted, chosen):
    assert chooses(wanted, FILE) is chosen


compares = st.builds(
    Compare, st.sampled_from(["year", "none"]), st.sampled_from(["eq", "ne"]), st.sampled_from([1851.0, 2.0])
)


@given(st.lists(compares, max_size=4))
def test_every_and_some_are_and_and_or(filters):
    each = [chooses(one, FILE) for one in filters]
    assert chooses(Every(tuple(filters)), FILE) == all(each)
    assert chooses(Some(tuple(filters)), FILE) == any(each)
    assert chooses(Every((Some(tuple(filters)), Every(()))), FILE) == any(each)


def test_no_filter_chooses_everything():
    assert chooses(None, {})


def test_counts_add_up():
    assert Counts(in_progress=1, completed=2, failed=3, cancelled=4).total == 10
