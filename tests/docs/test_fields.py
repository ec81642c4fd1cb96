"""The fields on the compatibility page are all that there are, and become what it says."""

from __future__ import annotations

import json
import re

import pytest

from contract.bodies import REQUESTS
from contract.fields import forgotten, rows_of
from geminid.core.errors import InvalidArgument

FATES = ("honoured", "approximated", "without effect", "refused")
REMARKS = [
    pytest.param(request, path, remark, id=f"{request.path} {path}")
    for request in REQUESTS
    for path, remark in request.remarks.items()
]
UNSERVED = [
    pytest.param(request, each, tag, id=f"{request.path} {each.path} {tag}")
    for request in REQUESTS
    for each in request.unserved
    if each.proof is not None
    for tag in each.tags
]
PROVED = [each for each in REMARKS if each.values[2].sample is not None]

of_each = pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.path)


@of_each
def test_the_page_has_every_field_that_the_sdk_can_send(request_):
    assert forgotten(request_) == []


@of_each
def test_every_row_says_what_becomes_of_the_field(request_):
    rows = rows_of(request_)
    assert rows
    assert [row for row in rows if not row.takes or not row.becomes.startswith(FATES)] == []


@pytest.mark.parametrize(("request_", "path", "remark"), REMARKS)
def test_a_remark_is_about_a_field_that_there_is(request_, path, remark):
    assert {row.becomes for row in rows_of(request_) if row.path == path.partition(" (")[0]} >= {str(remark)}


@pytest.mark.parametrize(("request_", "path", "remark"), PROVED)
def test_what_a_remark_says_happens(request_, path, remark):
    body = {**request_.least, **remark.sample}
    if remark.fate == "approximated":
        assert remark.proof in request_.read(json.dumps(body).encode())
    else:
        refused_with(remark.proof, path.partition(" (")[0], request_, body)


@pytest.mark.parametrize(("request_", "unserved", "tag"), UNSERVED)
def test_what_is_not_served_is_refused_by_its_type(request_, unserved, tag):
    refused_with(unserved.code, unserved.path, request_, {**request_.least, **unserved.proof(tag)})


def refused_with(code, path, request, body):
    """See that a body is refused with a code, where the wire has codes of its own, and at the path."""
    with pytest.raises(InvalidArgument) as caught:
        request.read(json.dumps(body).encode())
    assert getattr(caught.value, "kind", code) == code
    wheres = [re.sub(r"\.\d+|\[\d*\]", "", each.field) for each in caught.value.violations]
    assert any(where.startswith(path.replace("[]", "")) for where in wheres), wheres


def test_the_least_requests_are_served_whole():
    for request in REQUESTS:
        if request.read is not None:
            assert not request.read(json.dumps(request.least).encode())
