"""A model that embeds reads a text in the words that it was trained to."""

import pytest

from geminid.core.card import EmbeddingCard
from geminid.core.embed import EmbedInput
from geminid.engines.embed_words import words_of


def card(**instructions):
    return EmbeddingCard(name="m", title="M", dimensions=4, context_tokens_max=8, instructions=instructions)


PLAIN = card()
E5 = card(default="query: {text}", retrieval_document="passage: {text}")
GEMMA = card(
    retrieval_query="task: search result | query: {text}", retrieval_document="title: {title} | text: {text}"
)


@pytest.mark.parametrize(
    ("model", "task", "title", "read"),
    [
        (PLAIN, None, "", "some words"),
        (PLAIN, "retrieval_query", "", "some words"),
        (PLAIN, "retrieval_document", "A title", "A title\nsome words"),
        (E5, None, "", "query: some words"),
        (E5, "clustering", "", "query: some words"),
        (E5, "retrieval_document", "", "passage: some words"),
        (E5, "retrieval_document", "A title", "passage: A title\nsome words"),
        (GEMMA, "retrieval_query", "", "task: search result | query: some words"),
        (GEMMA, "retrieval_document", "A title", "title: A title | text: some words"),
        (GEMMA, "retrieval_document", "", "title: none | text: some words"),
        (GEMMA, "clustering", "", "some words"),
    ],
)
def test_task_and_title_choose_the_words(model, task, title, read):
    assert words_of(model, EmbedInput(text="some words", task=task, title=title)) == read


def test_a_text_that_looks_like_a_template_stays_as_it_is():
    assert words_of(E5, EmbedInput(text="{title} {text}")) == "query: {title} {text}"
    titled = EmbedInput(text="{title}", task="retrieval_document", title="{text}")
    assert words_of(GEMMA, titled) == "title: {text} | text: {title}"
