"""A model that costs nothing: the smallest graph that the library takes for a language model.

One attention layer of one head, all weights zero, and logits over the vocabulary of a real model, so
that grammars can be compiled against a real tokenizer without loading real weights. It knows graphs,
not grammars. Every node is there because OpenVINO's paged attention looks for it; the shape of the
graph follows a converted SmolLM2.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, TypeAlias

import numpy
import openvino
from openvino import opset13 as ops

HEAD = 32
"""Size of the only head: the smallest that the CPU's paged attention likes."""
MODELS = ("openvino_model.xml", "openvino_language_model.xml")
GENERATION_CONFIG = "generation_config.json"

Node: TypeAlias = Any


def save_tiny(folder: Path, into: Path) -> None:
    """Write the dummy of the model in ``folder`` to the folder ``into``, all but its tokenizer."""
    openvino.save_model(tiny_model(folder), into / MODELS[0], compress_to_fp16=False)
    if (folder / GENERATION_CONFIG).exists():
        shutil.copy(folder / GENERATION_CONFIG, into)


def tiny_model(folder: Path) -> openvino.Model:
    """Return a model with the vocabulary of the model in ``folder`` and next to nothing else."""
    return _build(_vocabulary_of(folder))


def _vocabulary_of(folder: Path) -> int:
    """Return the width of the logits; the weights are only mapped for that, not read."""
    path = next((folder / name for name in MODELS if (folder / name).exists()), folder / MODELS[0])
    logits = openvino.Core().read_model(path).output("logits")
    return int(logits.get_partial_shape()[-1].get_length())


def _build(vocabulary: int) -> openvino.Model:
    inputs = [
        _input("input_ids", [-1, -1], numpy.int64),
        _input("attention_mask", [-1, -1], numpy.int64),
        _input("position_ids", [-1, -1], numpy.int64),
        _input("beam_idx", [-1], numpy.int32),
    ]
    token_ids, _, positions, _ = inputs
    # The table has one row: every token is the same token.
    embedded = ops.gather(_zeros(1, HEAD), ops.minimum(token_ids, _ints(0)), _ints(0))
    attended, states = _attention(embedded, inputs)
    placed = ops.convert(ops.unsqueeze(positions, _ints(2)), "f32")
    hidden = ops.add(ops.add(embedded, placed), attended)
    # Narrowed to one number first: the matrix of the vocabulary is then its only big one, and a vector.
    narrow = ops.matmul(hidden, _zeros(1, HEAD), False, True)
    logits = ops.matmul(narrow, _zeros(vocabulary, 1), False, True)
    logits.output(0).get_tensor().set_names({"logits"})
    return openvino.Model([ops.result(logits)], states, inputs, "tiny")


def _attention(hidden: Node, inputs: list[Node]) -> tuple[Node, list[Node]]:
    """Return the layer's output and the nodes that write its two states."""
    token_ids, mask, _, beam = inputs
    batch = ops.gather(ops.shape_of(token_ids), _ints([0]), _ints(0))
    keys, write_keys = _state("past_key_values.0.keypresent.0.key", _heads(hidden), batch, beam)
    values, write_values = _state("past_key_values.0.valuepresent.0.key", _heads(hidden), batch, beam)
    seen = ops.convert(ops.unsqueeze(ops.unsqueeze(mask, _ints(1)), _ints(2)), "f32")
    attended = ops.scaled_dot_product_attention(_heads(hidden), keys, values, seen)
    merged = ops.reshape(ops.transpose(attended, _ints([0, 2, 1, 3])), _ints([0, 0, HEAD]), True)
    return merged, [write_keys, write_values]


def _heads(hidden: Node) -> Node:
    """Project and lay out as [batch, head, token, value]."""
    projected = ops.matmul(hidden, _zeros(HEAD, HEAD), False, True)
    return ops.transpose(ops.reshape(projected, _ints([0, 0, 1, HEAD]), True), _ints([0, 2, 1, 3]))


def _state(name: str, new: Node, batch: Node, beam: Node) -> tuple[Node, Node]:
    """Append to the past of a state; return all of it and the node that writes it back."""
    info = openvino.op.util.VariableInfo()
    info.data_shape = openvino.PartialShape([-1, 1, -1, HEAD])
    info.data_type = openvino.Type.f32
    info.variable_id = name
    variable = openvino.op.util.Variable(info)
    shape = ops.concat([batch, _ints([1]), _ints([0]), _ints([HEAD])], 0)
    past = ops.read_value(ops.broadcast(ops.constant(numpy.float32(0)), shape), variable)
    whole = ops.concat([ops.gather(past, beam, _ints(0)), new], 2)
    return whole, ops.assign(whole, variable)


def _input(name: str, shape: list[int], kind: type) -> Node:
    node = ops.parameter(openvino.PartialShape(shape), kind, name=name)
    node.output(0).get_tensor().set_names({name})
    return node


def _ints(value: int | list[int]) -> Node:
    return ops.constant(numpy.array(value, numpy.int64))


def _zeros(*shape: int) -> Node:
    return ops.constant(numpy.zeros(shape, numpy.float32))
