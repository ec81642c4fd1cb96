"""The batches API through the official Python SDK, unmodified, against a server process."""

import io
import json
import time

import pytest
from google.genai import errors, types

MODEL = "gemini-3.1-flash-lite"
ENDED = {"JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED", "JOB_STATE_EXPIRED"}
PATIENCE_S = 60

proves = pytest.mark.proves


def ask(text, key=None, **config):
    """One request as the SDK's guide writes it."""
    asked = {"contents": [{"parts": [{"text": text}], "role": "user"}]}
    return asked | ({"metadata": {"key": key}} if key else {}) | ({"config": config} if config else {})


def line(text, key):
    return {"key": key, "request": {"contents": [{"parts": [{"text": text}]}]}}


def upload(client, lines, mime_type="jsonl"):
    text = "".join(each if isinstance(each, str) else json.dumps(each) + "\n" for each in lines)
    return client.files.upload(file=io.BytesIO(text.encode()), config={"mime_type": mime_type})


def ended(client, job):
    """Poll as the documentation of the SDK says."""
    give_up = time.monotonic() + PATIENCE_S
    while job.state.name not in ENDED:
        assert time.monotonic() < give_up, job
        time.sleep(0.05)
        job = client.batches.get(name=job.name)
    return job


def downloaded(client, job):
    return [json.loads(each) for each in client.files.download(file=job.dest.file_name).splitlines()]


def texts(job):
    return [each.response.text for each in job.dest.inlined_responses]


def refused(caught, code, status):
    assert (caught.value.code, caught.value.status) == (code, status)
    return caught.value.message


# -- requests in the body ------------------------------------------------------------------------------


@proves("batches · requests in the body, results in their order")
def test_inline(client):
    requests = [ask(f"number {n}", key=f"k{n}") for n in range(20)]
    made = client.batches.create(model=MODEL, src=requests, config={"display_name": "twenty"})
    assert made.name.startswith("batches/")
    assert made.display_name == "twenty"
    assert made.model == f"models/{MODEL}"
    job = ended(client, made)
    assert job.state is types.JobState.JOB_STATE_SUCCEEDED
    assert job.name == made.name
    assert job.create_time <= job.end_time <= job.update_time or job.end_time >= job.create_time
    assert texts(job) == [f"number {n}" for n in range(20)]
    assert [each.metadata for each in job.dest.inlined_responses] == [{"key": f"k{n}"} for n in range(20)]
    answer = job.dest.inlined_responses[0].response
    assert answer.usage_metadata.total_token_count > 0
    assert answer.candidates[0].finish_reason is types.FinishReason.STOP
    assert len({each.response.response_id for each in job.dest.inlined_responses}) == 20


@proves("batches · each request with its own config")
def test_config(client):
    requests = [
        types.InlinedRequest(
            contents="one two three four five",
            config=types.GenerateContentConfig(max_output_tokens=2, temperature=0, system_instruction="Go."),
        ),
        types.InlinedRequest(
            contents="a feeling",
            config={
                "response_mime_type": "text/x.enum",
                "response_schema": {"type": "STRING", "enum": ["glad", "sad"]},
            },
        ),
        types.InlinedRequest(model=MODEL, contents=["hello", "world"]),
    ]
    job = ended(client, client.batches.create(model=MODEL, src=requests))
    first, second, third = (each.response for each in job.dest.inlined_responses)
    assert first.candidates[0].finish_reason is types.FinishReason.MAX_TOKENS
    assert second.text == "sad"
    assert third.text


@proves("batches · a wrong request costs itself only")
def test_a_wrong_request(client):
    requests = [ask("first", key="a"), ask("second", key="b", max_output_tokens=-1), ask("third", key="c")]
    job = ended(client, client.batches.create(model=MODEL, src=requests))
    assert job.state is types.JobState.JOB_STATE_SUCCEEDED
    one, two, three = job.dest.inlined_responses
    assert (one.response.text, three.response.text) == ("first", "third")
    assert two.response is None
    assert two.error.code == 3
    assert "maxOutputTokens value of -1" in two.error.message
    assert two.metadata == {"key": "b"}


@proves("batches · what is no request at all is refused at once")
def test_what_is_no_request(scripted, client_of):
    client = client_of(scripted)
    with pytest.raises(errors.ClientError) as caught:
        client.batches.create(model=MODEL, src=types.BatchJobSource(inlined_requests=[]))
    refused(caught, 400, "INVALID_ARGUMENT")


# -- requests in a file --------------------------------------------------------------------------------


@proves("batches · requests in a file, results in one")
@pytest.mark.parametrize("mime_type", ["jsonl", "application/jsonl", "application/json", "text/plain"])
def test_file(client, mime_type):
    file = upload(client, [line(f"number {n}", f"k{n}") for n in range(50)], mime_type)
    job = client.batches.create(model=MODEL, src=file.name, config={"display_name": "fifty"})
    job = ended(client, job)
    assert job.state is types.JobState.JOB_STATE_SUCCEEDED
    assert job.dest.file_name == f"files/batch-{job.name.removeprefix('batches/')}"
    found = downloaded(client, job)
    assert [each["key"] for each in found] == [f"k{n}" for n in range(50)]
    said = [each["response"]["candidates"][0]["content"]["parts"][0]["text"] for each in found]
    assert said == [f"number {n}" for n in range(50)]
    kept = client.files.get(name=job.dest.file_name)
    assert kept.source is types.FileSource.GENERATED
    client.files.delete(name=file.name)
    client.files.delete(name=job.dest.file_name)


@proves("batches · a wrong line costs itself only")
def test_wrong_lines(client):
    lines = [
        line("first", "a"),
        "this is no JSON\n",
        "\n",
        {"key": "c", "request": {"contents": "no list of parts"}},
        {"key": "d", "request": {"model": "models/other", "contents": [{"parts": [{"text": "x"}]}]}},
        {"request": {"contents": [{"parts": [{"text": "no key"}]}]}},
        line("last", "a"),
    ]
    source = types.BatchJobSource(file_name=upload(client, lines).name)
    job = ended(client, client.batches.create(model=MODEL, src=source))
    assert job.state is types.JobState.JOB_STATE_SUCCEEDED
    found = downloaded(client, job)
    assert [each.get("key") for each in found] == ["a", None, "c", "d", None, "a"]
    assert ["error" in each for each in found] == [False, True, True, True, False, False]
    assert all(each["error"]["code"] == 3 for each in found if "error" in each)
    assert found[1]["error"]["message"].startswith("Line 2: Invalid JSON payload received.")
    assert "models/other" in found[3]["error"]["message"]


@proves("batches · a file that is unknown, or of another project")
def test_no_file(client):
    with pytest.raises(errors.ClientError) as caught:
        client.batches.create(model=MODEL, src="files/never-was")
    said = refused(caught, 403, "PERMISSION_DENIED")
    assert said == "You do not have permission to access the File never-was or it may not exist."


@proves("batches · an unknown model")
def test_no_model(client):
    with pytest.raises(errors.ClientError) as caught:
        client.batches.create(model="never-was", src=[ask("hello")])
    said = refused(caught, 404, "NOT_FOUND")
    assert said.startswith("models/never-was is not found for API version ")
    assert "is not supported for batchGenerateContent." in said


# -- embeddings ----------------------------------------------------------------------------------------

EMBEDDING = "gemini-embedding-001"


@proves("batches · embeddings, in the body")
@pytest.mark.filterwarnings("ignore:batches.create_embeddings")
def test_embeddings(client):
    source = types.EmbeddingsBatchJobSource(
        inlined_requests=types.EmbedContentBatch(
            contents=["one", "two", "three"], config={"task_type": "CLUSTERING"}
        )
    )
    job = client.batches.create_embeddings(model=EMBEDDING, src=source, config={"display_name": "vectors"})
    job = ended(client, job)
    assert job.state is types.JobState.JOB_STATE_SUCCEEDED
    assert job.display_name == "vectors"
    found = job.dest.inlined_embed_content_responses
    assert len(found) == 3
    live = client.models.embed_content(
        model=EMBEDDING, contents=["one", "two", "three"], config={"task_type": "CLUSTERING"}
    )
    for each, same in zip(found, live.embeddings, strict=True):
        assert each.response.embedding.values == pytest.approx(same.values, abs=1e-5)
        assert each.response.token_count > 0


@proves("batches · embeddings, in a file")
@pytest.mark.filterwarnings("ignore:batches.create_embeddings")
def test_embeddings_of_a_file(client):
    lines = [
        {
            "key": str(n),
            "request": {"content": {"parts": [{"text": f"text {n}"}]}, "output_dimensionality": 64},
        }
        for n in range(5)
    ]
    lines.append({"key": "wrong", "request": {"contents": []}})
    job = client.batches.create_embeddings(model=EMBEDDING, src={"file_name": upload(client, lines).name})
    job = ended(client, job)
    found = downloaded(client, job)
    assert [each["key"] for each in found] == ["0", "1", "2", "3", "4", "wrong"]
    assert [len(each["response"]["embedding"]["values"]) for each in found[:5]] == [64] * 5
    assert found[0]["response"]["tokenCount"].isdigit()
    assert found[5]["error"]["code"] == 3


# -- jobs ----------------------------------------------------------------------------------------------


@proves("batches · list, page by page, without results")
def test_list(client):
    made = [client.batches.create(model=MODEL, src=[ask(f"list {n}")]).name for n in range(5)]
    for name in made:
        ended(client, client.batches.get(name=name))
    listed = list(client.batches.list(config={"page_size": 2}))
    assert [job.name for job in listed[:5]] == made[::-1]
    assert len({job.name for job in listed}) == len(listed)
    assert all(job.dest is None or job.dest.inlined_responses is None for job in listed)
    assert len(client.batches.list(config={"page_size": 2}).page) == 2


@proves("batches · cancel: what is answered stays")
def test_cancel(client):
    requests = [ask(f"quick {n}") for n in range(3)] + [ask(f"slowly {n}") for n in range(200)]
    job = client.batches.create(model=MODEL, src=requests)
    client.batches.cancel(name=job.name)
    job = ended(client, job)
    assert job.state is types.JobState.JOB_STATE_CANCELLED
    client.batches.cancel(name=job.name)  # a second time changes nothing
    assert client.batches.get(name=job.name).state is types.JobState.JOB_STATE_CANCELLED


@proves("batches · delete")
def test_delete(client):
    job = ended(client, client.batches.create(model=MODEL, src=[ask("hello")]))
    client.batches.delete(name=job.name)
    for act in (client.batches.get, client.batches.delete, client.batches.cancel):
        with pytest.raises(errors.ClientError) as caught:
            act(name=job.name)
        assert refused(caught, 404, "NOT_FOUND") == "Requested entity was not found."


@proves("batches · the asynchronous client")
async def test_the_asynchronous_client(scripted, client_of):
    async with client_of(scripted).aio as client:
        file = await client.files.upload(
            file=io.BytesIO(json.dumps(line("hello", "k")).encode()), config={"mime_type": "jsonl"}
        )
        job = await client.batches.create(model=MODEL, src=file.name)
        give_up = time.monotonic() + PATIENCE_S
        while job.state.name not in ENDED:
            assert time.monotonic() < give_up
            job = await client.batches.get(name=job.name)
        found = json.loads(await client.files.download(file=job.dest.file_name))
        assert found["key"] == "k"
        listed = [each.name async for each in await client.batches.list(config={"page_size": 1})]
        assert job.name in listed
        await client.batches.cancel(name=job.name)
        await client.batches.delete(name=job.name)


@proves("transport · /v1, /v1beta, /v1alpha")
@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha"])
def test_versions(scripted, client_of, version):
    client = client_of(scripted, api_version=version)
    job = ended(client, client.batches.create(model=MODEL, src=[ask("hello")]))
    assert texts(job) == ["hello"]


@proves("batches · cachedContent of a line")
def test_cached_contents(client):
    cache = client.caches.create(
        model=MODEL, config={"contents": "word " * 1_100, "ttl": "300s", "system_instruction": "Be brief."}
    )
    try:
        requests = [ask(f"question {n}", cached_content=cache.name) for n in range(3)]
        job = ended(client, client.batches.create(model=MODEL, src=requests))
        used = [each.response.usage_metadata for each in job.dest.inlined_responses]
        assert {each.cached_content_token_count for each in used} == {cache.usage_metadata.total_token_count}
        assert all(each.prompt_token_count > each.cached_content_token_count for each in used)
    finally:
        client.caches.delete(name=cache.name)
