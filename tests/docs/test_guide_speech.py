"""The examples of the guides to speech and live sessions, run as they stand with only the address changed."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDES = ROOT / "docs" / "guides"
ADDRESS = "http://127.0.0.1:8080"

pytestmark = pytest.mark.e2e


def examples(guide, language="python"):
    return re.findall(rf"```{language}\n(.*?)```", (GUIDES / guide).read_text(), re.S)


def run(real, *command):
    address = [each.replace(ADDRESS, real.url) for each in command]
    done = subprocess.run(address, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("number", [0, 1], ids=["whole", "streamed"])
def test_an_example_of_speech_prints_what_is_said(real, number):
    assert len(run(real, sys.executable, "-c", examples("speech.md")[number]).split()) > 10


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_curl_example_gets_subtitles(real):
    (line,) = examples("speech.md", "sh")
    assert run(real, "sh", "-c", line).startswith("1\n00:00:")


@pytest.mark.parametrize("number", [0, 2], ids=["a session", "a secret"])
def test_an_example_of_live_sessions_prints_an_answer(real, number):
    assert run(real, sys.executable, "-c", examples("realtime.md")[number]).strip()
