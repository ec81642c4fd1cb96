"""What is asked of an engine, whichever wire it came by.

``None`` means that the caller did not say: the model card's default applies
(:meth:`Sampling.over`), and nothing else may invent a value.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from geminid.core.content import Text, Turn

JsonSchema = dict[str, Any]
"""A JSON Schema of the subset that :mod:`geminid.shape` enforces."""

Level = Literal["minimal", "low", "medium", "high"]
LEVELS: tuple[Level, ...] = ("minimal", "low", "medium", "high")

Tier = Literal["standard", "flex", "priority", "batch"]
"""How urgent a request is: ``priority`` overtakes, ``flex`` waits until nobody else does, ``batch`` gives way
even when it has begun. No single request may ask for ``batch``: it is what the lines of a batch are."""

CallMode = Literal["auto", "any", "none", "validated"]


class Sampling(msgspec.Struct, frozen=True, kw_only=True):
    """How the next token is drawn.

    ``temperature`` 0 is greedy. ``top_k`` 0 keeps the whole vocabulary. Penalties lower the logit of
    a token that was already produced: ``presence_penalty`` once, ``frequency_penalty`` each time.
    ``seed`` makes a draw repeatable on the same engine and machine.
    """

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None

    def over(self, defaults: Sampling) -> Sampling:
        """Return these values, with each unsaid one taken from ``defaults``."""
        return Sampling(
            **{
                name: getattr(defaults, name) if value is None else value
                for name, value in ((name, getattr(self, name)) for name in self.__struct_fields__)
            }
        )


class Thinking(msgspec.Struct, frozen=True, kw_only=True):
    """How much the model may think before it answers, and whether the caller wants to read it.

    At most one of ``level`` and ``budget_tokens`` is given; neither means the model's default. A budget
    is a ceiling: 0 is no thinking, -1 is as much as the model's card allows.
    """

    level: Level | None = None
    budget_tokens: int | None = None
    include: bool = False


class JsonOutput(msgspec.Struct, frozen=True, tag="json"):
    """The answer is JSON. ``grammar`` (EBNF) accepts only texts that are valid for ``schema``.

    ``schema`` is None when any JSON value will do.
    """

    grammar: str
    schema: JsonSchema | None = None


class EnumOutput(msgspec.Struct, frozen=True, tag="enum"):
    """The answer is one of ``labels``, bare. ``grammar`` (EBNF) accepts exactly these."""

    grammar: str
    labels: tuple[str, ...]


Output = JsonOutput | EnumOutput


class Tool(msgspec.Struct, frozen=True):
    """A function that the model may call; ``parameters`` None takes no arguments."""

    name: str
    description: str = ""
    parameters: JsonSchema | None = None


class GenerateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One call for ``candidates`` answers to a conversation.

    ``model`` is the public name without a ``models/`` prefix. ``tokens_max`` bounds the answer of
    each candidate, in tokens. ``stop`` strings end an answer and are not part of it.
    ``logprobs`` asks for the log-probability of every produced token, and of every label where the
    answer is one of a few. ``output`` None is free text. ``call_mode`` says whether ``tools`` may
    (``auto``, ``validated``), must (``any``) or must not be called; it and the tools already reflect a
    list of allowed names. ``calls_max`` is the most calls of one answer; None leaves it to the model's form.
    ``labels`` are the caller's words for his bill. ``project`` is who asks, as far as
    an engine must know it to share itself out fairly.
    ``cached_content`` names cached contents that come before ``turns``, until the service has put them there;
    then ``prefix`` names them for the engine, which keeps what it has computed of them.
    """

    model: str
    turns: tuple[Turn, ...]
    system: tuple[Text, ...] = ()
    sampling: Sampling = Sampling()
    candidates: int = 1
    tokens_max: int | None = None
    stop: tuple[str, ...] = ()
    logprobs: bool = False
    thinking: Thinking = Thinking()
    output: Output | None = None
    tools: tuple[Tool, ...] = ()
    call_mode: CallMode = "auto"
    calls_max: int | None = None
    tier: Tier = "standard"
    labels: dict[str, str] = {}
    project: str = ""
    cached_content: str = ""
    prefix: str = ""
