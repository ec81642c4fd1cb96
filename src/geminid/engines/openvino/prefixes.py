"""The prefixes that an engine process keeps: computed when there is room, refreshed before they are lost.

What the library's prefix cache holds longest unused it overwrites first, and it can be told of nothing to
spare. So a prefix is answered with one token now and then, which costs one step of one token and makes its
blocks the youngest. How soon that is needed the pipeline says, by what others have used since. Computing and
refreshing are submissions like others, with ids below zero: as urgent as whoever waits for them.

It knows no link and no queue. Invariants: of a prefix only whole blocks are computed, and behind them a token
that no prompt goes on with: so no two answers continue the same half-filled block, and no cell of a prefix is
written twice (the last token of a prompt that is found whole is computed again, and rounded otherwise among
other rows; measured: 2 to 5 of 23 greedy answers became others). A prefix that was taken is answered for once
to each who asked: kept, or refused.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, Protocol

from geminid.core.content import Modality
from geminid.core.request import Sampling
from geminid.engines.openvino.blocks import KV_BLOCK_TOKENS
from geminid.engines.openvino.eyes import Shown
from geminid.engines.openvino.messages import Conversation, Delta, Keep, Kept, Refused, Submit
from geminid.engines.openvino.pipeline import Prompt
from geminid.engines.openvino.writing import Opened, Opening

Refusal = Literal["too_long", "invalid", "failed", "full"]

LAST_URGENCY = 3
"""What nobody waits for is computed when nobody else wants the engine."""
REFRESHED_AT_ONCE = 8
LOOK_SHARE = 32
"""It is looked at whether a prefix is in danger each time that one in so many cells was used anew."""


class Rendered(Protocol):
    """A prompt as text and as the pipeline takes it, how many tokens it has, and how many from media."""

    @property
    def text(self) -> str: ...
    @property
    def prompt(self) -> Prompt: ...
    @property
    def tokens(self) -> int: ...
    @property
    def media(self) -> dict[Modality, int]: ...


class Cells(Protocol):
    """What of :class:`geminid.engines.openvino.pipeline.Pipeline` is needed here."""

    @property
    def kv_tokens_max(self) -> int: ...
    @property
    def claims(self) -> int: ...
    def encode(self, prompt: str) -> list[int]: ...
    def used_since(self, token_ids: Sequence[int]) -> float: ...


class Measured(NamedTuple):
    """A prefix: what of it is computed, its text, and its tokens, those from media apart."""

    prompt: Prompt
    text: str
    tokens: int
    media: dict[Modality, int]

    @property
    def whole(self) -> Prompt:
        """What is computed of it."""
        if isinstance(self.prompt, Shown):
            return self.prompt
        return self.prompt[: self.tokens // KV_BLOCK_TOKENS * KV_BLOCK_TOKENS]

    def asked(self, foreign: Sequence[int]) -> Prompt:
        """Return the prompt with which that is computed: a token that does not follow there comes last."""
        whole = self.whole
        if isinstance(whole, Shown) or isinstance(self.prompt, Shown):
            return whole
        follows = self.prompt[len(whole) : len(whole) + 1]
        return [*whole, *[token for token in foreign if token not in follows][:1]]


class _Kept:
    """One prefix. computed: whether it ever was. job: the submission that computes it now, 0 for none."""

    __slots__ = ("computed", "job", "measured", "urgency")

    def __init__(self, measured: Measured) -> None:
        self.measured = measured
        self.computed = False
        self.job = 0
        self.urgency = LAST_URGENCY


class Prefixes:
    """All prefixes of one process.

    render: reads a conversation, and raises what is wrong with it. tokens_max: of all prefixes together.
    prompt_tokens_max: of one. foreign: two tokens that prompts seldom go on with. submit, cancel: have
    something computed, by its id and urgency; forget it. say: tells the server.
    """

    def __init__(
        self,
        cells: Cells,
        render: Callable[[Conversation], Rendered],
        submit: Callable[[Submit], None],
        cancel: Callable[[int], None],
        say: Callable[[Kept | Refused], None],
        *,
        tokens_max: int,
        prompt_tokens_max: int,
        foreign: Sequence[int],
    ) -> None:
        self._foreign = foreign
        self._cells, self._render, self._say = cells, render, say
        self._submit, self._cancel = submit, cancel
        self.tokens_max, self._prompt_tokens_max = tokens_max, prompt_tokens_max
        self._ids = itertools.count(-1, -1)
        self._unread: dict[str, Keep] = {}
        self._asked: dict[str, list[int]] = {}
        self._kept: OrderedDict[str, _Kept] = OrderedDict()  # the longest unused first
        self._jobs: dict[int, str] = {}
        self._tokens = 0
        self._looked = 0

    @property
    def waits(self) -> bool:
        """Whether some were not read yet."""
        return bool(self._unread)

    def take(self, keep: Keep) -> None:
        """Take a prefix, or one more who asks for it."""
        kept = self._kept.get(keep.prefix)
        if kept is not None and kept.computed:
            self._say(Kept(keep.id, kept.measured.tokens, kept.measured.media))
            return
        self._asked.setdefault(keep.prefix, []).append(keep.id)
        if kept is not None:
            if keep.urgency < kept.urgency:
                self._compute(keep.prefix, kept, keep.urgency)
        elif keep.prefix not in self._unread or keep.urgency < self._unread[keep.prefix].urgency:
            self._unread[keep.prefix] = keep

    def drop(self, prefix: str) -> None:
        """Forget a prefix; its cells are overwritten in their time."""
        self._unread.pop(prefix, None)
        self._asked.pop(prefix, None)
        kept = self._kept.pop(prefix, None)
        if kept is not None:
            self._tokens -= kept.measured.tokens
            self._stop(kept)

    def read_one(self, idle: bool) -> Exception | None:
        """Read the most urgent that was not read; what nobody waits for, only when ``idle``.

        Returns what was wrong with it, if that is not the caller's to know.
        """
        prefix = min(self._unread, key=lambda each: self._unread[each].urgency, default=None)
        if prefix is None or (self._unread[prefix].urgency >= LAST_URGENCY and not idle):
            return None
        return self._read(self._unread.pop(prefix))

    def cached(self, prefix: str, rendered: Rendered) -> tuple[int, dict[Modality, int] | None]:
        """Return how many tokens a prompt and the prefix that it names begin with; the media among them where
        that is all of the prefix, else None: it is for the caller to find out."""
        if prefix in self._unread:
            self._read(self._unread.pop(prefix))
        kept = self._kept.get(prefix)
        if kept is None:
            return 0, {}
        self._kept.move_to_end(prefix)
        measured = kept.measured
        if isinstance(measured.prompt, Shown) or isinstance(rendered.prompt, Shown):
            same = rendered.text.startswith(measured.text)
            return (min(measured.tokens, rendered.tokens), measured.media) if same else (0, {})
        tokens = common(measured.prompt, rendered.prompt)
        return tokens, measured.media if tokens == measured.tokens else None

    def opening(self, job: int, now_s: float) -> Opening | None:
        """Return what is to be begun for a submission of this room; None for others."""
        prefix = self._jobs.get(job)
        if prefix is None:
            return None
        kept = self._kept[prefix]
        prompt = kept.measured.asked(self._foreign)
        return Opening(self._submission(job, kept.urgency), Opened("", prompt, ""), 1, now_s)

    def takes(self, delta: Delta) -> bool:
        """Whether this is what came of a submission of this room; then it is dealt with."""
        prefix = self._jobs.get(delta.id)
        if prefix is None:
            return False
        if delta.finish == "failed":
            self.fail(delta.id)
        elif delta.finish:
            del self._jobs[delta.id]
            kept = self._kept[prefix]
            kept.job, kept.computed, kept.urgency = 0, True, LAST_URGENCY
            self._kept.move_to_end(prefix)
            self._answer(prefix, kept)
        return True

    def fail(self, job: int) -> bool:
        """A submission of this room could not be computed: whoever waits for it is refused."""
        prefix = self._jobs.pop(job, None)
        if prefix is None:
            return False
        kept = self._kept[prefix]
        kept.job = 0
        if not kept.computed:
            asked = self._asked.pop(prefix, ())
            self.drop(prefix)
            for keep_id in asked:
                self._say(Refused(id=keep_id, kind="failed", message="the prefix could not be computed"))
        return True

    def tend(self) -> None:
        """Have those refreshed that others come close to overwriting, the longest unused first."""
        if self._cells.claims - self._looked < self._cells.kv_tokens_max // KV_BLOCK_TOKENS // LOOK_SHARE:
            return
        self._looked = self._cells.claims
        share = min(1.0, self._tokens / max(1, self._cells.kv_tokens_max))
        for prefix, kept in list(self._kept.items())[: REFRESHED_AT_ONCE + len(self._jobs)]:
            whole = kept.measured.whole
            if not kept.computed or kept.job or isinstance(whole, Shown) or not whole:
                continue
            used = self._cells.used_since(whole)
            if used < share + (1 - share) / 2:
                return
            lost_soon = share + (1 - share) * 0.75 < used < 1
            self._compute(prefix, kept, 0 if lost_soon else LAST_URGENCY)

    # -- inside ----------------------------------------------------------------------------------------

    def _read(self, keep: Keep) -> Exception | None:
        try:
            measured = measure([self._render(each) for each in keep.conversations], self._cells.encode)
        except ValueError as refusal:  # of the template, or of a picture
            self._refuse(keep.prefix, "invalid", str(refusal))
            return None
        except Exception as error:
            self._refuse(keep.prefix, "failed", repr(error))
            return error
        if measured.tokens > self._prompt_tokens_max:
            self._refuse(keep.prefix, "too_long", "", measured.tokens, self._prompt_tokens_max)
        elif self._tokens + measured.tokens > self.tokens_max:
            self._refuse(keep.prefix, "full", "", measured.tokens, self.tokens_max)
        else:
            kept = self._kept[keep.prefix] = _Kept(measured)
            self._tokens += measured.tokens
            self._compute(keep.prefix, kept, keep.urgency)
        return None

    def _compute(self, prefix: str, kept: _Kept, urgency: int) -> None:
        self._stop(kept)
        kept.urgency = urgency
        if not kept.measured.whole:
            kept.computed = True
            self._answer(prefix, kept)
            return
        kept.job = next(self._ids)
        self._jobs[kept.job] = prefix
        self._submit(self._submission(kept.job, urgency))

    def _submission(self, job: int, urgency: int) -> Submit:
        return Submit(
            id=job,
            conversation=Conversation(()),
            sampling=Sampling(temperature=0.0),
            candidates=1,
            tokens_max=1,
            urgency=urgency,
        )

    def _stop(self, kept: _Kept) -> None:
        if kept.job:
            self._jobs.pop(kept.job, None)
            self._cancel(kept.job)
            kept.job = 0

    def _answer(self, prefix: str, kept: _Kept) -> None:
        for keep_id in self._asked.pop(prefix, ()):
            self._say(Kept(keep_id, kept.measured.tokens, kept.measured.media))

    def _refuse(
        self, prefix: str, kind: Refusal, message: str = "", tokens: int = 0, tokens_max: int = 0
    ) -> None:
        for keep_id in self._asked.pop(prefix, ()):
            refused = Refused(
                id=keep_id,
                kind=kind,
                message=message,
                tokens=tokens,
                tokens_max=tokens_max,
                kept=self._tokens,
            )
            self._say(refused)


def common(one: Sequence[int], other: Sequence[int]) -> int:
    """Return how many tokens two prompts begin with alike."""
    length = min(len(one), len(other))
    if one[:length] == other[:length]:
        return length
    return next(number for number in range(length) if one[number] != other[number])


def measure(rendered: Sequence[Rendered], encode: Callable[[str], list[int]]) -> Measured:
    """Return what several prompts begin with alike."""
    first = rendered[0]
    if isinstance(first.prompt, Shown):
        characters = min(_common_text(first.text, each.text) for each in rendered[1:])
        tokens = first.tokens - len(encode(first.text[characters:]))
        shown = first.prompt._replace(text=first.text[:characters])
        return Measured(shown, first.text[:characters], tokens, first.media)
    others = [each.prompt for each in rendered[1:] if not isinstance(each.prompt, Shown)]
    tokens = min(common(first.prompt, each) for each in others)
    return Measured(first.prompt[:tokens], "", tokens, first.media)


def _common_text(one: str, other: str) -> int:
    alike = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return sum(1 for _ in alike)
