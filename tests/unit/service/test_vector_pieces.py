"""How texts are cut: nothing is lost, pieces overlap, windows do not."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from geminid.core.vector import Cutting
from geminid.service.vector_pieces import (
    halves,
    middle_piece,
    pieces_of,
    tokens_of,
    window_tokens,
    windows_of,
)

texts = st.one_of(
    st.text(max_size=2_000),
    st.lists(
        st.sampled_from(["word", "sentence.", "\n\n", "\n", "日本語", "x" * 50, "a, b"]), max_size=400
    ).map(" ".join),
)
cuttings = st.integers(100, 4_096).flatmap(
    lambda size: st.builds(Cutting, piece_tokens=st.just(size), overlap_tokens=st.integers(0, size // 2))
)


@given(texts, st.integers(1, 300))
def test_windows_are_the_text(text, tokens_max):
    windows = list(windows_of(text, tokens_max))
    assert "".join(windows) == text
    assert all(windows)


def test_windows_are_cut_between_paragraphs_and_about_as_long_as_they_should_be():
    text = "\n\n".join(f"Paragraph {n}. " + "It has some words. " * 10 for n in range(40))
    windows = list(windows_of(text, 100))
    assert all(window.startswith("Paragraph") for window in windows)
    assert all(20 <= tokens_of(window) <= 150 for window in windows[:-1])


@given(st.text(min_size=2, max_size=200))
def test_halves_are_the_text_and_neither_is_all_of_it(text):
    one, other = halves(text)
    assert one + other == text
    assert one
    assert other


@given(st.lists(st.integers(1, 250), min_size=1, max_size=200), cuttings)
def test_pieces_cover_every_window_go_on_and_overlap(tokens, cutting):
    pieces = list(pieces_of(tokens, cutting))
    assert pieces[0].first == 0
    assert pieces[-1].last == len(tokens) - 1
    for piece in pieces:
        size = sum(tokens[piece.first : piece.last + 1])
        assert size <= cutting.piece_tokens or piece.first == piece.last
    for one, other in itertools.pairwise(pieces):
        assert one.first < other.first <= one.last + 1
        shared = sum(tokens[other.first : one.last + 1])
        assert shared <= cutting.overlap_tokens + max(tokens)


@given(st.lists(st.integers(1, 250), min_size=1, max_size=100), cuttings, st.data())
def test_the_piece_of_a_window_has_it(tokens, cutting, data):
    pieces = list(pieces_of(tokens, cutting))
    window = data.draw(st.integers(0, len(tokens) - 1))
    piece = pieces[middle_piece(pieces, window)]
    assert piece.first <= window <= piece.last


@given(cuttings, st.integers(1, 10_000))
def test_windows_fit_their_model_and_their_piece(cutting, context_tokens_max):
    size = window_tokens(cutting, context_tokens_max)
    assert 1 <= size <= max(cutting.piece_tokens // 4, 1)
    assert size <= max(context_tokens_max * 0.7, 1)


def test_the_usual_pieces_of_a_long_text_are_800_tokens_of_which_half_are_shared():
    pieces = list(pieces_of([200] * 20, Cutting()))
    assert [(piece.first, piece.last) for piece in pieces[:3]] == [(0, 3), (2, 5), (4, 7)]
