"""OpenAI's official JavaScript SDK, unmodified: the tests of ``js/realtime.test.mjs``, one by one."""

import pytest

from contract.test_gemini_js import check, named, outcomes


@pytest.fixture(scope="module")
def live(scripted):
    return outcomes("realtime.test.mjs", scripted.url)


@pytest.mark.parametrize("name", named("realtime.test.mjs"))
def test_realtime(name, live):
    check(name, live)


def test_every_javascript_test_is_known_here(live):
    assert len(live) == len(named("realtime.test.mjs"))
