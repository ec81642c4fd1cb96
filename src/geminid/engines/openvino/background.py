"""The lines of batches in the engine process: begun where there is room, set aside when others come.

A line that is set aside gives its cells back and later goes on from what it had written; one that cannot
(:attr:`Writing.resumable`) begins again, and after some times of that runs through. Long prompts are read in
pieces of our own, each done in one step or little more, so that whoever comes waits for no more than that.
What a line says is told when it has ended: who begins again must have said nothing.

It knows no clock and no classes: how much it may do is told from outside (``idle.py``).
Invariant: a line that was taken is refused, told of once, or cancelled.
"""

from __future__ import annotations

import collections
import logging
from collections.abc import Callable, Iterator
from itertools import chain, groupby

from geminid.core.request import Sampling
from geminid.engines.openvino.eyes import Shown
from geminid.engines.openvino.known import Known, Tokens, shared, tokens_of
from geminid.engines.openvino.messages import Delta, Submit
from geminid.engines.openvino.pipeline import KV_BLOCK_TOKENS, Answer, Pipeline, Prompt
from geminid.engines.openvino.turnstile import Turnstile
from geminid.engines.openvino.writing import Opening, Writing

STARTS_MAX = 3
"""A line that has begun so often is not made to begin again."""
OVER_MAX = 2 * KV_BLOCK_TOKENS
"""Whole steps are filled to the last token, so that all have one shape: odd ones were a fifth longer. So much
of what is begun for it may be left to the next step."""
THROUGH_MAX = 2
"""So many of those may run through beside others at once."""

Key = tuple[int, int]

log = logging.getLogger("geminid.engine")


def _never() -> bool:
    return False


class Line:
    """One candidate of a line. ``writing``: None until it is begun, and when it must begin again."""

    __slots__ = ("candidate", "opening", "starts", "tokens", "told", "writing")

    def __init__(self, opening: Opening, candidate: int, tokens: Tokens) -> None:
        self.opening, self.candidate, self.tokens = opening, candidate, tokens
        self.writing: Writing | None = None
        self.told: list[Delta] = []
        self.starts = 0


class Reading:
    """A prompt that is read piece by piece. ``done``: so many of its tokens are in the cells."""

    __slots__ = ("_answer", "_until", "done", "opening", "tokens")

    def __init__(self, opening: Opening, tokens: Tokens, done: int) -> None:
        self.opening, self.tokens, self.done = opening, tokens, done
        self._answer: Answer | None = None
        self._until = done

    def busy(self) -> bool:
        """Whether a piece is still being read."""
        if self._answer is not None and self._answer.read() is not None:
            self._answer, self.done = None, self._until
        return self._answer is not None

    def read(self, pipeline: Pipeline, until: int) -> None:
        """Read the next piece, which ends before token ``until``: where a block does."""
        draw = pipeline.draw(Sampling(temperature=0.0), 1, logprobs=False)
        prompt = self.opening.opened.prompt
        self._answer, self._until = pipeline.add(_beginning(prompt, until), draw), until

    def cancel(self) -> None:
        """Read no more."""
        if self._answer is not None:
            self._answer.cancel()


class Background:
    """All lines in this process.

    prepare: opens a submission, None when it is refused. begin: begins an answer, None when that has failed.
    step_max: tokens that one step can compute, and half of it as many lines advance together.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        prepare: Callable[[Submit], Opening | None],
        begin: Callable[[Opening, int], Writing | None],
        step_max: int,
    ) -> None:
        self._pipeline, self._prepare, self._begin = pipeline, prepare, begin
        self._step_max, self._running_max = step_max, max(1, step_max // 2)
        self._waiting = Turnstile[Submit]()
        self._opened: collections.deque[Opening] = collections.deque()
        self._next: tuple[Opening, Tokens] | None = None
        self._reading: dict[int, Reading] = {}
        self._running: dict[Key, Line] = {}
        self._aside: dict[Key, Line] = {}
        self._known = Known()
        self.found: dict[int, int] = {}  # tokens that lines found when they were taken, until they are begun
        self._whole = False  # whether the step is to be filled to its last token
        self._more = 0  # tokens that may be begun beyond the allowance
        self._over = 0  # of what was begun, so many were left to the next step

    def __len__(self) -> int:
        return len(self._running)

    @property
    def waits(self) -> bool:
        """Whether there is anything to do."""
        begun = self._running or self._aside or self._reading or self._next
        return bool(begun or self._opened or self._waiting)

    def take(self, submit: Submit) -> None:
        """Take a line."""
        self._waiting.enter(submit.id, submit, submit.urgency, submit.project)

    def take_opened(self, opening: Opening) -> None:
        """Take a line that was prepared elsewhere."""
        self._opened.append(opening)

    def cancel(self, request_id: int) -> None:
        """Forget a line and free what it holds."""
        self._waiting.leave(request_id)
        self._opened = collections.deque(each for each in self._opened if each.submit.id != request_id)
        self.found.pop(request_id, None)
        if self._next is not None and self._next[0].submit.id == request_id:
            self._next = None
        if reading := self._reading.pop(request_id, None):
            reading.cancel()
        for lines in (self._running, self._aside):
            for key in [key for key in lines if key[0] == request_id]:
                if (writing := lines.pop(key).writing) is not None:
                    writing.cancel()

    def turn(self, allowance: int, full: Callable[[], bool] = _never) -> int:
        """Let the next step compute up to ``allowance`` tokens of lines and return how many it will be; 0
        sets everything aside that can be. full: whether no more lines may be begun."""
        if allowance < 1:
            self._give_way()
            self._over = 0
            return 0
        writings = (line.writing for line in self._running.values())
        written = sum(writing.width for writing in writings if writing and writing.begun)
        room = allowance - written - self._over
        self._whole = allowance >= self._step_max
        self._more = OVER_MAX if self._whole else self._step_max - allowance
        room = self._go_on(room)
        room = self._read_on(room)
        while room > 0 and self._lines() < self._running_max and not full():
            if (found := self._first()) is None:
                break
            opening, tokens = found
            self.found[opening.submit.id] = self._pipeline.holds(tokens.tolist())
            self._reading[opening.submit.id] = Reading(opening, tokens, self._known.found(tokens))
            room = self._read_on(room)
        spent = max(1, allowance - room) if self._running or self._reading else 0
        self._over = max(0, spent - self._step_max)
        return min(spent, max(allowance, self._step_max))

    def deltas(self) -> Iterator[Delta]:
        """Yield what the lines have said that have ended."""
        for key, line in list(self._running.items()):
            if (delta := self._read(key, line)) is None:
                continue
            line.told.append(delta)
            if delta.finish:
                del self._running[key]
                yield from merged(line.told)

    def _read(self, key: Key, line: Line) -> Delta | None:
        """What goes wrong between two stretches costs one line only."""
        assert line.writing is not None
        fresh = not line.writing.begun
        try:
            delta = line.writing.read()
        except Exception:
            log.exception("line %s", key)
            line.writing.cancel()
            return Delta(*key, text="", tokens=0, finish="failed")
        if fresh and line.writing.begun:
            self._known.add(line.tokens)
        return delta

    def _lines(self) -> int:
        return len(self._running) + len(self._aside) + len(self._reading)

    # -- giving way and going on -----------------------------------------------------------------------

    def _give_way(self) -> None:
        """Set aside what can be. A prompt that is just being read is read to its end, as ``Answer.cancel``
        would see to anyway."""
        through = 0
        for key, line in list(self._running.items()):
            assert line.writing is not None
            if not line.writing.begun:
                continue
            resumable = line.writing.resumable
            if not resumable and line.starts >= STARTS_MAX and through < THROUGH_MAX:
                through += 1
                continue
            line.writing.cancel()
            if not resumable:
                line.writing = None
                line.told.clear()
            self._aside[key] = self._running.pop(key)

    def _go_on(self, room: int) -> int:
        """Go on with what was set aside, the oldest first."""
        for key, line in list(self._aside.items()):
            if room < 1:
                break
            del self._aside[key]
            if line.writing is None:
                self._write(line)
            else:
                line.writing.resume()
                self._running[key] = line
            room -= 1  # everything but the last token is found
        return room

    # -- beginning --------------------------------------------------------------------------------------

    def _first(self) -> tuple[Opening, Tokens] | None:
        """Take the line whose turn it is, prepared; None when there is none, and when it would not yet find
        what it has in common with one that is just being read."""
        while self._next is None and (self._opened or self._waiting):
            opening = self._opened.popleft() if self._opened else self._prepare(self._waiting.next())
            if opening is not None:
                self._next = opening, tokens_of(opening.opened.prompt)
        if self._next is None or self._follows(self._next[1]):
            return None
        taken, self._next = self._next, None
        return taken

    def _follows(self, tokens: Tokens) -> bool:
        read = (reading.tokens for reading in self._reading.values())
        begun = (line.tokens for line in self._running.values() if line.writing and not line.writing.begun)
        found = self._known.found(tokens)
        return any(shared(tokens, other) > found for other in chain(read, begun))

    def _read_on(self, room: int) -> int:
        """Read prompts as far as there is room, in their order, and begin to answer those of which little
        enough is left; return what room is left for others."""
        for request_id, reading in list(self._reading.items()):
            if reading.busy():
                continue
            answers = reading.opening.submit.candidates
            left = len(reading.tokens) - reading.done
            short = left <= KV_BLOCK_TOKENS or self._whole
            if left * answers <= room or (short and self._fits(left * answers, room)):
                del self._reading[request_id]
                for candidate in range(answers):
                    self._write(Line(reading.opening, candidate, reading.tokens))
                room -= max(1, left) * answers
            elif left > KV_BLOCK_TOKENS and self._fits(KV_BLOCK_TOKENS, room):
                over = KV_BLOCK_TOKENS - 1 if self._whole else 0
                piece = max(KV_BLOCK_TOKENS, min(room + over, left - 1))
                ends = (reading.done + piece) // KV_BLOCK_TOKENS * KV_BLOCK_TOKENS
                room -= ends - reading.done
                reading.read(self._pipeline, ends)
            else:
                return 0
        return room

    def _fits(self, tokens: int, room: int) -> bool:
        """Whether so many tokens may be computed: also some more than there is room, for a prompt shall not
        wait behind short ones for ever, but no more than one step computes, unless there is nothing else."""
        enough = room > 0 if self._whole else 2 * room >= min(tokens, KV_BLOCK_TOKENS)
        some_more = enough and tokens <= room + self._more
        return tokens <= room or some_more or (room > 0 and not self._running)

    def _write(self, line: Line) -> None:
        line.starts += 1
        line.writing = self._begin(line.opening, line.candidate)
        if line.writing is not None:
            self._running[line.opening.submit.id, line.candidate] = line


def merged(deltas: list[Delta]) -> Iterator[Delta]:
    """Join what follows upon each other and is of one kind."""
    for _, group in groupby(deltas, lambda delta: delta.kind):
        parts = list(group)
        yield Delta(
            parts[0].id,
            parts[0].candidate,
            "".join(part.text for part in parts),
            sum(part.tokens for part in parts),
            parts[-1].finish,
            tuple(chain.from_iterable(part.logprobs for part in parts)),
            parts[0].kind,
        )


def _beginning(prompt: Prompt, until: int) -> Prompt:
    assert not isinstance(prompt, Shown)  # those have no tokens that could be left
    return prompt[:until]
