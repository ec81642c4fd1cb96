"""The lines of the guide to frameworks and its examples run as they stand, with only the address changed."""

import re
from pathlib import Path

import pytest

from contract.test_frameworks import EXAMPLES, PYTHON, ROOT, run

GUIDE = ROOT / "docs" / "guides" / "frameworks.md"
ADDRESS = "http://127.0.0.1:8080"
BLOCKS = re.findall(r"^## (.+?)$.*?```(python|js)\n(.*?)```", GUIDE.read_text(), re.S | re.M)
SHOWN = {
    "ai_sdk_recipes.mjs": ("recipe: {", "larder: {", "nearer: a loaf"),
    "instructor_mail.py": ("OpenAI's client: {", "Google's client: {"),
    "langchain_desk.py": ("ticket: {", "tool: Parcel", "reply: "),
    "llamaindex_handbook.py": ("travel.md", "computers.md"),
}
"""What the output of each example holds, whatever the model says."""


def test_every_framework_has_an_example_that_the_guide_names():
    files = {path.name for path in EXAMPLES.iterdir() if path.suffix in (".py", ".mjs")}
    assert files == SHOWN.keys()
    assert all(f"examples/frameworks/{name}" in GUIDE.read_text() for name in files)


@pytest.mark.e2e
@pytest.mark.parametrize("name", SHOWN)
def test_an_example_runs(real, name):
    command = "node" if Path(name).suffix == ".mjs" else PYTHON
    said = run(command, EXAMPLES / name, GEMINID_URL=real.url)
    assert [words for words in SHOWN[name] if words not in said] == []


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("language", "lines"), [block[1:] for block in BLOCKS], ids=[block[0] for block in BLOCKS]
)
def test_lines_of_the_guide_print_an_answer(real, language, lines):
    lines = lines.replace(ADDRESS, real.url)
    if language == "js":
        assert run("node", "--input-type=module", "-e", lines).strip()
    else:
        assert run(PYTHON, "-c", lines).strip()
