"""Keys are secrets: not in logs, databases, error texts or answers, whatever is done with them.

And what belongs to others looks as if it were not there, by every route.
"""

import os
import re
import sqlite3
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from administering import administering
from geminid.core import secret
from geminid.core.errors import InvalidKey
from geminid.core.secret import new_secret
from geminid.service import digests, keys
from geminid.wire.admin.operations import PREFIX
from serving import serving

GENERATE = "/v1beta/models/scripted:generateContent"
BODY = {"contents": [{"parts": [{"text": "hello"}]}]}
FORMS = (
    lambda key: {"headers": {"x-goog-api-key": key}},
    lambda key: {"params": {"key": key}},
    lambda key: {"headers": {"authorization": f"Bearer {key}"}},
)
SETTINGS_KEY = "a-key-of-the-settings-7Qz"


class Served:
    """A server whose log tells everything, and its command line."""

    def __init__(self, server, folder) -> None:
        self.server, self.folder = server, folder
        self.environ = {**os.environ, "GEMINID_SERVER_DATA": str(folder / "data")}
        self.token = self.run("tokens", "create", "ops").stdout.strip()
        self.admin = {"headers": {"authorization": f"Bearer {self.token}"}}

    def run(self, *arguments, code=0):
        command = [sys.executable, "-m", "geminid.cli.main", *arguments]
        done = subprocess.run(
            command, env=self.environ, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == code, done.stderr
        return done

    def key(self, project, **more):
        path = f"{PREFIX}/projects/{project}/keys"
        return self.server.post(path, json={"name": f"of {project}", **more}, **self.admin).json()

    def everything_kept(self) -> bytes:
        return b"".join(path.read_bytes() for path in self.folder.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    environ = {"GEMINID_LOG_LEVEL": "debug", "GEMINID_SERVER_KEYS": SETTINGS_KEY}
    with serving(folder, "--model", "scripted", environ=environ) as server:
        opened = Served(server, folder)
        for name in ("ours", "theirs"):
            assert server.post(f"{PREFIX}/projects", json={"id": name}, **opened.admin).status_code == 201
        yield opened


def typo(key):
    return key[:10] + ("a" if key[10] != "a" else "b") + key[11:]


@pytest.mark.parametrize("form", FORMS, ids=["x-goog-api-key", "query", "bearer"])
def test_a_key_opens_in_every_form_and_one_character_less_does_not(served, form):
    key = served.key("ours")["secret"]
    assert served.server.post(GENERATE, json=BODY, **form(key)).status_code == 200
    for wrong in (key[:-1], typo(key), new_secret("sk"), "sk-", key.upper(), f"{key}x"):
        answer = served.server.post(GENERATE, json=BODY, **form(wrong))
        assert answer.status_code == 400
        assert "API_KEY_INVALID" in answer.text


def test_no_secret_is_anywhere_but_where_it_was_made(served):
    """Use keys rightly and wrongly, in every form and route; then look into all that is kept and logged."""
    made = served.key("ours")
    wrong = typo(made["secret"])
    rotated = served.server.post(
        f"{PREFIX}/projects/ours/keys/{made['key']['id']}/rotate", json={"overlapSeconds": 60}, **served.admin
    ).json()
    secrets = [made["secret"], rotated["secret"], served.token, SETTINGS_KEY]
    answers = []
    for key in (*secrets, wrong):
        for form in FORMS:
            said = form(key)
            answers += [
                served.server.post(GENERATE, json=BODY, **said),
                served.server.post(GENERATE, json={"contents": [{"key": 1}]}, **said),
                served.server.post("/v1beta/models/nobody:generateContent", json=BODY, **said),
                served.server.post("/v1beta/models/scripted:countTokens", json=BODY, **said),
                served.server.get("/v1beta/models", **said),
                served.server.get("/v1beta/files/none", **said),
                served.server.get("/nowhere", **said),
            ]
    answers += [
        served.server.get(f"{PREFIX}{path}", **served.admin) for path in ("/audit", "/tokens", "/projects")
    ]
    answers += [served.server.get(f"{PREFIX}/projects/ours/keys", **served.admin)]
    answers += [served.server.get("/metrics"), served.server.get("/readyz")]
    told = "".join(answer.text + str(answer.headers) for answer in answers)
    told += served.run("keys", "list", "--project", "ours", "--json").stdout
    told += served.run("config", "--json").stdout
    kept = served.everything_kept()
    for each in (*secrets, wrong):
        middle = each[8:-5]
        assert middle not in told
        assert middle.encode() not in kept, "in the database or the log"


def test_a_dump_of_the_database_opens_nothing(served):
    served.key("ours")
    database = sqlite3.connect(served.folder / "data" / "geminid.db")
    words = {
        str(cell)
        for table in ("keys", "admin_tokens", "secrets")
        for row in database.execute(f"SELECT * FROM {table}")
        for cell in (value.hex() if isinstance(value, bytes) else value for value in row)
        if cell
    }
    database.close()
    assert len(words) > 10
    for each in words:
        key, token = {"x-goog-api-key": each.encode()}, {"authorization": f"Bearer {each}".encode()}
        assert served.server.get("/v1beta/models", headers=key).status_code == 400
        assert served.server.get(f"{PREFIX}/projects", headers=token).status_code == 401


def test_a_revoked_key_is_refused_by_the_very_next_request_of_every_route(served):
    for path, call in (
        (GENERATE, lambda path, key: served.server.post(path, json=BODY, headers={"x-goog-api-key": key})),
        ("/v1beta/models", lambda path, key: served.server.get(path, headers={"x-goog-api-key": key})),
        ("/v1beta/files", lambda path, key: served.server.get(path, headers={"x-goog-api-key": key})),
    ):
        made = served.key("ours")
        assert call(path, made["secret"]).status_code == 200
        served.run("keys", "revoke", made["key"]["id"], "--project", "ours")  # another process
        assert call(path, made["secret"]).status_code == 400


def test_an_expired_key_says_so(served):
    made = served.key("ours")
    database = sqlite3.connect(served.folder / "data" / "geminid.db")
    with database:
        database.execute("UPDATE keys SET expires_ms = 1 WHERE id = ?", (made["key"]["id"],))
    database.close()
    answer = served.server.post(GENERATE, json=BODY, headers={"x-goog-api-key": made["secret"]})
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "API key expired. Please renew the API key."
    assert "API_KEY_INVALID" in answer.text


def test_a_key_does_what_its_scopes_say(served):
    made = served.key("ours", scopes={"models": ["gemini-*"], "verbs": ["generate"]})
    header = {"headers": {"x-goog-api-key": made["secret"]}}
    path = "/v1beta/models/gemini-3.1-flash-lite"
    assert served.server.post(f"{path}:generateContent", json=BODY, **header).status_code == 200
    for refused in (
        served.server.post(GENERATE, json=BODY, **header),
        served.server.post(f"{path}:countTokens", json=BODY, **header),
        served.server.get("/v1beta/models", **header),
        served.server.get("/v1beta/files", **header),
    ):
        assert refused.status_code == 403
        assert refused.json()["error"]["status"] == "PERMISSION_DENIED"


def test_what_another_project_has_looks_as_if_it_were_not_there(served):
    theirs = served.key("theirs")["key"]["id"]
    for method, path in (
        ("GET", "/projects/ours/keys/{}"),
        ("PATCH", "/projects/ours/keys/{}"),
        ("POST", "/projects/ours/keys/{}/revoke"),
        ("POST", "/projects/ours/keys/{}/rotate"),
        ("GET", "/projects/{}"),
        ("GET", "/projects/{}/credits"),
    ):
        names = (theirs, "key-0123456789abcdef") if "keys" in path else ("Theirs", "nobody")
        one, other = (ask(served, method, path.format(name)) for name in names)
        assert one.status_code == other.status_code == 404
        assert one.text.replace(names[0], names[1]) == other.text


def test_no_route_of_administration_answers_to_a_key_and_none_of_the_users_to_a_token(served):
    key = served.key("ours")["secret"]
    for form in FORMS:
        for secret_of_users in (key, SETTINGS_KEY):
            assert served.server.get(f"{PREFIX}/projects", **form(secret_of_users)).status_code == 401
        assert served.server.post(GENERATE, json=BODY, **form(served.token)).status_code == 400
        assert served.server.get("/v1beta/models", **form(served.token)).status_code == 400


def ask(served, method, path):
    url, json = f"{served.server.url}{PREFIX}{path}", None if method == "GET" else {}
    return httpx.request(method, url, json=json, **served.admin, timeout=60)


# -- the mechanism, not the clock ----------------------------------------------------------------------


async def test_a_look_up_compares_only_what_nobody_can_choose(tmp_path, monkeypatch):
    """What the database is asked for is a keyed digest: near misses are as far from each other as all else."""
    async with administering(tmp_path, SETTINGS_KEY) as room:
        made = await room.acts.keys.create("test", "default", "a key")
        asked = []
        by_digest = keys.rows.by_digest
        monkeypatch.setattr(
            keys.rows,
            "by_digest",
            lambda connection, digest: (asked.append(digest), by_digest(connection, digest))[1],
        )
        near = list(near_misses(made.words))
        for words in (*near, made.words):
            try:
                await room.acts.keys.caller((words,))
            except InvalidKey:
                assert words != made.words
        assert len(asked) == len(near) + 1
        assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in asked)
        shared = [next(n for n in range(64) if digest[n] != made.key.digest[n]) for digest in asked[:-1]]
        assert max(shared) < 8


async def test_every_key_of_the_settings_is_compared_always(tmp_path, monkeypatch):
    counted = []
    compare = digests.hmac.compare_digest
    monkeypatch.setattr(digests.hmac, "compare_digest", lambda a, b: (counted.append(a), compare(a, b))[1])
    async with administering(tmp_path, *(f"key-{n}" for n in range(5))) as room:
        for words in ("key-0", "key-4"):
            counted.clear()
            await room.acts.keys.caller((words,))
            assert len(counted) == 5


def near_misses(words):
    """Keys that differ in one place each, with their check put right."""
    for place in range(3, 36, 4):
        wrong = words[:place] + ("a" if words[place] != "a" else "b") + words[place + 1 : -6]
        yield wrong + secret._base62(zlib.crc32(wrong.encode()), 6)


def test_many_wrong_keys_at_once_stop_nobody(served):
    good = served.key("ours")["secret"]
    wrong = [new_secret("sk") for _ in range(200)]
    with ThreadPoolExecutor(16) as pool:
        refused = list(
            pool.map(
                lambda key: served.server.get("/v1beta/models", headers={"x-goog-api-key": key}).status_code,
                wrong,
            )
        )
    assert set(refused) == {400}
    assert served.server.get("/v1beta/models", headers={"x-goog-api-key": good}).status_code == 200
