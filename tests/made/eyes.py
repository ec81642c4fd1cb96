"""A model with eyes, of random weights: small enough to be made where it is needed, real enough for the engine.

The words come from a GGUF file of two layers that is written here and converted by the program's own
converter, so tokenizer and graph are what the library makes of any small model. Its graph is cut behind the
embedding: what is before becomes the text embeddings, what is behind takes embeddings. Pictures go through one
matrix: a patch of pixels is a token, or four are. What the model says is noise, but the same noise for the same
words and pictures.

Two families are made: LLaVA, where every picture takes the same number of tokens, and Qwen2-VL, where it depends on
the picture's size and a token has three positions.
"""

import json
import shutil
from pathlib import Path
from typing import Literal

import gguf
import numpy as np
import openvino
from openvino import opset13 as ops

from geminid.engines.openvino.convert import convert

HIDDEN, LAYERS, HEADS, INNER = 64, 2, 2, 128
WINDOW = 2048
PATCH, SIDE, FRAMES, MERGED = 14, 56, 2, 4
SPECIAL = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>"),
    *("<image>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"),
)
START, END = 1, 2
CONTROL, NORMAL = 3, 1
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] | trim }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
Family = Literal["llava", "qwen2_vl"]
PREPROCESSOR = {
    "llava": {"size": {"shortest_edge": SIDE}, "crop_size": {"height": SIDE, "width": SIDE}},
    "qwen2_vl": {"min_pixels": SIDE * SIDE, "max_pixels": 64 * SIDE * SIDE, "merge_size": 2},
}


def picture_tokens(family: Family, width: int, height: int) -> int:
    """How many tokens a picture takes, with its marks: a newline behind it, or one mark on each side."""
    if family == "llava":
        return (SIDE // PATCH) ** 2 + 1
    side = 2 * PATCH
    return round(width / side) * round(height / side) + 2


def save_eyes(folder: Path, family: Family = "llava") -> Path:
    """Write the model into a new folder, in less than a second; return the folder."""
    folder.mkdir(parents=True)
    made = folder / "made"
    made.mkdir()
    _write_gguf(folder / "tiny.gguf")
    convert(folder / "tiny.gguf", made, "packed")
    _cut(made / "openvino_model.xml", folder, family)
    if family == "llava":
        _save(_squares(), folder / "openvino_vision_embeddings_model.xml")
    else:
        _save(_patches(), folder / "openvino_vision_embeddings_model.xml")
        _save(_merger(), folder / "openvino_vision_embeddings_merger_model.xml")
    for file in made.glob("*tokenizer*"):
        file.rename(folder / file.name)
    (made / "generation_config.json").rename(folder / "generation_config.json")
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    config = {"model_type": family, "hidden_size": HIDDEN, "max_position_embeddings": WINDOW}
    (folder / "config.json").write_text(json.dumps({**config, "vision_config": {"patch_size": PATCH}}))
    normal = {"patch_size": PATCH, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
    (folder / "preprocessor_config.json").write_text(json.dumps({**normal, **PREPROCESSOR[family]}))
    (folder / "tiny.gguf").unlink()
    shutil.rmtree(made)
    return folder


def _write_gguf(path: Path) -> None:
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_context_length(WINDOW)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(HIDDEN // HEADS)
    writer.add_rope_freq_base(10_000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    tokens = [*SPECIAL, *_byte_letters(), "th"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([CONTROL] * len(SPECIAL) + [NORMAL] * (len(tokens) - len(SPECIAL)))
    writer.add_token_merges(["t h"])
    writer.add_bos_token_id(START)
    writer.add_eos_token_id(END)
    writer.add_pad_token_id(END)
    writer.add_unk_token_id(0)
    writer.add_chat_template(TEMPLATE)
    for name, weights in _weights(len(tokens)):
        writer.add_tensor(name, weights)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _byte_letters() -> list[str]:
    """The letters by which byte-level tokenizers spell the bytes 0 to 255."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte if byte in printable else 256 + others.index(byte)) for byte in range(256)]


def _weights(vocabulary: int):
    chance = np.random.default_rng(1)

    def drawn(*shape: int) -> np.ndarray:
        return (chance.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float16)

    ones = np.ones(HIDDEN, np.float32)
    yield "token_embd.weight", drawn(vocabulary, HIDDEN)
    yield "output.weight", drawn(vocabulary, HIDDEN)
    yield "output_norm.weight", ones
    for layer in (f"blk.{number}" for number in range(LAYERS)):
        yield f"{layer}.attn_norm.weight", ones
        yield f"{layer}.ffn_norm.weight", ones
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            yield f"{layer}.{name}.weight", drawn(HIDDEN, HIDDEN)
        yield f"{layer}.ffn_gate.weight", drawn(INNER, HIDDEN)
        yield f"{layer}.ffn_up.weight", drawn(INNER, HIDDEN)
        yield f"{layer}.ffn_down.weight", drawn(HIDDEN, INNER)


def _cut(path: Path, folder: Path, family: Family) -> None:
    """Save the graph of a language model in two: words to embeddings, embeddings to logits."""
    core = openvino.Core()
    model = core.read_model(path)
    words = next(each for each in model.get_parameters() if "input_ids" in each.output(0).get_names())
    (embedding,) = (
        node
        for node in model.get_ordered_ops()
        if node.get_type_name() == "Gather" and str(node.output(0).get_partial_shape()) == f"[?,?,{HIDDEN}]"
    )
    table = core.compile_model(openvino.Model([embedding.input_value(0)], [], "table"), "CPU")([])[0]
    _save(_embeddings(table), folder / "openvino_text_embeddings_model.xml")
    embedded = _input("inputs_embeds", [-1, -1, HIDDEN], np.float32)
    embedding.output(0).replace(embedded.output(0))
    for consumer in words.output(0).get_target_inputs():
        if consumer.get_node().get_type_name() == "ShapeOf":  # the size of the batch
            consumer.replace_source_output(embedded.output(0))
    model.add_parameters([embedded])
    model.remove_parameter(words)
    if family == "qwen2_vl":
        _three_positions(model)
    model.validate_nodes_and_infer_types()
    _save(model, folder / "openvino_language_model.xml")


def _embeddings(table: np.ndarray) -> openvino.Model:
    words = _input("input", [-1, -1], np.int64)
    found = ops.gather(ops.constant(table.astype(np.float32)), words, ops.constant(np.int64(0)))
    return _model(found, words, "inputs_embeds")


def _three_positions(model: openvino.Model) -> None:
    """A token has a time, a row and a column; this graph reads the largest of them. (A gather of one of them
    would be taken for a pattern that the library rewrites.)"""
    (flat,) = (each for each in model.get_parameters() if "position_ids" in each.output(0).get_names())
    all_three = _input("position_ids", [3, -1, -1], np.int64)
    largest = ops.reduce_max(all_three, ops.constant(np.int64(0)), False)
    for consumer in flat.output(0).get_target_inputs():
        consumer.replace_source_output(largest.output(0))
    model.remove_parameter(flat)
    model.add_parameters([all_three])


def _squares() -> openvino.Model:
    """Each square of a picture becomes one embedding."""
    chance = np.random.default_rng(2)
    kernel = (chance.standard_normal((HIDDEN, 3, PATCH, PATCH)) / (2 * PATCH)).astype(np.float32)
    seen = _input("pixel_values", [-1, 3, -1, -1], np.float32)
    squares = ops.convolution(seen, ops.constant(kernel), [PATCH, PATCH], [0, 0], [0, 0], [1, 1])
    row = ops.reshape(squares, ops.constant(np.array([0, 0, -1], np.int64)), True)
    return _model(ops.transpose(row, ops.constant(np.array([0, 2, 1], np.int64))), seen, "last_hidden_state")


def _patches() -> openvino.Model:
    """The library cuts a picture into rows of pixels, one for each patch of two frames."""
    rows = _input("hidden_states", [-1, 3 * FRAMES * PATCH * PATCH], np.float32)
    return _model(_times_matrix(rows, 3 * FRAMES * PATCH * PATCH), rows, "last_hidden_state")


def _merger() -> openvino.Model:
    """Four patches become one embedding; what else a model would look at here is not looked at."""
    patches = _input("hidden_states", [-1, HIDDEN], np.float32)
    unused = [
        _input("attention_mask", [1, -1, -1], np.float32),
        _input("rotary_pos_emb", [-1, -1], np.float32),
    ]
    fours = ops.reshape(patches, ops.constant(np.array([-1, MERGED * HIDDEN], np.int64)), False)
    return _model(_times_matrix(fours, MERGED * HIDDEN), patches, "last_hidden_state", unused)


def _times_matrix(rows, width: int):
    matrix = np.random.default_rng(3).standard_normal((HIDDEN, width)) / np.sqrt(width)
    return ops.matmul(rows, ops.constant(matrix.astype(np.float32)), False, True)


def _input(name: str, shape: list[int], kind: type):
    node = ops.parameter(openvino.PartialShape(shape), kind, name=name)
    node.output(0).get_tensor().set_names({name})
    return node


def _model(result, parameter, name: str, unused=()) -> openvino.Model:
    result.output(0).get_tensor().set_names({name})
    return openvino.Model([ops.result(result)], [parameter, *unused], name)


def _save(model: openvino.Model, path: Path) -> None:
    openvino.save_model(model, path, compress_to_fp16=False)
