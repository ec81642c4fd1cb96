"""Vercel's AI SDK, unmodified, against a server process: ``frameworks/ai_sdk.test.mjs``, as one test."""

import shutil

import pytest

from contract.test_frameworks import CHECKS, EXAMPLES, run

proves = pytest.mark.proves


@proves(
    "frameworks · AI SDK: text, streams, tools, objects, by chat completions, Responses and Google's wire"
)
def test_ai_sdk(scripted):
    beside = EXAMPLES / "ai_sdk.test.mjs"  # node finds packages beside the file that imports them
    shutil.copy(CHECKS / beside.name, beside)
    try:
        said = run("node", "--test", "--test-reporter=tap", beside, CONTRACT_URL=scripted.url)
    finally:
        beside.unlink()
    assert "# fail 0" in said
    assert "# skipped 0" in said
