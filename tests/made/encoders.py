"""Small encoders with random weights, written as their authors' tools write them, and what they compute.

The arithmetic is NumPy's, step by step as in the papers, and shares nothing with the graph that is tested.
"""

from __future__ import annotations

import json
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

HIDDEN, HEADS, LAYERS, WIDE, WORDS, PLACES = 16, 2, 2, 24, 12, 20
LETTERS = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "a", "b", "c", "d", "e", "f", "g", "h"]


def config(kind: str = "bert", **options: Any) -> dict[str, Any]:
    """Return a ``config.json``."""
    return {
        "model_type": kind,
        "hidden_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "intermediate_size": WIDE,
        "max_position_embeddings": PLACES,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-6,
        "pad_token_id": 0 if kind == "bert" else 1,
        "vocab_size": WORDS,
    } | options


def weights(seed: int = 1) -> dict[str, NDArray[np.float32]]:
    """Return random tensors under the names of published files."""
    random = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (WORDS, HIDDEN),
        "embeddings.position_embeddings.weight": (PLACES, HIDDEN),
        "embeddings.token_type_embeddings.weight": (2, HIDDEN),
        "embeddings.LayerNorm.weight": (HIDDEN,),
        "embeddings.LayerNorm.bias": (HIDDEN,),
    }
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}"
        parts = {f"attention.self.{part}": (HIDDEN, HIDDEN) for part in ("query", "key", "value")}
        parts |= {"attention.output.dense": (HIDDEN, HIDDEN), "intermediate.dense": (WIDE, HIDDEN)}
        for part, shape in (parts | {"output.dense": (HIDDEN, WIDE)}).items():
            shapes |= {f"{name}.{part}.weight": shape, f"{name}.{part}.bias": shape[:1]}
        for part in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes |= {f"{name}.{part}.weight": (HIDDEN,), f"{name}.{part}.bias": (HIDDEN,)}
    return {name: random.normal(0, 0.6, shape).astype(np.float32) for name, shape in shapes.items()}


def safetensors(tensors: dict[str, NDArray[Any]], types: dict[str, str] | None = None) -> bytes:
    """Return the bytes of a safetensors file. types: what others than 32-bit numbers are called."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    body = b""
    for name, tensor in tensors.items():
        begin, body = len(body), body + tensor.tobytes()
        kind = (types or {}).get(name, "F32")
        header[name] = {"dtype": kind, "shape": tensor.shape, "data_offsets": [begin, len(body)]}
    words = json.dumps(header).encode()
    return len(words).to_bytes(8, "little") + words + body


def tokenizer() -> dict[str, Any]:
    """Return a ``tokenizer.json`` whose tokens are letters; like published ones it says how to pad and cut."""
    vocabulary = {word: number for number, word in enumerate(LETTERS)}
    special = {name: {"id": name, "ids": [vocabulary[name]], "tokens": [name]} for name in ("[CLS]", "[SEP]")}
    return {
        "version": "1.0",
        "truncation": {"max_length": 5, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
        "padding": {
            "strategy": {"Fixed": 5},
            "direction": "Right",
            "pad_to_multiple_of": None,
            "pad_id": 0,
            "pad_type_id": 0,
            "pad_token": "[PAD]",
        },
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [
                {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}},
                {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
            ],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": special,
        },
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"},
    }


def save_encoder(folder: Path, kind: str = "bert", prefix: str = "", **options: Any) -> Path:
    """Write a whole model into ``folder`` and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {prefix + name: tensor for name, tensor in weights().items()}
    (folder / "model.safetensors").write_bytes(safetensors(tensors))
    (folder / "config.json").write_text(json.dumps(config(kind, **options)))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer()))
    return folder


def encoded(ids: list[int], pooling: str = "mean", first_position: int = 0) -> Numbers:
    """Return the vector of one text, computed without any padding."""
    w = {name: tensor.astype(np.float64) for name, tensor in weights().items()}
    x = w["embeddings.word_embeddings.weight"][ids]
    x = x + w["embeddings.position_embeddings.weight"][first_position : first_position + len(ids)]
    x = _normed(x + w["embeddings.token_type_embeddings.weight"][0], w, "embeddings.LayerNorm")
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}"
        looked = _dense(_attention(x, w, f"{name}.attention.self"), w, f"{name}.attention.output.dense")
        x = _normed(looked + x, w, f"{name}.attention.output.LayerNorm")
        wide = _gelu(_dense(x, w, f"{name}.intermediate.dense"))
        x = _normed(_dense(wide, w, f"{name}.output.dense") + x, w, f"{name}.output.LayerNorm")
    vector = {"mean": x.mean(axis=0), "cls": x[0], "last": x[-1]}[pooling]
    return np.asarray(vector / np.linalg.norm(vector))


def _attention(x: Numbers, w: dict[str, Numbers], name: str) -> Numbers:
    heads = []
    query, key, value = (_dense(x, w, f"{name}.{part}") for part in ("query", "key", "value"))
    size = HIDDEN // HEADS
    for head in range(HEADS):
        columns = slice(head * size, (head + 1) * size)
        scores = query[:, columns] @ key[:, columns].T / sqrt(size)
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        heads.append(shares / shares.sum(axis=1, keepdims=True) @ value[:, columns])
    return np.concatenate(heads, axis=1)


def _dense(x: Numbers, w: dict[str, Numbers], name: str) -> Numbers:
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def _normed(x: Numbers, w: dict[str, Numbers], name: str) -> Numbers:
    even = (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + 1e-6)
    return np.asarray(even * w[f"{name}.weight"] + w[f"{name}.bias"])


def _gelu(x: Numbers) -> Numbers:
    from math import erf

    return np.asarray(x * (1 + np.vectorize(erf)(x / sqrt(2))) / 2)
