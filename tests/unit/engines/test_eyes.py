"""Prompts with pictures: their places, and their tokens without looking at them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminid.engines.openvino.eyes import SIZES_MAX, TAGS, TINY, Scales, harmless, place

SIZES = st.tuples(st.integers(1, 3000), st.integers(1, 3000))


class Library:
    """Takes a token for each letter, and as many as it likes for a picture; remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def weigh(self, text, sizes):
        self.asked.append((text, list(sizes)))
        assert [f"<ov_genai_image_{n}>" in text for n in range(len(sizes))] == [True] * len(sizes)
        words = re.sub(r"<ov_genai_image_\d+>", "", text)
        return len(words) + sum(2 + (width // 28) * (height // 28) for width, height in sizes)


@given(st.text("ab \n", max_size=9), st.lists(SIZES, max_size=5))
def test_a_prompt_is_counted_as_the_library_would(words, sizes):
    text = words + "".join(map(place, range(len(sizes)))) + words
    assert Scales(Library().weigh).count(text, sizes) == Library().weigh(text, sizes)


def test_a_size_is_asked_for_once_and_large_pictures_never_again():
    library = Library()
    scales = Scales(library.weigh)
    for _ in range(3):
        scales.count("x" + place(0) + place(1), [(640, 480), (640, 480)])
    assert [sizes for _, sizes in library.asked].count([(640, 480)]) == 1
    assert [sizes for _, sizes in library.asked][-1] == [TINY, TINY]


def test_a_prompt_of_words_is_asked_for_as_it_is():
    library = Library()
    assert Scales(library.weigh).count("abc", []) == 3
    assert library.asked == [("abc", [])]


def test_sizes_are_forgotten_before_there_are_too_many():
    scales = Scales(lambda text, sizes: 1)
    for width in range(SIZES_MAX + 10):
        scales.picture((width, 1))
    assert len(scales._known) <= SIZES_MAX


@pytest.mark.parametrize("tag", ["<ov_genai_image_0>", "<ov_genai_video_12>", "<image>", "<|image_3|>"])
def test_words_of_others_hold_no_place(tag):
    assert not TAGS.search(harmless(f"a{tag}b"))
    assert harmless("a < b > c <images>") == "a < b > c <images>"


@given(st.lists(st.sampled_from(["<", "ov_genai_", "image_", "0", ">", "<image>", "|"]), max_size=12))
def test_no_words_become_a_place_by_being_made_harmless(pieces):
    assert not TAGS.search(harmless("".join(pieces)))
