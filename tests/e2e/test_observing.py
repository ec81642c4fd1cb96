"""What operators see of a real server: logs, traces, metrics, timelines, alerts; and never a word of anybody's."""

import asyncio
import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from geminid.service.digests import Digester
from geminid.service.tokens import Tokens
from geminid.store.database import Database
from serving import serving
from tenants import PRICES, tenant

PATH = "/v1beta/models/scripted:generateContent"
SECRET = "Xylophone-secret"


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.received.append((self.path, dict(self.headers), body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments):
        pass


@contextmanager
def receiving():
    """Anything that takes a POST: a collector of traces, a hook."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        server.received, server.daemon_threads = [], True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def admin_token(url):
    async def make():
        database = await Database.open(url)
        try:
            return (await Tokens(database, await Digester.open(database)).create("test", "tests")).words
        finally:
            await database.close()

    return asyncio.run(make())


def until(look, seconds=30):
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


@pytest.fixture
def told(tmp_path):
    """A server that tells everything that it can, and who receives it."""
    (tmp_path / "prices.toml").write_text(PRICES)
    (tmp_path / "data").mkdir()
    key = tenant(f"sqlite:///{tmp_path}/data/geminid.db", "team", credit_nano=10**9)
    with receiving() as receiver:
        address = f"http://127.0.0.1:{receiver.server_port}"
        environ = {
            "GEMINID_BILLING_PRICES": str(tmp_path / "prices.toml"),
            "GEMINID_LOG_FORMAT": "json",
            "GEMINID_TELEMETRY_OTLP_ENDPOINT": address,
        }
        with serving(tmp_path, "--model", "scripted", environ=environ) as server:
            yield server, receiver, address, key


def test_one_request_is_seen_everywhere_and_its_words_nowhere(told):
    server, receiver, address, team = told
    url = f"sqlite:///{server.log.parent}/data/geminid.db"
    admin = {"authorization": f"Bearer {admin_token(url)}"}
    budget = {"period": "month", "amount": "0.000000001", "webhook": f"{address}/hook"}
    path = "/admin/v1/projects/team/budgets/all"
    assert httpx.put(server.url + path, json=budget, headers=admin, timeout=60).is_success
    body = {"contents": [{"parts": [{"text": f"{SECRET} two"}]}]}
    answer = server.post(PATH, json=body, headers={"x-goog-api-key": team, "traceparent": TRACEPARENT})
    assert answer.status_code == 200, answer.text
    receipt = answer.headers["x-geminid-receipt"]

    timeline = server.get(f"/admin/v1/timelines/{receipt}", headers=admin).json()
    assert (timeline["project"], timeline["outcome"]) == ("team", "finished")
    assert {"read", "accept", "decode", "settle"} <= {phase["name"] for phase in timeline["phases"]}
    kept = server.get(f"/admin/v1/projects/team/usage/{receipt}", headers=admin).json()
    assert kept["cost"] == timeline["cost"]
    assert int(answer.headers["x-geminid-cost-nano"]) == 1_000 * 2 + 2_000 * 2

    metrics = server.get("/metrics").text
    assert 'geminid_cost_nano_dollars_total{model="scripted",tier="standard"} 6000.0' in metrics
    assert "geminid_holds_open 0.0" in metrics

    lines = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
    (line,) = [line for line in lines if line.get("receipt") == receipt]
    assert (line["project"], line["cost_nano"], line["logger"]) == ("team", 6_000, "geminid.access")

    hooks = until(lambda: [each for each in receiver.received if each[0] == "/hook"])
    assert json.loads(hooks[0][2])["type"] == "budget.threshold"
    assert {name.lower() for name in hooks[0][1]} >= {"webhook-id", "webhook-timestamp", "webhook-signature"}

    traces = until(lambda: [each for each in receiver.received if each[0] == "/v1/traces"])
    everything = b"".join(each[2] for each in receiver.received) + server.log.read_bytes() + metrics.encode()
    assert any(receipt.encode() in body for _, _, body in traces)
    assert bytes.fromhex(TRACEPARENT.split("-")[1]) in b"".join(body for _, _, body in traces)
    for secret in (SECRET, team, admin["authorization"].removeprefix("Bearer ")):
        assert secret.encode() not in everything


TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
