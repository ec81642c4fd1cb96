"""Lines of batches that ask for one label of a few: read side by side behind what they share.

Such a line needs a token or two, so nearly all of its time is reading. ``label_graph.py`` reads many of them
in one pass; the rest of the engine knows nothing of it. Lines that share too little, or are too long, go the
common way. It is compiled beside the work once enough such lines have come; until then all go the common way.

It knows no clock: how much it may do is told from outside, as for ``background.py``.
Invariant: a line that was taken is refused, told of once, handed on, or cancelled.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from geminid.engines.openvino.known import Tokens
from geminid.engines.openvino.label_tokens import LabelTokens, separable
from geminid.engines.openvino.messages import Delta, Submit
from geminid.engines.openvino.turnstile import Turnstile
from geminid.engines.openvino.writing import Opening

WORTH_LINES = 32
"""After so many lines it is worth to compile."""
SHARED_TOKENS_MIN = 64
SHARED_TOKENS_MAX = 2048
"""What lines share is kept in memory, unpacked."""
TEXT_TOKENS_MAX = 256
"""What a line may have behind it."""
BEGINNINGS_MAX = 2
TEXTS_MAX = 64
"""So many lines are ready to be read."""
PASS_STEPS = 4
"""One pass has as many tokens as so many steps, where nobody else is here: it takes about as long as two."""

log = logging.getLogger("geminid.engine")


def _never() -> bool:
    return False


class Beginning:
    """Tokens that lines share. kept: what the scorer has of the first ``done`` of them. used: whether a line
    was begun behind them."""

    __slots__ = ("done", "kept", "tokens", "used")

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.done = 0
        self.kept: list[Any] = []
        self.used = False

    @property
    def read(self) -> bool:
        """Whether lines may follow."""
        return self.done == len(self.tokens)

    def leads(self, tokens: Tokens) -> bool:
        """Whether a line begins with it, and goes on for no longer than is read here."""
        length = len(self.tokens)
        more = len(tokens) - length
        return 0 < more <= TEXT_TOKENS_MAX and bool(np.array_equal(tokens[:length], self.tokens))


class Scorer(Protocol):
    """Reads; see :class:`geminid.engines.openvino.label_scorer.LabelScorer`."""

    def read(self, beginning: Beginning, tokens_max: int) -> int:
        """Read the next tokens of a beginning and return how many they were."""

    def score(self, beginning: Beginning, texts: Sequence[Tokens]) -> Any:
        """Return the logits of what follows each text behind a beginning that was read."""


class Text:
    """A line that is tokenised. said: what of its label is chosen, in ``spent`` tokens."""

    __slots__ = ("labels", "opening", "said", "spent", "tokens")

    def __init__(self, opening: Opening, tokens: Tokens, labels: LabelTokens) -> None:
        self.opening, self.tokens, self.labels = opening, tokens, labels
        self.said = b""
        self.spent = 0

    def choose(self, logits: Any) -> Delta | None:
        """Take the likeliest next token, and return the label once it is certain."""
        following = self.labels.next(self.said)
        best = int(np.argmax(logits[following.ids]))
        self.said = following.said[best]
        self.tokens = np.append(self.tokens, following.ids[best])
        self.spent += 1
        request_id = self.opening.submit.id
        if label := self.labels.meant(self.said):
            return Delta(request_id, 0, label, self.spent, "stop")
        if self.spent >= self.opening.tokens_max:
            return Delta(request_id, 0, self.said.decode(errors="ignore"), self.spent, "max_tokens")
        return None


class Labelling:
    """All such lines in this process.

    prepare: opens a submission, None when it is refused. prompt: the tokens that are answered. begun: is told
    when a line is begun, and how many of its tokens were computed before. hand_on: takes what goes the common
    way. compiled: makes the scorer, in a thread; None where nothing is to be read here. step_max: tokens that
    one step can compute.
    """

    def __init__(
        self,
        prepare: Callable[[Submit], Opening | None],
        prompt: Callable[[Opening], Tokens],
        begun: Callable[[Opening, int], None],
        hand_on: Callable[[Opening], None],
        compiled: Callable[[], Scorer] | None,
        vocabulary: Mapping[bytes, int],
        step_max: int,
    ) -> None:
        self._prepare, self._prompt = prepare, prompt
        self._begun, self._hand_on, self._compiled = begun, hand_on, compiled
        self._vocabulary, self._step_max = vocabulary, step_max
        self._scorer: Scorer | None = None
        self._seen = 0
        self._waiting = Turnstile[Submit]()
        self._texts: dict[int, Text] = {}
        self._labels: dict[tuple[str, ...], LabelTokens] = {}
        self._beginnings: list[Beginning] = []  # the most recently used last
        self._said: list[Delta] = []

    def __len__(self) -> int:
        return len(self._texts)

    @property
    def waits(self) -> bool:
        """Whether there is anything to do."""
        return bool(self._texts or self._waiting)

    def takes(self, submit: Submit) -> bool:
        """Whether a line is answered here."""
        if self._compiled is None or not _suits(submit):
            return False
        self._seen += 1
        if self._seen == WORTH_LINES:
            threading.Thread(target=self._make, args=(self._compiled,), name="labels", daemon=True).start()
        return self._scorer is not None

    def take(self, submit: Submit) -> None:
        """Take a line that is answered here."""
        self._waiting.enter(submit.id, submit, submit.urgency, submit.project)

    def cancel(self, request_id: int) -> None:
        """Forget a line."""
        self._waiting.leave(request_id)
        self._texts.pop(request_id, None)

    def turn(self, allowance: int, full: Callable[[], bool] = _never) -> int:
        """Compute up to ``allowance`` tokens, and more if that is a whole step; return how many it were.
        full: whether no more lines may be prepared."""
        self._prepare_some(full)
        tokens_max = allowance * PASS_STEPS if allowance >= self._step_max else allowance
        while self._texts and self._scorer is not None:
            first = next(iter(self._texts.values()))
            if (beginning := self._beginning(first)) is None:
                self._leave(first)
                continue
            try:
                if not beginning.read:
                    return self._scorer.read(beginning, min(tokens_max, TEXT_TOKENS_MAX))
                return self._score(self._scorer, beginning, first, tokens_max)
            except Exception:
                log.exception("labels are chosen the common way from now on")
                self._scorer = None
        self._leave_all()
        return 0

    def deltas(self) -> Iterator[Delta]:
        """Yield what was chosen since the last call."""
        said, self._said = self._said, []
        yield from said

    def _make(self, compiled: Callable[[], Scorer]) -> None:
        try:
            self._scorer = compiled()
        except Exception as error:  # of the library, or a graph that is built in another way
            log.info("labels are chosen the common way: %s", error)

    # -- what is read ---------------------------------------------------------------------------------------

    def _prepare_some(self, full: Callable[[], bool]) -> None:
        while self._waiting and len(self._texts) < TEXTS_MAX:
            if (opening := self._prepare(self._waiting.next())) is not None:
                labels = opening.submit.labels
                if labels not in self._labels:
                    self._labels = {labels: LabelTokens(labels, self._vocabulary)}
                text = Text(opening, self._prompt(opening), self._labels[labels])
                self._texts[opening.submit.id] = text
            if full():
                return

    def _beginning(self, text: Text) -> Beginning | None:
        """Return what is read before a line, None if that would not pay."""
        known = [each for each in self._beginnings if each.leads(text.tokens)]
        found = max(known, key=lambda each: len(each.tokens)) if known else self._shared(text)
        if found is None:
            return None
        others = [each for each in self._beginnings if each is not found]
        self._beginnings = [*others, found][-BEGINNINGS_MAX:]
        return found

    def _shared(self, text: Text) -> Beginning | None:
        """Return what a line has in common with others that are here.

        Two that are alike by chance share more than all of one job do, so the least of the long ones counts.
        """
        others = (each for each in self._texts.values() if each is not text)
        lengths = [_common(text.tokens, other.tokens) for other in others]
        most = max(lengths, default=0)
        least = min((length for length in lengths if 2 * length >= most), default=0)
        found = Beginning(text.tokens[: min(least, SHARED_TOKENS_MAX)])
        return found if least >= SHARED_TOKENS_MIN and found.leads(text.tokens) else None

    def _score(self, scorer: Scorer, beginning: Beginning, first: Text, tokens_max: int) -> int:
        """Read some lines of about the same length, the first one among them."""
        shared = len(beginning.tokens)
        fitting = [each for each in self._texts.values() if beginning.leads(each.tokens)]
        fitting.sort(key=lambda each: len(each.tokens))
        at = fitting.index(first)
        count = max(1, tokens_max // (len(fitting[-1].tokens) - shared))
        start = max(0, min(at - count // 2, len(fitting) - count))
        texts = fitting[start : start + count]
        for text in texts:
            if not text.spent:
                self._begun(text.opening, shared if beginning.used else 0)
                beginning.used = True
        logits = scorer.score(beginning, [text.tokens[shared:] for text in texts])
        for text, row in zip(texts, logits, strict=True):
            if (delta := text.choose(row)) is not None:
                del self._texts[text.opening.submit.id]
                self._said.append(delta)
        return sum(len(text.tokens) - shared for text in texts)

    # -- the common way -------------------------------------------------------------------------------------

    def _leave(self, text: Text) -> None:
        del self._texts[text.opening.submit.id]
        self._hand_on(text.opening)

    def _leave_all(self) -> None:
        if self._scorer is None:
            for text in list(self._texts.values()):
                self._leave(text)


def _suits(submit: Submit) -> bool:
    """Whether a line asks for nothing but the likeliest label."""
    sampling = submit.sampling
    greedy = not sampling.temperature or sampling.top_p == 0
    penalties = sampling.presence_penalty or sampling.frequency_penalty
    more = submit.logprobs or submit.stop or submit.calling or submit.think
    return bool(
        submit.labels and greedy and not penalties and not more and submit.candidates == 1
    ) and separable(submit.labels)


def _common(tokens: Tokens, other: Tokens) -> int:
    """Return the length of what two lines have in common, without the last token of either."""
    length = min(len(tokens), len(other)) - 1
    differs = np.flatnonzero(tokens[:length] != other[:length])
    return int(differs[0]) if len(differs) else length
