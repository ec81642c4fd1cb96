"""From text to tokens, remembering texts that come again: instructions, documents, the turns of a chat.

A tokenizer cuts a text at its control tokens before it does anything else, so what stands between them can be
encoded piece by piece. Whether a tokenizer really does is tried out when it is loaded; one that does not is
given whole texts. It knows no model. Invariant: the tokens are those of the whole text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache

PIECES_MAX = 256
PIECE_CHARACTERS_MAX = 65_536
"""Longer pieces are not remembered."""
PROBES = ("{}", "a{}b", " a {} b ", "\n{}\n", "a{}{}\n b", "1{}2 {}", "é{}ß", "{}system\nHello{}\n{}user\n x")

Encode = Callable[[str], list[int]]


class Encoding:
    """Encodes texts. control: control tokens and their names."""

    def __init__(self, encode: Encode, control: Mapping[int, str]) -> None:
        self._whole = encode
        self._ids = {name: token_id for token_id, name in control.items()}
        longest_first = sorted(self._ids, key=len, reverse=True)
        self._cuts = re.compile(f"({'|'.join(map(re.escape, longest_first))})") if self._ids else None
        self._piece = lru_cache(PIECES_MAX)(lambda text: tuple(encode(text)))
        self.in_pieces = self._cuts is not None and all(map(self._agrees, self._ids))

    def __call__(self, text: str) -> list[int]:
        """Return the tokens of a text."""
        return self._joined(text) if self.in_pieces else self._whole(text)

    def _joined(self, text: str) -> list[int]:
        assert self._cuts is not None
        tokens: list[int] = []
        for piece in self._cuts.split(text):
            if (token_id := self._ids.get(piece)) is not None:
                tokens.append(token_id)
            elif piece:
                tokens += self._piece(piece) if len(piece) <= PIECE_CHARACTERS_MAX else self._whole(piece)
        return tokens

    def _agrees(self, name: str) -> bool:
        texts = [probe.replace("{}", name) for probe in PROBES]
        return all(self._joined(text) == self._whole(text) for text in texts)
