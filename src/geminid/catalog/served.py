"""The models that one process offers, under all their names.

It knows no engine and no file. The invariant: a card's own name always means that card, and an
alias always means the default model, which is the first card.
"""

from __future__ import annotations

import msgspec

from geminid.catalog.manners import THINKING_SUFFIX
from geminid.core.card import ModelCard
from geminid.core.errors import UnknownModel

_PREFIX = "models/"


class Served(msgspec.Struct, frozen=True):
    """What an operator serves. ``cards`` holds at least one; the first is the default."""

    cards: tuple[ModelCard, ...]
    aliases: tuple[str, ...] = ()

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

    def _named(self, bare: str) -> ModelCard | None:
        own = next((card for card in self.cards if card.name == bare), None)
        return own or (self.default if bare in self.aliases else None)

    def names(self) -> tuple[tuple[str, ModelCard], ...]:
        """Return every name once with its card: the cards' own first, then the aliases."""
        own = {card.name: card for card in self.cards}
        return (
            *own.items(),
            *((alias, self.default) for alias in dict.fromkeys(self.aliases) if alias not in own),
        )
