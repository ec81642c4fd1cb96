"""The graph that chooses labels: many short texts behind one shared beginning, in one pass.

It is made from the graph of the model itself. The attention of each layer is replaced: the keys and values of
the beginning come in once and are multiplied with all texts together, those of each text only with its own.
The paged attention of the library unpacks the beginning anew for every text instead, which was a third of the
time of a step. Logits leave only for the rows that are asked for. It knows no tokens and no labels.

Texts are padded on the right; what is behind a row is never seen by it, so padding changes nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import openvino
from openvino import opset13 as op
from openvino._offline_transformations import compress_model_transformation
from openvino.passes import ConstantFolding, Manager

IDS, POSITIONS, OWN, HIDDEN, ROWS = "input_ids", "position_ids", "own", "hidden", "rows"
"""Inputs: tokens and their positions [texts, tokens]; what is added to the scores of a text's own tokens
[texts, 1, tokens, tokens] and to those of the beginning [tokens of it]; rows of the flattened texts."""
KNOWN_INPUTS = {IDS, POSITIONS, "attention_mask", "beam_idx"}
UNPACKED_BYTES_MAX = 512 * 1024**2
"""Weights are unpacked once if they take no more than that in 16 bits: packed ones are unpacked in each pass,
which takes a quarter of it."""

FLOAT = openvino.Type.f32
Node = Any  # the binding's nodes and outputs have no types of their own


class UnknownGraph(ValueError):
    """A graph that is not built as this one expects; its model does without."""


class Layer(NamedTuple):
    """The attention of one layer: what is asked, the new keys and values [texts, heads, tokens, width]."""

    attention: Node
    query: Node
    key: Node
    value: Node


class LabelGraph(NamedTuple):
    """``model`` has the keys and values of layer n as inputs k{n} and v{n}, [1, heads, tokens, width], and
    gives the logits [1, rows, vocabulary] first, then the new keys and values of each layer."""

    model: openvino.Model
    layers: int
    heads: int
    width: int


def label_graph(weights: Path, *, unpacked: bool) -> LabelGraph:
    """Make the graph of the model in a folder. unpacked: whether its weights may be kept as 16 bits.

    Raises :class:`UnknownGraph`, or ``RuntimeError`` of the library.
    """
    model = openvino.Core().read_model(weights / "openvino_model.xml")
    named = {name: each for each in model.get_parameters() for name in each.output(0).names}
    if named.keys() != KNOWN_INPUTS:
        raise UnknownGraph(f"inputs {sorted(named)}")
    if unpacked and (weights / "openvino_model.bin").stat().st_size * _packing(model) <= UNPACKED_BYTES_MAX:
        _unpack(model)
    layers = [_layer(each) for each in model.get_ordered_ops() if _kind(each) == "ScaledDotProductAttention"]
    if not layers or len({_source(layer.attention, 3) for layer in layers}) != 1:
        raise UnknownGraph("layers that do not all see the same")
    own, hidden = _input(OWN, FLOAT, [-1, 1, -1, -1]), _input(HIDDEN, FLOAT, [-1])
    pasts = [past for number, layer in enumerate(layers) for past in _attend(layer, number, own, hidden)]
    rows = _input(ROWS, openvino.Type.i64, [-1])
    _only(model, rows)
    news = [new for layer in layers for new in (layer.key, layer.value)]
    results = [model.get_results()[0], *map(op.result, news)]
    inputs = [named[IDS], named[POSITIONS], own, hidden, rows, *pasts]
    heads, width = _size(layers[0].key, 1), _size(layers[0].key, 3)
    return LabelGraph(openvino.Model(results, inputs, "labels"), len(layers), heads, width)


def _packing(model: openvino.Model) -> int:
    """Return how many times larger the weights are in 16 bits."""
    widths = {each.get_element_type().bitwidth for each in model.get_ops() if _kind(each) == "Constant"}
    return 4 if min(widths) < 8 else 1


def _unpack(model: openvino.Model) -> None:
    passes = Manager()
    passes.register_pass(ConstantFolding())
    passes.run_passes(model)
    compress_model_transformation(model)


# -- finding ----------------------------------------------------------------------------------------------


def _layer(attention: Node) -> Layer:
    if attention.get_input_size() not in (4, 5):
        raise UnknownGraph("attention without a mask, or with more than a scale")
    key, value = (_appended(attention.input_value(index)) for index in (1, 2))
    return Layer(attention, attention.input_value(0), key, value)


def _appended(output: Node) -> Node:
    """Return what is put behind the keys or values that were there before."""
    node = output.get_node()
    while not (_kind(node) == "Concat" and _kind(node.input_value(0).get_node()) == "Gather"):
        if node.get_input_size() == 0:
            raise UnknownGraph("attention without a past")
        node = node.input_value(0).get_node()
    return node.input_value(1)


def _source(node: Node, index: int) -> str:
    name: str = node.input_value(index).get_node().get_friendly_name()
    return name


# -- attention ---------------------------------------------------------------------------------------------


def _attend(layer: Layer, number: int, own: Node, hidden: Node) -> tuple[Node, Node]:
    """Put another attention in the place of a layer's, and return its two inputs.

    With n texts of t tokens, g heads of keys of width d, each asked by r heads, and p tokens before them:
    scores [1, g, nrt, p] and [n, g, rt, t] share the largest score and the sum below the line, so together
    they are one softmax.
    """
    heads, g, d = _size(layer.query, 1), _size(layer.key, 1), _size(layer.key, 3)
    past_key, past_value = (_input(f"{kind}{number}", FLOAT, [1, g, -1, d]) for kind in "kv")
    shape = op.shape_of(layer.key)
    n, t = (op.gather(shape, _ints([index]), _ints(0)) for index in (0, 2))

    def side_by_side(each: Node) -> Node:  # [n, g, rt, x] to [1, g, nrt, x]
        wide = op.reshape(op.transpose(each, _ints([1, 0, 2, 3])), _ints([g, -1, _size(each, 3)]), False)
        return op.unsqueeze(wide, _ints(0))

    def apart(each: Node, width: int) -> Node:  # and back
        parts = op.reshape(each, op.concat([_ints([g]), n, _ints([-1, width])], 0), False)
        return op.transpose(parts, _ints([1, 0, 2, 3]))

    asked = op.reshape(op.multiply(layer.query, _scale(layer.attention, d)), _ints([0, g, -1, d]), True)
    past = op.add(op.matmul(side_by_side(asked), past_key, False, True), hidden)
    each_head = op.concat([n, _ints([heads]), t, t], 0)
    each_group = op.concat([n, _ints([g, -1]), t], 0)
    here = op.add(op.reshape(op.matmul(asked, layer.key, False, True), each_head, False), own)
    here = op.reshape(here, each_group, False)
    top = op.maximum(
        op.reduce_max(past, _ints([3]), True), side_by_side(op.reduce_max(here, _ints([3]), True))
    )
    past = op.exp(op.subtract(past, top))
    here = op.exp(op.subtract(here, apart(top, 1)))
    seen = op.add(
        apart(op.matmul(past, past_value, False, False), d), op.matmul(here, layer.value, False, False)
    )
    total = op.add(apart(op.reduce_sum(past, _ints([3]), True), 1), op.reduce_sum(here, _ints([3]), True))
    answer = op.reshape(op.divide(seen, total), _ints([0, heads, -1, d]), True)
    layer.attention.output(0).replace(answer.output(0))
    return past_key, past_value


def _scale(attention: Node, width: int) -> Node:
    return attention.input_value(4) if attention.get_input_size() == 5 else _floats(width**-0.5)


def _only(model: openvino.Model, rows: Node) -> None:
    """Let the model compute logits for some rows of all texts, put one behind the other."""
    head = model.get_results()[0].input_value(0).get_node()
    while _kind(head) != "MatMul":
        if head.get_input_size() == 0:
            raise UnknownGraph("logits that no multiplication gives")
        head = head.input_value(0).get_node()
    hidden = head.input_value(0)
    flat = op.reshape(hidden, _ints([1, -1, _size(hidden, 2)]), False)
    head.input(0).replace_source_output(op.gather(flat, rows, _ints(1)).output(0))


# -- small change ------------------------------------------------------------------------------------------


def _kind(node: Node) -> str:
    kind: str = node.get_type_name()
    return kind


def _input(name: str, kind: openvino.Type, shape: list[int]) -> Node:
    parameter = op.parameter(shape, kind, name)
    parameter.output(0).set_names({name})
    return parameter


def _size(output: Node, axis: int) -> int:
    shape = (output if hasattr(output, "get_partial_shape") else output.output(0)).get_partial_shape()
    if shape[axis].is_dynamic:
        raise UnknownGraph("sizes that are not fixed")
    return int(shape[axis].get_length())


def _ints(values: int | list[int]) -> Node:
    return op.constant(np.array(values, dtype=np.int64))


def _floats(value: float) -> Node:
    return op.constant(np.array(value, dtype=np.float32))
