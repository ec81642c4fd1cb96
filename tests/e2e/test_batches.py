"""A batch with the real model, through Google's SDK: each line answered once, and the bill is half of live."""

import http.server
import io
import json
import re
import threading
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest
from google import genai
from google.genai import types
from typer.testing import CliRunner

from geminid.cli.main import app
from geminid.core.usage import Usage
from geminid.store.database import sqlite_url
from serving import serving
from tenants import balance_of, proved, rows_of, tenant

pytestmark = pytest.mark.e2e

MODEL = "gemini-3.1-flash-lite"
LINES = 200
LIVE = 20
"""How many of the lines are asked live too, for their price."""
LABELS = ["billing", "delivery", "technical", "praise"]
INSTRUCTION = (
    "You sort mail of a shop. billing: invoices, refunds. delivery: parcels, delays. "
    "technical: the product does not work. praise: thanks."
)
SUBJECTS = ("lamp", "radio", "kettle", "chair", "clock")
COMPLAINTS = ("has not come", "was charged twice", "does not work", "is wonderful")
PRICES = f"""
use = ""
[[price]]
key = "{MODEL}"
input = "0.25"
cached = "0.25"
output = "1.50"
"""
"""Cached tokens cost the same, so that the price of a line does not depend on what was asked before it."""
BATCH_NANO = (125, 750)
"""For a token in and one out, in a batch: half of the prices."""
CREDIT_NANO = 10**9
PATIENCE_S = 240


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A server with the real engine and prices, a project that pays in advance, and its client."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "prices.toml").write_text(PRICES)
    environ = {
        "GEMINID_ENGINE_KV_CACHE_GIB": "1",
        "GEMINID_BILLING_PRICES": str(folder / "prices.toml"),
    }
    with serving(folder, "--pull", environ=environ) as server:
        server.wait_ready()
        url = sqlite_url(folder / "data" / "geminid.db")
        key = tenant(url, "shop", CREDIT_NANO)
        client = genai.Client(api_key=key, http_options={"base_url": server.url})
        yield client, url
        client.close()


def mail(number):
    return f"My {SUBJECTS[number % 5]} of order {number} {COMPLAINTS[number % 4]}."


def request_of(number):
    return {
        "systemInstruction": {"parts": [{"text": INSTRUCTION}]},
        "contents": [{"role": "user", "parts": [{"text": mail(number)}]}],
        "generationConfig": {
            "temperature": 0,
            "responseMimeType": "text/x.enum",
            "responseSchema": {"type": "STRING", "enum": LABELS},
        },
    }


def live(client, number):
    return client.models.generate_content(
        model=MODEL,
        contents=mail(number),
        config={
            "system_instruction": INSTRUCTION,
            "temperature": 0,
            "response_mime_type": "text/x.enum",
            "response_schema": {"type": "STRING", "enum": LABELS},
        },
    )


def finished(client, job):
    give_up = time.monotonic() + PATIENCE_S
    while not job.done:
        assert time.monotonic() < give_up, job
        time.sleep(0.1)
        job = client.batches.get(name=job.name)
    return job


@pytest.mark.timeout(400)
def test_each_line_once_and_half_the_price(shop):
    client, url = shop
    lines = [json.dumps({"key": f"k{n}", "request": request_of(n)}) for n in range(LINES)]
    file = client.files.upload(file=io.BytesIO("\n".join(lines).encode()), config={"mime_type": "jsonl"})
    job = finished(client, client.batches.create(model=MODEL, src=file.name))
    assert job.state is types.JobState.JOB_STATE_SUCCEEDED

    results = [json.loads(each) for each in client.files.download(file=job.dest.file_name).splitlines()]
    assert [result["key"] for result in results] == [f"k{n}" for n in range(LINES)]
    answers = {result["key"]: result["response"] for result in results}
    said = {key: each["candidates"][0]["content"]["parts"][0]["text"] for key, each in answers.items()}
    assert set(said.values()) <= set(LABELS)

    rows = {row.id: row for row in rows_of(url, "shop")}
    assert len(rows) == LINES
    assert Counter(row.tier for row in rows.values()) == {"batch": LINES}
    for answer in answers.values():
        assert tokens_told(answer["usageMetadata"]) == of(rows[answer["responseId"]].usage)
    spent = CREDIT_NANO - balance_of(url, "shop").available_nano
    assert spent == sum(row.cost_nano for row in rows.values()) > 0

    assert all(row.cost_nano == price(row.usage, *BATCH_NANO) for row in rows.values())

    for number in range(LIVE):
        answer = live(client, number)
        asked = next(row for row in rows_of(url, "shop") if row.id == answer.response_id)
        assert asked.tier == "standard"
        assert asked.usage.prompt == rows[answers[f"k{number}"]["responseId"]].usage.prompt
        assert asked.cost_nano == price(asked.usage, *(2 * nano for nano in BATCH_NANO))
    proved(url)


def price(usage, in_nano, out_nano):
    return usage.prompt * in_nano + usage.candidates * out_nano


def tokens_told(metadata):
    """Prompt, cached, candidates, as an answer tells them."""
    return tuple(
        metadata.get(name, 0)
        for name in ("promptTokenCount", "cachedContentTokenCount", "candidatesTokenCount")
    )


def of(usage: Usage):
    """The same, as they are in a row."""
    return usage.prompt, usage.cached, usage.candidates


# -- who is told ---------------------------------------------------------------------------------------

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "batches.md"


@contextmanager
def listening():
    """A receiver of messages on this machine: its address, and what has come."""
    came = []

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            came.append(
                (self.path, {name.lower(): value for name, value in self.headers.items()}, body.decode())
            )
            self.send_response(200 if len(came) > 1 else 500)  # the first has to be sent again
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as receiver:
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{receiver.server_port}", came
        receiver.shutdown()


def is_genuine(secret, headers, body):
    """The verification of the guide, as it stands there."""
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.S)
    code = next(block for block in blocks if "def is_genuine" in block)
    names: dict = {}
    exec(code, names)  # it prints, which is what the guides' test looks at
    return names["is_genuine"](secret, headers, body)


@pytest.mark.timeout(120)
def test_the_end_is_told_signed_and_again_until_it_is_taken(tmp_path):
    with listening() as (address, came):
        environ = {"GEMINID_BULK_WEBHOOK": f"{address}/operator", "GEMINID_BULK_WEBHOOK_ALLOW": "127.0.0.0/8"}
        with serving(tmp_path, "--model", "scripted", environ=environ) as server:
            client = genai.Client(api_key="any", http_options={"base_url": server.url})
            config = {"webhook_config": {"uris": [f"{address}/mine"], "user_metadata": {"order": "17"}}}
            job = finished(
                client, client.batches.create(model=MODEL, src=[{"contents": "hello"}], config=config)
            )
            give_up = time.monotonic() + 60
            while len({path for path, _, _ in came[1:]}) < 2:
                assert time.monotonic() < give_up, came
                time.sleep(0.2)
            told = CliRunner().invoke(app, ["budgets", "secret", "default", "--data", str(tmp_path / "data")])
    secret = told.output.strip()
    assert sorted({path for path, _, _ in came}) == ["/mine", "/operator"]
    for _, headers, body in came:
        assert is_genuine(secret, headers, body)
        assert not is_genuine(secret, headers, body.replace("succeeded", "failed"))
        event = json.loads(body)
        assert event["type"] == "batch.succeeded"
        assert event["data"]["id"] == job.name
        assert event["data"]["user_metadata"] == {"order": "17"}
