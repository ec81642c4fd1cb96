"""The examples of the guide to Responses, run as they stand with only the address changed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "responses.md"
ADDRESS = "http://127.0.0.1:8080"
EXAMPLES = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.S)

pytestmark = pytest.mark.e2e

NAMES = ["whole", "streamed", "remembered", "background", "functions", "file search"]


@pytest.mark.parametrize("example", EXAMPLES, ids=NAMES)
def test_an_example_prints_an_answer(real, example):
    done = subprocess.run(
        [sys.executable, "-c", example.replace(ADDRESS, real.url)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
