"""Models that understand speech: what their weights look like, and how a person names one.

The form is CTranslate2's: a folder with the weights, a description, a tokenizer and a vocabulary. It
knows no engine. What is named by a path or a repository gets a card of its own.
"""

from __future__ import annotations

from pathlib import Path

from geminid.catalog.catalog import Catalog
from geminid.catalog.faults import BadWeights
from geminid.catalog.names import slug
from geminid.core.card import FileSource, HubSource, SpeechCard
from geminid.core.errors import InvalidArgument

CT2_MODEL = "model.bin"
NEEDED = (CT2_MODEL, "config.json", "tokenizer.json")
HUB_FILES = (*NEEDED, "preprocessor_config.json", "vocabulary.*")

_PATH_STARTS = ("file:", "./", "../", "/", "~")


def speech_card(text: str, catalog: Catalog) -> SpeechCard:
    """Return the card of what a person typed: a name, a folder, or ``hf:ORG/REPO[@REVISION]``.

    Raises UnknownModel, InvalidArgument, and BadWeights for a folder that lacks files.
    """
    text = text.strip()
    if text.startswith("hf:"):
        return _of_hub(text.removeprefix("hf:"))
    if text.startswith(_PATH_STARTS):
        return _of_folder(Path(text.removeprefix("file:")).expanduser())
    return catalog.speech(text)


def _of_hub(text: str) -> SpeechCard:
    repo, _, revision = text.partition("@")
    if repo.count("/") != 1:
        raise InvalidArgument(f"hf:{text} is not understood\nhint: write hf:org/repo, hf:org/repo@revision")
    source = HubSource(repo=repo, revision=revision or "main", files=HUB_FILES)
    return SpeechCard(name=slug(text), title=repo, sources=(source,))


def _of_folder(path: Path) -> SpeechCard:
    missing = [name for name in NEEDED if not (path / name).is_file()]
    if missing:
        raise BadWeights(
            f"{path} is no speech model: it has no {', '.join(missing)}",
            "convert the model with ct2-transformers-converter --copy_files tokenizer.json",
        )
    name = path.resolve().name
    return SpeechCard(name=slug(name), title=name, sources=(FileSource(path=str(path.absolute())),))
