"""Embeddings through the official Python SDK, unmodified, and over plain HTTP, against a server process."""

import math

import httpx
import pytest
from google.genai import errors, types

proves = pytest.mark.proves

EMBEDDING = "gemini-embedding-001"
MODEL = "gemini-3.1-flash-lite"
PATH = f"/v1beta/models/{EMBEDDING}"


def vectors(client, contents, **config):
    answer = client.models.embed_content(model=EMBEDDING, contents=contents, config=config or None)
    return [each.values for each in answer.embeddings]


@proves("embeddings · one text")
def test_a_text_has_a_vector_of_length_1(client):
    (vector,) = vectors(client, "hello")
    assert math.hypot(*vector) == pytest.approx(1, abs=1e-5)


@proves("embeddings · several texts")
def test_several_texts_have_their_vectors_in_their_order(client):
    one, two, three = vectors(client, ["hello", "other", "hello"])
    assert one == three != two


@proves("embeddings · outputDimensionality")
def test_a_shorter_vector_is_the_beginning_of_the_whole_one_of_length_1(client):
    (whole,), (short,) = vectors(client, "hello"), vectors(client, "hello", output_dimensionality=16)
    length = math.hypot(*whole[:16])
    assert short == pytest.approx([number / length for number in whole[:16]], abs=1e-5)


@proves("embeddings · taskType and title")
def test_task_types_and_titles_are_taken(client):
    for task in ("RETRIEVAL_QUERY", "SEMANTIC_SIMILARITY", "CODE_RETRIEVAL_QUERY"):
        assert vectors(client, "hello", task_type=task)
    assert vectors(client, "hello", task_type="RETRIEVAL_DOCUMENT", title="Greetings")


async def test_the_asynchronous_client_gives_the_same(client, client_of, scripted):
    async with client_of(scripted).aio as other:
        answer = await other.models.embed_content(model=EMBEDDING, contents="hello")
    assert [answer.embeddings[0].values] == vectors(client, "hello")


@proves("embeddings · refusals")
@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"output_dimensionality": 100_000}, "output_dimensionality"),
        ({"title": "t"}, "title is not supported unless the task_type is RETRIEVAL_DOCUMENT"),
    ],
)
def test_what_cannot_be_had_is_refused(client, config, words):
    with pytest.raises(errors.ClientError, match=f"(?s)^400.*{words}"):
        vectors(client, "hello", **config)


@proves("embeddings · models")
def test_models_that_embed_are_listed_and_say_what_they_do(client):
    model = client.models.get(model=EMBEDDING)
    assert "embedContent" in model.supported_actions
    assert "generateContent" not in model.supported_actions
    assert f"models/{EMBEDDING}" in {each.name for each in client.models.list()}


@proves("embeddings · models")
def test_a_model_does_what_it_is_made_for_and_nothing_else(client):
    with pytest.raises(errors.ClientError, match=r"(?s)^404.*not supported for generateContent"):
        client.models.generate_content(model=EMBEDDING, contents="hello")
    with pytest.raises(errors.ClientError, match=r"(?s)^404.*not supported for .*mbedContent"):
        client.models.embed_content(model=MODEL, contents=types.Part.from_text(text="hello"))


@proves("embeddings · usage, receipt")
def test_usage_and_a_receipt_are_told(scripted):
    body = {"content": {"parts": [{"text": "one two three"}]}}
    answer = httpx.post(f"{scripted.url}{PATH}:embedContent", json=body, timeout=20)
    told = answer.json()["usageMetadata"]
    assert told["promptTokenDetails"] == [{"modality": "TEXT", "tokenCount": told["promptTokenCount"]}]
    assert answer.headers["x-geminid-receipt"]


@proves("embeddings · tokens")
def test_tokens_of_a_text_are_counted(scripted):
    body = {"prompt": {"text": "one two three"}}
    answer = httpx.post(f"{scripted.url}{PATH}:countTextTokens", json=body, timeout=20)
    assert answer.json()["tokenCount"] > 0
