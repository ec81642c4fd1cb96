"""The caches API through the official JavaScript SDK: the tests of ``js/caches.test.mjs``, one by one."""

import pytest

from contract.test_gemini_js import check, named, outcomes


@pytest.fixture(scope="module")
def with_caches(scripted):
    return outcomes("caches.test.mjs", scripted.url)


@pytest.mark.parametrize("name", named("caches.test.mjs"))
def test_caches(name, with_caches):
    check(name, with_caches)


def test_every_javascript_test_is_known_here(with_caches):
    assert len(with_caches) == len(named("caches.test.mjs"))
