"""What may come next where the answer is one of a few labels: what the grammar of the labels would leave."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from geminid.engines.openvino.label_tokens import LabelTokens, separable

BYTES = {bytes([each]): each for each in range(256)}
LABELS = st.lists(st.text("abé", min_size=1, max_size=6), min_size=1, max_size=6, unique=True).map(tuple)
PIECES = st.sets(st.binary(min_size=2, max_size=4) | st.sampled_from([b"ab", b"ba", b"aa", "é".encode()]))


def vocabulary_of(pieces):
    return BYTES | {piece: 256 + number for number, piece in enumerate(sorted(pieces))}


@given(LABELS, PIECES, st.randoms(use_true_random=False))
def test_every_token_that_goes_on_with_a_label_may_come_and_no_other(labels, pieces, chance):
    vocabulary, label = vocabulary_of(pieces), chance.choice(labels).encode()
    said = label[: chance.randrange(len(label))]
    offered = LabelTokens(labels, vocabulary).next(said)
    wanted = {
        token_id: said + spelled
        for spelled, token_id in vocabulary.items()
        if any(each.encode().startswith(said + spelled) for each in labels)
    }
    assert dict(zip(offered.ids.tolist(), offered.said, strict=True)) == wanted


@given(LABELS.filter(separable), PIECES, st.randoms(use_true_random=False))
def test_any_choice_of_tokens_ends_in_one_of_the_labels(labels, pieces, chance):
    tokens, said, spent = LabelTokens(labels, vocabulary_of(pieces)), b"", 0
    while not (label := tokens.meant(said)):
        following = tokens.next(said)
        said = following.said[chance.randrange(len(following.ids))]
        spent += 1
    assert label in labels
    assert label.encode().startswith(said)
    assert spent <= len(label.encode())


def test_a_label_is_meant_as_soon_as_no_other_can_be():
    tokens = LabelTokens(("delivery", "defect", "praise"), BYTES)
    assert [tokens.meant(said) for said in (b"", b"de", b"def", b"p")] == ["", "", "defect", "praise"]


def test_a_label_that_begins_another_is_not_meant_when_it_is_said():
    assert not separable(("card", "cardboard"))
    assert separable(("card", "board"))


def test_tokens_that_the_vocabulary_does_not_have_are_not_offered():
    tokens = LabelTokens(("ab", "ac"), {b"a": 7, b"ab": 9})
    assert np.array_equal(tokens.next(b"").ids, [7, 9])
