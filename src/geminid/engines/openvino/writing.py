"""One answer in the making: it may think, then speaks, then may call functions.

Each of these is a stretch of its own. Where one ends, the next begins with everything so far as its
prompt, which costs almost nothing because the engine has those tokens in its cache; only pictures are
looked at again. So budgets and markers are enforced here, not asked for. It knows the pipeline and tokens,
no link and no request but its own. Invariants: thoughts take at most their budget and at most half of
``tokens_max``; a call, once announced, is written under its grammar.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from geminid.core.request import Sampling
from geminid.engines.openvino.choosing import Choosing
from geminid.engines.openvino.detokenize import TokenBytes
from geminid.engines.openvino.eyes import Shown
from geminid.engines.openvino.messages import CallForm, Delta, Finish, Kind, Submit, Think
from geminid.engines.openvino.pipeline import Draw, Pipeline, Prompt
from geminid.engines.openvino.stretch import Step, Stretch
from geminid.shape.ebnf import literal

GREEDY = Sampling(temperature=0.0)
LABEL_TOKENS_MAX = 64
"""A label that is scored may be this long."""
SEED_STEP = 0x9E3779B1
"""Odd, so that no two of the 2^32 places in an answer have the same seed."""


class Terms(NamedTuple):
    """How a stretch is drawn; see :meth:`geminid.engines.openvino.pipeline.Pipeline.draw`."""

    sampling: Sampling
    tokens_max: int
    logprobs: bool = False
    grammar: str = ""
    tokens_min: int = 0

    def after(self, tokens: int) -> Terms:
        """Return how the rest of a stretch is drawn of which so many tokens are written. Numbers are drawn
        anew: the same ones again would repeat the choices of the beginning."""
        seed = ((self.sampling.seed or 0) + SEED_STEP * tokens) % 2**32
        return self._replace(
            sampling=msgspec.structs.replace(self.sampling, seed=seed),
            tokens_max=self.tokens_max - tokens,
            tokens_min=max(0, self.tokens_min - tokens),
        )

    def draw(self, pipeline: Pipeline) -> Draw:
        """Return them in the pipeline's terms."""
        return pipeline.draw(
            self.sampling, self.tokens_max, self.logprobs, grammar=self.grammar, tokens_min=self.tokens_min
        )


class Opened(NamedTuple):
    """A prompt that is ready to be answered, as it was rendered and as the pipeline takes it. ``behind``:
    words after a thought, before the answer. cached: so many of its tokens are of a prefix that is kept."""

    text: str
    prompt: Prompt
    behind: str
    cached: int = 0


class Opening(NamedTuple):
    """A request that is tokenised and waits for its turn, since when. ``tokens_max`` is what fits into the
    window."""

    submit: Submit
    opened: Opened
    tokens_max: int
    since_s: float


class Spelling:
    """The tokens of a model as bytes, with those control tokens spelled that a form asks for."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._control = pipeline.control_tokens()
        self._vocabulary = pipeline.vocabulary()
        self._hidden = self._control.keys() | pipeline.stop_ids
        self.plain = TokenBytes(self._vocabulary, self._hidden)
        self._with: dict[str, TokenBytes] = {}

    @property
    def control(self) -> Mapping[int, str]:
        """Control tokens and their names."""
        return self._control

    def length_bytes(self, token_id: int) -> int:
        """Return how long the spelling of a token is, control tokens included."""
        return self._lengths.get(token_id, 0)

    @functools.cached_property
    def _lengths(self) -> dict[int, int]:
        lengths = {token_id: len(spelled) for spelled, token_id in self._vocabulary.items()}
        return lengths | {token_id: len(name.encode()) for token_id, name in self._control.items()}

    def marking(self, marker: str) -> TokenBytes:
        """Return the table in which ``marker`` can be found, even if control tokens spell it."""
        if marker not in self._with:
            spelled = {i: name for i, name in self._control.items() if name in marker}
            self._with[marker] = (
                TokenBytes(self._vocabulary, self._hidden, spelled) if spelled else self.plain
            )
        return self._with[marker]


class Writing:
    """Writes one candidate of a request, stretch by stretch."""

    def __init__(
        self,
        submit: Submit,
        candidate: int,
        opened: Opened,
        tokens_max: int,
        pipeline: Pipeline,
        spelling: Spelling,
    ) -> None:
        self._submit, self._candidate = submit, candidate
        self._pipeline, self._spelling = pipeline, spelling
        self._sampling = _seeded(submit.sampling, candidate)
        self._rendered = opened.text
        self._prompt = opened.prompt
        self._behind = opened.behind
        self._left = tokens_max
        self._said = ""
        self._calls = ""
        self._line = ""
        self._lines: set[str] = set()
        self._kind: Kind = "text"
        self._terms = Terms(self._sampling, tokens_max)
        self._stretch: Stretch | Choosing
        self.begun = False
        self.found: int | None = None  # tokens of the first stretch's prompt that were computed before
        if submit.think is not None and (budget := min(submit.think.budget, tokens_max // 2)) > 0:
            self._think(submit.think, budget)
        else:
            self._answer()

    def read(self) -> Delta | None:
        """Return what the last step added, or None when it added nothing."""
        step = self._stretch.read()
        if step is None:
            return None
        self.begun = True
        self._left -= step.tokens
        kind = self._kind
        if kind == "text":
            step = self._early(step)
            self._said += step.text
        elif kind == "thought":
            step = self._circling(step)
        finish = self._go_on(step) if step.ended else self._listen(step)
        return Delta(self._submit.id, self._candidate, step.text, step.tokens, finish, step.logprobs, kind)

    def cancel(self) -> None:
        """Let the next step free what it holds."""
        self._stretch.cancel()

    # -- giving way --------------------------------------------------------------------------------------

    @property
    def width(self) -> int:
        """How many answers of the pipeline it is: each takes a token of a step."""
        return self._stretch.width

    @property
    def resumable(self) -> bool:
        """Whether the rest, written later, is what it would have been: not so where a grammar, penalties or a
        seed of the caller's reach back to the beginning, nor for pictures, whose prompt is text."""
        sampling = self._terms.sampling
        greedy = not sampling.temperature or sampling.top_p == 0
        return (
            isinstance(self._stretch, Stretch)
            and not isinstance(self._prompt, Shown)
            and not self._terms.grammar
            and not sampling.presence_penalty
            and not sampling.frequency_penalty
            and (greedy or self._submit.sampling.seed is None)
        )

    def resume(self) -> None:
        """Go on with a stretch that was cancelled; only for one that is :attr:`resumable`."""
        stretch = self._stretch
        assert isinstance(stretch, Stretch)
        prompt = self._pipeline.then(self._prompt, stretch.token_ids, "")
        draw = self._terms.after(len(stretch.token_ids)).draw(self._pipeline)
        stretch.go_on(self._pipeline.add(prompt, draw))

    # -- what comes next ------------------------------------------------------------------------------

    def _go_on(self, step: Step) -> Finish:
        """Begin the next stretch, or say why the answer is over."""
        if step.ended == "failed" or isinstance(self._stretch, Choosing):
            return step.ended
        if self._kind == "thought":
            self._close_thought(self._stretch)
            return ""
        calling = self._submit.calling
        if calling is not None and self._kind == "text" and self._stretch.stop == calling.begin:
            if self._left < 1:
                return "max_tokens"
            kept, between = self._stretch.before(calling.begin)
            self._call(calling, kept, between)
            return ""
        return step.ended

    def _listen(self, step: Step) -> Finish:
        """A call that may only come first is not waited for once something else was said; the same call
        twice may end the answer."""
        calling = self._submit.calling
        if calling is None or isinstance(self._stretch, Choosing):
            return ""
        if self._kind == "call" and not calling.repeats:
            self._calls += step.text
            *whole, _ = self._calls.split(calling.between)
            if len(set(whole)) < len(whole):
                self._stretch.cancel()
                return "stop"
        elif (calling.at_start or self._submit.grammar) and self._said.strip():
            self._stretch.forget(calling.begin)
        return ""

    def _early(self, step: Step) -> Step:
        """End a label as soon as no other can be meant: the rest needs no model."""
        labels = self._submit.labels
        if not labels or isinstance(self._stretch, Choosing) or self._stretch.stop or step.ended == "failed":
            return step
        fits = [label for label in labels if label.startswith(self._said + step.text)]
        if len(fits) != 1:
            return step
        self._stretch.cancel()
        return step._replace(text=fits[0][len(self._said) :], ended="stop")

    def _circling(self, step: Step) -> Step:
        """End a thought that has come back to a line of its own, where that means a circle."""
        think = self._submit.think
        if think is None or think.repeats:
            return step
        *lines, self._line = (self._line + step.text).split("\n")
        for line in filter(None, map(str.strip, lines)):
            if line in self._lines and not step.ended:
                self._stretch.cancel()
                return step._replace(ended="stop")
            self._lines.add(line)
        return step

    # -- the stretches --------------------------------------------------------------------------------

    def _think(self, think: Think, budget: int) -> None:
        self._go([], missing(think.opening, self._rendered))
        self._kind = "thought"
        self._terms = Terms(self._sampling, budget)
        self._stretch = self._begin(stops=(think.stop,) if think.stop else (), marker=think.stop)

    def _close_thought(self, stretch: Stretch) -> None:
        """Close the thought as far as the model has not, and answer."""
        think = self._submit.think
        assert think is not None
        rest = think.closing
        if think.follow_up:
            rest = self._behind
        elif stretch.stop:
            _, _, rest = rest.rpartition(think.stop)
        self._go(stretch.token_ids, rest)
        self._answer(tokens_min=1)

    def _answer(self, tokens_min: int = 0) -> None:
        submit, calling = self._submit, self._submit.calling
        self._kind = "text"
        if submit.think is None and submit.skip:
            self._go([], missing(submit.skip, self._rendered))
        if calling is not None and calling.forced:
            self._call(calling, [], "")
        elif submit.labels and submit.logprobs:
            self._stretch = self._choose()
        else:
            self._terms = Terms(self._sampling, self._left, submit.logprobs, submit.grammar, tokens_min)
            stops = (*submit.stop, calling.begin) if calling else submit.stop
            self._stretch = self._begin(stops, calling.begin if calling else "")

    def _call(self, calling: CallForm, kept: list[int], between: str) -> None:
        """Put the beginning of a call behind what was said, and let its rest be written."""
        self._kind = "call"
        self._go(kept, between + calling.begin + calling.opening)
        self._terms = Terms(self._sampling, self._left, grammar=calling.grammar)
        self._stretch = self._begin()

    def _choose(self) -> Choosing:
        """Write every label by force, to see how likely each is."""
        labels = self._submit.labels
        # Where one label begins another, only the end of the turn tells them apart.
        ending = any(other != label and other.startswith(label) for label in labels for other in labels)

        def force(label: str) -> Stretch:
            self._terms = Terms(GREEDY, LABEL_TOKENS_MAX, True, f"root ::= {literal(label)}\n")
            return self._begin(() if ending else (label,), ending=ending)

        return Choosing(labels, force, self._sampling)

    def _go(self, token_ids: Sequence[int], words: str) -> None:
        """Go on from here: what was written, then words of ours, become part of the prompt."""
        if token_ids or words:
            self._prompt = self._pipeline.then(self._prompt, token_ids, words)

    def _begin(self, stops: tuple[str, ...] = (), marker: str = "", ending: bool = False) -> Stretch:
        """Begin a stretch under the terms that were set for it."""
        answer = self._pipeline.add(self._prompt, self._terms.draw(self._pipeline))
        if self.found is None:
            self.found = answer.found
        return Stretch(
            answer,
            self._spelling.marking(marker) if marker else self._spelling.plain,
            stop_ids=self._pipeline.stop_ids,
            stops=stops,
            logprobs=self._terms.logprobs,
            ending=ending,
        )


def missing(words: str, prompt: str) -> str:
    """Return what of ``words`` the prompt does not end with already: some templates write a part of it."""
    for length in range(len(words), 0, -1):
        if prompt.endswith(words[:length]):
            return words[length:]
    return words


def _seeded(sampling: Sampling, candidate: int) -> Sampling:
    """Each candidate draws its own numbers; a request without a seed gets one by chance."""
    seed = sampling.seed if sampling.seed is not None else int.from_bytes(os.urandom(4), "big")
    return msgspec.structs.replace(sampling, seed=(seed + candidate) % 2**32)
