"""The list of known models: the one shipped here, with the operator's own merged over it.

It knows names and cards, not which of them are served (:mod:`geminid.catalog.served`) nor whether
their weights are here (:mod:`geminid.catalog.pull`). Names are unique; no alias shadows a card.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import msgspec

from geminid.catalog.cardfile import CardFile, read_card_file
from geminid.core.card import EmbeddingCard, ModelCard, SpeechCard
from geminid.core.errors import InvalidArgument, UnknownModel

AnyCard = ModelCard | SpeechCard | EmbeddingCard


class Catalog(msgspec.Struct, frozen=True):
    """All known models by name, in the order of their files, the operator's last.

    aliases: names that mean whichever model is served by default. speeches: the models that understand
    speech, by name. embeddings: the models that embed, by name; embedding_aliases: names that mean whichever
    of these is served by default. speech_aliases: names that mean whichever understands speech.
    """

    by_name: dict[str, ModelCard]
    aliases: tuple[str, ...] = ()
    speeches: dict[str, SpeechCard] = {}
    embeddings: dict[str, EmbeddingCard] = {}
    embedding_aliases: tuple[str, ...] = ()
    speech_aliases: tuple[str, ...] = ()

    @classmethod
    def load(cls, extra: Path | None = None) -> Catalog:
        """Read the shipped cards and, over them, the file ``extra`` of the same format.

        A card of ``extra`` replaces the shipped one of its name, of whichever kind, and wins over an alias
        of its name; its aliases are added. Raises InvalidArgument, with every mistake and its path.
        """
        shipped = resources.files("geminid.catalog").joinpath("models.toml").read_text(encoding="utf-8")
        files = [read_card_file(shipped, "models.toml")]
        if extra is not None:
            files.append(read_card_file(_text_of(extra), str(extra)))
        return _merged(files)

    def card(self, name: str) -> ModelCard:
        """Return the card of this very name. Raises UnknownModel."""
        if name not in self.by_name:
            raise UnknownModel(name)
        return self.by_name[name]

    def speech(self, name: str) -> SpeechCard:
        """Return the card of the speech model of this very name. Raises UnknownModel."""
        if name not in self.speeches:
            raise UnknownModel(name)
        return self.speeches[name]

    def embedding(self, name: str) -> EmbeddingCard:
        """Return the card of the model that embeds of this very name. Raises UnknownModel."""
        if name not in self.embeddings:
            raise UnknownModel(name)
        return self.embeddings[name]

    def cards(self) -> tuple[ModelCard, ...]:
        """Return all cards."""
        return tuple(self.by_name.values())


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidArgument(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidArgument(f"{path}: is not UTF-8 text") from error


def _merged(files: list[CardFile]) -> Catalog:
    named: dict[str, AnyCard] = {}
    for file in files:
        for cards in (file.cards, file.speeches, file.embeddings):
            named |= {card.name: card for card in cards}
    return Catalog(
        by_name={name: card for name, card in named.items() if isinstance(card, ModelCard)},
        aliases=_names(named, *(file.aliases for file in files)),
        speeches={name: card for name, card in named.items() if isinstance(card, SpeechCard)},
        embeddings={name: card for name, card in named.items() if isinstance(card, EmbeddingCard)},
        embedding_aliases=_names(named, *(file.embedding_aliases for file in files)),
        speech_aliases=_names(named, *(file.speech_aliases for file in files)),
    )


def _names(named: dict[str, AnyCard], *aliases: tuple[str, ...]) -> tuple[str, ...]:
    """Return all aliases in order, each once, without those that are the name of a card."""
    return tuple(dict.fromkeys(alias for each in aliases for alias in each if alias not in named))
