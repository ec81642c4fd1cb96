"""A model card read from weights that are already on this machine.

It knows the two forms that the embedded engine loads, a GGUF file and an OpenVINO IR folder, and
reads only their descriptions. What the weights do not say about limits is an error, never a guess.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec

from geminid.catalog.faults import BadWeights
from geminid.catalog.gguf_header import GgufHeader, read_header
from geminid.catalog.names import slug
from geminid.core.card import FileSource, ModelCard, ThinkingCard
from geminid.core.forms import thinking_form_of, tool_form_of
from geminid.core.request import Sampling

IR_MODEL = "openvino_model.xml"
EYES_MODEL = "openvino_language_model.xml"
"""Where a folder has this one, it is a model with eyes: its language part, beside those that look."""
IR_MODELS = (IR_MODEL, EYES_MODEL)

# What OpenVINO GenAI 2026.4 builds from a GGUF file by itself (its guide "Run GGUF models", default reader).
GGUF_ARCHITECTURES = ("llama", "qwen2", "qwen3")

_SPLIT = re.compile(r"-\d{5}-of-(\d{5})\.gguf$", re.IGNORECASE)


def card_of(path: Path) -> ModelCard:
    """Return the card of a ``.gguf`` file or of a folder with an OpenVINO IR.

    The public name is the slug of the file's or folder's name, the source is the absolute path, and
    input and output may each fill the whole window. Raises :class:`BadWeights` with a hint.
    """
    path = path.expanduser()
    try:
        if path.is_dir():
            return _card_of_folder(path)
        if path.is_file():
            return _card_of_gguf(path)
    except OSError as error:
        raise BadWeights(f"{path} cannot be read: {error.strerror}", "check its permissions") from error
    raise BadWeights(
        f"{path} does not exist", "give the path of a .gguf file or of a folder with an OpenVINO model"
    )


def _card_of_gguf(path: Path) -> ModelCard:
    _refuse_split(path, int(found[1]) if (found := _SPLIT.search(path.name)) else 1)
    header = read_header(path)
    _refuse_split(path, header.number("split.count"))
    architecture = header.text("general.architecture")
    if architecture not in GGUF_ARCHITECTURES:
        raise BadWeights(
            f"{path} has the architecture {architecture or '(none)'}, not {' or '.join(GGUF_ARCHITECTURES)}",
            "use the same model as an OpenVINO IR folder",
        )
    context_tokens = header.number(f"{architecture}.context_length")
    if context_tokens <= 0:
        raise BadWeights(f"{path} does not say its {architecture}.context_length", "convert it again")
    return _card(
        path, path.stem, header.text("general.name"), context_tokens, _gguf_facts(header, architecture)
    )


def _refuse_split(path: Path, parts: int) -> None:
    if parts > 1:
        raise BadWeights(
            f"{path} is one of {parts} parts of a split GGUF",
            "join them first: llama-gguf-split --merge FIRST OUT",
        )


def _gguf_facts(header: GgufHeader, architecture: str) -> dict[str, Any]:
    size = header.text("general.size_label")
    return {
        **_forms(header.text("tokenizer.chat_template")),
        "licence": header.text("general.license"),
        "description": " ".join(word for word in (architecture, size, "read from a GGUF file") if word),
        "parameters": header.parameters,
    }


def _card_of_folder(path: Path) -> ModelCard:
    model = next((path / name for name in IR_MODELS if (path / name).is_file()), None)
    if model is None:
        raise BadWeights(
            f"{path} has no {IR_MODEL}",
            "export the model with optimum-cli export openvino, or give a .gguf file",
        )
    if not model.with_suffix(".bin").is_file():
        raise BadWeights(f"{path} has {model.name} but not its .bin", "copy the weights beside it")
    config = _json_of(path / "config.json")
    context_tokens = _context_of(config)
    if context_tokens <= 0:
        raise BadWeights(
            f"{path}/config.json does not say max_position_embeddings", "take it from the original model"
        )
    kind = str(config.get("model_type", "unknown"))
    facts: dict[str, Any] = {
        **_forms(_template_of(path)),
        "description": f"{kind} read from an OpenVINO IR folder",
        "sees": model.name == EYES_MODEL,
        "defaults": _sampling_of(path),
    }
    return _card(path, path.resolve().name, _title_of(config), context_tokens, facts)


def _forms(chat_template: str) -> dict[str, Any]:
    """Return how a model thinks and calls functions, as its chat template shows."""
    return {
        "thinking": ThinkingCard(form=thinking_form_of(chat_template)),
        "tool_form": tool_form_of(chat_template),
    }


def _template_of(path: Path) -> str:
    """Return the chat template of a folder: a file of its own, or a member of ``tokenizer_config.json``."""
    own = path / "chat_template.jinja"
    if own.is_file():
        return own.read_text(encoding="utf-8", errors="replace")
    config = path / "tokenizer_config.json"
    template = _json_of(config).get("chat_template") if config.is_file() else None
    return template if isinstance(template, str) else ""


def _json_of(path: Path) -> dict[str, Any]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except FileNotFoundError:
        raise BadWeights(f"{path} does not exist", "copy it from the original model") from None
    except msgspec.MsgspecError as error:
        raise BadWeights(f"{path} is not a JSON object: {error}", "fetch it again") from error


def _context_of(config: dict[str, Any]) -> int:
    """Return the window in tokens, 0 when unsaid; a model with eyes keeps it in ``text_config``."""
    inner = config.get("text_config")
    for table in (config, inner if isinstance(inner, dict) else {}):
        value = table.get("max_position_embeddings")
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return 0


def _title_of(config: dict[str, Any]) -> str:
    """Return the last part of the model's original id, which may also be a path of the exporter's machine."""
    return str(config.get("_name_or_path", "")).rstrip("/").rpartition("/")[2]


def _sampling_of(path: Path) -> Sampling:
    """Return what ``generation_config.json`` recommends, a card's usual defaults where it says nothing."""
    usual = ModelCard(
        name="", title="", context_tokens_max=1, input_tokens_max=1, output_tokens_max=1
    ).defaults
    if not (path / "generation_config.json").is_file():
        return usual
    said = _json_of(path / "generation_config.json")
    known = {name: said[name] for name in ("temperature", "top_p", "top_k") if said.get(name) is not None}
    try:
        return msgspec.convert(known, Sampling).over(usual)
    except msgspec.ValidationError:
        return usual


def _card(path: Path, stem: str, title: str, context_tokens: int, facts: dict[str, Any]) -> ModelCard:
    return ModelCard(
        name=slug(stem),
        title=title or stem,
        context_tokens_max=context_tokens,
        input_tokens_max=context_tokens,
        output_tokens_max=context_tokens,
        sources=(FileSource(path=str(path.absolute())),),
        **facts,
    )
