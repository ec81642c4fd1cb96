"""One label of a few, with the probability of each: every label is scored in one go.

Each label is written by force, and the log-probabilities of its tokens, as the model had them before it
was forced, add up to its score. So the scores are exact for the spelling that the model itself prefers.
The first label is written alone, so that the others, all at once, find the prompt in the cache. It knows
no text but the labels.
Invariant: the alternatives' probabilities sum to one.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

from geminid.core.events import TokenLogprob
from geminid.core.request import Sampling
from geminid.engines.openvino.messages import Finish
from geminid.engines.openvino.stretch import Step, Stretch


class Choosing:
    """Scores labels until all are written, then chooses; reads like a stretch.

    force: begins a stretch in which nothing but the given label can be written.
    """

    stop = ""

    def __init__(self, labels: Sequence[str], force: Callable[[str], Stretch], sampling: Sampling) -> None:
        self._labels = tuple(labels)
        self._force = force
        self._forced = [force(labels[0])]
        self._open = {0}
        self._scores = [0.0] * len(labels)
        self._sampling = sampling
        self.token_ids: list[int] = []

    @property
    def width(self) -> int:
        """How many labels are being written."""
        return len(self._open)

    def read(self) -> Step | None:
        """Return the label once all are scored."""
        for index in list(self._open):
            step = self._forced[index].read()
            if step is None:
                continue
            self._scores[index] += sum(each.logprob for each in step.logprobs)
            if step.ended == "failed":
                self.cancel()
                return Step("", 0, (), "failed")
            if step.ended:
                self._open.discard(index)
        if not self._open and len(self._forced) < len(self._labels):
            self._forced += map(self._force, self._labels[1:])
            self._open = set(range(1, len(self._labels)))
        return None if self._open else self._chosen()

    def cancel(self) -> None:
        """Let the next step free what the labels hold."""
        for stretch in self._forced:
            stretch.cancel()

    def _chosen(self) -> Step:
        total = _log_sum(self._scores)
        told = [
            TokenLogprob(label, stretch.token_ids[0] if stretch.token_ids else 0, score - total)
            for label, stretch, score in zip(self._labels, self._forced, self._scores, strict=True)
        ]
        ranked = tuple(sorted(told, key=lambda each: -each.logprob))
        chosen = self._draw(ranked)
        self.token_ids = self._forced[self._labels.index(chosen.token)].token_ids
        told_all = TokenLogprob(chosen.token, chosen.token_id, chosen.logprob, ranked)
        ended: Finish = "stop"
        return Step(chosen.token, len(self.token_ids), (told_all,), ended)

    def _draw(self, ranked: tuple[TokenLogprob, ...]) -> TokenLogprob:
        """Take the likeliest, or one by chance as the temperature says."""
        temperature = self._sampling.temperature or 0.0
        if not temperature:
            return ranked[0]
        weights = [math.exp((each.logprob - ranked[0].logprob) / temperature) for each in ranked]
        return random.Random(self._sampling.seed).choices(ranked, weights)[0]


def _log_sum(scores: Sequence[float]) -> float:
    """Return log Σ exp(score), exact for scores far below zero."""
    top = max(scores)
    return top + math.log(sum(math.exp(score - top) for score in scores))
