import re
from itertools import chain

import pytest

from geminid.core import errors, ids


def classes(root=errors.Problem):
    return [
        root,
        *chain.from_iterable(
            classes(each) for each in root.__subclasses__() if each.__module__ == errors.__name__
        ),
    ]


def test_the_drawing_shows_every_class_under_its_parent():
    drawn = re.findall(
        r"^(\s+)(?:[│ ]*[├└]── )?(\w+)", errors.__doc__.split("::")[1].split("A ``Problem``")[0], re.M
    )
    assert {name for _, name in drawn} == {each.__name__ for each in classes()}


@pytest.mark.parametrize("problem", classes(), ids=lambda each: each.__name__)
def test_every_problem_has_a_code_of_google_rpc(problem):
    assert problem.code in {
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "UNAUTHENTICATED",
        "FAILED_PRECONDITION",
        "PERMISSION_DENIED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "ABORTED",
        "CANCELLED",
        "RESOURCE_EXHAUSTED",
        "UNAVAILABLE",
        "DEADLINE_EXCEEDED",
        "INTERNAL",
    }


def test_a_response_id_is_22_url_safe_characters_of_the_given_randomness():
    assert ids.response_id(lambda n: b"\xff" * n) == "_" * 21 + "w"
    assert re.fullmatch(r"[\w-]{22}", ids.response_id())
