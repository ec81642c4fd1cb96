"""Texts are encoded in pieces only where that gives the tokens of the whole, and pieces that come again once."""

from hypothesis import given
from hypothesis import strategies as st

from geminid.engines.openvino.encoding import PIECE_CHARACTERS_MAX, PIECES_MAX, Encoding

CONTROL = {256: "<|im_start|>", 257: "<|im_end|>", 258: "<|im|>"}
TEXTS = st.lists(st.sampled_from([*CONTROL.values(), "<|im", "|>", "a", " b", "\n", "é"])).map("".join)


class Tokenizer:
    """Bytes are tokens, cut at control tokens as real ones do."""

    def __init__(self):
        self.texts = []

    def __call__(self, text):
        self.texts.append(text)
        tokens, at = [], 0
        while at < len(text):
            found = [token for token, name in CONTROL.items() if text.startswith(name, at)]
            tokens += found or text[at].encode()
            at += len(CONTROL[found[0]]) if found else 1
        return tokens


@given(TEXTS)
def test_the_tokens_are_those_of_the_whole_text(text):
    encoding = Encoding(Tokenizer(), CONTROL)
    assert encoding.in_pieces
    assert encoding(text) == Tokenizer()(text)


def test_an_instruction_that_comes_again_is_encoded_once():
    tokenizer = Tokenizer()
    encoding = Encoding(tokenizer, CONTROL)
    tokenizer.texts.clear()
    for number in range(20):
        encoding(f"<|im_start|>Sort these.<|im_end|>text {number}<|im_end|>")
    assert tokenizer.texts.count("Sort these.") == 1
    assert len(tokenizer.texts) == 21


def test_a_tokenizer_that_puts_something_before_every_text_gets_it_whole():
    encoding = Encoding(lambda text: [1, *Tokenizer()(text)], CONTROL)
    assert not encoding.in_pieces
    assert encoding("a<|im_end|>b") == [1, *b"a", 257, *b"b"]


def test_a_control_token_that_swallows_spaces_is_not_cut_at():
    def swallowing(text):
        return Tokenizer()(text.replace(" <|im_end|>", "<|im_end|>"))

    assert not Encoding(swallowing, CONTROL).in_pieces


def test_without_control_tokens_texts_are_encoded_whole():
    assert Encoding(Tokenizer(), {})("abc") == list(b"abc")


def test_what_is_remembered_is_bounded():
    tokenizer = Tokenizer()
    encoding = Encoding(tokenizer, CONTROL)
    long = "x" * (PIECE_CHARACTERS_MAX + 1)
    for text in (long, long, *map(str, range(PIECES_MAX + 1)), "0"):
        encoding(text)
    assert tokenizer.texts.count(long) == 2
    assert tokenizer.texts.count("0") == 2
