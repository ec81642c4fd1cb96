"""Backup, restore and moving to PostgreSQL with real servers, by the commands of the guide."""

import hashlib
import itertools
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import httpx
import pytest

from postgres import programs
from serving import serving
from tenants import PRICES, balance_of, proved, rows_of, tenant

GUIDE = Path(__file__).parents[2] / "docs" / "operating" / "backup.md"
CREDIT_NANO = 10**9
START = {"X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "start"}
FINISH = {"X-Goog-Upload-Command": "upload, finalize", "X-Goog-Upload-Offset": "0"}


@pytest.fixture
def shell(tmp_path):
    """Run the commands of one block of the guide, with its folders in a folder of the test."""
    path = os.pathsep.join([str(Path(sys.executable).parent), str(programs()), os.environ["PATH"]])
    blocks = re.findall(r"```sh\n(.*?)```", GUIDE.read_text(), re.S)

    def run(number, **environ):
        lines = [line for line in blocks[number].splitlines() if not line.startswith("geminid serve")]
        text = (
            "\n".join(lines).replace("/backups/", f"{tmp_path}/backups/").replace("/srv/", f"{tmp_path}/srv/")
        )
        names = {"PATH": path, **environ}
        done = subprocess.run(
            ["bash", "-e", "-c", text],
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
            env={**os.environ, **names},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    (tmp_path / "srv").mkdir()
    (tmp_path / "backups").mkdir()
    (tmp_path / "prices.toml").write_text(PRICES)
    return run


@contextmanager
def served(tmp_path, name, data, **environ):
    folder = tmp_path / name
    folder.mkdir()
    settings = {"GEMINID_SERVER_DATA": str(data), "GEMINID_BILLING_PRICES": str(tmp_path / "prices.toml")}
    with serving(folder, "--model", "scripted", environ={**settings, **environ}) as server:
        yield server


class Client:
    """One user of a server."""

    def __init__(self, server, key):
        self.http = httpx.Client(base_url=server.url, headers={"x-goog-api-key": key}, timeout=60)

    def close(self):
        self.http.close()

    def ask(self):
        body = {"contents": [{"parts": [{"text": "hello"}]}], "generationConfig": {"maxOutputTokens": 1}}
        reply = self.http.post("/v1beta/models/scripted:generateContent", json=body)
        assert reply.status_code == 200, reply.text
        return reply.headers["x-geminid-receipt"]

    def put(self, data):
        begun = self.http.post(
            "/upload/v1beta/files",
            headers={**START, "X-Goog-Upload-Header-Content-Type": "text/plain"},
            json={},
        )
        done = self.http.post(begun.headers["x-goog-upload-url"], headers=FINISH, content=data)
        assert done.status_code == 200, done.text
        return done.json()["file"]["name"]

    def get(self, name):
        reply = self.http.get(f"/download/v1beta/{name}:download?alt=media")
        assert reply.status_code == 200, reply.text
        return reply.content

    def delete(self, name):
        assert self.http.delete(f"/v1beta/{name}").status_code == 200

    def names(self):
        reply = self.http.get("/v1beta/files?pageSize=100").json()
        assert "nextPageToken" not in reply
        return {file["name"] for file in reply.get("files", ())}


@contextmanager
def load(server, key) -> Iterator[None]:
    """Two users that ask, and one that puts files and deletes them again, until the block ends."""
    over, failed = threading.Event(), []

    def user(act):
        try:
            for number in itertools.count():
                act(number)
                if over.is_set():
                    return
        except BaseException as error:
            failed.append(error)

    with ExitStack() as stack:
        *asking, filing = (stack.enter_context(closing(Client(server, key))) for _ in range(3))
        acts = [lambda _, client=client: client.ask() for client in asking]
        acts.append(lambda number: filing.delete(filing.put(b"%d" % number * 100_000)))
        threads = [threading.Thread(target=user, args=(act,)) for act in acts]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join()
    assert not failed, failed


def test_a_backup_under_load_is_a_whole_server_again(tmp_path, shell):
    live = tmp_path / "srv" / "live"
    live.mkdir()
    url = f"sqlite:///{live / 'geminid.db'}"
    key = tenant(url, "shop", CREDIT_NANO)
    words = {}
    with served(tmp_path, "live", live) as server, closing(Client(server, key)) as client:
        for number in range(5):
            data = bytes([number]) * 100_000
            words[client.put(data)] = hashlib.sha256(data).digest()
        before = [client.ask() for _ in range(20)]
        with load(server, key):
            client.ask()
            assert "entries of" in shell(0, GEMINID_SERVER_DATA=str(live))
    in_the_end = {row.id for row in rows_of(url, "shop")}
    assert "entries of" in shell(1)
    restored = tmp_path / "srv" / "geminid"
    assert (restored / "signing.key").read_bytes() == (live / "signing.key").read_bytes()
    with served(tmp_path, "restored", restored) as server, closing(Client(server, key)) as client:
        names = client.names()
        found = {name: hashlib.sha256(client.get(name)).digest() for name in names}
        assert words.items() <= found.items()
        after = client.ask()
    copy = f"sqlite:///{restored / 'geminid.db'}"
    kept = rows_of(copy, "shop")
    assert {*before, after} <= {row.id for row in kept} <= {*in_the_end, after}
    assert len(kept) > len(before) + 1, "nothing was asked meanwhile"
    assert balance_of(copy, "shop").posted_nano == CREDIT_NANO - sum(row.cost_nano for row in kept)
    assert proved(copy).open_holds == 0


def test_from_sqlite_to_postgresql_and_from_its_dump_to_another(tmp_path, shell, postgresql):
    data = tmp_path / "srv" / "geminid"
    data.mkdir()
    old = f"sqlite:///{data / 'geminid.db'}"
    new, last = (postgresql.database().replace("+psycopg", "") for _ in range(2))
    key = tenant(old, "shop", CREDIT_NANO)
    with served(tmp_path, "old", data) as server, closing(Client(server, key)) as client:
        receipts = {client.ask() for _ in range(20)}
        name = client.put(b"some words")
    assert "The ledger fits: 41 entries of 1 projects." in shell(4, NEW_URL=new)
    with (
        served(tmp_path, "new", data, GEMINID_STORE_URL=new) as server,
        closing(Client(server, key)) as client,
    ):
        assert client.get(name) == b"some words"
        receipts.add(client.ask())
    shell(2, GEMINID_STORE_URL=new)
    assert "43 entries of 1 projects fit" in shell(3, RESTORED_URL=last)
    moved = tmp_path / "backups"
    with (
        served(tmp_path, "last", moved, GEMINID_STORE_URL=last) as server,
        closing(Client(server, key)) as client,
    ):
        assert client.get(name) == b"some words"
        receipts.add(client.ask())
    assert {row.id for row in rows_of(last, "shop")} == receipts
    assert proved(last).posted_nano == CREDIT_NANO - 22 * 3_000
