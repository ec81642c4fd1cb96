"""OpenAI's official JavaScript SDK, unmodified: the tests of ``js/openai_storage.test.mjs``, one by one."""

import pytest

from contract.test_gemini_js import check, named, outcomes


@pytest.fixture(scope="module")
def with_storage(scripted):
    return outcomes("openai_storage.test.mjs", scripted.url)


@pytest.mark.parametrize("name", named("openai_storage.test.mjs"))
def test_openai_storage(name, with_storage):
    check(name, with_storage)


def test_every_javascript_test_is_known_here(with_storage):
    assert len(with_storage) == len(named("openai_storage.test.mjs"))
