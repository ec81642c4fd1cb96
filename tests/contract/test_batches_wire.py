"""Batches over plain HTTP: spellings, headers and forms that SDKs hide."""

import json
import time

import httpx
import pytest

from contract.test_wire import error_of

MODEL = "models/gemini-3.1-flash-lite"
KINDS = "type.googleapis.com/google.ai.generativelanguage.v1main."
PATIENCE_S = 60

proves = pytest.mark.proves


def request(text):
    return {"contents": [{"parts": [{"text": text}]}]}


def make(server, batch, verb="batchGenerateContent", prefix="v1beta"):
    return server.post(f"/{prefix}/{MODEL}:{verb}", json={"batch": batch})


def inlined(*texts):
    requests = [{"request": request(text), "metadata": {"key": f"k{n}"}} for n, text in enumerate(texts)]
    return {"requests": {"requests": requests}}


def upload(server, *texts):
    lines = [json.dumps({"key": f"k{n}", "request": request(text)}) for n, text in enumerate(texts)]
    headers = {"x-goog-upload-protocol": "raw", "content-type": "application/jsonl"}
    sent = server.post("/upload/v1beta/files", headers=headers, content="\n".join(lines).encode())
    return sent.json()["file"]["name"]


def ended(server, made: httpx.Response):
    assert made.status_code == 200, made.text
    give_up = time.monotonic() + PATIENCE_S
    while not (operation := server.get(f"/v1beta/{made.json()['name']}").json()).get("done"):
        assert time.monotonic() < give_up, operation
        time.sleep(0.05)
    return operation


@proves("batches · the operation, whole")
def test_an_operation(scripted):
    made = make(scripted, {"displayName": "two", "inputConfig": inlined("one", "two"), "priority": "7"})
    fresh = made.json()
    assert "done" not in fresh
    assert fresh["metadata"]["@type"] == KINDS + "GenerateContentBatch"
    assert fresh["metadata"]["state"] in ("BATCH_STATE_PENDING", "BATCH_STATE_RUNNING")
    assert fresh["metadata"]["priority"] == "7"
    operation = ended(scripted, made)
    assert list(operation) == ["name", "metadata", "done", "response"]
    assert operation["metadata"]["batchStats"] == {
        "requestCount": "2",
        "successfulRequestCount": "2",
        "failedRequestCount": "0",
        "pendingRequestCount": "0",
    }
    assert operation["response"].pop("@type") == KINDS + "GenerateContentBatchOutput"
    assert operation["response"] == operation["metadata"]["output"]
    items = operation["response"]["inlinedResponses"]["inlinedResponses"]
    assert [item["metadata"] for item in items] == [{"key": "k0"}, {"key": "k1"}]
    assert all(list(item) == ["response", "metadata"] for item in items)


@proves("batches · camelCase and snake_case, forgiving JSON")
@pytest.mark.parametrize(
    "form",
    [
        '{{"batch":{{"display_name":"d","input_config":{{"file_name":"{name}"}}}}}}',
        '{{"batch":{{"displayName":"d","inputConfig":{{"fileName":"{name}",}},}},}}',
        "{{'batch':{{'display_name':'d','inputConfig':{{'file_name':'{name}'}}}}}}",
    ],
)
def test_spellings(scripted, form):
    name = upload(scripted, "hello")
    made = scripted.post(f"/v1beta/{MODEL}:batchGenerateContent", content=form.format(name=name).encode())
    operation = ended(scripted, made)
    assert operation["metadata"]["displayName"] == "d"
    assert operation["metadata"]["inputConfig"] == {"fileName": name}


@proves("batches · results of a file, by both paths of a download")
def test_downloads(scripted):
    operation = ended(scripted, make(scripted, {"inputConfig": {"fileName": upload(scripted, "a", "b")}}))
    name = operation["response"]["responsesFile"]
    assert operation["metadata"]["output"] == {"responsesFile": name}
    first = scripted.get(f"/v1beta/{name}:download", params={"alt": "media"})
    second = scripted.get(f"/download/v1beta/{name}:download", params={"alt": "media"})
    assert first.content == second.content
    lines = [json.loads(line) for line in first.content.splitlines()]
    assert [list(line) for line in lines] == [["response", "key"]] * 2
    assert [line["key"] for line in lines] == ["k0", "k1"]
    told = scripted.get(f"/v1beta/{name}").json()
    assert (told["source"], told["mimeType"]) == ("GENERATED", "application/jsonl")


@proves("batches · displayName and priority can be changed")
def test_changes(scripted):
    made = make(scripted, {"inputConfig": inlined("hello"), "displayName": "old"}).json()
    path = f"/v1beta/{made['name']}:updateGenerateContentBatch"
    changed = httpx.patch(
        scripted.url + path,
        params={"updateMask": "displayName"},
        json={"displayName": "new", "priority": "5"},
    )
    assert changed.status_code == 200, changed.text
    assert (changed.json()["displayName"], changed.json()["priority"]) == ("new", "0")
    assert changed.json()["name"] == made["name"]
    refused = httpx.patch(scripted.url + path, params={"updateMask": "model"}, json={})
    assert error_of(refused)["status"] == "INVALID_ARGUMENT"


@proves("batches · position, time to go and deadline in headers")
def test_headers(scripted):
    made = make(scripted, {"inputConfig": inlined(*["slowly"] * 300)})
    waits = make(scripted, {"inputConfig": inlined("hello")})
    for reply in (made, waits):
        assert reply.headers["x-geminid-batch-deadline"].endswith("Z")
        assert reply.headers["x-geminid-batch-position"].isdigit()
    for reply in (made, waits):
        assert scripted.post(f"/v1beta/{reply.json()['name']}:cancel", json={}).json() == {}
    cancelled = ended(scripted, made)
    assert cancelled["error"] == {"code": 1, "message": "The operation was cancelled."}
    assert cancelled["metadata"]["state"] == "BATCH_STATE_CANCELLED"


@proves("batches · cancel: what is answered stays")
def test_what_is_answered_stays(scripted):
    made = make(scripted, {"inputConfig": inlined("quick", "slowly", "quick", *["slowly"] * 100)})
    path = f"/v1beta/{made.json()['name']}"
    give_up = time.monotonic() + PATIENCE_S
    while scripted.get(path).json()["metadata"]["batchStats"]["successfulRequestCount"] != "2":
        assert time.monotonic() < give_up
        time.sleep(0.02)
    scripted.post(f"{path}:cancel", json={})
    while "output" not in (operation := scripted.get(path).json())["metadata"]:
        assert time.monotonic() < give_up
        time.sleep(0.02)
    assert operation["metadata"]["state"] == "BATCH_STATE_CANCELLED"
    items = operation["metadata"]["output"]["inlinedResponses"]["inlinedResponses"]
    assert len(items) == 103
    assert ["response" in item for item in items] == [True, False, True] + [False] * 100
    assert {item["error"]["code"] for item in items if "error" in item} == {1}


@proves("batches · a filter of a list is told as a downgrade")
def test_a_filter(scripted):
    listed = scripted.get("/v1beta/batches", params={"filter": 'state="BATCH_STATE_RUNNING"', "pageSize": 1})
    assert listed.status_code == 200
    assert listed.headers["x-geminid-downgraded"] == "filter=not-applied"


@proves("batches · what is wrong with a job, with its path")
@pytest.mark.parametrize(
    ("batch", "path"),
    [
        ({}, "batch.input_config"),
        ({"inputConfig": {"requests": {"requests": []}}}, "batch.input_config"),
        (
            {"inputConfig": {"requests": {"requests": [{"request": {"nonsense": 1}}]}}},
            "batch.input_config.requests.requests[0].request",
        ),
        ({"inputConfig": {"fileName": "files/a"}, "priority": "x"}, "batch.priority"),
    ],
)
def test_wrong_jobs(scripted, batch, path):
    error = error_of(make(scripted, batch))
    assert error["status"] == "INVALID_ARGUMENT"
    assert [violation["field"] for violation in error["details"][0]["fieldViolations"]] == [path]


@proves("batches · too much for a body is refused")
def test_too_much(scripted):
    batch = {"inputConfig": inlined("x" * (21 * 1024 * 1024))}
    assert error_of(make(scripted, batch))["message"].startswith("Request payload size exceeds the limit: ")


@proves("batches · webhookConfig, told as it was given")
def test_a_webhook(scripted):
    config = {"uris": ["https://localhost/ended"], "userMetadata": {"order_id": "17", "deep": {"a": [1]}}}
    made = make(scripted, {"inputConfig": inlined("hello"), "webhookConfig": config})
    assert made.json()["metadata"]["webhookConfig"] == config
    assert ended(scripted, made)["metadata"]["state"] == "BATCH_STATE_SUCCEEDED"
    private = {"inputConfig": inlined("hello"), "webhookConfig": {"uris": ["ftp://example.com/"]}}
    assert "webhook_config.uris[0]" in error_of(make(scripted, private))["message"]


@proves("batches · an unknown batch")
def test_no_batch(scripted):
    for reply in (
        scripted.get("/v1beta/batches/never-was"),
        scripted.post("/v1beta/batches/never-was:cancel"),
        httpx.delete(f"{scripted.url}/v1beta/batches/never-was"),
    ):
        assert error_of(reply) == {
            "code": 404,
            "message": "Requested entity was not found.",
            "status": "NOT_FOUND",
        }


@proves("batches · a generating model does not embed, and the other way round")
def test_the_wrong_kind_of_model(scripted):
    batch = {
        "inputConfig": {"requests": {"requests": [{"request": {"content": {"parts": [{"text": "x"}]}}}]}}
    }
    error = error_of(make(scripted, batch, "asyncBatchEmbedContent"))
    assert error["status"] == "NOT_FOUND"
    assert "is not supported for asyncBatchEmbedContent." in error["message"]
    other = scripted.post(
        "/v1beta/models/gemini-embedding-001:batchGenerateContent",
        json={"batch": {"inputConfig": inlined("x")}},
    )
    assert error_of(other)["status"] == "NOT_FOUND"
    assert "is not supported for batchGenerateContent." in error_of(other)["message"]
