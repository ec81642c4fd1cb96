"""The example of the guide to Anthropic's API, run as it stands with only the address changed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "anthropic.md"
ADDRESS = "http://127.0.0.1:8080"
(EXAMPLE,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.S)


@pytest.mark.e2e
def test_the_example_prints_an_answer(real):
    done = subprocess.run(
        [sys.executable, "-c", EXAMPLE.replace(ADDRESS, real.url)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
