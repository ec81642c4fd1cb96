"""How much a question and the sentences of a text have to do with each other: BM25 over words.

It knows texts only. A kept library indexes the whole text first, for one question (bm25s: 1.6 s and
70 MB for 5.5 MB of text); here only the question's own words are looked at. Invariant: every function is
linear in the text.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

QUESTION_CHARACTERS_MAX = 2400  # a longer last turn holds a document: the question is at its edges
EDGE_CHARACTERS = 1200  # some 200 words
PASSAGE_CHARACTERS_MAX = 300
PARAGRAPH_DISTANCE = 3.0  # in sentences
FEW = 10  # texts: a word in more of them, and in more than half of all, tells nothing
STEM_CHARACTERS, STEM_WEIGHT = 5, 0.3
NEIGHBOUR_SHARE, BESIDE_SHARE = 0.3, 0.5

UNSPACED = (  # scripts that put no space between words: Thai to Khmer, kana, ideographs, Hangul
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
RUNS = re.compile(f"[{UNSPACED}]+")
WORDS = re.compile(rf"[^\W{UNSPACED}]+")
SENTENCE = re.compile(r"(?<=[.!?…])['\")\]»”’]*[^\S\n]+|(?<=[。！？])|\n")
CLOSING = "'\")]»”’ "


def passages_of(text: str) -> list[str]:
    """Return the sentences or lines of a text, cut where they are very long."""
    return [
        sentence[start : start + PASSAGE_CHARACTERS_MAX]
        for sentence in SENTENCE.split(text)
        if sentence
        for start in range(0, len(sentence), PASSAGE_CHARACTERS_MAX)
    ]


def questions_of(texts: Sequence[str]) -> list[dict[str, float]]:
    """Return the questions that a turn may ask: the words of each and what they count.

    A long turn has one at its end and one at its beginning.
    """
    text = "\n\n".join(texts)
    if len(text) <= QUESTION_CHARACTERS_MAX:
        return [_weights([(0, text)])]
    ends = SENTENCE.split(text[-EDGE_CHARACTERS:])[::-1], SENTENCE.split(text[:EDGE_CHARACTERS])
    return [_weights(_by_distance(sentences)) for sentences in ends]


def _by_distance(sentences: Iterable[str]) -> Iterator[tuple[float, str]]:
    """Yield sentences and how far they are from the end of the text that the first one stands at."""
    distance = 0.0
    for sentence in sentences:
        if not sentence.strip():
            distance += PARAGRAPH_DISTANCE
            continue
        yield distance * (0.5 if sentence.rstrip(CLOSING)[-1:] in "?？؟" else 1), sentence
        distance += 1


def _weights(sentences: Iterable[tuple[float, str]]) -> dict[str, float]:
    weights = dict[str, float]()
    for distance, sentence in sentences:
        for word in words_of(sentence):
            weight = (STEM_WEIGHT if word.endswith("*") else 1) / (1 + distance)
            weights[word] = max(weights.get(word, 0), weight)
    return weights


def words_of(text: str) -> list[str]:
    """Return a text's words, long ones also as a beginning and ``*``; unspaced scripts as pairs."""
    text = text.casefold()
    words: list[str] = WORDS.findall(text)
    words += [word[:STEM_CHARACTERS] + "*" for word in words if len(word) > STEM_CHARACTERS]
    if not text.isascii():
        for run in RUNS.findall(text):
            words += [run[place : place + 2] for place in range(max(1, len(run) - 1))]
    return words


def relevance(texts: Iterable[str], questions: Sequence[Mapping[str, float]]) -> list[list[float]]:
    """Return for each question, given as weighted words, how relevant each text is.

    That is BM25, with a share of what the text before or behind has in other words. Texts are
    sentences: how often a word stands in one is taken as once.
    """
    asked = frozenset[str]().union(*questions)
    found, lengths = list[frozenset[str]](), list[int]()
    for text in texts:
        words = words_of(text)
        found.append(asked.intersection(words))
        lengths.append(len(words))
    total, mean = len(lengths), sum(lengths) / max(1, len(lengths)) or 1
    spread = Counter(word for words in found for word in words)
    rare = {
        word: math.log(1 + (total - many + 0.5) / (many + 0.5))
        for word, many in spread.items()
        if many <= max(total / 2, FEW)
    }
    damping = [2.2 / (1 + 1.2 * (0.25 + 0.75 * length / mean)) for length in lengths]
    worths = (
        {word: weight * rare[word] for word, weight in weights.items() if word in rare}
        for weights in questions
    )
    return [_sums(found, worth, damping) for worth in worths]


def _sums(
    found: Iterable[frozenset[str]], worth: Mapping[str, float], damping: Sequence[float]
) -> list[float]:
    """Return what each text's words are worth, with a share of the other words beside it."""
    nothing = frozenset[str]()
    texts = [nothing, *(words & worth.keys() for words in found), nothing]
    damped = [0.0, *damping, 0.0]

    def sums(index: int) -> float:
        here = texts[index]
        beside = (
            damped[near] * sum(worth[word] for word in texts[near] if word not in here)
            for near in (index - 1, index + 1)
        )
        return damped[index] * sum(worth[word] for word in here) + BESIDE_SHARE * max(beside)

    return [sums(index) for index in range(1, len(texts) - 1)]
