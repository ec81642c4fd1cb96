"""Write docs/reference/compatibility.md from the contract tests and the table of refusals.

    .venv/bin/python tests/contract/compatibility.py > docs/reference/compatibility.md

A contract test says which row it proves with ``@pytest.mark.proves("generateContent · seed")``; the
column is that of its file. Tests are collected, not run: that they pass is what ``make test`` is for.
"""

import contextlib
import io
import sys
from importlib import metadata
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))  # as pytest has it, for whoever runs this file alone

from contract.bodies import REQUESTS
from contract.fields import table
from geminid.wire.gemini.generate import REFUSALS
from geminid.wire.interactions import refusals as interactions
from geminid.wire.openai.refusals import DOWNGRADES
from geminid.wire.openai.refusals import REFUSALS as OPENAI_REFUSALS
from geminid.wire.openai.responses import items as response_items
from geminid.wire.openai.responses import refusals as responses
from geminid.wire.openai.responses import tools as response_tools

TESTS = Path(__file__).parent
COLUMNS = {
    "test_gemini_py.py": "Python SDK",
    "test_functions_py.py": "Python SDK",
    "test_forms_py.py": "Python SDK",
    "test_files_py.py": "Python SDK",
    "test_batches_py.py": "Python SDK",
    "test_embed_py.py": "Python SDK",
    "test_embed_js.py": "JavaScript SDK",
    "test_openai_py.py": "Python SDK",
    "test_openai_js.py": "JavaScript SDK",
    "test_frameworks.py": "Python SDK",
    "test_frameworks_js.py": "JavaScript SDK",
    "test_anthropic_py.py": "Python SDK",
    "test_openai_storage_py.py": "Python SDK",
    "test_openai_storage_js.py": "JavaScript SDK",
    "test_responses_py.py": "Python SDK",
    "test_responses_js.py": "JavaScript SDK",
    "test_vector_stores_py.py": "Python SDK",
    "test_audio_py.py": "Python SDK",
    "test_audio_js.py": "JavaScript SDK",
    "test_realtime_py.py": "Python SDK",
    "test_realtime_js.py": "JavaScript SDK",
    "test_gemini_js.py": "JavaScript SDK",
    "test_files_js.py": "JavaScript SDK",
    "test_caches_py.py": "Python SDK",
    "test_caches_js.py": "JavaScript SDK",
    "test_batches_js.py": "JavaScript SDK",
    "test_interactions_py.py": "Python SDK",
    "test_interactions_js.py": "JavaScript SDK",
    "test_wire.py": "raw HTTP",
    "test_batches_wire.py": "raw HTTP",
}
NAMES = tuple(dict.fromkeys(COLUMNS.values()))
SECTIONS = {
    "generateContent": "Answers, whole",
    "streamGenerateContent": "Answers, streamed",
    "structured output": "Structured output",
    "thinking": "Thinking",
    "functions": "Functions",
    "chats": "Chats",
    "countTokens": "Counting tokens",
    "files": "Files",
    "caches": "Cached contents",
    "batches": "Batches",
    "embeddings": "Embeddings",
    "models": "Models",
    "transport": "Transport",
    "errors": "Errors",
    "strict mode": "Strict mode (`--strict`)",
    "interactions": "Interactions",
    "interactions, streamed": "Interactions, streamed",
    "interactions, functions": "Interactions: functions",
    "interactions, stored": "Interactions: stored",
    "interactions, background": "Interactions: in the background",
    "interactions, errors": "Interactions: errors",
    "chat completions": "OpenAI: chat completions, whole",
    "chat completions, streamed": "OpenAI: chat completions, streamed",
    "chat completions, tools": "OpenAI: tools",
    "chat completions, forms": "OpenAI: forms of answers",
    "chat completions, media": "OpenAI: media",
    "chat completions, thinking": "OpenAI: thinking, and Google's options",
    "chat completions, errors": "OpenAI: errors",
    "chat completions, headers": "OpenAI: headers",
    "responses": "OpenAI: responses",
    "responses, streamed": "OpenAI: responses, streamed",
    "responses, stored": "OpenAI: responses, stored",
    "responses, background": "OpenAI: responses in the background",
    "responses, tools": "OpenAI: responses, tools",
    "responses, file search": "OpenAI: responses, file search",
    "responses, forms": "OpenAI: responses, forms of answers",
    "responses, thinking": "OpenAI: responses, thinking",
    "responses, media": "OpenAI: responses, media",
    "responses, errors": "OpenAI: responses, errors",
    "responses, headers": "OpenAI: responses, headers",
    "vector stores": "OpenAI: vector stores",
    "models (OpenAI)": "OpenAI: models",
    "embeddings (OpenAI)": "OpenAI: embeddings",
    "files (OpenAI)": "OpenAI: files",
    "batches (OpenAI)": "OpenAI: batches",
    "sound": "OpenAI: sound written down",
    "live sessions": "OpenAI: live sessions (Realtime)",
    "what there is not (OpenAI)": "OpenAI: what there is not",
    "/v1beta/openai": "Google's imitation of OpenAI's API (`/v1beta/openai`)",
    "messages": "Anthropic: messages",
    "frameworks": "Frameworks, unmodified, on these SDKs",
}
INTRODUCTION = """\
# Compatibility

<!-- Written by tests/contract/compatibility.py from the contract tests; do not edit. -->

What of the Gemini API is served, field by field. A ✓ stands for a test that `make test` runs against
a server process: with google-genai 3.3.0 for Python, with @google/genai {javascript} for JavaScript,
both unmodified, or with plain HTTP. Rows that say OpenAI are of openai {openai} for Python and openai {openai_js}
for JavaScript, those that say Anthropic of anthropic {anthropic} for Python. An empty cell means that there is no such
test; some things an SDK cannot do or hides. Each field of each request is listed [below](#fields).

A field of the API is *honoured*, *approximated* as the row says, or *refused*: with a status 400,
`INVALID_ARGUMENT`, and its path. No field is dropped in silence. Fields that no published client
knows are refused as `Unknown name`.
"""
REFUSED = """\
## Refused

Each of these is known, and answered with 400 `INVALID_ARGUMENT` where it asks for something. Every
row is tested over plain HTTP, whole and streamed.

| field | let through | message |
|---|---|---|"""

INTERACTIONS_REFUSED = """\
## Refused of interactions

Answered with 400, code `invalid_request`, and the field in the message. Fields that the API reference does not have
have the code `parameter_unknown`.

| field | let through | why |
|---|---|---|"""
INTERACTIONS_DOWNGRADED = """\
## Served with less in interactions

| field | `x-geminid-downgraded` says |
|---|---|"""

FIELDS = """\
## Fields

Every field that the SDKs' own types have, by request. *Without effect* is what cannot matter to an answer of text.
Fields that are not here are refused by their names.
"""
RESPONSES_REFUSED = """\
## Refused of OpenAI's Responses

Answered with 400, `invalid_request_error`, code `unsupported_parameter` or `unsupported_value`, and the field as `param`.
Fields that the API reference does not have are refused as `Unknown parameter`.

| field | let through | why |
|---|---|---|"""
RESPONSES_DOWNGRADED = """\
## Served with less in OpenAI's Responses

| field | `x-geminid-downgraded` says |
|---|---|"""

OPENAI_REFUSED = """\
## Refused on OpenAI's wire

Chat completions answer these with 400, `invalid_request_error`, code `unsupported_parameter` and the field as
`param`. Fields that the API reference does not have are refused as `Unrecognized request argument supplied`.

| field | let through | why |
|---|---|---|"""
OPENAI_DOWNGRADED = """\
## Served with less on OpenAI's wire

| field | `x-geminid-downgraded` says |
|---|---|"""


class Row:
    """One feature: who proves it, and what is to be said of it."""

    def __init__(self) -> None:
        self.columns: set[str] = set()
        self.approximated: str | None = None


class Collector:
    """A plugin that reads the marks of collected tests."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            for mark in item.iter_markers("proves"):
                for feature in mark.args:
                    row = self.rows.setdefault(feature, Row())
                    row.columns.add(COLUMNS[item.path.name])
                    row.approximated = mark.kwargs.get("approximated") or row.approximated


def collect() -> dict[str, Row]:
    """Return the rows by feature."""
    collector, said = Collector(), io.StringIO()
    root = str(TESTS.parent.parent)
    with contextlib.redirect_stdout(said):
        code = pytest.main(
            ["--collect-only", "-q", "-p", "no:cacheprovider", f"--rootdir={root}", str(TESTS)], [collector]
        )
    if code:
        raise SystemExit(said.getvalue())
    return collector.rows


def page() -> str:
    """Return the whole page."""
    rows = collect()
    sections = {name: {} for name in SECTIONS}
    for feature, row in rows.items():
        section, _, name = feature.partition(" · ")
        sections[section][name] = row
    versions = {
        "javascript": javascript_version("@google/genai"),
        "openai": metadata.version("openai"),
        "anthropic": metadata.version("anthropic"),
        "openai_js": javascript_version("openai"),
    }
    lines = [INTRODUCTION.format(**versions)]
    for section, features in sections.items():
        lines += [
            f"## {SECTIONS[section]}",
            "",
            f"| | {' | '.join(NAMES)} | status |",
            "|---|---|---|---|---|",
        ]
        lines += [
            f"| {name} | {cells(row)} | {status(row)} |"
            for name, row in sorted(features.items(), key=lambda item: item[0].lower())
        ]
        lines.append("")
    lines.append(REFUSED)
    lines += [f"| `{row.path}` | {row.accepted} | {row.reason} |" for row in REFUSALS]
    lines += ["", *interactions_lines(), "", *openai_lines(), "", *responses_lines(), "", *field_lines()]
    return "\n".join(lines) + "\n"


def field_lines() -> list[str]:
    """Return the fields of all requests, with what becomes of each."""
    return [FIELDS, "\n\n".join("\n".join(table(request)) for request in REQUESTS)]


def interactions_lines() -> list[str]:
    """Return what is refused of interactions, and what is served with less than was asked for."""
    lines = [INTERACTIONS_REFUSED]
    lines += [f"| `{row.path}` | {row.accepted} | {row.reason} |" for row in interactions.REFUSALS]
    lines += [f"| `tools[].type`: `{name}` | | {why} |" for name, why in interactions.TOOLS.items()]
    steps = ", ".join(f"`{name}`" for name in interactions.STEPS)
    lines.append(f"| `input[].type`: {steps} | | {interactions.STEP_REASON} |")
    formats = ", ".join(f"`{name}`" for name in interactions.FORMATS)
    lines.append(f"| `response_format.type`: {formats} | | {interactions.FORMAT_REASON} |")
    lines += ["", INTERACTIONS_DOWNGRADED]
    return lines + [f"| `{row.field}` | `{row.field}={row.told}` |" for row in interactions.DOWNGRADES]


def responses_lines() -> list[str]:
    """Return what is refused of OpenAI's Responses, and what is served with less than was asked for."""
    lines = [RESPONSES_REFUSED]
    lines += [f"| `{row.field}` | {row.accepted} | {row.reason} |" for row in responses.REFUSALS]
    tools = ", ".join(f"`{name}`" for name in response_tools.HOSTED)
    lines.append(f"| `tools[].type`: {tools} | | This server has no such tool. |")
    items = ", ".join(f"`{name}`" for name in response_items.UNSERVED)
    lines.append(f"| `input[].type`: {items} | | They belong to tools that this server has not. |")
    moved = ", ".join(f"`{old}` (now `{new}`)" for old, new in responses.MOVED.items())
    lines.append(f"| {moved} | | Parameters of chat completions. |")
    lines += ["", RESPONSES_DOWNGRADED]
    return lines + [f"| `{row.field}` | `{row.field}={row.told}` |" for row in responses.DOWNGRADES]


def openai_lines() -> list[str]:
    """Return what is refused on OpenAI's wire, and what is served with less than was asked for."""
    lines = [OPENAI_REFUSED]
    lines += [f"| `{row.field}` | {row.accepted} | {row.reason} |" for row in OPENAI_REFUSALS]
    lines += ["", OPENAI_DOWNGRADED]
    lines += [f"| `{row.field}` | `{row.field}={row.told}` |" for row in DOWNGRADES]
    return lines


def cells(row: Row) -> str:
    return " | ".join("✓" if column in row.columns else "" for column in NAMES)


def status(row: Row) -> str:
    return f"approximated: {row.approximated}" if row.approximated else "honoured"


def javascript_version(name: str) -> str:
    package = (TESTS / "js" / "package.json").read_text()
    return package.partition(f'"{name}": "')[2].partition('"')[0]


if __name__ == "__main__":
    sys.stdout.write(page())
