"""The graph of a model that embeds: token ids and their mask in, one vector of length 1 for each text out.

Encoders of BERT's kind are built here from the files that their authors publish, as ``config.json``
describes them; anything else comes as an OpenVINO IR that ends in the vectors of the tokens, and gets its
pooling here. Texts are padded on the right. Sources: Devlin et al. 2019 for the encoder; the sizes, names and
position offsets of Hugging Face's ``BertModel``, ``RobertaModel`` and ``XLMRobertaModel``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
import openvino
from msgspec import Meta
from numpy.typing import NDArray
from openvino import opset13 as op

from geminid.core.card import Pooling
from geminid.engines.openvino.embed_weights import Tensors, tensors_of

IR_MODEL = "openvino_model.xml"
WEIGHTS = "model.safetensors"
INPUTS = ("input_ids", "attention_mask")
MASKED = 30_000.0
"""Taken from the score of a place that is padding: its share is 0 then, also in 16 bits."""
PREFIXES = ("", "bert.", "roberta.", "model.")

Size = Annotated[int, Meta(gt=0)]
Node = Any  # the binding's nodes have no types of their own


class Encoder(msgspec.Struct, frozen=True, kw_only=True):
    """What ``config.json`` says of an encoder, in its names. Other words of it concern training."""

    model_type: Literal["bert", "roberta", "xlm-roberta"]
    hidden_size: Size
    num_hidden_layers: Size
    num_attention_heads: Size
    max_position_embeddings: Size
    hidden_act: Literal["gelu", "gelu_new", "gelu_pytorch_tanh", "relu"] = "gelu"
    layer_norm_eps: float = 1e-12
    pad_token_id: int = 0
    position_embedding_type: Literal["absolute"] = "absolute"

    @property
    def first_position(self) -> int:
        """The row of the position table for a text's first token: RoBERTa's kin begin behind the padding."""
        return 0 if self.model_type == "bert" else self.pad_token_id + 1


def load(folder: Path, pooling: Pooling, tokens_max: int) -> openvino.Model:
    """Return the graph of the model in ``folder``, which must be able to read ``tokens_max`` tokens.

    Raises ``ValueError`` or ``RuntimeError`` with what is wrong with the files.
    Inputs: the ids and the mask of texts in rows, int32, of any shape. Output: float32, a row for each.
    """
    if (folder / IR_MODEL).is_file():
        return _of_ir(openvino.Core().read_model(folder / IR_MODEL), pooling)
    config = msgspec.json.decode((folder / "config.json").read_bytes(), type=Encoder)
    if (places := config.max_position_embeddings - config.first_position) < tokens_max:
        raise ValueError(f"the card says {tokens_max} tokens, but the model has {places} positions")
    ids, mask = (op.parameter([-1, -1], openvino.Type.i32, name) for name in INPUTS)
    tokens = _Builder(config, tensors_of(folder / WEIGHTS)).encoded(ids, mask)
    return openvino.Model([op.result(_pooled(tokens, mask, pooling))], [ids, mask], "embed")


def _of_ir(model: openvino.Model, pooling: Pooling) -> openvino.Model:
    """Put the pooling behind a graph, and fill its other inputs as is right for one text in each row."""
    named = {name: each for each in model.get_parameters() for name in each.output(0).names}
    ids, mask = (op.parameter([-1, -1], openvino.Type.i32, name) for name in INPUTS)
    fillings = {"input_ids": ids, "attention_mask": mask} | {k: make(mask) for k, make in _FILLINGS.items()}
    if unknown := named.keys() - fillings.keys():
        raise ValueError(f"the graph wants inputs that are not known: {', '.join(sorted(unknown))}")
    for name, parameter in named.items():
        filling = op.convert(fillings[name], parameter.get_element_type().to_string())
        parameter.output(0).replace(filling.output(0))
    tokens = op.convert(model.get_results()[0].input_value(0), "f32")
    return openvino.Model([op.result(_pooled(tokens, mask, pooling))], [ids, mask], "embed")


def _positions(mask: Node) -> Node:
    """Return 0, 1, 2 … along each row."""
    return op.cum_sum(op.broadcast(_ints(1), op.shape_of(mask)), _ints(1), exclusive=True)


_FILLINGS: dict[str, Any] = {
    "token_type_ids": lambda mask: op.broadcast(_ints(0), op.shape_of(mask)),
    "position_ids": _positions,
}


def _pooled(tokens: Node, mask: Node, pooling: Pooling) -> Node:
    """Return one vector of length 1 for each row of token vectors."""
    weights = op.convert(mask, "f32")
    if pooling == "mean":
        # A sum will do: the length is made 1 in any case.
        vector = op.reduce_sum(op.multiply(tokens, op.unsqueeze(weights, _ints(2))), _ints(1))
    elif pooling == "cls":
        vector = op.gather(tokens, _ints(0), _ints(1))
    else:
        last = op.subtract(op.reduce_sum(op.convert(mask, "i32"), _ints(1)), _ints(1))
        vector = op.gather(tokens, last, _ints(1), 1)
        if len(vector.get_output_partial_shape(0)) == 3:
            vector = op.squeeze(vector, _ints(1))
    return op.normalize_l2(vector, _ints([1]), 1e-24, "max")


def _ints(values: int | list[int]) -> Node:
    return op.constant(np.array(values, dtype=np.int32))


def _numbers(values: NDArray[Any] | float) -> Node:
    return op.constant(np.array(values, dtype=np.float32))


class _Builder:
    """Builds one encoder. Names of tensors are those of the published files."""

    def __init__(self, config: Encoder, tensors: Tensors) -> None:
        self._config = config
        first = "embeddings.word_embeddings.weight"
        prefix = next((each for each in PREFIXES if each + first in tensors), None)
        if prefix is None:
            raise ValueError(f"the weights have no {first}")
        self._tensors, self._prefix = tensors, prefix

    def encoded(self, ids: Node, mask: Node) -> Node:
        """Return a vector for each token."""
        hidden = self._embedded(ids)
        padding = op.multiply(op.subtract(op.convert(mask, "f32"), _numbers(1.0)), _numbers(MASKED))
        scores = op.unsqueeze(padding, _ints([1, 2]))
        for number in range(self._config.num_hidden_layers):
            hidden = self._layer(hidden, scores, f"encoder.layer.{number}")
        return hidden

    def _embedded(self, ids: Node) -> Node:
        first = self._config.first_position
        table = self._get("embeddings.position_embeddings.weight")[first:] + self._token_type()
        length = op.gather(op.shape_of(ids, "i32"), _ints([1]), _ints(0))
        positions = op.slice(_numbers(table), _ints([0]), length, _ints([1]), _ints([0]))
        words = op.gather(_numbers(self._get("embeddings.word_embeddings.weight")), ids, _ints(0))
        return self._normed(op.add(words, positions), "embeddings.LayerNorm")

    def _token_type(self) -> NDArray[np.float32] | float:
        """Return what is added to every token of a single text; some kinds of encoder have no such table."""
        name = f"{self._prefix}embeddings.token_type_embeddings.weight"
        return self._tensors[name][0] if name in self._tensors else 0.0

    def _layer(self, hidden: Node, scores: Node, name: str) -> Node:
        looked = self._dense(self._attention(hidden, scores, name), f"{name}.attention.output.dense")
        hidden = self._normed(op.add(looked, hidden), f"{name}.attention.output.LayerNorm")
        wide = self._activated(self._dense(hidden, f"{name}.intermediate.dense"))
        narrow = self._dense(wide, f"{name}.output.dense")
        return self._normed(op.add(narrow, hidden), f"{name}.output.LayerNorm")

    def _attention(self, hidden: Node, scores: Node, name: str) -> Node:
        """Let each token look at all of its text.

        Spelled out: the native code makes one kernel of it, which is an eighth faster than that of the node
        for attention, and faster than one multiplication for queries, keys and values together.
        """
        heads = self._config.num_attention_heads
        factor = (self._config.hidden_size // heads) ** -0.5
        query = self._heads(self._dense(hidden, f"{name}.attention.self.query", factor))
        key, value = (
            self._heads(self._dense(hidden, f"{name}.attention.self.{part}")) for part in ("key", "value")
        )
        shares = op.softmax(op.add(op.matmul(query, key, False, True), scores), -1)
        looked = op.transpose(op.matmul(shares, value, False, False), _ints([0, 2, 1, 3]))
        return op.reshape(looked, _ints([0, 0, self._config.hidden_size]), True)

    def _heads(self, node: Node) -> Node:
        heads = self._config.num_attention_heads
        split = op.reshape(node, _ints([0, 0, heads, self._config.hidden_size // heads]), True)
        return op.transpose(split, _ints([0, 2, 1, 3]))

    def _activated(self, node: Node) -> Node:
        kind = self._config.hidden_act
        if kind == "relu":
            return op.relu(node)
        return op.gelu(node, "erf" if kind == "gelu" else "tanh")

    def _dense(self, node: Node, name: str, factor: float = 1.0) -> Node:
        """Return ``node`` times the weights, plus the bias, times a factor that costs nothing here."""
        weight, bias = self._get(f"{name}.weight") * factor, self._get(f"{name}.bias") * factor
        return op.add(op.matmul(node, _numbers(weight), False, True), _numbers(bias))

    def _normed(self, node: Node, name: str) -> Node:
        even = op.mvn(node, _ints([-1]), True, self._config.layer_norm_eps, "inside_sqrt")
        scaled = op.multiply(even, _numbers(self._get(f"{name}.weight")))
        return op.add(scaled, _numbers(self._get(f"{name}.bias")))

    def _get(self, name: str) -> NDArray[Any]:
        found = self._tensors.get(self._prefix + name)
        if found is None:
            raise ValueError(f"the weights have no {name}")
        return found
