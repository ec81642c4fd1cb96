"""The Files API through the official JavaScript SDK: the tests of ``js/files.test.mjs``, one by one."""

import pytest

from contract.test_gemini_js import check, named, outcomes


@pytest.fixture(scope="module")
def with_files(scripted):
    return outcomes("files.test.mjs", scripted.url)


@pytest.mark.parametrize("name", named("files.test.mjs"))
def test_files(name, with_files):
    check(name, with_files)


def test_every_javascript_test_is_known_here(with_files):
    assert len(with_files) == len(named("files.test.mjs"))
