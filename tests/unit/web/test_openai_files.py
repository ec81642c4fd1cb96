"""OpenAI's routes of files at the level of HTTP: bodies that come in pieces, in any order, or not to their end."""

import asyncio
import json
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.applications import Starlette

from geminid.config import FilesConfig
from geminid.core.caller import Scopes
from geminid.service.digests import Digester
from geminid.service.keys import Keys
from geminid.service.projects import Projects
from geminid.web.app import Storage, file_routes
from geminid.web.auth import Doorkeeper
from geminid.web.openai.files import FilesApi
from geminid.web.openai.routing import Guard
from storage import storing

BEARER = {"authorization": "Bearer sk-x"}
FORM = {"content-type": "multipart/form-data; boundary=b"}


@asynccontextmanager
async def api(folder, *, keys=(), silent_s=5.0, ttl_s=172_800, **options):
    """A client of the routes, and what is behind them."""
    async with storing(folder, ttl_s=ttl_s, **options) as storage:
        kept = Keys(storage.database, Digester(b"secret"), keys)
        store = Storage(storage.files, storage.uploads, FilesConfig(ttl_s=ttl_s))
        doorkeeper = Doorkeeper(kept)
        routes = [*FilesApi(store, Guard(doorkeeper), silent_s).routes(), *file_routes(store, doorkeeper)]
        app = Starlette(routes=routes)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://testserver", headers=BEARER
        ) as client:
            client.storage, client.kept, client.app = storage, kept, app
            yield client


def part(name, content, file_name=None, **headers):
    said = f'form-data; name="{name}"' + (f'; filename="{file_name}"' if file_name is not None else "")
    lines = [f"content-disposition: {said}", *(f"{key}: {value}" for key, value in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def form(*parts):
    return b"".join(b"--b\r\n" + each + b"\r\n" for each in parts) + b"--b--\r\n"


async def blocks(body, size=7):
    for at in range(0, len(body), size):
        yield body[at : at + size]


def error(reply):
    said = reply.json()["error"]
    return reply.status_code, said["param"], said["code"], said["message"]


async def nothing_is_left(client):
    assert (await client.get("/v1/files")).json()["data"] == []
    await client.storage.uploads.drop_orphans()
    assert not set(client.storage.blobs.keys())


@pytest.mark.parametrize("last", ["file", "purpose"])
async def test_the_file_may_come_before_the_fields_and_in_pieces(tmp_path, last):
    data = bytes(range(256)) * 50
    parts = [part("purpose", b"vision"), part("file", data, "a.png", **{"content-type": "image/png"})]
    body = form(*(parts if last == "file" else parts[::-1]))
    async with api(tmp_path) as client:
        made = await client.post("/v1/files", headers=FORM, content=blocks(body))
        assert made.status_code == 200, made.text
        told = made.json()
        assert (told["purpose"], told["bytes"], told["filename"]) == ("vision", len(data), "a.png")
        found = await client.get(f"/v1/files/{told['id']}/content")
        assert found.content == data
        assert found.headers["content-type"] == "image/png"
        assert found.headers["content-disposition"] == "attachment"
        assert found.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize(
    ("body", "param", "words"),
    [
        (form(part("purpose", b"batch")), "file", "Missing required parameter: 'file'"),
        (form(part("file", b"x", "a")), "purpose", "Missing required parameter: 'purpose'"),
        (form(part("purpose", b"batch"), part("file", b"x")), "file", "expected a file"),
        (form(part("purpose", b"nosuch"), part("file", b"x", "a")), "purpose", "Invalid value: 'nosuch'"),
        (form(part("file", b"x", "a"), part("purpose", b"nosuch")), "purpose", "Invalid value: 'nosuch'"),
        (form(part("purpose", b"batch"), part("purpose", b"batch")), "purpose", "more than one field"),
        (
            form(part("file", b"x", "a"), part("file", b"y", "b"), part("purpose", b"batch")),
            "file",
            "more than one field",
        ),
        (form(part("file", b"x", "a" * 600), part("purpose", b"batch")), "filename", "string too long"),
        (form(part("file", b"x", "a"), part("purpose", b"batch"), part("x", b"1")), None, "Unrecognized"),
        (form(part("purpose", b"x" * 70_000), part("file", b"x", "a")), None, "more than 65536 bytes"),
        (form(*(part(f"f{n}", b"") for n in range(101))), None, "more than 100 fields"),
        (form(b"content-type: text/plain\r\n\r\nx"), None, "has no name"),
        (b"", None, "ended early"),
        (form(part("purpose", b"batch"), part("file", b"x" * 100, "a"))[:-20], None, "ended early"),
        (b"nonsense", None, "ended early"),
    ],
)
async def test_what_is_no_form_with_one_file_is_refused_and_leaves_nothing(tmp_path, body, param, words):
    async with api(tmp_path) as client:
        reply = await client.post("/v1/files", headers=FORM, content=blocks(body, 1_000))
        status, told, _, message = error(reply)
        assert (status, told) == (400, param)
        assert words in message
        await nothing_is_left(client)


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"content-type": "application/json"}, "multipart/form-data"),
        ({}, "multipart/form-data"),
        ({"content-type": "multipart/form-data"}, "boundary"),
        ({**FORM, "content-encoding": "gzip"}, "Content-Encoding"),
    ],
)
async def test_bodies_of_other_types_are_refused(tmp_path, headers, words):
    async with api(tmp_path) as client:
        reply = await client.post("/v1/files", headers=headers, content=b"{}")
        assert reply.status_code == 400
        assert words in error(reply)[3]


async def test_a_file_that_is_too_large_is_refused_on_the_way(tmp_path):
    async with api(tmp_path, file_bytes_max=2_000_000) as client:
        taken = 0

        async def endless():
            nonlocal taken
            yield b"--b\r\n" + part("purpose", b"batch") + b"\r\n--b\r\n" + part("file", b"", "a")
            while True:
                taken += 100_000
                yield b"x" * 100_000

        reply = await client.post("/v1/files", headers=FORM, content=endless())
        assert reply.status_code == 400
        assert "at most 2000000 are allowed" in error(reply)[3]
        assert taken < 8_000_000
        await nothing_is_left(client)


async def test_a_purpose_that_is_refused_ends_it_before_the_file_has_come(tmp_path):
    async with api(tmp_path) as client:
        taken = 0

        async def endless():
            nonlocal taken
            yield b"--b\r\n" + part("purpose", b"fine-tune") + b"\r\n--b\r\n" + part("file", b"", "a")
            while True:
                taken += 1
                yield b"x" * 100_000

        reply = await client.post("/v1/files", headers=FORM, content=endless())
        assert error(reply)[:3] == (400, "purpose", "unsupported_value")
        assert taken < 10


async def test_a_project_that_is_full_is_told_so(tmp_path):
    async with api(tmp_path, project_bytes_max=1_000) as client:
        body = form(part("purpose", b"batch"), part("file", b"x" * 2_000, "a"))
        reply = await client.post("/v1/files", headers=FORM, content=body)
        assert error(reply)[::2] == (429, "insufficient_quota")
        await nothing_is_left(client)


async def test_a_body_that_stops_coming_is_given_up(tmp_path):
    async with api(tmp_path, silent_s=0.05) as client:

        async def stuck():
            yield b"--b\r\n" + part("purpose", b"batch") + b"\r\n--b\r\n" + part("file", b"begun", "a")
            await asyncio.sleep(3600)

        reply = await client.post("/v1/files", headers=FORM, content=stuck())
        assert error(reply)[::2] == (504, "timeout")
        await nothing_is_left(client)


async def test_a_client_that_goes_away_leaves_nothing(tmp_path):
    begun = b"--b\r\n" + part("purpose", b"batch") + b"\r\n--b\r\n" + part("file", b"x" * 100_000, "a")
    async with api(tmp_path) as client:
        messages = [
            {"type": "http.request", "body": begun, "more_body": True},
            {"type": "http.disconnect"},
        ]

        async def receive():
            return messages.pop(0)

        async def send(message):
            """Nobody reads it."""

        raw = [(b"authorization", b"Bearer sk-x"), (b"content-type", FORM["content-type"].encode())]
        scope = {"type": "http", "method": "POST", "path": "/v1/files", "query_string": b"", "headers": raw}
        await client.app(scope, receive, send)
        await nothing_is_left(client)


async def test_a_handler_that_is_cancelled_leaves_nothing(tmp_path):
    async with api(tmp_path) as client:
        writing = asyncio.Event()

        async def stuck():
            yield b"--b\r\n" + part("file", b"x" * 10, "a")
            writing.set()
            await asyncio.sleep(3600)

        task = asyncio.create_task(client.post("/v1/files", headers=FORM, content=stuck()))
        await writing.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await nothing_is_left(client)


async def test_who_is_no_client_of_openai_gets_googles_answer(tmp_path):
    async with api(tmp_path) as client:
        google = await client.get("/v1/files", headers={"authorization": "", "x-goog-api-key": "k"})
        assert google.json() == {}
        both = await client.get("/v1/files", headers={"x-goog-api-client": "genai"})
        assert both.json() == {}
        assert (await client.get("/v1/files")).json()["object"] == "list"


async def test_other_projects_and_narrow_keys_see_nothing(tmp_path):
    async with api(tmp_path) as client:
        projects = Projects(client.storage.database)
        keys = []
        for name in ("one", "two"):
            await projects.create("test", name)
            keys.append((await client.kept.create("test", name, "k")).words)
        narrow = (await client.kept.create("test", "one", "n", scopes=Scopes(verbs=("generate",)))).words
        mine, theirs, none = ({"authorization": f"Bearer {key}"} for key in (*keys, narrow))
        body = form(part("purpose", b"batch"), part("file", b"x", "a.jsonl"))
        made = (await client.post("/v1/files", headers=FORM | mine, content=body)).json()
        path = f"/v1/files/{made['id']}"
        for method, where in (("GET", path), ("GET", f"{path}/content"), ("DELETE", path)):
            assert error(await client.request(method, where, headers=theirs))[:3] == (404, "id", None)
            refused = await client.request(method, where, headers=none)
            assert (refused.status_code, error(refused)[2]) == (403, "insufficient_permissions")
        assert (await client.get("/v1/files", headers=theirs)).json()["data"] == []
        assert (await client.get(path, headers=mine)).status_code == 200


@pytest.mark.parametrize(
    "name", ["file-", "x" * 5_000, "a%2Fb", "..%2f..%2fetc%2fpasswd", "%00", "%F0%9F%98%80"]
)
async def test_names_that_mean_nothing_are_not_there(tmp_path, name):
    async with api(tmp_path) as client:
        for path in (f"/v1/files/{name}", f"/v1/files/{name}/content"):
            reply = await client.get(path)
            assert reply.status_code == 404
            assert json.loads(reply.content)["error"]["message"]
