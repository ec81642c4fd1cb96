"""The models that one process offers, under all their names.

It knows no engine and no file. The invariant: a card's own name always means that card, and an
alias means the default model, which is the first card, unless an operator pinned it to another one. A name
that was retired means none. Models that answer and models that embed are two lists: no name means both.
"""

from __future__ import annotations

import msgspec

from geminid.catalog.manners import THINKING_SUFFIX
from geminid.core.card import EmbeddingCard, ModelCard
from geminid.core.errors import UnknownModel

_PREFIX = "models/"


class Served(msgspec.Struct, frozen=True):
    """What an operator serves. ``cards`` holds at least one; the first is the default.

    pins: names that an operator gave, with the card that each means; empty is the default. retired: names
    that are not to be found any more. embeddings: the models that embed, the first of them what
    ``embedding_aliases`` mean; there may be none.
    """

    cards: tuple[ModelCard, ...]
    aliases: tuple[str, ...] = ()
    pins: dict[str, str] = {}
    retired: frozenset[str] = frozenset()
    embeddings: tuple[EmbeddingCard, ...] = ()
    embedding_aliases: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.cards:
            raise ValueError("at least one model must be served")

    @property
    def default(self) -> ModelCard:
        """The model that every alias means."""
        return self.cards[0]

    def resolve(self, name: str) -> ModelCard:
        """Return the card behind a name, given bare or as ``models/NAME``; case matters.

        ``NAME-thinking`` means the same card as ``NAME``. Raises :class:`UnknownModel` with the name
        without its prefix.
        """
        bare = name.removeprefix(_PREFIX)
        found = self._named(bare) or self._named(bare.removesuffix(THINKING_SUFFIX))
        if found is None:
            raise UnknownModel(bare)
        return found

    def resolve_embedding(self, name: str) -> EmbeddingCard:
        """Return the card of the model that embeds behind a name; raises :class:`UnknownModel` likewise."""
        bare = name.removeprefix(_PREFIX)
        found = self._embeds(bare)
        if found is None:
            raise UnknownModel(bare)
        return found

    def embeds(self, name: str) -> bool:
        """Return whether a name means a model that embeds."""
        return self._embeds(name.removeprefix(_PREFIX)) is not None

    def _named(self, bare: str) -> ModelCard | None:
        if bare in self.retired:
            return None
        own = next((card for card in self.cards if card.name == bare), None)
        if own is not None:
            return own
        if target := self.pins.get(bare):
            return next((card for card in self.cards if card.name == target), None)
        if bare in self.pins:
            return None if bare in self.embedding_aliases else self.default
        return self.default if bare in self.aliases else None

    def _embeds(self, bare: str) -> EmbeddingCard | None:
        if bare in self.retired:
            return None
        own = self._embedding(bare)
        if own is not None or self._named(bare) is not None:
            return own
        if target := self.pins.get(bare):
            return self._embedding(target)
        return self.embeddings[0] if self.embeddings and bare in self.embedding_aliases else None

    def _embedding(self, own: str) -> EmbeddingCard | None:
        return next((card for card in self.embeddings if card.name == own), None)

    def find(self, name: str) -> ModelCard | EmbeddingCard:
        """Return the card behind a name, of whichever kind; raises :class:`UnknownModel`."""
        return self.resolve_embedding(name) if self.embeds(name) else self.resolve(name)

    def names(self) -> tuple[tuple[str, ModelCard | EmbeddingCard], ...]:
        """Return every name that is found once with its card: the cards' own first, then the others."""
        own = [*(card.name for card in self.cards), *(card.name for card in self.embeddings)]
        names = dict.fromkeys((*own, *self.aliases, *self.embedding_aliases, *self.pins))
        found = ((name, self._named(name) or self._embeds(name)) for name in names)
        return tuple((name, card) for name, card in found if card is not None)
