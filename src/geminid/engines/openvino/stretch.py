"""A stretch of an answer: tokens that the engine produces without being interrupted.

An answer is one stretch or several (thoughts, then words, then calls): see
:mod:`geminid.engines.openvino.writing`. A stretch knows tokens, their spelling and where they end, not
what comes before or after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from geminid.core.events import TokenLogprob
from geminid.engines.openvino.detokenize import Detokenizer, TokenBytes
from geminid.engines.openvino.messages import Finish
from geminid.engines.openvino.pipeline import Answer, Produced


class Step(NamedTuple):
    """What one step added. ``ended``: why the stretch is over, empty while it is not."""

    text: str
    tokens: int
    logprobs: tuple[TokenLogprob, ...]
    ended: Finish


class Stretch:
    """Reads one running answer of the pipeline. ``ending``: log-probabilities tell of its end, too."""

    width = 1

    def __init__(
        self,
        answer: Answer,
        token_bytes: TokenBytes,
        *,
        stop_ids: frozenset[int],
        stops: Sequence[str] = (),
        logprobs: bool = False,
        ending: bool = False,
    ) -> None:
        self._answer = answer
        self._token_bytes = token_bytes
        self._stop_ids = stop_ids
        self._logprobs = logprobs
        self._untold = frozenset() if ending else stop_ids
        self._spelling = Detokenizer(token_bytes, stops)
        self.token_ids: list[int] = []

    @property
    def stop(self) -> str:
        """The stop string that was met, empty when none was."""
        return self._spelling.stop

    def go_on(self, answer: Answer) -> None:
        """Read this answer from now on: it continues what was written when the one before was cancelled."""
        self._answer = answer

    def read(self) -> Step | None:
        """Return what is new, or None when nothing is."""
        if (produced := self._answer.read()) is None:
            return None
        spoken = [i for i in produced.token_ids if i not in self._stop_ids]
        self.token_ids += spoken
        text, ended = self._spelling.put(spoken), produced.ended
        if self.stop:
            self.cancel()
            ended = "stop"
        elif ended:
            text += self._spelling.finish()
        return Step(text, len(spoken), tuple(self._told(produced)) if self._logprobs else (), ended)

    def forget(self, stop: str) -> None:
        """Do not end at this stop string any more."""
        self._spelling.forget(stop)

    def before(self, marker: str) -> tuple[list[int], str]:
        """Return the tokens that end before ``marker`` begins, and the text between them and it.

        Markers need not begin where a token does.
        """
        spelled = [self._token_bytes(i) for i in self.token_ids]
        whole = b"".join(spelled)
        at = whole.find(marker.encode())
        length = count = 0
        while count < len(spelled) and length + len(spelled[count]) <= at:
            length += len(spelled[count])
            count += 1
        return self.token_ids[:count], whole[length:at].decode("utf-8", "replace")

    def cancel(self) -> None:
        """Let the next step free what it holds."""
        self._answer.cancel()

    def _told(self, produced: Produced) -> list[TokenLogprob]:
        pairs = zip(produced.token_ids, produced.logprobs, strict=False)
        return [
            TokenLogprob(self._token_bytes(token_id).decode("utf-8", "replace"), token_id, logprob)
            for token_id, logprob in pairs
            if token_id not in self._untold
        ]
