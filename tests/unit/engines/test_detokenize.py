from hypothesis import given
from hypothesis import strategies as st

from geminid.engines.openvino.detokenize import Detokenizer, TokenBytes

BYTES = TokenBytes({bytes([i]): i for i in range(256)} | {b"<|end|>": 256}, {256})

texts = st.text(alphabet=st.sampled_from("ab\n é😀漢"), max_size=30)


def tokens_of(text: str) -> list[int]:
    return list(text.encode())


def spell(text: str, stops: tuple[str, ...], cuts: list[int]) -> tuple[list[str], bool]:
    """Feed the bytes of a text in pieces of the given sizes."""
    machine, tokens, out = Detokenizer(BYTES, stops), tokens_of(text), []
    for size in [*cuts, len(tokens)]:
        if bool(machine.stop):
            break
        out.append(machine.put(tokens[:size]))
        tokens = tokens[size:]
    if not bool(machine.stop):
        out.append(machine.finish())
    return out, bool(machine.stop)


@given(texts, st.lists(st.integers(0, 5), max_size=20))
def test_whatever_the_pieces_the_text_is_the_same_and_never_holds_half_a_character(text, cuts):
    out, _ = spell(text, (), cuts)
    assert "".join(out) == text


@given(texts, st.lists(texts.filter(bool), min_size=1, max_size=3), st.lists(st.integers(0, 3), max_size=20))
def test_nothing_of_the_first_stop_string_and_nothing_after_it_is_ever_sent(text, stops, cuts):
    out, stopped = spell(text, tuple(stops), cuts)
    said = "".join(out)
    assert text.startswith(said)
    assert stopped == any(stop in text for stop in stops)
    assert not any(stop in said for stop in stops)
    if not stopped:
        assert said == text


@given(texts, texts.filter(bool))
def test_one_token_at_a_time_stops_at_the_earliest_end_of_a_stop_string(text, stop):
    out, _ = spell(text, (stop,), [1] * 200)
    assert "".join(out) == text.split(stop)[0]


def test_an_unfinished_character_at_the_end_is_left_out():
    machine = Detokenizer(BYTES)
    assert machine.put(tokens_of("é")[:1]) == ""
    assert machine.finish() == ""


def test_bytes_that_are_no_text_become_replacement_characters():
    assert Detokenizer(BYTES).put([0xFF, *tokens_of("a")]) == "\ufffda"


def test_control_tokens_and_unknown_ids_spell_nothing():
    assert Detokenizer(BYTES).put([256, 9999, -1, *tokens_of("a")]) == "a"
