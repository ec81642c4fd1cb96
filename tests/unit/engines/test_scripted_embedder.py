"""Vectors without weights: the same always, near where words are shared, of the length that is asked for."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminid.core.card import EmbeddingCard
from geminid.core.embed import EmbedInput, EmbedRequest
from geminid.core.errors import Unavailable
from geminid.engines.script import Rule
from geminid.engines.scripted_embedder import ScriptedEmbedder

CARD = EmbeddingCard(name="scripted-embedding", title="S", dimensions=64, context_tokens_max=16)


async def vectors(*texts, dimensions=None):
    inputs = tuple(EmbedInput(text=text, dimensions=dimensions) for text in texts)
    made = await ScriptedEmbedder().embed(CARD, EmbedRequest(model=CARD.name, inputs=inputs))
    return [struct.unpack(f"<{len(each.values) // 4}f", each.values) for each in made]


def cosine(one, other):
    return sum(a * b for a, b in zip(one, other, strict=True))


@given(st.text(max_size=50), st.none() | st.integers(1, 64))
async def test_every_text_has_one_vector_of_length_1(text, dimensions):
    one, again = await vectors(text, text, dimensions=dimensions)
    assert one == again
    assert len(one) == (dimensions or 64)
    assert cosine(one, one) == pytest.approx(1, abs=1e-5)


async def test_texts_that_share_words_are_near_each_other():
    question, answer, other = await vectors(
        "When does the museum open?", "The museum opens its doors at nine.", "Bread needs a warm oven."
    )
    assert cosine(question, answer) > cosine(question, other)


async def test_what_exceeds_the_window_is_cut_counted_so_and_told():
    request = EmbedRequest(model=CARD.name, inputs=(EmbedInput(text="word " * 20), EmbedInput(text="word")))
    long, short = await ScriptedEmbedder().embed(CARD, request)
    assert (long.tokens, long.truncated, short.tokens, short.truncated) == (16, True, 1, False)
    assert await ScriptedEmbedder().count(CARD, request) == 17


async def test_the_script_says_what_fails():
    embedder = ScriptedEmbedder([Rule(match="^break", fail="UNAVAILABLE")])
    request = EmbedRequest(model=CARD.name, inputs=(EmbedInput(text="fine"), EmbedInput(text="break")))
    with pytest.raises(Unavailable):
        await embedder.embed(CARD, request)
