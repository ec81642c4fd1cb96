"""The examples of the guides, run as they stand with only the address changed."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
JS = ROOT / "tests" / "contract" / "js"
ADDRESS = "http://127.0.0.1:8080"
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.S)

pytestmark = pytest.mark.e2e


def example(language, number=0):
    blocks = BLOCK.findall((ROOT / "docs" / "guides" / "quickstart.md").read_text())
    return [text for name, text in blocks if name == language][number]


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_python_example_prints_an_answer(real):
    assert run(sys.executable, "-c", example("python").replace(ADDRESS, real.url)).strip()


def test_the_javascript_example_prints_an_answer(real):
    script = JS / "guide-example.mjs"  # beside node_modules, where its import is found
    script.write_text(example("js").replace(ADDRESS, real.url))
    try:
        assert run("node", str(script), cwd=JS).strip() not in ("", "undefined")
    finally:
        script.unlink()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_curl_example_gets_an_answer(real):
    assert '"finishReason": "STOP"' in run("sh", "-c", example("sh").replace(ADDRESS, real.url))


def test_the_examples_without_a_server_print_an_answer():
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for line in example("sh", 1).strip().splitlines():
        command = line.replace(".venv/bin/geminid", "geminid")
        assert run("sh", "-c", command, env={**os.environ, "PATH": path}).strip()


GUIDES = ("thinking", "structured-output", "functions", "media", "files", "batches", "caching")
CLIENT = f"""
from google import genai
client = genai.Client(http_options={{"api_version": "v1beta", "base_url": "{ADDRESS}"}}, api_key="anything")
"""


@pytest.mark.parametrize("guide", GUIDES)
def test_the_examples_of_a_guide_run_with_the_quickstarts_client(real, guide):
    blocks = BLOCK.findall((ROOT / "docs" / "guides" / f"{guide}.md").read_text())
    examples = [text for language, text in blocks if language == "python"]
    assert examples
    for text in examples:
        assert run(sys.executable, "-c", (CLIENT + text).replace(ADDRESS, real.url), cwd=ROOT).strip()
