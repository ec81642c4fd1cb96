"""The list of known models: the one shipped here, with the operator's own merged over it.

It knows names and cards, not which of them are served (:mod:`geminid.catalog.served`) nor whether
their weights are here (:mod:`geminid.catalog.pull`). Names are unique; no alias shadows a card.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import msgspec

from geminid.catalog.cardfile import CardFile, read_card_file
from geminid.core.card import ModelCard
from geminid.core.errors import InvalidArgument, UnknownModel


class Catalog(msgspec.Struct, frozen=True):
    """All known models by name, in the order of their files, the operator's last.

    aliases: names that mean whichever model is served by default.
    """

    by_name: dict[str, ModelCard]
    aliases: tuple[str, ...] = ()

    @classmethod
    def load(cls, extra: Path | None = None) -> Catalog:
        """Read the shipped cards and, over them, the file ``extra`` of the same format.

        A card of ``extra`` replaces the shipped one of its name and wins over an alias of its name;
        its aliases are added. Raises InvalidArgument, with every mistake and its path.
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
    by_name = {card.name: card for file in files for card in file.cards}
    aliases = dict.fromkeys(alias for file in files for alias in file.aliases if alias not in by_name)
    return Catalog(by_name=by_name, aliases=tuple(aliases))
