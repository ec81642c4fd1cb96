"""OpenAI's official Python SDK, unmodified, against a server process: embeddings, files, batches, what is gone."""

import asyncio
import base64
import io
import json
import math
import struct
import time
from collections.abc import Callable, Iterator

import httpx
import openai
import pytest

from serving import Server, serving

MODEL = "gemini-3.1-flash-lite"
EMBEDDING = "scripted-embedding"
CHAT, VECTORS = "/v1/chat/completions", "/v1/embeddings"
NO_RETRIES = {"max_retries": 0}

proves = pytest.mark.proves


@pytest.fixture(autouse=True)
def no_ambient_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_LOG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def openai_of() -> Iterator[Callable[..., openai.OpenAI]]:
    """Make clients as users do; they are closed at the end."""
    clients = []

    def make(server: Server, path: str = "/v1", key: str = "sk-anything", **options) -> openai.OpenAI:
        clients.append(openai.OpenAI(api_key=key, base_url=server.url + path, **{**NO_RETRIES, **options}))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture(scope="module")
def client(scripted, openai_of):
    return openai_of(scripted)


@pytest.fixture(scope="module")
def googles(scripted, openai_of):
    """A client of Google's imitation."""
    return openai_of(scripted, "/v1beta/openai/")


# -- embeddings ----------------------------------------------------------------------------------------


@proves("embeddings (OpenAI) · input: a text", "embeddings (OpenAI) · encoding_format: base64, float")
def test_a_vector_is_the_same_in_either_encoding(client):
    coded = client.embeddings.create(model=EMBEDDING, input="a red lamp")  # the SDK asks for base64
    plain = client.embeddings.create(model=EMBEDDING, input="a red lamp", encoding_format="float")
    (one,), (other,) = coded.data, plain.data
    assert (one.object, one.index, coded.object) == ("embedding", 0, "list")
    assert one.embedding == [struct.unpack("<f", struct.pack("<f", number))[0] for number in other.embedding]
    assert math.isclose(sum(number * number for number in one.embedding), 1, abs_tol=1e-5)


@proves("embeddings (OpenAI) · input: a list of texts", "embeddings (OpenAI) · model, usage")
def test_many_texts_come_back_in_their_order(client):
    answer = client.embeddings.create(model=EMBEDDING, input=["one two", "three", "one two"])
    assert [each.index for each in answer.data] == [0, 1, 2]
    assert answer.data[0].embedding == answer.data[2].embedding != answer.data[1].embedding
    assert answer.model == EMBEDDING
    assert answer.usage.prompt_tokens == answer.usage.total_tokens > 0


@proves("embeddings (OpenAI) · dimensions")
def test_fewer_numbers(client):
    assert len(client.embeddings.create(model=EMBEDDING, input="a", dimensions=3).data[0].embedding) == 3
    with pytest.raises(openai.BadRequestError) as caught:
        client.embeddings.create(model=EMBEDDING, input="a", dimensions=100_000)
    assert caught.value.param == "dimensions"
    assert "dimensionality" not in caught.value.message


@proves("embeddings (OpenAI) · user", "embeddings (OpenAI) · headers: x-request-id, x-geminid-receipt")
def test_who_wants_them_is_kept_with_the_bill(client):
    answer = client.embeddings.with_raw_response.create(model=EMBEDDING, input="a", user="ada")
    assert answer.headers["x-request-id"].startswith("req_")
    assert answer.headers["x-geminid-receipt"]
    assert answer.parse().data


@proves(
    "embeddings (OpenAI) · texts longer than the model reads",
    approximated="cut to what it reads, which x-geminid-downgraded says; OpenAI refuses them",
)
def test_long_texts_are_cut_and_it_is_said(client):
    answer = client.embeddings.with_raw_response.create(model=EMBEDDING, input=["a", "word " * 20_000])
    assert answer.headers["x-geminid-downgraded"].startswith("input[1]=cut-to-")


@proves("embeddings (OpenAI) · mistakes: arrays of tokens, empty texts, unknown models")
@pytest.mark.parametrize(
    ("body", "kind", "param", "code"),
    [
        ({"input": [1, 2, 3]}, openai.BadRequestError, "input", "unsupported_value"),
        ({"input": [[1, 2], [3]]}, openai.BadRequestError, "input", "unsupported_value"),
        ({"input": ""}, openai.BadRequestError, "input", "empty_string"),
        ({"input": ["a", ""]}, openai.BadRequestError, "input[1]", "empty_string"),
        ({"input": []}, openai.BadRequestError, "input", "empty_array"),
        ({"input": ["a"] * 2049}, openai.BadRequestError, "input", "array_above_max_length"),
        ({"input": "a", "model": "nosuch"}, openai.NotFoundError, None, "model_not_found"),
        ({"input": "a", "model": MODEL}, openai.NotFoundError, None, "model_not_found"),
        ({"input": "a", "dimensions": 0}, openai.BadRequestError, "dimensions", "integer_below_min_value"),
        (
            {"input": "a", "encoding_format": "hex"},
            openai.BadRequestError,
            "encoding_format",
            "invalid_value",
        ),
        ({"input": "a", "extra_body": {"nosuch": 1}}, openai.BadRequestError, None, None),
    ],
)
def test_mistakes_of_embeddings(client, body, kind, param, code):
    with pytest.raises(kind) as caught:
        client.embeddings.create(**{"model": EMBEDDING, "encoding_format": "float", **body})
    assert (caught.value.param, caught.value.code) == (param, code)


@proves("/v1beta/openai · embeddings")
def test_googles_embeddings(googles, client):
    same = googles.embeddings.create(model=f"models/{EMBEDDING}", input="a").data[0].embedding
    assert same == client.embeddings.create(model=EMBEDDING, input="a").data[0].embedding


@proves("embeddings (OpenAI) · names: text-embedding-3-small, text-embedding-3-large, if switched on")
def test_names_of_openais_models_are_switched_on(scripted, openai_of, tmp_path):
    with pytest.raises(openai.NotFoundError):
        openai_of(scripted).embeddings.create(model="text-embedding-3-small", input="a")
    environ = {"GEMINID_CATALOG_FAMILIES": "text-embedding"}
    with serving(tmp_path, "--model", "scripted", environ=environ) as server:
        client = openai_of(server)
        for name in ("text-embedding-3-small", "text-embedding-3-large"):
            assert client.embeddings.create(model=name, input="a").model == EMBEDDING
        with pytest.raises(openai.NotFoundError):
            client.chat.completions.create(
                model="text-embedding-3-small", messages=[{"role": "user", "content": "a"}]
            )


# -- files ---------------------------------------------------------------------------------------------


def upload(client, content=b"hello", name="hello.txt", purpose="user_data", **options):
    return client.files.create(file=(name, content), purpose=purpose, **options)


@proves("files (OpenAI) · create, retrieve, content, delete")
def test_a_file_comes_back_as_it_was(client):
    data = bytes(range(256)) * 1000
    file = upload(client, data, "noise.bin")
    assert file.id.startswith("file-")
    assert (file.object, file.bytes, file.filename) == ("file", len(data), "noise.bin")
    assert (file.purpose, file.status) == ("user_data", "processed")
    assert client.files.retrieve(file.id) == file
    assert client.files.content(file.id).read() == data
    gone = client.files.delete(file.id)
    assert (gone.id, gone.deleted, gone.object) == (file.id, True, "file")
    for act in (client.files.retrieve, client.files.content, client.files.delete):
        with pytest.raises(openai.NotFoundError, match=f"No such File object: {file.id}"):
            act(file.id)


@proves("files (OpenAI) · purpose: assistants, batch, user_data, vision, evals")
@pytest.mark.parametrize("purpose", ["assistants", "batch", "user_data", "vision", "evals"])
def test_purposes(client, purpose):
    assert upload(client, b"{}", "a.jsonl", purpose).purpose == purpose


@proves("files (OpenAI) · purpose: fine-tune is refused")
def test_files_to_train_on_are_refused(client):
    with pytest.raises(openai.BadRequestError, match="does not train") as caught:
        upload(client, purpose="fine-tune")
    assert (caught.value.param, caught.value.code) == ("purpose", "unsupported_value")


@proves(
    "files (OpenAI) · expires_after, expires_at",
    approximated="a file lives no longer than files.ttl_s, which expires_at and x-geminid-downgraded say",
)
def test_how_long_a_file_lives(client):
    short = upload(client, expires_after={"anchor": "created_at", "seconds": 3600})
    assert short.expires_at - short.created_at == 3600
    month = {"anchor": "created_at", "seconds": 2592000}
    long = client.files.with_raw_response.create(
        file=("a.txt", b"a"), purpose="user_data", expires_after=month
    )
    assert long.headers["x-geminid-downgraded"] == "expires_after.seconds=172800"
    assert long.parse().expires_at - long.parse().created_at == 172800
    assert upload(client).expires_at - upload(client).created_at in (172799, 172800, 172801)


@proves("files (OpenAI) · list: after, limit, order, purpose")
def test_lists(scripted, openai_of, tmp_path):
    with serving(tmp_path, "--model", "scripted") as server:
        client = openai_of(server)
        assert client.files.list().data == []
        made = [upload(client, b"x", f"{n}.txt", ["batch", "vision"][n % 2]).id for n in range(5)]
        assert [file.id for file in client.files.list()] == made[::-1]
        assert [file.id for file in client.files.list(order="asc")] == made
        page = client.files.list(limit=2, order="asc")
        assert ([file.id for file in page.data], page.has_more) == (made[:2], True)
        assert [file.id for file in client.files.list(limit=2, order="asc", after=made[1])] == made[2:]
        assert [file.id for file in client.files.list(limit=1)] == made[::-1]  # page by page
        assert [file.id for file in client.files.list(purpose="vision")] == [made[3], made[1]]
        assert client.files.list(purpose="batch_output").data == []
        for wrong in ({"limit": 0}, {"limit": 10_001}, {"order": "up"}):
            with pytest.raises(openai.BadRequestError) as caught:
                client.files.list(**wrong)
            assert caught.value.param == next(iter(wrong))
        with pytest.raises(openai.NotFoundError):
            client.files.list(after="file-nosuch")


@proves("files (OpenAI) · from a path, from memory, by an asynchronous client")
async def test_ways_to_give_a_file(scripted, tmp_path):
    (tmp_path / "note.md").write_text("# Lamps\nThe lamp is red.")
    async with openai.AsyncOpenAI(api_key="sk-x", base_url=f"{scripted.url}/v1") as client:
        by_path = await client.files.create(file=tmp_path / "note.md", purpose="user_data")
        by_memory = await client.files.create(file=io.BytesIO(b"hello"), purpose="user_data")
        assert (by_path.filename, by_memory.bytes) == ("note.md", 5)
        assert (await client.files.content(by_path.id)).text.startswith("# Lamps")
        done = await client.files.wait_for_processing(by_path.id)
        assert done.status == "processed"


@proves("files (OpenAI) · file_id in a chat")
def test_an_uploaded_file_in_a_chat(client):
    file = upload(client, b"The lamp is red.", "lamp.txt")
    content = [{"type": "text", "text": "What colour?"}, {"type": "file", "file": {"file_id": file.id}}]
    answer = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": content}])
    assert "The lamp is red." in answer.choices[0].message.content
    client.files.delete(file.id)
    with pytest.raises(openai.NotFoundError, match=f"No such File object: {file.id}"):
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": content}])


@proves("files (OpenAI) · the same file by Google's wire")
def test_both_wires_have_the_same_files(client, scripted):
    file = upload(client, b"shared", "shared.txt")
    name = f"files/{file.id.removeprefix('file-')}"
    found = scripted.get(f"/v1beta/{name}").json()
    assert (found["displayName"], found["sizeBytes"]) == ("shared.txt", "6")
    start = {"X-Goog-Upload-Protocol": "raw", "X-Goog-Upload-File-Name": "theirs.txt"}
    theirs = scripted.post("/upload/v1beta/files", content=b"theirs", headers=start).json()["file"]["name"]
    ours = client.files.retrieve(f"file-{theirs.removeprefix('files/')}")
    assert (ours.filename, ours.purpose) == ("theirs.txt", "user_data")


@proves("/v1beta/openai · files and batches, with Google's names")
def test_googles_files_and_batches(googles, client):
    lines = [line("a", body("hello there"))]
    file = upload(googles, jsonl(lines), "in.jsonl", "batch")
    assert file.id.startswith("files/")
    assert googles.files.retrieve(file.id).bytes == file.bytes
    batch = ended(
        googles, googles.batches.create(input_file_id=file.id, endpoint=CHAT, completion_window="24h")
    )
    assert batch.id.startswith("batches/")
    with pytest.raises(openai.BadRequestError):  # which Google's imitation has not
        googles.batches.create(input_file_id=file.id, endpoint=RESPONSES, completion_window="24h")
    (result,) = results(googles, batch.output_file_id)
    assert result["response"]["body"]["choices"][0]["message"]["content"] == "hello there"
    assert not result["response"]["body"]["id"].startswith("chatcmpl-")
    with pytest.raises(openai.NotFoundError) as caught:
        googles.batches.retrieve("batches/nosuch")
    (problem,) = caught.value.response.json()
    assert problem["error"]["status"] == "NOT_FOUND"


# -- batches -------------------------------------------------------------------------------------------


def body(words, **options):
    return {"model": MODEL, "messages": [{"role": "user", "content": words}], "max_tokens": 20, **options}


def line(custom_id, said, url=CHAT, **changes):
    spelled = {"custom_id": custom_id, "method": "POST", "url": url, "body": said, **changes}
    return {name: value for name, value in spelled.items() if value is not None}


def jsonl(lines) -> bytes:
    rows = (each if isinstance(each, bytes) else json.dumps(each).encode() for each in lines)
    return b"\n".join(rows) + b"\n"


def submit(client, lines, endpoint=CHAT, **options):
    file = upload(client, jsonl(lines), "lines.jsonl", "batch")
    return client.batches.create(input_file_id=file.id, endpoint=endpoint, completion_window="24h", **options)


def ended(client, batch, seconds=60):
    until = time.monotonic() + seconds
    while batch.status not in ("completed", "failed", "expired", "cancelled"):
        assert time.monotonic() < until, batch
        time.sleep(0.1)
        batch = client.batches.retrieve(batch.id)
    return batch


def results(client, file_id):
    return [json.loads(each) for each in client.files.content(file_id).text.splitlines()]


@proves(
    "batches (OpenAI) · create, retrieve, results of chat completions",
    "batches (OpenAI) · timestamps, request_counts, usage, model",
    "batches (OpenAI) · metadata",
)
def test_a_batch_from_its_lines_to_its_results(client):
    lines = [line(f"r{n}", body(f"question {n}")) for n in range(20)]
    batch = submit(client, lines, metadata={"job": "nightly"})
    assert (batch.object, batch.endpoint, batch.completion_window) == ("batch", CHAT, "24h")
    assert batch.status in ("validating", "in_progress", "finalizing", "completed")
    assert batch.expires_at - batch.created_at == 24 * 3600
    assert batch.metadata == {"job": "nightly"}
    done = ended(client, batch)
    assert (done.status, done.errors, done.error_file_id) == ("completed", None, None)
    assert done.created_at <= done.in_progress_at <= done.finalizing_at <= done.completed_at
    assert (done.failed_at, done.expired_at, done.cancelling_at, done.cancelled_at) == (None,) * 4
    counts = done.request_counts
    assert (counts.total, counts.completed, counts.failed) == (20, 20, 0)
    assert done.model == MODEL
    assert (done.usage.input_tokens, done.usage.output_tokens, done.usage.total_tokens) == (40, 40, 80)
    found = results(client, done.output_file_id)
    assert [each["custom_id"] for each in found] == [f"r{n}" for n in range(20)]
    for number, each in enumerate(found):
        assert set(each) == {"id", "custom_id", "response", "error"}
        assert each["id"].startswith("batch_req_")
        assert each["error"] is None
        response = each["response"]
        assert (response["status_code"], set(response)) == (200, {"status_code", "request_id", "body"})
        assert response["body"]["choices"][0]["message"]["content"] == f"question {number}"
    output = client.files.retrieve(done.output_file_id)
    assert (output.purpose, output.filename.endswith(".jsonl")) == ("batch_output", True)


@proves("batches (OpenAI) · each body is that of the live answer")
def test_results_are_those_of_live_requests(client):
    said = body("hello there world", temperature=0, metadata={"a": "b"}, n=2)
    live = client.chat.completions.create(**said).to_dict()
    (found,) = results(client, ended(client, submit(client, [line("a", said)])).output_file_id)
    batched = found["response"]["body"]
    assert batched["id"].startswith("chatcmpl-")
    assert {**batched, "id": "", "created": 0} == {**live, "id": "", "created": 0}


@proves("batches (OpenAI) · results of embeddings")
def test_batches_of_embeddings(client):
    lines = [
        line("a", {"model": EMBEDDING, "input": ["one", "two"]}, VECTORS),
        line(
            "b", {"model": EMBEDDING, "input": "one", "encoding_format": "base64", "dimensions": 3}, VECTORS
        ),
    ]
    done = ended(client, submit(client, lines, VECTORS))
    first, second = (each["response"]["body"] for each in results(client, done.output_file_id))
    live = client.embeddings.create(model=EMBEDDING, input=["one", "two"], encoding_format="float")
    assert first == live.to_dict()
    assert len(base64.b64decode(second["data"][0]["embedding"])) == 12


RESPONSES = "/v1/responses"


@proves(
    "batches (OpenAI) · results of responses",
    approximated="not kept: told with store=false, and nothing can go on from them",
)
def test_batches_of_responses(client):
    said = {"model": MODEL, "input": "hello there", "max_output_tokens": 20, "temperature": 0}
    weather = {
        "type": "function",
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    }
    lines = [
        line("a", said, RESPONSES),
        line("b", {**said, "input": "count to ten", "max_output_tokens": 3}, RESPONSES),
        line(
            "c",
            {**said, "input": "the weather in Boston", "max_output_tokens": 90, "tools": [weather]},
            RESPONSES,
        ),
        line("again", said, RESPONSES),
    ]
    done = ended(client, submit(client, lines, RESPONSES))
    assert done.error_file_id is None
    told = {each["custom_id"]: each["response"]["body"] for each in results(client, done.output_file_id)}
    live = client.responses.create(**said, store=False).to_dict()
    changing = dict.fromkeys(("id", "created_at", "completed_at", "output"))
    assert {**told["a"], **changing} == {**live, **changing}
    read = {name: openai.types.responses.Response.model_validate(each) for name, each in told.items()}
    assert read["a"].output_text == client.responses.create(**said).output_text
    assert (read["b"].status, read["b"].incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert read["c"].output[0].type == "function_call"
    assert len({each.id for each in read.values()}) == 4
    assert read["again"].output[0].id != read["a"].output[0].id
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(read["a"].id)


@proves("batches (OpenAI) · responses: what needs a kept response is refused")
@pytest.mark.parametrize(
    "changes",
    [
        {"background": True},
        {"store": True},
        {"previous_response_id": "resp_x"},
        {"tools": [{"type": "file_search", "vector_store_ids": ["vs_x"]}]},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_lines_of_responses_that_need_a_kept_one(client, changes):
    said = {"model": MODEL, "input": "hello", **changes}
    done = ended(client, submit(client, [line("a", said, RESPONSES)], RESPONSES))
    (result,) = results(client, done.error_file_id)
    error = result["response"]["body"]["error"]
    assert (result["response"]["status_code"], error["param"]) == (400, next(iter(changes)))
    assert "Batch API" in error["message"]


@proves("batches (OpenAI) · a line that its endpoint refuses costs itself, in the file of errors")
def test_a_refused_line_is_told_of_in_the_file_of_errors(client):
    lines = [
        line("good", body("hello")),
        line("hot", body("hello", temperature=9)),
        line("broken", body("break after three")),
        line("file", body([{"type": "file", "file": {"file_id": "file-nosuch"}}])),
    ]
    done = ended(client, submit(client, lines))
    counts = done.request_counts
    assert (done.status, counts.total, counts.completed, counts.failed) == ("completed", 4, 1, 3)
    assert [each["custom_id"] for each in results(client, done.output_file_id)] == ["good"]
    refused = {each["custom_id"]: each["response"] for each in results(client, done.error_file_id)}
    assert refused["hot"]["status_code"] == 400
    assert refused["hot"]["body"]["error"]["param"] == "temperature"
    assert refused["hot"]["body"]["error"]["code"] == "decimal_above_max_value"
    assert refused["broken"]["status_code"] == 503
    assert refused["file"]["body"]["error"]["message"] == "No such File object: file-nosuch"


@proves("batches (OpenAI) · nothing answered: no output file")
def test_a_batch_of_which_nothing_was_answered_has_no_output(client):
    done = ended(client, submit(client, [line("hot", body("hello", temperature=9))]))
    assert (done.status, done.output_file_id) == ("completed", None)
    assert len(results(client, done.error_file_id)) == 1


@proves("batches (OpenAI) · a file that cannot be taken: errors by line")
@pytest.mark.parametrize(
    ("lines", "code", "number", "param"),
    [
        ([line("a", body("x")), b"{broken"], "invalid_json_line", 2, None),
        ([b"[1]"], "invalid_request", 1, None),
        ([line(None, body("x"))], "missing_required_parameter", 1, "custom_id"),
        ([line("a", body("x"), method=None)], "missing_required_parameter", 1, "method"),
        ([line("a", body("x"), None)], "missing_required_parameter", 1, "url"),
        ([line("a", None)], "missing_required_parameter", 1, "body"),
        ([line(7, body("x"))], "invalid_type", 1, "custom_id"),
        ([line("a", body("x"), params={})], "unknown_parameter", 1, "params"),
        ([line("a", body("x"), method="GET")], "invalid_method", 1, "method"),
        ([line("a", body("x"), VECTORS)], "invalid_url", 1, "url"),
        ([line("a", body("x", stream=True))], "streaming_unsupported", 1, "body.stream"),
        ([line("a", {"messages": []})], "invalid_request", 1, "body.model"),
        ([line("a", {"model": MODEL})], "invalid_request", 1, "body.messages"),
        ([line("a", body("x", model="nosuch"))], "model_not_found", 1, "body.model"),
        ([line("a", body("x")), line("b", body("x", model="scripted"))], "model_mismatch", 2, "body.model"),
        ([line("a", body("x")), line("a", body("y"))], "duplicate_custom_id", 2, "custom_id"),
        ([b""], "empty_file", None, None),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_file_that_cannot_be_taken_fails_the_batch(client, lines, code, number, param):
    batch = submit(client, lines)
    assert (batch.status, batch.output_file_id) == ("failed", None)
    assert batch.failed_at
    assert batch.errors.object == "list"
    (error,) = batch.errors.data
    assert (error.code, error.line, error.param) == (code, number, param)
    assert error.message.endswith(".")
    assert client.batches.retrieve(batch.id) == batch


@proves("batches (OpenAI) · several faults are told at once")
def test_every_faulty_line_is_told(client):
    batch = submit(client, [b"{", line("a", body("x")), line("a", body("x")), b"no"])
    assert [(each.line, each.code) for each in batch.errors.data] == [
        (1, "invalid_json_line"),
        (3, "duplicate_custom_id"),
        (4, "invalid_json_line"),
    ]


@proves("batches (OpenAI) · input_file_id: a file that is not there, or is for something else")
def test_wrong_files(client):
    batch = client.batches.create(input_file_id="file-nosuch", endpoint=CHAT, completion_window="24h")
    assert batch.status == "failed"
    assert (batch.errors.data[0].code, batch.errors.data[0].param) == ("invalid_request", "input_file_id")
    file = upload(client, jsonl([line("a", body("x"))]), "a.jsonl", "assistants")
    with pytest.raises(openai.BadRequestError, match="has purpose 'assistants'") as caught:
        client.batches.create(input_file_id=file.id, endpoint=CHAT, completion_window="24h")
    assert caught.value.param == "input_file_id"


@proves("batches (OpenAI) · mistakes of the request")
@pytest.mark.parametrize(
    ("changes", "param", "code"),
    [
        ({"endpoint": "/v1/invalid"}, "endpoint", "invalid_value"),
        ({"completion_window": "1h"}, "completion_window", "invalid_value"),
        ({"metadata": {"tags": ["a"]}}, "metadata.tags", "invalid_type"),
        ({"input_file_id": ""}, "input_file_id", "empty_string"),
        ({"extra_body": {"priority": 1}}, None, None),
        (
            {"output_expires_after": {"anchor": "created_at", "seconds": 60}},
            "output_expires_after.seconds",
            "integer_below_min_value",
        ),
    ],
)
def test_mistakes_of_batches(client, changes, param, code):
    said = {"input_file_id": "file-x", "endpoint": CHAT, "completion_window": "24h", **changes}
    with pytest.raises(openai.BadRequestError) as caught:
        client.batches.create(**said)
    assert (caught.value.param, caught.value.code) == (param, code)


@proves("batches (OpenAI) · cancel: what is answered stays", "batches (OpenAI) · cancelling, cancelled")
def test_cancelling(client):
    batch = submit(client, [line("quick", body("hello")), line("slow", body("slowly", max_tokens=2000))])
    until = time.monotonic() + 60
    while client.batches.retrieve(batch.id).request_counts.completed < 1:
        assert time.monotonic() < until
        time.sleep(0.1)
    assert client.batches.cancel(batch.id).status in ("cancelling", "cancelled")
    done = ended(client, batch)
    assert (done.status, done.request_counts.completed) == ("cancelled", 1)
    assert done.created_at <= done.cancelling_at <= done.cancelled_at
    assert [each["custom_id"] for each in results(client, done.output_file_id)] == ["quick"]
    (left,) = results(client, done.error_file_id)
    assert (left["custom_id"], left["response"], left["error"]["code"]) == ("slow", None, "batch_cancelled")
    assert client.batches.cancel(batch.id).status == "cancelled"


@proves("batches (OpenAI) · cancel: one that has ended is a 409")
def test_what_has_ended_cannot_be_cancelled(client):
    done = ended(client, submit(client, [line("a", body("x"))]))
    with pytest.raises(openai.ConflictError, match="Cannot cancel a batch with status 'completed'") as caught:
        client.batches.cancel(done.id)
    assert caught.value.response.headers["x-should-retry"] == "false"


@proves("batches (OpenAI) · list: after, limit", "batches (OpenAI) · each wire has its own")
def test_lists_of_batches(openai_of, tmp_path):
    with serving(tmp_path, "--model", "scripted") as server:
        client = openai_of(server)
        made = [submit(client, [line("a", body("x"))]).id for _ in range(3)]
        google = server.post(
            f"/v1beta/models/{MODEL}:batchGenerateContent",
            json={
                "batch": {
                    "inputConfig": {
                        "requests": {"requests": [{"request": {"contents": [{"parts": [{"text": "x"}]}]}}]}
                    }
                }
            },
        ).json()["name"]
        assert [batch.id for batch in client.batches.list()] == made[::-1]
        page = client.batches.list(limit=2)
        assert ([batch.id for batch in page.data], page.has_more) == (made[:0:-1], True)
        assert [batch.id for batch in client.batches.list(after=made[1])] == [made[0]]
        with pytest.raises(openai.NotFoundError):
            client.batches.retrieve(f"batch_{google.removeprefix('batches/')}")
        assert server.get(f"/v1beta/batches/{made[0].removeprefix('batch_')}").status_code == 404
        told = server.get("/v1beta/batches").json()["operations"]
        assert [each["name"] for each in told] == [google]


@proves("batches (OpenAI) · retrieve, cancel: one that is not there")
def test_unknown_batches(client):
    for act in (client.batches.retrieve, client.batches.cancel):
        with pytest.raises(openai.NotFoundError, match="No batch found with id 'batch_nosuch'"):
            act("batch_nosuch")


@proves(
    "batches (OpenAI) · output_expires_after",
    approximated="files of results live no longer than files.ttl_s, which x-geminid-downgraded says",
)
def test_how_long_results_live(client):
    hour = {"anchor": "created_at", "seconds": 3600}
    done = ended(client, submit(client, [line("a", body("x"))], output_expires_after=hour))
    output = client.files.retrieve(done.output_file_id)
    assert output.expires_at - output.created_at == 3600
    file = upload(client, jsonl([line("a", body("x"))]), "a.jsonl", "batch")
    answer = client.batches.with_raw_response.create(
        input_file_id=file.id, endpoint=CHAT, completion_window="24h",
        output_expires_after={**hour, "seconds": 2592000},
    )  # fmt: skip
    assert answer.headers["x-geminid-downgraded"] == "output_expires_after.seconds=172800"


@proves("batches (OpenAI) · Idempotency-Key: one batch however often it is sent")
def test_a_request_that_is_sent_twice_makes_one_batch(client):
    file = upload(client, jsonl([line("a", body("x"))]), "a.jsonl", "batch")
    said = {"input_file_id": file.id, "endpoint": CHAT, "completion_window": "24h"}
    headers = {"Idempotency-Key": "only-once"}
    first, second = (client.batches.create(**said, extra_headers=headers) for _ in range(2))
    assert first.id == second.id
    assert client.batches.create(**said).id != first.id


@proves("batches (OpenAI) · by an asynchronous client")
async def test_asynchronous_batches(scripted):
    async with openai.AsyncOpenAI(api_key="sk-x", base_url=f"{scripted.url}/v1") as client:
        data = jsonl([line("a", body("hello"))])
        file = await client.files.create(file=("a.jsonl", data), purpose="batch")
        batch = await client.batches.create(input_file_id=file.id, endpoint=CHAT, completion_window="24h")
        async with asyncio.timeout(60):
            while batch.status != "completed":
                await asyncio.sleep(0.1)
                batch = await client.batches.retrieve(batch.id)
        assert "hello" in (await client.files.content(batch.output_file_id)).text


# -- what there is not ---------------------------------------------------------------------------------


@proves("what there is not (OpenAI) · a 404 that says what to use instead")
@pytest.mark.parametrize(
    ("ask", "hint"),
    [
        (lambda c: c.moderations.create(input="x"), "examples/moderate.py"),
        (lambda c: c.beta.assistants.create(model=MODEL), "Responses API"),
        (lambda c: c.beta.assistants.list(), "Responses API"),
        (lambda c: c.beta.threads.create(), "Responses API"),
        (lambda c: c.beta.threads.runs.create("t", assistant_id="a"), "Responses API"),
        (lambda c: c.completions.create(model=MODEL, prompt="x"), "chat completions"),
        (lambda c: c.images.generate(prompt="x"), "makes no pictures"),
        (lambda c: c.fine_tuning.jobs.list(), "does not train"),
        (lambda c: c.uploads.create(bytes=1, filename="a", mime_type="a/b", purpose="batch"), "/v1/files"),
        (lambda c: c.evals.list(), "batch"),
        (lambda c: c.containers.list(), "no code"),
    ],
)
@pytest.mark.parametrize("surface", ["/v1", "/v1beta/openai/"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the SDK says the same
def test_what_there_is_not_is_told_with_what_there_is(scripted, openai_of, surface, ask, hint):
    with pytest.raises(openai.NotFoundError) as caught:
        ask(openai_of(scripted, surface))
    told = caught.value.response.json()
    if surface == "/v1":
        assert (caught.value.code, caught.value.type) == ("unknown_url", "invalid_request_error")
        assert hint in caught.value.message
    else:
        (problem,) = told
        assert problem["error"]["status"] == "NOT_FOUND"
        assert hint in problem["error"]["message"]


# -- keys ----------------------------------------------------------------------------------------------


@proves("files (OpenAI) · keys are looked at", "batches (OpenAI) · keys are looked at")
def test_a_wrong_key_opens_nothing(openai_of, tmp_path):
    with serving(tmp_path, "--model", "scripted", environ={"GEMINID_SERVER_KEYS": "sk-right"}) as server:
        wrong, right = openai_of(server, key="sk-wrong"), openai_of(server, key="sk-right")
        for ask in (
            lambda c: c.files.list(),
            lambda c: upload(c),
            lambda c: c.batches.list(),
            lambda c: c.embeddings.create(model=EMBEDDING, input="a"),
        ):
            with pytest.raises(openai.AuthenticationError):
                ask(wrong)
            assert ask(right) is not None
        without = httpx.post(f"{server.url}/v1/batches", json={}, timeout=30)
        assert (without.status_code, "error" in without.json()) == (401, True)
