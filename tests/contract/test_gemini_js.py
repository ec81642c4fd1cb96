"""The official JavaScript SDK, unmodified, against a server process.

The tests are those of ``js/*.test.mjs``, which node's own runner runs in one go; each of them is one
test here. What precedes the last colon of a name is the row of the compatibility page that it proves.
"""

import os
import re
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

FOLDER = Path(__file__).parent / "js"
NAMES = re.compile(r"""^proves\('([^']+)', ['"](.+?)['"], """, re.MULTILINE)


def named(file: str) -> list:
    return [
        pytest.param(f"{feature}: {detail}", marks=pytest.mark.proves(feature))
        for feature, detail in NAMES.findall((FOLDER / file).read_text())
    ]


def outcomes(file: str, url: str) -> dict[str, str]:
    """Run a file of tests; return what was wrong by the test's name, nothing where all was well."""
    if not (FOLDER / "node_modules" / ".ready").exists():
        pytest.fail("the JavaScript SDK is not installed: run `make setup-js`", pytrace=False)
    done = subprocess.run(
        ["node", "--test", "--test-reporter=junit", file],
        cwd=FOLDER,
        env={**os.environ, "CONTRACT_URL": url},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    try:
        cases = ElementTree.fromstring(done.stdout).iter("testcase")
    except ElementTree.ParseError:
        pytest.fail(f"node --test {file} broke:\n{done.stdout}\n{done.stderr}", pytrace=False)
    return {case.attrib["name"]: "\n".join(fault.text or "" for fault in case) for case in cases}


def check(name: str, found: dict[str, str]) -> None:
    assert name in found, f"node did not run this test; it ran {sorted(found)}"
    if found[name]:
        pytest.fail(found[name], pytrace=False)


@pytest.fixture(scope="module")
def with_script(scripted):
    return outcomes("scripted.test.mjs", scripted.url)


@pytest.fixture(scope="module")
def with_functions(scripted):
    return outcomes("functions.test.mjs", scripted.url)


@pytest.fixture(scope="module")
def with_model(real):
    return outcomes("real.test.mjs", real.url)


@pytest.mark.parametrize("name", named("scripted.test.mjs"))
def test_scripted(name, with_script):
    check(name, with_script)


@pytest.mark.parametrize("name", named("functions.test.mjs"))
def test_functions(name, with_functions):
    check(name, with_functions)


@pytest.mark.e2e
@pytest.mark.parametrize("name", named("real.test.mjs"))
def test_real(name, with_model):
    check(name, with_model)


def test_every_javascript_test_is_known_here(with_script, with_functions):
    assert len(with_script) == len(named("scripted.test.mjs"))
    assert len(with_functions) == len(named("functions.test.mjs"))
