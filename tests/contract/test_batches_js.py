"""The batches API through the official JavaScript SDK: the tests of ``js/batches.test.mjs``, one by one."""

import pytest

from contract.test_gemini_js import check, named, outcomes


@pytest.fixture(scope="module")
def with_batches(scripted):
    return outcomes("batches.test.mjs", scripted.url)


@pytest.mark.parametrize("name", named("batches.test.mjs"))
def test_batches(name, with_batches):
    check(name, with_batches)


def test_every_javascript_test_is_known_here(with_batches):
    assert len(with_batches) == len(named("batches.test.mjs"))
