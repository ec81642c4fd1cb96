"""Small reasoning tasks with known answers, from templates: sums in words, orders of people, reading.

``score`` is the whole rule of grading free text: the last number, or the last of the task's names, that
the answer has. Small models often repeat the question before they answer, seldom after.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any, NamedTuple

NAMES = ("Anna", "Ben", "Carla", "David", "Emma", "Frank", "Grace", "Henry", "Ivy", "Jack", "Kate", "Leo")
THINGS = ("apples", "books", "coins", "marbles", "stamps", "pens", "shells", "cards", "eggs", "tickets")
COLOURS = ("red", "blue", "green", "yellow", "black", "white", "brown", "grey")
ROOMS = ("kitchen", "garage", "garden", "cellar", "attic", "office", "library", "hall")
WORDS = (("taller", "tallest", "shortest"), ("older", "oldest", "youngest"), ("faster", "fastest", "slowest"))
NUMBER = re.compile(r"\d[\d,]*")


class Task(NamedTuple):
    """A question, its answer, and the answers that are possible; none named means any whole number."""

    kind: str
    question: str
    answer: str
    choices: tuple[str, ...] = ()

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of an answer without any reasoning in it."""
        value: dict[str, Any] = {"type": "string", "enum": list(self.choices)}
        if not self.choices:
            value = {"type": "integer", "minimum": 0, "maximum": 9999}
        return {"type": "object", "properties": {"answer": value}, "required": ["answer"]}


def score(task: Task, text: str) -> bool:
    """Tell whether the last number or name of a free answer is the right one."""
    if task.choices:
        found = re.findall("|".join(rf"\b{choice}\b" for choice in task.choices), text)
    else:
        found = [each.replace(",", "") for each in NUMBER.findall(text)]
    return bool(found) and found[-1] == task.answer


def tasks(count: int, seed: int = 5) -> list[Task]:
    """Return ``count`` tasks of each kind, the same for the same seed."""
    chance = random.Random(seed)
    made: dict[str, Task] = {}
    for number, make in enumerate(KINDS.values(), 1):
        while len(made) < number * count:  # the same question may be drawn again
            task = make(chance)
            made[task.question] = task
    return list(made.values())


def _arithmetic(chance: random.Random) -> Task:
    (who, other), thing = chance.sample(NAMES, 2), chance.choice(THINGS)
    a, b, c = chance.randrange(5, 30), chance.randrange(2, 20), chance.randrange(2, 5)
    text, answer = chance.choice(
        (
            (f"{who} has {a} {thing} and buys {b} more. How many {thing} does {who} have now?", a + b),
            (f"{who} has {a + b} {thing} and gives {b} to {other}. How many {thing} are left?", a),
            (f"{who} has {c} boxes with {a} {thing} in each. How many {thing} is that?", c * a),
            (
                f"{who} has {a} {thing}. {other} has {b} more than {who}. How many {thing} do they have "
                "together?",
                2 * a + b,
            ),
            (
                f"{who} buys {c} bags of {a} {thing} and loses {c + 1} {thing}. How many {thing} are left?",
                c * a - c - 1,
            ),
        )
    )
    return Task("arithmetic", f"{text} Answer with the number.", str(answer))


def _order(chance: random.Random) -> Task:
    first, middle, last = chance.sample(NAMES, 3)
    more, most, least = chance.choice(WORDS)
    facts = [f"{first} is {more} than {middle}.", f"{middle} is {more} than {last}."]
    chance.shuffle(facts)
    which, answer = chance.choice(((most, first), (least, last)))
    choices = tuple(sorted((first, middle, last)))
    question = f"{' '.join(facts)} Who is the {which} of the three? Answer with the name."
    return Task("order", question, answer, choices)


def _reading(chance: random.Random) -> Task:
    people, colours, rooms = chance.sample(NAMES, 3), chance.sample(COLOURS, 3), chance.sample(ROOMS, 3)
    thing = chance.choice(("box", "bag", "bicycle", "lamp"))
    lines = [
        f"{who} bought a {colour} {thing} and put it into the {room}."
        for who, colour, room in zip(people, colours, rooms, strict=True)
    ]
    chance.shuffle(lines)
    target = chance.randrange(3)
    story = f"Three friends went to the market on a rainy day. {' '.join(lines)} Then they had tea."
    question = f"{story} Who put a {thing} into the {rooms[target]}? Answer with the name."
    return Task("reading", question, people[target], tuple(sorted(people)))


KINDS: dict[str, Callable[[random.Random], Task]] = {
    "arithmetic": _arithmetic,
    "order": _order,
    "reading": _reading,
}
