"""The README does what it says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"
ADDRESS = "127.0.0.1:8080"


@pytest.mark.e2e
def test_the_first_lines_of_python(real):
    """The first Python of the README, with nothing but the address changed, prints an answer."""
    found = re.search(r"^```python\n(.*?)^```$", README.read_text(), re.DOTALL | re.MULTILINE)
    assert found, f"{README} has no ```python block"
    lines = found[1]
    assert ADDRESS in lines
    done = subprocess.run(
        [sys.executable, "-c", lines.replace(ADDRESS, real.url.removeprefix("http://"))],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
