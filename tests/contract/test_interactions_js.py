"""Google's official JavaScript SDK: the tests of ``js/interactions.test.mjs``, one by one."""

import pytest

from contract.test_gemini_js import check, named, outcomes


@pytest.fixture(scope="module")
def with_interactions(scripted):
    return outcomes("interactions.test.mjs", scripted.url)


@pytest.mark.parametrize("name", named("interactions.test.mjs"))
def test_interactions(name, with_interactions):
    check(name, with_interactions)


def test_every_javascript_test_is_known_here(with_interactions):
    assert len(with_interactions) == len(named("interactions.test.mjs"))
