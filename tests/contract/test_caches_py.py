"""The caches API through the official Python SDK, unmodified, against a server process.

Caches of the shared server count words: a token is a word.
"""

import datetime
import re
import time

import pytest
from google.genai import errors, types

from made.documents import pdf
from serving import serving

proves = pytest.mark.proves

MODEL = "gemini-3.1-flash-lite"
CONTRACT = " ".join(f"clause{number}" for number in range(1_500))
NAME = re.compile(r"cachedContents/[a-z0-9]{40}")
UTC = datetime.UTC


@pytest.fixture(autouse=True)
def no_caches_left(client):
    """Leave the shared server as it was."""
    yield
    for cache in client.caches.list():
        client.caches.delete(name=cache.name)


def make(client, **config):
    return client.caches.create(model=MODEL, config={"contents": CONTRACT, **config})


def ask(client, cache, text="count to ten", **config):
    return client.models.generate_content(
        model=MODEL, contents=text, config={"cached_content": cache.name, **config}
    )


def refused(status, words):
    return pytest.raises(errors.ClientError, match=f"(?s)^{status}.*{re.escape(words)}")


@proves("caches · create with contents", "caches · resource")
def test_a_cache_is_made_and_told_without_what_is_in_it(client):
    before = datetime.datetime.now(UTC)
    cache = make(client)
    assert NAME.fullmatch(cache.name)
    assert (cache.model, cache.display_name, cache.usage_metadata.total_token_count) == (
        f"models/{MODEL}",
        "",
        1_500,
    )
    assert cache.expire_time - cache.create_time == datetime.timedelta(hours=1)
    assert abs(cache.create_time - before) < datetime.timedelta(minutes=1)
    assert cache.update_time == cache.create_time


@proves("caches · displayName, systemInstruction, ttl")
def test_a_cache_has_a_name_words_of_the_system_and_a_life(client):
    config = types.CreateCachedContentConfig(
        contents=[types.Content(role="user", parts=[types.Part(text=CONTRACT)])],
        system_instruction="Answer in one word.",
        display_name="The contract · Vertrag",
        ttl="300s",
    )
    cache = client.caches.create(model=MODEL, config=config)
    assert cache.display_name == "The contract · Vertrag"
    assert cache.usage_metadata.total_token_count == 1_504
    assert cache.expire_time - cache.create_time == datetime.timedelta(seconds=300)


@proves("caches · expireTime")
def test_a_cache_may_be_given_its_end(client):
    end = datetime.datetime.now(UTC).replace(microsecond=250_000) + datetime.timedelta(hours=2)
    assert make(client, expire_time=end).expire_time == end


@proves("caches · get")
def test_a_cache_is_found(client):
    cache = make(client)
    assert client.caches.get(name=cache.name) == cache


@proves("caches · list, with pages")
def test_caches_are_listed_the_newest_first(client):
    made = [make(client).name for _ in range(5)]
    pager = client.caches.list(config={"page_size": 2})
    assert len(pager) == 2
    assert [cache.name for cache in pager] == made[::-1]


@proves("caches · update of ttl")
def test_a_life_is_prolonged_and_cut_short(client):
    cache = make(client)
    for seconds in (7_200, 120):
        changed = client.caches.update(name=cache.name, config={"ttl": f"{seconds}s"})
        assert changed.expire_time - changed.update_time == datetime.timedelta(seconds=seconds)
        assert (changed.create_time, changed.name) == (cache.create_time, cache.name)
    assert client.caches.get(name=cache.name) == changed


@proves("caches · update of expireTime")
def test_an_end_is_moved(client):
    end = datetime.datetime.now(UTC).replace(microsecond=0) + datetime.timedelta(minutes=5)
    changed = client.caches.update(
        name=make(client).name, config=types.UpdateCachedContentConfig(expire_time=end)
    )
    assert changed.expire_time == end


@proves("caches · delete")
def test_a_deleted_cache_is_gone(client):
    cache = make(client)
    client.caches.delete(name=cache.name)
    for act in (client.caches.get, client.caches.delete):
        with refused(403, "CachedContent not found (or permission denied)"):
            act(name=cache.name)


@proves("caches · expiry to the second")
def test_an_expired_cache_is_gone(client_of, tmp_path):
    with serving(tmp_path, "--model", "scripted", environ={"GEMINID_CACHES_TTL_S_MIN": "1"}) as server:
        client = client_of(server)
        cache = make(client, ttl="2s")
        assert ask(client, cache).usage_metadata.cached_content_token_count == 1_500
        while datetime.datetime.now(UTC) < cache.expire_time:
            pass
        with refused(403, "CachedContent not found (or permission denied)"):
            ask(client, cache)
        assert list(client.caches.list()) == []


@proves("generateContent · cachedContent", "caches · usage")
def test_an_answer_begins_with_what_is_cached(client):
    cache = make(client)
    answer = ask(client, cache)
    assert answer.text == "one two three four five six seven eight nine ten"
    usage = answer.usage_metadata
    assert (usage.prompt_token_count, usage.cached_content_token_count) == (1_503, 1_500)
    (detail,) = usage.cache_tokens_details
    assert (detail.modality, detail.token_count) == (types.MediaModality.TEXT, 1_500)


@proves("streamGenerateContent · cachedContent")
def test_a_stream_begins_with_what_is_cached(client):
    cache = make(client)
    chunks = list(
        client.models.generate_content_stream(
            model=MODEL, contents="count to ten", config={"cached_content": cache.name}
        )
    )
    assert {chunk.usage_metadata.cached_content_token_count for chunk in chunks} == {1_500}


@proves("chats · cachedContent")
def test_a_chat_goes_on_from_what_is_cached(client):
    cache = make(client)
    chat = client.chats.create(model=MODEL, config={"cached_content": cache.name})
    assert chat.send_message("hello").usage_metadata.prompt_token_count == 1_501
    assert chat.send_message("again").usage_metadata.prompt_token_count == 1_503


@proves("caches · tools and toolConfig")
def test_cached_tools_are_called(client):
    tool = types.Tool(
        function_declarations=[
            types.FunctionDeclaration(
                name="get_weather",
                parameters={
                    "type": "OBJECT",
                    "properties": {"city": {"type": "STRING"}},
                    "required": ["city"],
                },
            )
        ]
    )
    mode = types.ToolConfig(function_calling_config=types.FunctionCallingConfig(mode="ANY"))
    cache = make(client, tools=[tool], tool_config=mode)
    answer = ask(client, cache, "weather in Boston")
    assert [call.name for call in answer.function_calls] == ["get_weather"]


@proves("caches · media")
def test_a_cached_file_may_be_deleted(client, tmp_path):
    path = pdf(tmp_path / "contract.pdf", ["The parties agree that the warehouse is run by Ms Okafor."])
    file = client.files.upload(file=path)
    cache = make(client, contents=[CONTRACT, file])
    client.files.delete(name=file.name)
    usage = ask(client, cache).usage_metadata
    tokens = {each.modality: each.token_count for each in usage.cache_tokens_details}
    assert tokens[types.MediaModality.TEXT] >= 1_500
    assert tokens[types.MediaModality.DOCUMENT] > 5
    assert sum(tokens.values()) == usage.cached_content_token_count == cache.usage_metadata.total_token_count


@proves("caches · too small")
def test_too_little_is_refused(client):
    with refused(400, "Cached content is too small. total_token_count=3, min_total_token_count=1024"):
        make(client, contents="a b c")


@proves("caches · another model")
def test_another_model_is_refused(client):
    cache = make(client)
    words = (
        "Model used by GenerateContent request (models/gemini-2.5-flash) and CachedContent "
        f"(models/{MODEL}) has to be the same."
    )
    with refused(400, words):
        client.models.generate_content(
            model="gemini-2.5-flash", contents="hi", config={"cached_content": cache.name}
        )


@proves("caches · beside systemInstruction, tools, toolConfig")
@pytest.mark.parametrize(
    "beside",
    [
        {"system_instruction": "x"},
        {"tools": [{"function_declarations": [{"name": "f"}]}]},
        {"tool_config": {"function_calling_config": {"mode": "ANY"}}},
    ],
)
def test_what_belongs_into_the_cache_is_refused_beside_it(client, beside):
    with refused(400, "CachedContent can not be used with GenerateContent request setting"):
        ask(client, make(client), **beside)


@proves("caches · unknown names")
@pytest.mark.parametrize("name", ["cachedContents/unknown", "cachedContents/" + "a" * 40])
def test_an_unknown_cache_is_forbidden(client, name):
    with refused(403, "CachedContent not found (or permission denied)"):
        client.models.generate_content(model=MODEL, contents="hi", config={"cached_content": name})
    with refused(403, "CachedContent not found (or permission denied)"):
        client.caches.update(name=name, config={"ttl": "600s"})


@proves("caches · async client")
async def test_the_async_client_does_it_all(scripted, client_of):
    async with client_of(scripted).aio as client:
        cache = await client.caches.create(model=MODEL, config={"contents": CONTRACT, "ttl": "300s"})
        assert await client.caches.get(name=cache.name) == cache
        changed = await client.caches.update(name=cache.name, config={"ttl": "600s"})
        assert changed.expire_time - changed.update_time == datetime.timedelta(seconds=600)
        answer = await client.models.generate_content(
            model=MODEL, contents="count to ten", config={"cached_content": cache.name}
        )
        assert answer.usage_metadata.cached_content_token_count == 1_500
        assert [each.name async for each in await client.caches.list()] == [cache.name]
        await client.caches.delete(name=cache.name)


@proves("caches · used by the lines of a batch")
def test_the_lines_of_a_batch_begin_with_what_is_cached(client):
    cache = make(client)
    asked = {"contents": "count to ten", "config": {"cached_content": cache.name}}
    job = client.batches.create(model=MODEL, src=[asked] * 3)
    while not job.done:
        time.sleep(0.2)
        job = client.batches.get(name=job.name)
    counts = [each.response.usage_metadata.cached_content_token_count for each in job.dest.inlined_responses]
    client.batches.delete(name=job.name)
    assert counts == [1_500] * 3


@proves("caches · no room for more")
def test_what_does_not_fit_is_refused_with_what_is_taken(client_of, tmp_path):
    environ = {"GEMINID_SCRIPTED_CACHED_TOKENS_MAX": "2000"}
    with serving(tmp_path, "--model", "scripted", environ=environ) as server:
        client = client_of(server)
        cache = make(client)
        with refused(429, "Cached contents of 1500 tokens do not fit"):
            make(client)
        assert [each.name for each in client.caches.list()] == [cache.name]
        client.caches.delete(name=cache.name)
        assert make(client)
