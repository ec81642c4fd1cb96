"""The examples of the guide to embeddings, run as they stand with only the address changed."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ADDRESS = "http://127.0.0.1:8080"
BLOCKS = dict(re.findall(r"```(python|sh)\n(.*?)```", (ROOT / "docs/guides/embeddings.md").read_text(), re.S))

pytestmark = pytest.mark.e2e


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def test_the_question_is_nearer_to_what_answers_it(real):
    assert run(sys.executable, "-c", BLOCKS["python"].replace(ADDRESS, real.url)).strip() == "True"


def test_curl_is_given_as_many_numbers_as_it_asks_for(real):
    answer = json.loads(run("sh", "-c", BLOCKS["sh"].replace(ADDRESS, real.url)))
    assert len(answer["embedding"]["values"]) == 256
