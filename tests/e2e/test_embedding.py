"""Vectors of the real default model beside those of the reference implementation, through the real process."""

import asyncio
import os
import signal

import numpy as np
import pytest
import pytest_asyncio

from geminid.catalog.catalog import Catalog
from geminid.catalog.pull import pull
from geminid.config import load
from geminid.core.embed import EmbedInput, EmbedRequest
from geminid.engines.openvino.embedder import EmbedderConfig, OpenVinoEmbedder
from made.embedding_reference import cosines, reference

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module")]

CARD = Catalog.load().embedding("all-minilm-l6-v2")
COSINE_MIN = 0.999
GIB = 1024**3
ARITHMETICS = {"fastest": {}, "exact": {"INFERENCE_PRECISION_HINT": "f32"}}
"""As it is served, and as the reference computes: then nothing but rounding is left."""


def request(texts, **options):
    return EmbedRequest(model=CARD.name, inputs=tuple(EmbedInput(text=text, **options) for text in texts))


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=ARITHMETICS)
async def arithmetic(request):
    folder = pull(CARD, load()[0].cache(), progress=lambda progress: None)
    config = EmbedderConfig(memory_bytes_max=4 * GIB, properties=ARITHMETICS[request.param])
    made = OpenVinoEmbedder(config, lambda card: folder)
    yield request.param, made
    await made.close()


@pytest.fixture
def embedder(arithmetic):
    return arithmetic[1]


async def embed(embedder, texts, **options):
    """Return the vectors as rows, asked for in hundreds at once, as clients do."""
    hundreds = [texts[first : first + 100] for first in range(0, len(texts), 100)]
    found = await asyncio.gather(*(embedder.embed(CARD, request(each, **options)) for each in hundreds))
    flat = [embedding for each in found for embedding in each]
    return flat, np.stack([np.frombuffer(embedding.values, "<f4") for embedding in flat])


async def test_a_thousand_vectors_are_those_of_the_reference(arithmetic):
    name, embedder = arithmetic
    kept = reference()
    assert len(kept.texts) == 1_000
    found, vectors = await embed(embedder, kept.texts)
    nearness = cosines(vectors, kept.vectors)
    print(f"{name}: cosine with the reference, lowest {nearness.min():.6f}, mean {nearness.mean():.6f}")
    assert nearness.min() >= (COSINE_MIN if name == "fastest" else 0.99999)
    assert [embedding.tokens for embedding in found] == kept.tokens.tolist()
    assert all(embedding.tokens == CARD.context_tokens_max for embedding in found if embedding.truncated)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(vectors)), abs=1e-5)
    assert await embedder.count(CARD, request(kept.texts)) == kept.tokens.sum()


async def test_company_does_not_change_a_vector_by_more_than_rounding(embedder):
    texts = reference().texts[40:140]
    _, together = await embed(embedder, texts)
    alone = np.stack([(await embed(embedder, [text]))[1][0] for text in texts[:20]])
    assert cosines(alone, together[:20]).min() >= 0.9995


async def test_fewer_dimensions_are_the_first_ones_made_a_vector_again(embedder):
    texts = reference().texts[40:60]
    _, whole = await embed(embedder, texts)
    for dimensions in (1, 64, 383, 384):
        _, short = await embed(embedder, texts, dimensions=dimensions)
        cut = whole[:, :dimensions] / np.linalg.norm(whole[:, :dimensions], axis=1, keepdims=True)
        assert short.shape == (20, dimensions)
        assert cosines(short, cut).min() >= 0.9995


async def test_a_kill_while_it_computes_costs_nobody_a_vector(embedder):
    kept = reference()
    working = asyncio.create_task(embed(embedder, kept.texts))
    await embedder.ready(CARD)
    await asyncio.sleep(0.3)
    os.kill(embedder.states()[0].pid, signal.SIGKILL)
    _, vectors = await working
    assert cosines(vectors, kept.vectors).min() >= COSINE_MIN
    assert embedder.states()[0].restarts >= 1
