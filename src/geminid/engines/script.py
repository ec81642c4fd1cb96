"""What a script says: rules, read from TOML and checked. How they are performed is in ``scripted``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec

from geminid.core.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    PermissionDenied,
    Problem,
    ResourceExhausted,
    Unavailable,
)

FAILURES: dict[str, type[Problem]] = {
    problem.code: problem
    for problem in (
        DeadlineExceeded,
        FailedPrecondition,
        Internal,
        InvalidArgument,
        PermissionDenied,
        ResourceExhausted,
        Unavailable,
    )
}


class ScriptedCall(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A function call to be made."""

    name: str
    args: dict[str, Any] = {}


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to answer when ``match``, a regular expression, is found in the last user turn.

    Results of functions stand in that turn as lines of ``name: {json}``.

    text: the answer; ``{prompt}`` stands for the last user turn. Unsaid, it is the first label where the
    answer must be one of a few, nothing beside calls, and else the last user turn.
    repeat: how many times over.
    thought: what is thought before, as far as the request lets the model think.
    calls: functions to call after the text; those that the request does not offer are left out.
    found_tokens: how many tokens of the prompt, at the most, are told to have been computed before.
    first_token_ms, token_ms: delays before the first and before every other token.
    fail: a google.rpc code such as ``UNAVAILABLE``; the request fails with it after
    ``fail_after_tokens`` tokens of the answer.
    """

    match: str = ""
    text: str | None = None
    repeat: int = 1
    thought: str = ""
    calls: tuple[ScriptedCall, ...] = ()
    found_tokens: int = 0
    first_token_ms: float = 0.0
    token_ms: float = 0.0
    fail: str = ""
    fail_after_tokens: int = 0


ECHO = Rule()
"""What answers when no rule matches: the last user turn, given back."""


def read_script(path: Path) -> tuple[Rule, ...]:
    """Read rules from a TOML file of ``[[rule]]`` tables; raises ``InvalidArgument`` with the place."""
    try:
        script = msgspec.toml.decode(path.read_bytes(), type=dict[str, list[Rule]])
    except (OSError, msgspec.DecodeError) as error:
        raise InvalidArgument(f"The script {path} cannot be read: {error}") from error
    rules = tuple(script.get("rule", ()))
    for rule in rules:
        _check(rule, path)
    return rules


def _check(rule: Rule, path: Path) -> None:
    if rule.fail and rule.fail not in FAILURES:
        raise InvalidArgument(f"The script {path} names an unknown failure {rule.fail!r}.")
    try:
        re.compile(rule.match)
    except re.error as error:
        raise InvalidArgument(f"The script {path} has a bad pattern {rule.match!r}: {error}") from error
