"""Fold a conversation that is longer than the window: keep what its last question is about.

Texts are cut into pieces, the pieces are scored by BM25 against the question, and the best of them stay
in their order, with a mark in each gap. It knows no engine and no window: how many tokens a selection
has is told by a function. Invariant: system instruction, first turn's beginning, the question and every
part that is not a ``Text`` are kept.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from geminid.core.content import Part, Text, Thought, Turn
from geminid.core.errors import InputTooLong
from geminid.core.request import GenerateRequest
from geminid.service.relevance import (
    NEIGHBOUR_SHARE,
    QUESTION_CHARACTERS_MAX,
    SENTENCE,
    passages_of,
    questions_of,
    relevance,
)

MARK = "\n[…]\n"
"""Stands where something of a turn was left out. A turn that is left out as a whole has none."""
COUNTS_MAX = 5
"""How often tokens are counted for one request."""

PIECE_CHARACTERS_MIN, PIECE_CHARACTERS_MAX = 800, 1200
RECENT_TURNS = 6
EDGES_SHARE = 0.5  # of the room: the rest is left to what the question is about
FULL = 0.85  # a selection with this share of the window is not made larger
CHARACTERS_PER_TOKEN, CHARACTERS_PER_TOKEN_MAX = 3.0, 16.0  # a first guess; more is never fitting text

BREAKS = [re.compile(each) for each in (r"\n\s*\n", r"\n", SENTENCE.pattern, r"\s+")]

Count = Callable[[GenerateRequest], Awaitable[int]]
"""Tells how many tokens the prompt of a request has."""


class Folded(msgspec.Struct, frozen=True, kw_only=True):
    """A request that may have been folded, and the length of its texts, system instruction included."""

    request: GenerateRequest
    characters_before: int
    characters_kept: int


class Piece(NamedTuple):
    """Characters ``start`` to ``end`` of a text, which is part number ``part`` of turn number ``turn``."""

    turn: int
    part: int
    source: str
    start: int
    end: int

    @property
    def text(self) -> str:
        """The words themselves."""
        return self.source[self.start : self.end]

    @property
    def whole(self) -> bool:
        """Whether this is all of its text."""
        return self.end - self.start == len(self.source)

    @property
    def edge(self) -> bool:
        """Whether its text begins or ends here."""
        return not self.start or self.end == len(self.source)


def fold(request: GenerateRequest, characters_max: int) -> Folded:
    """Return the request with at most ``characters_max`` characters of text.

    What must be kept may be longer than that: then exactly it is returned.
    """
    return Draft(request).fold(characters_max)


async def folded_to_fit(request: GenerateRequest, tokens_max: int, count: Count) -> Folded:
    """Return the request, folded if need be so that it has at most ``tokens_max`` tokens.

    ``count`` is awaited :data:`COUNTS_MAX` times at most, and never with a text that is far too long.
    Raises ``InputTooLong`` with the tokens of what must be kept when even that does not fit.
    """
    characters, points = characters_of(request), [(0, 0)]
    if characters <= tokens_max * CHARACTERS_PER_TOKEN_MAX:
        points.append((characters, await count(request)))
        if points[-1][1] <= tokens_max:
            return Folded(request=request, characters_before=characters, characters_kept=characters)
    draft, best = await asyncio.to_thread(Draft, request), None
    while len(points) <= COUNTS_MAX:
        last = len(points) == COUNTS_MAX and best is None
        wanted = 0 if last else _wanted(points, tokens_max)
        folded = await asyncio.to_thread(draft.fold, wanted)
        points.append((folded.characters_kept, tokens := await count(folded.request)))
        if tokens > tokens_max:
            if folded.characters_kept > wanted:  # nothing more can be left out
                break
            continue
        if best is None or best.characters_kept < folded.characters_kept:
            best = folded
        if tokens >= tokens_max * FULL or folded.characters_kept == characters:
            break
    if best is None:
        raise InputTooLong(points[-1][1], tokens_max)
    return best


def _wanted(points: Sequence[tuple[int, int]], tokens_max: int) -> int:
    """Return how many characters to try next, by the (characters, tokens) seen last."""
    if len(points) == 1:
        return int(tokens_max * CHARACTERS_PER_TOKEN)
    (characters, tokens), (known, known_tokens) = points[-1], points[-2]
    ratio = CHARACTERS_PER_TOKEN if tokens == known_tokens else (characters - known) / (tokens - known_tokens)
    ratio = min(max(ratio, 0.25), CHARACTERS_PER_TOKEN_MAX)
    return max(0, int(characters + (tokens_max * (1 + FULL) / 2 - tokens) * ratio))


class Draft:
    """A conversation in pieces, ranked once: to be folded to any length."""

    def __init__(self, request: GenerateRequest) -> None:
        self._request, self._turns = request, request.turns
        self._characters = characters_of(request)
        self._pieces = list(_pieces(self._turns))
        texts = Counter(piece.turn for piece in self._pieces)
        self._costs = [
            piece.end - piece.start + (2 * len(MARK) if texts[piece.turn] > 1 else 0)
            for piece in self._pieces
        ]
        asked = [number for number, turn in enumerate(self._turns) if turn.role == "user" and texts[number]]
        self._asked = asked[-1] if asked else len(self._turns) - 1
        self._required = self._must_stay()
        self._edges = list(self._to_begin_with())
        self._ranked = self._by_relevance()

    def fold(self, characters_max: int) -> Folded:
        """See :func:`fold`."""
        turns, system = self._turns, sum(len(text.text) for text in self._request.system)
        if self._characters > characters_max:
            kept = set(self._required)
            room = characters_max - system - sum(self._costs[index] for index in kept)
            spare = int(room * EDGES_SHARE)
            room += self._take(kept, self._edges, spare) - spare
            self._take(kept, self._ranked, room)
            turns = tuple(self._kept(kept - self._halves(kept)))
        request = msgspec.structs.replace(self._request, turns=turns)
        return Folded(
            request=request, characters_before=self._characters, characters_kept=characters_of(request)
        )

    def _take(self, kept: set[int], order: Iterable[int], room: int) -> int:
        """Add pieces to ``kept`` as long as they fit; return the room that is left."""
        for index in order:
            if index not in kept and self._costs[index] <= room:
                kept.add(index)
                room -= self._costs[index]
        return room

    def _kept(self, kept: set[int]) -> Iterator[Turn]:
        """Yield the turns with the pieces that are kept; turns of which nothing is left are dropped."""
        pieces: dict[int, list[tuple[Piece, bool]]] = {}
        for index, piece in enumerate(self._pieces):
            pieces.setdefault(piece.turn, []).append((piece, index in kept))
        for number, turn in enumerate(self._turns):
            chosen = pieces.get(number, [])
            if all(stays for _, stays in chosen):
                yield turn
            elif any(stays for _, stays in chosen):
                yield Turn(turn.role, tuple(_parts(turn, chosen)))
            elif any(not isinstance(part, Text | Thought) for part in turn.parts):
                yield Turn(turn.role, tuple(part for part in turn.parts if not isinstance(part, Text)))

    # -- what comes first ----------------------------------------------------------------------------

    def _must_stay(self) -> set[int]:
        """Return how the first turn begins, and both ends of the question's turn and of the last one."""
        ends = set[int]()
        for number in {self._asked, len(self._turns) - 1}:
            within = [index for index, piece in enumerate(self._pieces) if piece.turn == number]
            ends.update(within[:1], within[-1:])
        return ends | set(range(len(self._pieces))[:1])

    def _to_begin_with(self) -> Iterator[int]:
        """Yield the rest of a short question, its short neighbours, head and tail of long texts.

        Neighbours are the latest turns, and the one that answers to the first.
        """
        indices = range(len(self._pieces) - 1, -1, -1)
        question = sum(len(text) for text in self._texts(self._asked))
        for index in indices:
            piece = self._pieces[index]
            near = piece.turn == 1 or 0 < self._asked - piece.turn <= RECENT_TURNS
            if (piece.whole and near) or (piece.turn == self._asked and question <= QUESTION_CHARACTERS_MAX):
                yield index
        for index in indices:
            piece = self._pieces[index]
            if piece.edge and not piece.whole:
                yield index

    def _by_relevance(self) -> list[int]:
        """Return all pieces, best first: by turns the best for each question that there may be."""
        spread = [
            1 - piece.turn / len(self._turns) if piece.whole else int(f"{index:032b}"[::-1], 2) / 2**32
            for index, piece in enumerate(self._pieces)
        ]  # breaks ties: the latest of short turns, and of long texts every part alike
        orders = []
        for scores in self._scores():
            shared = [score + self._share(index, scores) for index, score in enumerate(scores)]
            orders.append(sorted(range(len(shared)), key=lambda each: (-shared[each], spread[each])))
        return [index for places in zip(*orders, strict=True) for index in places]

    def _share(self, index: int, scores: Sequence[float]) -> float:
        """Return what a piece gets of its neighbours' scores; a short exchange stays together."""
        near = max(scores[max(0, index - 1) : index + 2]) * NEIGHBOUR_SHARE
        partner = self._partner(index) if self._pieces[index].whole else None
        return near if partner is None else max(near, scores[partner])

    def _partner(self, index: int) -> int | None:
        """Return the other half of a short exchange: question and answer are kept or left out together."""
        turn = self._turns[self._pieces[index].turn]
        other = index + (1 if turn.role == "user" else -1)
        if not 0 <= other < len(self._pieces):
            return None
        piece = self._pieces[other]
        return other if piece.whole and self._turns[piece.turn].role != turn.role else None

    def _halves(self, kept: set[int]) -> set[int]:
        """Return what is kept of short exchanges without their other half, though it need not be."""
        whole = {index for index in kept - self._required if self._pieces[index].whole}
        partners = {index: self._partner(index) for index in whole}
        return {index for index, other in partners.items() if other is not None and other not in kept}

    def _scores(self) -> list[list[float]]:
        """Return how well each piece answers to each question; what stays anyway has 0."""
        free = [index for index in range(len(self._pieces)) if index not in self._required]
        places, passages = list[int](), list[str]()
        for index in free:
            found = passages_of(self._pieces[index].text)
            passages += found
            places += [index] * len(found)
        return [
            self._best(places, scores)
            for scores in relevance(passages, questions_of(self._texts(self._asked)))
        ]

    def _best(self, places: Sequence[int], scores: Sequence[float]) -> list[float]:
        """Return the best score of each piece's passages."""
        best = [0.0] * len(self._pieces)
        for index, score in zip(places, scores, strict=True):
            best[index] = max(best[index], score)
        return best

    def _texts(self, number: int) -> list[str]:
        return [piece.source for piece in self._pieces if piece.turn == number and not piece.start]


def _pieces(turns: Iterable[Turn]) -> Iterator[Piece]:
    for number, turn in enumerate(turns):
        for place, part in enumerate(turn.parts):
            if isinstance(part, Text):
                yield from (Piece(number, place, part.text, *span) for span in spans_of(part.text))


def _parts(turn: Turn, pieces: Iterable[tuple[Piece, bool]]) -> Iterator[Part]:
    """Yield the parts of a turn, with one mark for each gap."""
    by_part: dict[int, list[tuple[Piece, bool]]] = {}
    for piece, stays in pieces:
        by_part.setdefault(piece.part, []).append((piece, stays))
    gap = False
    for place, part in enumerate(turn.parts):
        if place not in by_part:
            yield part
            continue
        words = []
        for piece, stays in by_part[place]:
            if stays or not gap:
                words.append(piece.text if stays else MARK)
            gap = not stays
        if words:
            yield msgspec.structs.replace(part, text="".join(words))


def characters_of(request: GenerateRequest) -> int:
    """Return the length of a request's texts, system instruction included."""
    said = (part for turn in request.turns for part in turn.parts if isinstance(part, Text))
    return sum(len(text.text) for text in (*request.system, *said))


def spans_of(text: str) -> Iterator[tuple[int, int]]:
    """Yield the bounds of pieces that make up the text, cut between paragraphs if that is possible."""
    start = 0
    while (rest := len(text) - start) > PIECE_CHARACTERS_MAX:
        low, high = PIECE_CHARACTERS_MIN, PIECE_CHARACTERS_MAX
        if rest < 2 * low:  # two pieces of about one size, so that a text has no tiny tail
            low, high = rest * 2 // 5, rest * 3 // 5
        end = _break(text, start + low, start + high)
        yield start, end
        start = end
    yield start, len(text)


def _break(text: str, low: int, high: int) -> int:
    """Return where to cut: after the last paragraph between the bounds, or line, sentence, word."""
    for pattern in BREAKS:
        found = [match.end() for match in pattern.finditer(text, low, high)]
        if found:
            return found[-1]
    return high
