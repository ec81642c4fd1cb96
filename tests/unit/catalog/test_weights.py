"""A card read from weights on disk says what they say, and bad weights are refused with a hint."""

from __future__ import annotations

import contextlib
import json

import pytest
from gguf.constants import GGML_QUANT_SIZES
from hypothesis import given, settings
from hypothesis import strategies as st

from geminid.catalog.faults import BadWeights
from geminid.catalog.gguf_header import BLOCKS
from geminid.catalog.weights import card_of
from geminid.core.card import FileSource
from unit.catalog.stand_in import write_gguf, write_ir


def refusal(path):
    with pytest.raises(BadWeights) as caught:
        card_of(path)
    assert "\nhint: " in caught.value.message
    return caught.value.message


def test_gguf_tells_its_name_window_licence_and_size(tmp_path):
    path = write_gguf(tmp_path / "My_Tiny.Q4.gguf")
    card = card_of(path)
    assert card.name == "my-tiny.q4"
    assert card.title == "Tiny Model"
    assert card.context_tokens_max == card.input_tokens_max == card.output_tokens_max == 512
    assert (card.licence, card.parameters) == ("mit", 64)
    assert card.sources == (FileSource(path=str(path)),)


def test_block_sizes_are_those_of_the_gguf_library():
    assert {int(kind): size for kind, size in GGML_QUANT_SIZES.items()}.items() <= BLOCKS.items()


def test_missing_file_is_refused(tmp_path):
    assert "does not exist" in refusal(tmp_path / "none.gguf")


@pytest.mark.parametrize("content", [b"", b"GG", b"PK\x03\x04 something else"])
def test_file_that_is_no_gguf_is_refused(tmp_path, content):
    path = tmp_path / "bad.gguf"
    path.write_bytes(content)
    assert "is not a GGUF file" in refusal(path)


def test_unknown_gguf_version_is_refused(tmp_path):
    path = tmp_path / "new.gguf"
    path.write_bytes(b"GGUF" + (99).to_bytes(4, "little") + bytes(16))
    assert "version 99" in refusal(path)


def test_gguf_without_its_last_byte_is_refused(tmp_path):
    path = write_gguf(tmp_path / "cut.gguf")
    path.write_bytes(path.read_bytes()[:-1])
    assert "truncated" in refusal(path)


def test_gguf_cut_at_any_place_is_refused(tmp_path):
    whole = write_gguf(tmp_path / "cut.gguf", tokens=5).read_bytes()
    for size_bytes in range(4, len(whole)):
        (tmp_path / "cut.gguf").write_bytes(whole[:size_bytes])
        assert "truncated" in refusal(tmp_path / "cut.gguf")


def test_length_that_no_file_has_is_refused(tmp_path):
    path = write_gguf(tmp_path / "m.gguf", tokens=3)
    whole = path.read_bytes()
    place = whole.index(b"token 1") - 8
    path.write_bytes(whole[:place] + b"\xff" * 8 + whole[place + 8 :])
    assert "truncated" in refusal(path)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_gguf_ends_in_a_card_or_a_refusal_and_nothing_else(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp() / "damaged"
    folder.mkdir(exist_ok=True)
    path = folder / "m.gguf"
    whole = bytearray(write_gguf(path, tokens=3).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(4, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(whole)
    with contextlib.suppress(BadWeights):
        card_of(path)


def test_split_gguf_is_refused_by_its_file_name(tmp_path):
    assert "one of 3 parts" in refusal(write_gguf(tmp_path / "m-00001-of-00003.gguf"))


def test_split_gguf_is_refused_by_what_it_says(tmp_path):
    assert "one of 2 parts" in refusal(write_gguf(tmp_path / "renamed.gguf", parts=2))


def test_architecture_that_the_engine_cannot_read_is_refused(tmp_path):
    message = refusal(write_gguf(tmp_path / "m.gguf", architecture="mamba"))
    assert "mamba" in message
    assert "OpenVINO IR" in message


def test_gguf_without_a_window_is_refused_not_guessed(tmp_path):
    assert "context_length" in refusal(write_gguf(tmp_path / "m.gguf", context_tokens=0))


def test_ir_folder_tells_its_name_and_window(tmp_path):
    card = card_of(write_ir(tmp_path / "Qwen3-8B-int4-ov"))
    assert (card.name, card.title, card.context_tokens_max) == ("qwen3-8b-int4-ov", "Qwen3-8B", 40960)


def test_ir_folder_recommends_its_own_sampling(tmp_path):
    folder = write_ir(tmp_path / "m")
    (folder / "generation_config.json").write_text('{"temperature": 0.6, "top_k": 20, "eos_token_id": [1]}')
    defaults = card_of(folder).defaults
    assert (defaults.temperature, defaults.top_p, defaults.top_k) == (0.6, 0.95, 20)


def test_window_of_a_model_with_eyes_is_found_in_its_text_part(tmp_path):
    config = {"model_type": "gemma3", "text_config": {"max_position_embeddings": 131072}}
    assert card_of(write_ir(tmp_path / "m", config)).context_tokens_max == 131072


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: (folder / "openvino_model.xml").unlink(), "has no openvino_model.xml"),
        (lambda folder: (folder / "openvino_model.bin").unlink(), "not its .bin"),
        (lambda folder: (folder / "config.json").unlink(), "config.json does not exist"),
        (lambda folder: (folder / "config.json").write_text("{"), "is not a JSON object"),
        (lambda folder: (folder / "config.json").write_text(json.dumps({})), "max_position_embeddings"),
    ],
)
def test_incomplete_ir_folder_is_refused(tmp_path, spoil, words):
    folder = write_ir(tmp_path / "m")
    spoil(folder)
    assert words in refusal(folder)


def test_weights_of_ones_own_are_recognised_by_their_chat_template(tmp_path):
    folder = write_ir(tmp_path / "mine")
    assert (card_of(folder).thinking.form, card_of(folder).tool_form) == ("two-phases", "general")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"chat_template": "<tool_call> enable_thinking"})
    )
    assert (card_of(folder).thinking.form, card_of(folder).tool_form) == ("qwen3", "hermes")
    (folder / "chat_template.jinja").write_text("<|python_tag|>")
    assert card_of(folder).tool_form == "llama3"
