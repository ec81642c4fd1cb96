"""From tokens to text: never half a character, never a part of a stop string.

A pure machine for one answer. It knows a table of token bytes and nothing of any engine.
Invariant: the texts that it returned, joined, are a prefix of the answer, and they are the answer
once it has finished.
"""

from __future__ import annotations

import codecs
from collections.abc import Collection, Mapping, Sequence


class TokenBytes:
    """The vocabulary as bytes. Tokens that only steer the model spell nothing, unless ``spelled``."""

    def __init__(
        self,
        vocabulary: Mapping[bytes, int],
        control_ids: Collection[int],
        spelled: Mapping[int, str] | None = None,
    ) -> None:
        size = max(vocabulary.values(), default=-1) + 1
        table = [b""] * size
        for token, token_id in vocabulary.items():
            table[token_id] = b"" if token_id in control_ids else token
        for token_id, name in (spelled or {}).items():
            table[token_id] = name.encode()
        self._table = table

    def __call__(self, token_id: int) -> bytes:
        return self._table[token_id] if 0 <= token_id < len(self._table) else b""


class Detokenizer:
    """Spells one answer. Once ``stop`` names the stop string that was met, it takes no more tokens."""

    __slots__ = ("_decoder", "_held", "_stops", "_token_bytes", "stop")

    def __init__(self, token_bytes: TokenBytes, stops: Sequence[str] = ()) -> None:
        self._token_bytes = token_bytes
        self._stops = tuple(stops)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self.stop = ""

    def put(self, token_ids: Sequence[int]) -> str:
        """Take tokens and return the text that is certain now; sets ``stop`` at a stop string."""
        text = self._held + self._decoder.decode(b"".join(map(self._token_bytes, token_ids)))
        if not self._stops:
            self._held = ""
            return text
        found = [(at, stop) for stop in self._stops if (at := text.find(stop)) >= 0]
        if found:
            end, self.stop = min(found)
            self._held = ""
            return text[:end]
        keep = max(_overlap(text, stop) for stop in self._stops)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def forget(self, stop: str) -> None:
        """Look for ``stop`` no longer."""
        self._stops = tuple(each for each in self._stops if each != stop)

    def finish(self) -> str:
        """Return what was held back. An unfinished character at the very end is left out."""
        text, self._held = self._held, ""
        return text


def _overlap(text: str, stop: str) -> int:
    """Return the length of the longest end of ``text`` that begins ``stop``."""
    for length in range(min(len(stop) - 1, len(text)), 0, -1):
        if stop.startswith(text[-length:]):
            return length
    return 0
