"""The order of calls, results and signatures in a conversation.

Neighbouring contents of one speaker are one turn: clients that read a stream send its chunks back as
contents of their own. It knows only the wire's contents, and no secret: whether a signature is genuine
is told by a function. Invariant: what it lets through answers every call that something follows, once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from geminid.core.codec import decode_base64
from geminid.wire.gemini.complaints import Complaints
from geminid.wire.gemini.content import Content, Part
from geminid.wire.gemini.reading import Reading
from geminid.wire.scalars import clip

CALL_TURN = (
    "Please ensure that function call turn comes immediately after a user turn or after a function "
    "response turn."
)
COUNTS = (
    "Please ensure that the number of function response parts is equal to the number of function call "
    "parts of the function call turn."
)
RESPONSE_TURN = "Please ensure that function response turn comes immediately after a function call turn."
NOT_VALID = "Thought signature is not valid"

BYPASSES = (b"skip_thought_signature_validator", b"context_engineering_is_the_way_to_go")
"""Documented values for histories that another model wrote; sent as they are, or as base64."""

_MODEL = "model"


class _At(NamedTuple):
    """One part and where it stands."""

    content: int
    part: int
    value: Part

    @property
    def path(self) -> str:
        return f"contents[{self.content}].parts[{self.part}]"


class _Spoken(NamedTuple):
    """All neighbouring contents of one speaker."""

    by_model: bool
    first: int
    contents: Sequence[Content]

    @property
    def calls(self) -> list[_At]:
        return [at for at in self._parts() if at.value.function_call is not None]

    @property
    def results(self) -> list[_At]:
        return [at for at in self._parts() if at.value.function_response is not None]

    @property
    def begins_with_results(self) -> bool:
        parts = self.contents[0].parts or ()
        return any(part.function_response is not None for part in parts)

    def _parts(self) -> Iterator[_At]:
        for number, content in enumerate(self.contents, self.first):
            for index, part in enumerate(content.parts or ()):
                yield _At(number, index, part)


def check_turns(contents: Sequence[Content], reading: Reading, complaints: Complaints) -> None:
    """Note calls and results that stand where they must not, and signatures that should be there."""
    if not any(_is_function(part) for content in contents for part in content.parts or ()):
        return
    spoken = list(_spoken(contents))
    for before, turn in zip([None, *spoken], spoken, strict=False):
        if complaints.full:
            return
        _check_turn(before, turn, complaints)
    if reading.manner.signatures_checked:
        for turn in _current(spoken):
            _check_signature(turn, reading, complaints)


def _is_function(part: Part) -> bool:
    return part.function_call is not None or part.function_response is not None


def _spoken(contents: Sequence[Content]) -> Iterator[_Spoken]:
    first = 0
    for by_model, group in groupby(contents, lambda content: content.role == _MODEL):
        run = list(group)
        yield _Spoken(by_model, first, run)
        first += len(run)


def _check_turn(before: _Spoken | None, turn: _Spoken, complaints: Complaints) -> None:
    calls, results = turn.calls, turn.results
    if turn.by_model:
        if results:
            complaints.say(f"{results[0].path}.function_response", RESPONSE_TURN)
        if calls and before is None:
            complaints.say(f"{calls[0].path}.function_call", CALL_TURN)
        return
    if calls:
        complaints.say(f"{calls[0].path}.function_call", CALL_TURN)
    due = len(before.calls) if before is not None else 0
    if results and (not due or not turn.begins_with_results):
        complaints.say(f"{results[0].path}.function_response", RESPONSE_TURN)
    elif len(results) != due:
        complaints.say(f"contents[{turn.first}]", COUNTS)


def _current(spoken: Sequence[_Spoken]) -> Sequence[_Spoken]:
    """Return what was said since the user last said something else than results."""
    for index in range(len(spoken) - 1, -1, -1):
        if not spoken[index].by_model and any(_says(content) for content in spoken[index].contents):
            return spoken[index + 1 :]
    return spoken


def _says(content: Content) -> bool:
    return any(part.function_response is None for part in content.parts or ())


def _check_signature(turn: _Spoken, reading: Reading, complaints: Complaints) -> None:
    """See to the first call of a step; those beside it have no signature of their own."""
    if not turn.by_model or not (calls := turn.calls):
        return
    call = calls[0]
    signature, path = call.value.thought_signature, f"{call.path}.thought_signature"
    if not signature:
        name = clip((call.value.function_call and call.value.function_call.name) or "")
        complaints.say(
            path,
            f"Function call `{name}` in the `{call.content + 1}.` content block is missing a "
            "`thought_signature`.",
        )
    elif not is_bypass(signature) and not reading.genuine(signature):
        complaints.say(path, NOT_VALID)


def is_bypass(signature: str) -> bool:
    """Tell whether a signature is one of the documented values that stand for none."""
    if signature.encode(errors="replace") in BYPASSES:
        return True
    try:
        return decode_base64(signature) in BYPASSES
    except ValueError:
        return False
