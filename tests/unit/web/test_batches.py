"""The routes of batches at the level of HTTP, over jobs that are in memory."""

import asyncio
import json
from contextlib import asynccontextmanager

import httpx
import msgspec
import pytest
from starlette.applications import Starlette

from geminid.config import ServerConfig
from geminid.core.batch import Job, Outlook
from geminid.core.caller import Scopes
from geminid.core.errors import UnknownModel
from geminid.service.batches import Page, Place, UnknownBatch
from geminid.service.digests import Digester
from geminid.service.keys import Keys
from geminid.service.projects import Projects
from geminid.web import batches as web
from geminid.web.auth import Doorkeeper
from geminid.web.batches import batch_routes
from geminid.web.gemini import DOUBLED, VERSIONS
from storage import storing

REQUEST = {"contents": [{"parts": [{"text": "hello"}]}]}
INLINE = {"inputConfig": {"requests": {"requests": [{"request": REQUEST, "metadata": {"key": "k1"}}]}}}
FILE = {"inputConfig": {"fileName": "files/abc"}}


class Jobs:
    """Jobs that do what a test tells them."""

    def __init__(self):
        self.kept, self.lines, self.cancelled = {}, {}, []

    def put(self, job_id, project="default", **fields):
        made = {"created_ms": len(self.kept), "updated_ms": 2, "deadline_ms": 172_800_000, "model": "m"}
        job = Job(**{"id": job_id, "project": project, "kind": "generate", **made, **fields})
        self.kept[job_id] = job
        return job

    async def create(self, caller, new):
        if new.model == "unknown":
            raise UnknownModel(new.model)
        self.new = new
        return self.put(
            f"j{len(self.kept)}",
            caller.project,
            kind=new.kind,
            model=new.model,
            file_id=new.file_id,
            lines=len(new.lines or ()),
            display_name=new.display_name,
        )

    async def get(self, project, job_id):
        job = self.kept.get(job_id)
        if job is None or job.project != project:
            raise UnknownBatch(job_id)
        return job

    async def outlook(self, job):
        return Outlook(position=1, eta_ms=1_500)

    async def page(self, project, size, after=None):
        mine = [job for job in reversed(self.kept.values()) if job.project == project]
        mine = [job for job in mine if after is None or job.created_ms < after.created_ms]
        more = Place(mine[size - 1].created_ms, mine[size - 1].id) if len(mine) > size else None
        return Page(tuple(mine[:size]), more)

    async def update(self, project, job_id, *, display_name=None, priority=None):
        job = await self.get(project, job_id)
        said = {"display_name": display_name, "priority": priority}
        changed = {name: value for name, value in said.items() if value is not None}
        self.kept[job_id] = msgspec.structs.replace(job, **changed)
        return self.kept[job_id]

    async def cancel(self, project, job_id):
        await self.get(project, job_id)
        self.cancelled.append(job_id)

    async def delete(self, project, job_id):
        del self.kept[(await self.get(project, job_id)).id]

    async def results(self, job):
        for line in self.lines[job.id]:
            yield line


@asynccontextmanager
async def api(folder, *, keys=()):
    """A client of the routes, the jobs behind them, and the keys before them."""
    jobs = Jobs()
    async with storing(folder) as storage:
        kept = Keys(storage.database, Digester(b"secret"), keys)
        routes = batch_routes(jobs, Doorkeeper(kept), ServerConfig(), (*VERSIONS, *DOUBLED))
        app = Starlette(routes=routes)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            client.app, client.jobs, client.kept, client.database = app, jobs, kept, storage.database
            yield client


async def make(client, batch, verb="batchGenerateContent", path="/v1beta/models/m"):
    return await client.post(f"{path}:{verb}", json={"batch": batch})


async def sent(client, path):
    """The blocks of an answer's body as they leave, which the client's transport joins."""
    blocks = []

    async def receive():
        await asyncio.sleep(60)

    async def send(message):
        blocks.append(message.get("body", b""))

    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": []}
    await client.app(scope, receive, send)
    return [block for block in blocks if block]


def error(reply):
    body = reply.json()["error"]
    return body["code"], body["status"], body["message"]


@pytest.mark.parametrize("prefix", [*VERSIONS, *DOUBLED])
@pytest.mark.parametrize("colon", [":", "%3A"])
async def test_a_job_is_made_under_every_prefix(tmp_path, prefix, colon):
    async with api(tmp_path) as client:
        made = await client.post(f"/{prefix}/models/m{colon}batchGenerateContent", json={"batch": FILE})
        assert made.status_code == 200, made.text
        assert made.headers["content-type"] == "application/json; charset=UTF-8"
        assert made.json()["metadata"]["state"] == "BATCH_STATE_PENDING"
        assert (await client.get(f"/{prefix}/{made.json()['name']}")).json() == made.json()
        assert (await client.post(f"/{prefix}/{made.json()['name']}{colon}cancel")).json() == {}
        assert client.jobs.cancelled == ["j0"]


@pytest.mark.parametrize(
    ("verb", "kind", "request_"),
    [
        ("batchGenerateContent", "generate", REQUEST),
        ("asyncBatchEmbedContent", "embed", {"content": {"parts": [{"text": "hello"}]}}),
    ],
)
async def test_requests_in_the_body_are_handed_over_as_lines(tmp_path, verb, kind, request_):
    async with api(tmp_path) as client:
        batch = {"inputConfig": {"requests": {"requests": [{"request": request_}]}}, "displayName": "d"}
        made = await make(client, batch, verb)
        assert made.json()["metadata"]["batchStats"]["requestCount"] == "1"
        assert client.jobs.new.kind == kind
        assert json.loads(client.jobs.new.lines[0]) == {"request": request_}


async def test_headers_tell_what_lies_before_a_job_until_it_has_ended(tmp_path):
    async with api(tmp_path) as client:
        client.jobs.put("runs", state="running")
        client.jobs.put("ended", state="succeeded", file_id="f", output_id="batch-ended", output=True)
        runs = await client.get("/v1beta/batches/runs")
        assert runs.headers["x-geminid-batch-position"] == "1"
        assert runs.headers["x-geminid-batch-eta-s"] == "2"
        assert runs.headers["x-geminid-batch-deadline"] == "1970-01-03T00:00:00Z"
        ended = await client.get("/v1beta/batches/ended")
        assert "x-geminid-batch-position" not in ended.headers


async def test_inline_results_are_sent_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(web, "SENT_BYTES", 1000)
    async with api(tmp_path) as client:
        client.jobs.put("j", state="succeeded", output=True, lines=100)
        results = [{"response": {"number": n}, "metadata": {"key": str(n)}} for n in range(100)]
        client.jobs.lines["j"] = [json.dumps(each).encode() for each in results]
        blocks = await sent(client, "/v1beta/batches/j")
        assert len(blocks) > 10
        assert max(map(len, blocks)) < 2000
        said = json.loads(b"".join(blocks))
        for told in (said["metadata"]["output"], said["response"]):
            assert told["inlinedResponses"]["inlinedResponses"] == results


async def test_a_list_comes_page_by_page_and_says_that_it_is_not_filtered(tmp_path):
    async with api(tmp_path) as client:
        for n in range(5):
            client.jobs.put(f"j{n}")
        client.jobs.put("foreign", project="other")
        names, token = [], ""
        while True:
            page = await client.get("/v1beta/batches", params={"pageSize": "2", "pageToken": token})
            assert "x-geminid-downgraded" not in page.headers
            names += [operation["name"] for operation in page.json()["operations"]]
            if not (token := page.json().get("nextPageToken", "")):
                break
        assert names == [f"batches/j{n}" for n in range(4, -1, -1)]
        filtered = await client.get("/v1beta/batches", params={"filter": "state=BATCH_STATE_RUNNING"})
        assert filtered.headers["x-geminid-downgraded"] == "filter=not-applied"
        assert len(filtered.json()["operations"]) == 5


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1beta/batches/{}"),
        ("DELETE", "/v1beta/batches/{}"),
        ("POST", "/v1beta/batches/{}:cancel"),
        ("PATCH", "/v1beta/batches/{}:updateGenerateContentBatch"),
    ],
)
async def test_a_foreign_job_is_an_unknown_one(tmp_path, method, path):
    async with api(tmp_path) as client:
        client.jobs.put("foreign", project="other")
        answers = [
            await client.request(method, path.format(name), json=None if method == "GET" else {})
            for name in ("foreign", "unknown")
        ]
        assert answers[0].text == answers[1].text
        assert error(answers[0]) == (404, "NOT_FOUND", "Requested entity was not found.")


@pytest.mark.parametrize("name", ["%00", "J0", "j-0", "j%200", "x" * 65, "%F0%9F%98%80"])
async def test_what_can_be_no_name_is_never_looked_for(tmp_path, name):
    async with api(tmp_path) as client:
        client.jobs.kept = None  # looking would fail
        for method, path in (("GET", ""), ("DELETE", ""), ("POST", ":cancel")):
            reply = await client.request(method, f"/v1beta/batches/{name}{path}")
            assert error(reply) == (404, "NOT_FOUND", "Requested entity was not found.")


async def test_name_and_priority_can_be_changed(tmp_path):
    async with api(tmp_path) as client:
        client.jobs.put("j", kind="embed")
        path = "/v1beta/batches/j:updateEmbedContentBatch"
        changed = await client.patch(path, params={"updateMask": "priority"}, json={"priority": "9"})
        assert (changed.status_code, changed.json()["priority"]) == (200, "9")
        assert changed.json()["name"] == "batches/j"
        refused = await client.patch(path, params={"updateMask": "state"}, json={})
        assert error(refused)[:2] == (400, "INVALID_ARGUMENT")
        wrong = await client.patch("/v1beta/batches/j:updateGenerateContentBatch", json={"priority": 1})
        assert error(wrong)[:2] == (404, "NOT_FOUND")


async def test_deleting_answers_an_empty_object(tmp_path):
    async with api(tmp_path) as client:
        client.jobs.put("j")
        assert (await client.delete("/v1beta/batches/j")).json() == {}
        assert client.jobs.kept == {}


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1beta/batches/j:stop"), ("POST", "/v1beta/batches/j"), ("PATCH", "/v1beta/batches/j")],
)
async def test_other_verbs_are_not_found(tmp_path, method, path):
    async with api(tmp_path) as client:
        client.jobs.put("j")
        assert error(await client.request(method, path, json={}))[:2] == (404, "NOT_FOUND")


async def test_an_unknown_model_is_named_with_the_verb(tmp_path):
    async with api(tmp_path) as client:
        reply = await make(client, FILE, path="/v1beta/models/unknown")
        assert error(reply)[:2] == (404, "NOT_FOUND")
        assert "is not supported for batchGenerateContent." in error(reply)[2]


async def test_a_body_beyond_the_bound_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(web, "INLINE_BYTES_MAX", 1000)
    async with api(tmp_path) as client:
        metadata = {"key": "x" * 1000}
        batch = {"inputConfig": {"requests": {"requests": [{"request": REQUEST, "metadata": metadata}]}}}
        reply = await make(client, batch)
        assert error(reply) == (
            400,
            "INVALID_ARGUMENT",
            "Request payload size exceeds the limit: 1000 bytes.",
        )


async def test_a_key_must_be_good_for_batches_and_for_the_model(tmp_path):
    async with api(tmp_path, keys=("sk-all",)) as client:
        await Projects(client.database).create("test", "shop")
        scopes = Scopes(models=("m",), verbs=("batches",))
        both = (await client.kept.create("test", "shop", name="a", scopes=scopes)).words
        other = (await client.kept.create("test", "shop", name="b", scopes=Scopes(verbs=("generate",)))).words
        assert error(await make(client, INLINE))[:2] == (403, "PERMISSION_DENIED")
        client.headers["x-goog-api-key"] = other
        assert error(await make(client, INLINE))[2] == "This API key may not be used to work with batches."
        client.headers["x-goog-api-key"] = both
        assert (await make(client, INLINE)).status_code == 200
        refused = await make(client, INLINE, path="/v1beta/models/n")
        assert error(refused)[2] == "This API key may not be used with the model n."
