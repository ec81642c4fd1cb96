"""Every example runs to its end with the embedded model, as a user would run it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
SHOWN = {
    "agent": "answer(",
    "classify": "%",
    "contract_questions": "tokens cached)",
    "document_qa": "(page ",
    "extract": '"phone"',
    "minutes": '"decisions"',
    "moderate": '"spam"',
    "nightly": "m040,",
    "rag": "[1] computers.md: Passwords live in the password manager",
    "receipt": "tokens of image",
    "route": "(",
    "simulation": "day 4",
    "support_chat": "in the history)",
    "translate": "Thank you.",
    "ui": "[",
    "video_summary": "[0:",
}
"""What the output of each holds, whatever the model says."""


def test_every_example_is_known_here_and_in_the_readme():
    files = {path.stem for path in EXAMPLES.glob("*.py")} - {"connect"}
    assert files == SHOWN.keys()
    assert all(f"({name}.py)" in (EXAMPLES / "README.md").read_text() for name in files)


@pytest.mark.e2e
@pytest.mark.parametrize("name", SHOWN)
def test_an_example_runs(real, name):
    done = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py"],
        env={**os.environ, "GEMINID_URL": real.url},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert SHOWN[name] in done.stdout
