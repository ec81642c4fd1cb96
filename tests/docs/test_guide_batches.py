"""The commands of the guide about batches, run in their order against a server."""

import json
import os
import re
import shlex
from pathlib import Path

from typer.testing import CliRunner

from geminid.cli.main import app

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "batches.md"
BLOCK = re.compile(r"```sh\n(.*?)```", re.S)


def commands():
    text = "\n".join(BLOCK.findall(GUIDE.read_text()))
    return [shlex.split(line)[1:] for line in text.splitlines() if line.startswith("geminid ")]


def test_every_command_does_what_the_guide_says(scripted, tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith(("GEMINID_", "GOOGLE_", "GEMINI_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    lines = [
        {"key": str(n), "request": {"contents": [{"parts": [{"text": f"hello {n}"}]}]}} for n in range(3)
    ]
    Path("requests.jsonl").write_text("\n".join(map(json.dumps, lines)))
    environ = {"XDG_DATA_HOME": str(tmp_path), "NO_COLOR": "1", "GOOGLE_GEMINI_BASE_URL": scripted.url}
    found, batch = commands(), ""
    assert {command[0] for command in found} == {"batch", "budgets", "usage"}
    for command in found:
        words = [batch if word == "BATCH" else word for word in command]
        done = CliRunner().invoke(app, words, env=environ)
        assert done.exit_code == 0, (command, done.output)
        if command[:2] == ["batch", "submit"]:
            batch = done.stdout.split()[0]
    results = [json.loads(line) for line in Path("results.jsonl").read_text().splitlines()]
    assert [result["key"] for result in results] == ["0", "1", "2"]
