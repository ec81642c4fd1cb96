import re

from hypothesis import given
from hypothesis import strategies as st

from geminid.core.secret import hint_of, is_well_formed, new_secret


@given(st.binary(min_size=24, max_size=24))
def test_a_key_is_url_safe_and_well_formed(noise):
    words = new_secret("sk", lambda n: noise[:n])
    assert re.fullmatch(r"sk-[0-9A-Za-z]{39}", words)
    assert is_well_formed(words, "sk")
    assert not is_well_formed(words, "adm")


@given(st.binary(min_size=24, max_size=24), st.integers(3, 41), st.sampled_from("0aZ9xQ"))
def test_any_one_wrong_character_is_a_typo(noise, place, other):
    words = new_secret("sk", lambda n: noise[:n])
    wrong = words[:place] + other + words[place + 1 :]
    assert is_well_formed(wrong, "sk") is (wrong == words)


def test_different_randomness_gives_different_keys():
    assert len({new_secret("sk") for _ in range(100)}) == 100


def test_a_hint_tells_too_little_to_be_used():
    words = new_secret("sk")
    assert len(hint_of(words)) == len("sk-abc…defg")
    assert words[6:-4] not in hint_of(words)
