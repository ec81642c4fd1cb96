"""Models that turn texts into vectors: how a person names one, and what a folder of weights says of itself.

The forms are those of sentence-transformers and of OpenVINO's exports: ``config.json``, ``tokenizer.json``
and the weights beside them. It knows no engine. What is named by a path gets a card of its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from geminid.catalog.catalog import Catalog
from geminid.catalog.faults import BadWeights
from geminid.catalog.names import slug
from geminid.core.card import EmbeddingCard, EngineKind, FileSource, ModelCard, Pooling
from geminid.core.errors import InvalidArgument

AUTO = "auto"
COMPANIONS: dict[EngineKind, str] = {"openvino": "all-minilm-l6-v2", "scripted": "scripted-embedding"}
"""The model that embeds beside a default model of each engine, where none is chosen."""
NEEDED = ("config.json", "tokenizer.json")
WEIGHTS = ("model.safetensors", "openvino_model.xml")
POOLINGS: dict[str, Pooling] = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_lasttoken": "last",
}
OFFSET_KINDS = ("roberta", "xlm-roberta")
"""Encoders whose positions begin behind the padding's."""

_PATH_STARTS = ("file:", "./", "../", "/", "~")


def chosen_embedding(text: str, catalog: Catalog, default: ModelCard) -> EmbeddingCard | None:
    """Return the card of the setting ``catalog.embedding`` beside a default model, None when it is empty.

    Raises as :func:`embedding_card` does.
    """
    if not text:
        return None
    return embedding_card(COMPANIONS[default.engine] if text == AUTO else text, catalog)


def embedding_card(text: str, catalog: Catalog) -> EmbeddingCard:
    """Return the card of what a person typed: a name of the catalogue, or a folder.

    Raises UnknownModel, InvalidArgument, and BadWeights for a folder that lacks files or words.
    """
    text = text.strip()
    if text.startswith("hf:"):
        raise InvalidArgument(
            f"{text} needs a card, which says how its vectors are made\n"
            "hint: write an [[embedding]] card into the file of catalog.cards"
        )
    if text.startswith(_PATH_STARTS):
        return _of_folder(Path(text.removeprefix("file:")).expanduser())
    return catalog.embedding(text)


def _of_folder(path: Path) -> EmbeddingCard:
    missing = [name for name in NEEDED if not (path / name).is_file()]
    if not any((path / name).is_file() for name in WEIGHTS):
        missing.append(" or ".join(WEIGHTS))
    if missing:
        raise BadWeights(
            f"{path} is no model that embeds: it has no {', '.join(missing)}", "copy the whole model"
        )
    config = _json_of(path / "config.json")
    name = path.resolve().name
    return EmbeddingCard(
        name=slug(name),
        title=name,
        dimensions=_number(config, "hidden_size", path),
        context_tokens_max=_window(config, path),
        pooling=_pooling(path),
        sources=(FileSource(path=str(path.absolute())),),
    )


def _window(config: dict[str, Any], path: Path) -> int:
    """Return how many tokens are read of a text: as sentence-transformers does, or all that have a place."""
    own = path / "sentence_bert_config.json"
    if own.is_file() and isinstance(length := _json_of(own).get("max_seq_length"), int):
        return length
    places = _number(config, "max_position_embeddings", path)
    offset = _number(config, "pad_token_id", path) + 1 if config.get("model_type") in OFFSET_KINDS else 0
    return places - offset


def _pooling(path: Path) -> Pooling:
    own = path / "1_Pooling" / "config.json"
    said = _json_of(own) if own.is_file() else {}
    modes = [mode for mode, chosen in said.items() if mode.startswith("pooling_mode_") and chosen is True]
    if len(modes) > 1 or not {*modes} <= POOLINGS.keys():
        raise BadWeights(f"{own} asks for {', '.join(modes)}", f"known is one of {', '.join(POOLINGS)}")
    return POOLINGS[modes[0]] if modes else "mean"


def _number(config: dict[str, Any], key: str, path: Path) -> int:
    value = config.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadWeights(f"{path}/config.json does not say {key}", "take it from the original model")
    return value


def _json_of(path: Path) -> dict[str, Any]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise BadWeights(f"{path} is not a JSON object: {error}", "fetch it again") from error
