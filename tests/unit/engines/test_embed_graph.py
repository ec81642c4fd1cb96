"""The graph computes what the papers say, for every kind of encoder, with any padding around."""

import msgspec
import numpy as np
import openvino
import pytest
from openvino import opset13 as op

from geminid.engines.openvino.embed_graph import load
from geminid.engines.openvino.embed_tokens import CHARACTERS_MAX, HEAD_CHARACTERS, Tokeniser
from geminid.engines.openvino.embed_weights import tensors_of
from made.encoders import PLACES, encoded, safetensors, save_encoder, weights

TEXTS = ([1, 4, 5, 2], [1, 6, 2], [1, 4, 5, 6, 7, 8, 9, 10, 2], [3])


def computed(folder, pooling="mean", tokens_max=PLACES - 2, padding=3):
    """The vectors of TEXTS, all in one call."""
    model = openvino.Core().compile_model(
        load(folder, pooling, tokens_max), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    length = max(map(len, TEXTS)) + padding
    ids = np.array([text + [0] * (length - len(text)) for text in TEXTS], np.int32)
    mask = np.array([[1] * len(text) + [0] * (length - len(text)) for text in TEXTS], np.int32)
    return model({0: ids, 1: mask})[0]


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
@pytest.mark.parametrize(("kind", "first"), [("bert", 0), ("roberta", 2), ("xlm-roberta", 2)])
def test_vectors_are_those_of_the_papers(tmp_path, kind, first, pooling):
    found = computed(save_encoder(tmp_path, kind), pooling)
    assert found == pytest.approx(np.array([encoded(text, pooling, first) for text in TEXTS]), abs=2e-5)


@pytest.mark.parametrize("prefix", ["bert.", "model."])
def test_weights_may_be_those_of_a_larger_model(tmp_path, prefix):
    assert computed(save_encoder(tmp_path, prefix=prefix)) == pytest.approx(
        np.array([encoded(text) for text in TEXTS]), abs=2e-5
    )


def exported(folder, *extra):
    """Save the middle of an encoder as an export would be: 64-bit inputs, the vectors of tokens out."""
    ids, mask = (op.parameter([-1, -1], openvino.Type.i64, name) for name in ("input_ids", "attention_mask"))
    more = [op.parameter([-1, -1], openvino.Type.i64, name) for name in extra]
    for node, name in zip((ids, mask, *more), ("input_ids", "attention_mask", *extra), strict=True):
        node.output(0).set_names({name})
    table = weights()["embeddings.word_embeddings.weight"]
    tokens = op.gather(op.constant(table), ids, op.constant(0))
    for node in more:  # what is put in for it can be seen in the vectors
        tokens = op.add(tokens, op.unsqueeze(op.convert(node, "f32"), op.constant(2)))
    tokens = op.add(
        tokens, op.unsqueeze(op.multiply(op.convert(mask, "f32"), op.constant(np.float32(0))), op.constant(2))
    )
    openvino.save_model(
        openvino.Model([op.result(tokens)], [ids, mask, *more], "export"),
        folder / "openvino_model.xml",
        compress_to_fp16=False,
    )
    return table.astype(np.float64)


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
def test_an_export_gets_its_pooling_and_its_other_inputs(tmp_path, pooling):
    table = exported(tmp_path, "token_type_ids", "position_ids")
    expected = []
    for text in TEXTS:
        rows = table[text] + np.arange(len(text))[:, None]
        vector = {"mean": rows.mean(axis=0), "cls": rows[0], "last": rows[-1]}[pooling]
        expected.append(vector / np.linalg.norm(vector))
    assert computed(tmp_path, pooling) == pytest.approx(np.array(expected), abs=2e-5)


def test_an_export_with_strange_inputs_is_refused_in_words(tmp_path):
    exported(tmp_path, "beam_idx")
    with pytest.raises(ValueError, match="inputs that are not known: beam_idx"):
        load(tmp_path, "mean", 8)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"model_type": "t5"}, "Invalid enum value 't5'"),
        ({"hidden_act": "swish"}, "Invalid enum value 'swish'"),
        ({"position_embedding_type": "relative_key"}, "Invalid enum value"),
        ({"num_hidden_layers": 3}, r"the weights have no encoder\.layer\.2"),
        ({"num_hidden_layers": 0}, ">= 1"),
        ({"max_position_embeddings": 7}, "the card says 18 tokens, but the model has 7 positions"),
    ],
)
def test_what_cannot_be_built_is_refused_in_words(tmp_path, options, why):
    with pytest.raises((ValueError, msgspec.ValidationError), match=why):
        computed(save_encoder(tmp_path, **options))


def test_weights_in_16_bits_are_read(tmp_path):
    numbers = np.array([1.0, -2.5, 0.15625], np.float32)
    halves = (numbers.view(np.uint32) >> 16).astype(np.uint16)
    body = safetensors(
        {"a": numbers, "b": halves, "c": numbers.astype(np.float16)}, {"b": "BF16", "c": "F16"}
    )
    (tmp_path / "x.safetensors").write_bytes(body)
    found = tensors_of(tmp_path / "x.safetensors")
    assert all(found[name].tolist() == numbers.tolist() for name in "abc")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"short", "not in the safetensors format"),
        (b"\xff" * 64, "not in the safetensors format"),
        ((2).to_bytes(8, "little") + b"[]", "Expected `object`"),
        (safetensors({"a": np.ones(3, np.float32)}, {"a": "F8"}), "a has the type F8"),
        (safetensors({"a": np.ones(3, np.float32)})[:-4], "a lies outside of the file"),
    ],
)
def test_broken_weights_are_refused_in_words(tmp_path, body, why):
    (tmp_path / "x.safetensors").write_bytes(body)
    with pytest.raises((ValueError, msgspec.MsgspecError), match=why):
        tensors_of(tmp_path / "x.safetensors")


def tokeniser(folder, tokens_max=6):
    return Tokeniser(save_encoder(folder) / "tokenizer.json", tokens_max)


def test_texts_are_cut_at_the_window_and_that_is_told(tmp_path):
    read = tokeniser(tmp_path).read(["a b", "a b c d", "a b c d e", ""])
    assert [each.truncated for each in read] == [False, False, True, False]
    assert [each.ids for each in read] == [[1, 4, 5, 2], [1, 4, 5, 6, 7, 2], [1, 4, 5, 6, 7, 2], [1, 2]]


@pytest.mark.parametrize(
    "text",
    [
        "a b c d e " * 1000,
        "a" + " " * 5000 + "b c d e",
        " " * 5000 + "a b c",
        "x" * 5000 + " a b c d e",
        "x" * 5000,
        "a b c d" + " " * 5000,
        "a b c d" + " " * 5000 + "e",
    ],
)
def test_of_a_long_text_the_beginning_is_read_as_if_it_were_read_whole(tmp_path, text):
    assert len(text) > HEAD_CHARACTERS * 6
    words = [4 + "abcdefgh".index(word) if len(word) == 1 else 3 for word in text.split()]
    (read,) = tokeniser(tmp_path).read([text])
    assert read.ids == [1, *words[:4], 2]
    assert read.truncated == (len(words) > 4)


def test_what_lies_behind_very_many_blanks_is_taken_for_cut_off(tmp_path):
    (read,) = tokeniser(tmp_path).read(["a" + " " * (CHARACTERS_MAX * 6) + "b"])
    assert (read.ids, read.truncated) == ([1, 4, 2], True)
