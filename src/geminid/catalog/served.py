"""The models that one process offers, under all their names.

It knows no engine and no file. The invariant: a card's own name always means that card, and an
alias means the default model, which is the first card, unless an operator pinned it to another one. A name
that was retired means none.
"""

from __future__ import annotations

import msgspec

from geminid.catalog.manners import THINKING_SUFFIX
from geminid.core.card import ModelCard
from geminid.core.errors import UnknownModel

_PREFIX = "models/"


class Served(msgspec.Struct, frozen=True):
    """What an operator serves. ``cards`` holds at least one; the first is the default.

    pins: names that an operator gave, with the card that each means; empty is the default. retired: names
    that are not to be found any more.
    """

    cards: tuple[ModelCard, ...]
    aliases: tuple[str, ...] = ()
    pins: dict[str, str] = {}
    retired: frozenset[str] = frozenset()

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
        if bare in self.retired:
            return None
        own = next((card for card in self.cards if card.name == bare), None)
        if own is not None:
            return own
        if target := self.pins.get(bare):
            return next((card for card in self.cards if card.name == target), None)
        return self.default if bare in self.aliases or bare in self.pins else None

    def names(self) -> tuple[tuple[str, ModelCard], ...]:
        """Return every name that is found once with its card: the cards' own first, then the others."""
        names = dict.fromkeys((*(card.name for card in self.cards), *self.aliases, *self.pins))
        found = ((name, self._named(name)) for name in names)
        return tuple((name, card) for name, card in found if card is not None)
