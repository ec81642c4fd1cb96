"""Embeddings through the official JavaScript SDK: the tests of ``js/embed.test.mjs``, one by one."""

import pytest

from contract.test_gemini_js import check, named, outcomes


@pytest.fixture(scope="module")
def with_embeddings(scripted):
    return outcomes("embed.test.mjs", scripted.url)


@pytest.mark.parametrize("name", named("embed.test.mjs"))
def test_embeddings(name, with_embeddings):
    check(name, with_embeddings)


def test_every_javascript_test_is_known_here(with_embeddings):
    assert len(with_embeddings) == len(named("embed.test.mjs"))
