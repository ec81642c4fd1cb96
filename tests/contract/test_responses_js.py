"""OpenAI's official JavaScript SDK, unmodified: the tests of ``js/responses.test.mjs``, one by one."""

import pytest

from contract.test_gemini_js import check, named, outcomes


@pytest.fixture(scope="module")
def with_responses(scripted):
    return outcomes("responses.test.mjs", scripted.url)


@pytest.mark.parametrize("name", named("responses.test.mjs"))
def test_responses(name, with_responses):
    check(name, with_responses)


def test_every_javascript_test_is_known_here(with_responses):
    assert len(with_responses) == len(named("responses.test.mjs"))
