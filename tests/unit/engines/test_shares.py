"""How many tokens of a prompt came from which medium."""

from hypothesis import given
from hypothesis import strategies as st

from geminid.engines.openvino.shares import Span, located, shares, within

MODALITIES = st.sampled_from(["image", "audio", "video", "document"])
WORDS = st.text("abü€\n ", max_size=6)


def encode(text, size=2):
    """Tokens of so many bytes; they cut characters and cross every border."""
    spelled = text.encode()
    return [spelled[at : at + size] for at in range(0, len(spelled), size)]


def told(text, passages, encode=encode, length=len):
    return shares(text, encode(text), located(text, passages), length, encode)


def test_a_passage_is_counted_where_it_stands():
    text = "<user>Invoice 17\nWhat is the total?<end>"
    assert told(text, [("Invoice 17\n", "document")]) == {"document": 6}  # from byte 6 on, eleven bytes


def test_a_template_that_trims_is_believed():
    assert list(located("[Invoice]", [("\n Invoice \n", "image")])) == [Span(1, 8, "image")]
    assert told("[Invoice]", [("\nInvoice\n", "image")]) == {"image": 3}


def test_a_passage_that_the_template_drops_did_not_enter():
    assert told("[nothing]", [("Invoice", "image")]) == {}
    assert told("abc", [("", "image"), ("\n", "audio")]) == {}


def test_the_same_words_again_are_another_passage():
    passages = [("ab", "image"), ("ab", "audio"), ("ab", "image")]
    assert [span.start for span in located("ab ab ab", passages)] == [0, 3, 6]


@given(st.lists(st.tuples(WORDS, WORDS, MODALITIES), max_size=8), st.integers(1, 5))
def test_no_token_is_counted_twice(parts, size):
    text = "".join(before + passage for before, passage, _ in parts) + "?"
    counted = told(text, [part[1:] for part in parts], lambda text: encode(text, size))
    assert sum(counted.values()) <= len(encode(text, size))
    assert all(tokens > 0 for tokens in counted.values())


@given(st.lists(st.tuples(WORDS, MODALITIES), min_size=1, max_size=8))
def test_where_all_is_media_all_tokens_are(passages):
    text = "".join(words for words, _ in passages)
    assert sum(told(text, passages, lambda text: encode(text, 1)).values()) == len(text.encode())


def test_where_spellings_are_not_the_text_a_passage_is_counted_by_itself():
    def words(text):
        return text.split()

    assert told("say two words now", [("two words", "audio")], words) == {"audio": 2}


def test_text_alone_costs_nothing():
    def never(*_):
        raise AssertionError("looked at")

    assert shares("a" * 10, [1] * 10, located("a" * 10, []), never, never) == {}


def test_the_shares_of_a_beginning_are_those_of_its_tokens():
    text = "ab cd ef"
    ids = list(text.encode())
    spans = [Span(1, 4, "image"), Span(6, 8, "audio")]

    def inside(tokens, length=lambda token: 1):
        return within(text, ids, spans, length, tokens)

    assert [inside(tokens) for tokens in (0, 1, 2, 5, 7, 8)] == [
        {},
        {},
        {"image": 1},
        {"image": 3},
        {"image": 3, "audio": 1},
        {"image": 3, "audio": 2},
    ]
    assert inside(8) == shares(text, ids, spans, lambda token: 1, lambda words: ())
    assert inside(8, lambda token: 2) is None
