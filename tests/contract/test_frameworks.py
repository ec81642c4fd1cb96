"""Frameworks that stand on the SDKs, unmodified, each in an environment of its own, against a server process.

What is checked is in ``frameworks/``: files of tests that pytest runs with the frameworks' interpreter. A file is one
test here.
"""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHECKS = Path(__file__).parent / "frameworks"
EXAMPLES = ROOT / "examples" / "frameworks"
PYTHON = ROOT / ".venv-frameworks" / "bin" / "python"

proves = pytest.mark.proves


def run(*command: str | Path, **environ: str) -> str:
    """Run a command to its good end and return what it said. Proxies and keys of whoever runs the tests are hidden."""
    if not PYTHON.exists() or not (EXAMPLES / "node_modules" / ".ready").exists():
        pytest.fail("the frameworks are not installed: run `make setup-frameworks`", pytrace=False)
    hidden = ("OPENAI_", "GOOGLE_", "GEMINI_", "ANTHROPIC_", "LANGCHAIN_", "LANGSMITH_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    done = subprocess.run(
        command,
        cwd=EXAMPLES,
        env={**kept, **environ},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    if done.returncode:
        pytest.fail(f"{done.stdout}\n{done.stderr}", pytrace=False)
    return done.stdout


def passed(file: str, url: str) -> str:
    """Return the last line of pytest on a file of checks, which must all have passed."""
    options = ("-q", "-p", "no:cacheprovider", "--noconftest", "-c", os.devnull, "--rootdir", str(CHECKS))
    said = run(PYTHON, "-m", "pytest", *options, str(CHECKS / file), CONTRACT_URL=url)
    return said.splitlines()[-1]


@proves(
    "frameworks · LangChain: chat, batch, stream, tools, structured output, by chat completions, Responses and Google's wire"
)
def test_langchain(scripted):
    assert " passed" in passed("check_langchain.py", scripted.url)


@proves("frameworks · LlamaIndex: complete, chat, stream, tools, structured output")
def test_llamaindex(scripted):
    assert " passed" in passed("check_llamaindex.py", scripted.url)


@proves(
    "frameworks · instructor: objects by schema, by calls and in parts, by OpenAI's client and by Google's"
)
def test_instructor(scripted):
    assert " passed" in passed("check_instructor.py", scripted.url)
