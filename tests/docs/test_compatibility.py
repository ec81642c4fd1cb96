"""The page about compatibility tells what the contract tests prove."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = "tests/contract/compatibility.py"
PAGE = "docs/reference/compatibility.md"


def test_the_page_is_up_to_date():
    done = subprocess.run(
        [sys.executable, SCRIPT], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (ROOT / PAGE).read_text() == done.stdout, f"run: .venv/bin/python {SCRIPT} > {PAGE}"
