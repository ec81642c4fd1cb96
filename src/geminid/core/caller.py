"""Who asks: a project, by one of its keys, and what that key is good for.

It knows neither how a key is sent nor how it is kept. Invariant: what a scope does not name is refused.
"""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from geminid.core.errors import PermissionDenied
from geminid.core.project import DEFAULT_PROJECT

Verb = Literal[
    "generate", "count", "models", "files", "embed", "caches", "batches", "transcribe", "interactions"
]
"""What a caller may want: answers, counts of tokens, the list of models, files, embeddings, cached contents,
batches, sound written down, interactions that were stored."""

Role = Literal["admin", "viewer"]
"""What an administrator may do; a viewer changes nothing."""

VERBS: tuple[Verb, ...] = get_args(Verb)


class Scopes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a key is good for; empty is everything.

    models: names of models, without ``models/``; one that ends in ``*`` means all that begin so.
    """

    models: tuple[str, ...] = ()
    verbs: tuple[Verb, ...] = ()

    def allow_verb(self, verb: Verb) -> bool:
        """Return whether the verb is among them."""
        return not self.verbs or verb in self.verbs

    def allow_model(self, name: str) -> bool:
        """Return whether a model, as it is asked for, is among them."""
        return not self.models or any(_fits(pattern, name) for pattern in self.models)


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks. key_id is empty for callers without a kept key: one of the settings, or any in open mode.

    open: the server takes any key, so nothing of this caller is refused or limited.
    """

    project: str = DEFAULT_PROJECT
    key_id: str = ""
    key_name: str = ""
    scopes: Scopes = Scopes()
    open: bool = False

    def require(self, verb: Verb, model: str = "") -> None:
        """Raise PermissionDenied unless the key is good for this; model: as asked for, if one is."""
        if not self.scopes.allow_verb(verb):
            raise PermissionDenied(f"This API key may not be used to {_WORDS[verb]}.")
        if model and not self.scopes.allow_model(model.removeprefix("models/")):
            raise PermissionDenied(f"This API key may not be used with the model {model}.")


ANYBODY = Caller(open=True)
"""Whoever calls a server that takes any key."""

_WORDS: dict[Verb, str] = {
    "generate": "generate content",
    "count": "count tokens",
    "models": "list models",
    "files": "work with files",
    "embed": "embed content",
    "caches": "work with cached contents",
    "batches": "work with batches",
    "transcribe": "transcribe sound",
    "interactions": "work with stored interactions",
}


def _fits(pattern: str, name: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern
