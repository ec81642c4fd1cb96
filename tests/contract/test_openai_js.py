"""OpenAI's official JavaScript SDK, unmodified: the tests of ``js/openai.test.mjs``, one by one."""

import pytest

from contract.test_gemini_js import check, named, outcomes


@pytest.fixture(scope="module")
def with_openai(scripted):
    return outcomes("openai.test.mjs", scripted.url)


@pytest.mark.parametrize("name", named("openai.test.mjs"))
def test_openai(name, with_openai):
    check(name, with_openai)


def test_every_javascript_test_is_known_here(with_openai):
    assert len(with_openai) == len(named("openai.test.mjs"))
