"""What is asked of an engine, whichever wire it came by.

``None`` means that the caller did not say: the model card's default applies
(:meth:`Sampling.over`), and nothing else may invent a value.
"""

from __future__ import annotations

import msgspec

from geminid.core.content import Text, Turn


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


class GenerateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One call for ``candidates`` answers to a conversation.

    ``model`` is the public name without a ``models/`` prefix. ``tokens_max`` bounds the answer of
    each candidate, in tokens. ``stop`` strings end an answer and are not part of it.
    ``logprobs`` asks for the log-probability of every produced token.
    """

    model: str
    turns: tuple[Turn, ...]
    system: tuple[Text, ...] = ()
    sampling: Sampling = Sampling()
    candidates: int = 1
    tokens_max: int | None = None
    stop: tuple[str, ...] = ()
    logprobs: bool = False
