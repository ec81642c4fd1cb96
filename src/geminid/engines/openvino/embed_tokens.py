"""Texts into token ids, exactly as the model's own ``tokenizer.json`` says, cut at the model's window.

It knows no graph. Of a text that is much longer than the window, its beginning is read first, and more of it
only if that does not fill the window: what comes out is the same. What lies further on than any real text
would need, behind a hundred thousand blanks, is taken for cut off.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tokenizers import Tokenizer

HEAD_CHARACTERS = 32
"""So many characters for each token of the window nearly always fill it."""
CHARACTERS_MAX = 1024
"""More than so many for each token of the window are not looked at: that would hold up everybody's texts."""


class Tokens(NamedTuple):
    """The ids of a text that are read, at least one, and whether there were more."""

    ids: list[int]
    truncated: bool


class Tokeniser:
    """The tokeniser of one model. tokens_max: its window."""

    def __init__(self, file: Path, tokens_max: int) -> None:
        self._native = Tokenizer.from_file(str(file))
        self._native.no_padding()
        self._native.enable_truncation(tokens_max)
        self._head_max = HEAD_CHARACTERS * tokens_max
        self._characters_max = CHARACTERS_MAX * tokens_max

    def read(self, texts: Sequence[str]) -> list[Tokens]:
        """Return the tokens of each text. Raises whatever the library does for one that it cannot read."""
        heads = [self._head(text) for text in texts]
        found = [_tokens(each) for each in self._native.encode_batch_fast(heads)]
        for place, (text, head) in enumerate(zip(texts, heads, strict=True)):
            if head is not text and not found[place].truncated:
                (more,) = self._native.encode_batch_fast([text[: self._characters_max]])
                found[place] = _tokens(more, cut=len(text) > self._characters_max)
        return found

    def _head(self, text: str) -> str:
        """Return the beginning of a long text, up to the end of a word: there no token reaches across.

        In a text without blanks it ends anywhere, far behind the tokens that can fill the window.
        """
        if len(text) <= self._head_max:
            return text
        words = text[: self._head_max].rsplit(None, 1)
        return words[0] if len(words) > 1 else text[: self._head_max]


def _tokens(encoding: Any, *, cut: bool = False) -> Tokens:
    return Tokens(encoding.ids or [0], cut or bool(encoding.overflowing))
