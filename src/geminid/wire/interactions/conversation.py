"""An input to a conversation: steps, contents or a string to turns, with the order of calls and results.

Neighbouring steps of one speaker are one turn. What a function gave back is named after the call that it
answers. It knows neither settings nor declared functions. Invariant: every step is in the turns, in its
order, or noted as wrong; every call that something follows is answered once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec

from geminid.core.content import Part, ToolCall, ToolResult, Turn
from geminid.wire.gemini.turnrules import CALL_TURN, COUNTS, NOT_VALID, RESPONSE_TURN, is_bypass
from geminid.wire.interactions.mistakes import Mistakes
from geminid.wire.interactions.steps import Found, read_step
from geminid.wire.lenient import Json
from geminid.wire.scalars import clip

NOTHING = "* GenerateContentRequest.contents: contents is not specified\n"
"""What the live service says of an input that says nothing."""
MISSING = "Function call `{}` at '{}' is missing a `thought_signature`."
UNKNOWN_CALL = "there is no function_call of this id that waits for its result."

Genuine = Callable[[str], bool]


class _Run:
    """What one speaker says until the other does. ``signature``: of its calls, with its path."""

    def __init__(self, by_model: bool, path: str) -> None:
        self.by_model = by_model
        self.path = path
        self.parts: list[Part] = []
        self.calls: list[tuple[ToolCall, str]] = []
        self.results: list[tuple[ToolResult, str]] = []
        self.opened_with_result = False
        self.signature = ("", "")

    def add(self, found: Found) -> None:
        part, path = found.part, found.path
        if found.signature and not self.calls:
            self.signature = (found.signature, path)
        if part is not None:
            self.parts.append(part)
        if isinstance(part, ToolCall):
            self.calls.append((part, path))
        elif isinstance(part, ToolResult):
            self.opened_with_result |= len(self.parts) == 1
            self.results.append((part, path))

    @property
    def says(self) -> bool:
        """Whether there is anything beside results."""
        return len(self.parts) > len(self.results)


def read_input(
    value: Json, before: Sequence[Turn], genuine: Genuine | None, mistakes: Mistakes
) -> tuple[Turn, ...]:
    """Return the turns of an input. before: what was said before it, whose calls it may answer.

    genuine: whether a thought signature is one that this server gave; None asks for none.
    """
    runs = list(_runs(value, mistakes))
    if not runs:
        if not mistakes.any:
            mistakes.quote(NOTHING)
        return ()
    waiting = _waiting(before)
    for last, run in zip([None, *runs], runs, strict=False):
        due = waiting if last is None else [call for call, _ in last.calls]
        _check(run, due, bool(before) or last is not None, mistakes)
    if genuine is not None:
        _check_signatures(runs, genuine, mistakes)
    return tuple(Turn("model" if run.by_model else "user", tuple(run.parts)) for run in runs)


def _waiting(turns: Sequence[Turn]) -> list[ToolCall]:
    """Return the calls that nothing was given back for."""
    last = turns[-1] if turns else None
    if last is None or last.role != "model":
        return []
    return [part for part in last.parts if isinstance(part, ToolCall)]


def _runs(value: Json, mistakes: Mistakes) -> Iterator[_Run]:
    run: _Run | None = None
    items = value if isinstance(value, list) else [] if value is None else [value]
    for index, item in enumerate(items):
        if mistakes.full:
            return
        path = f"input[{index}]" if isinstance(value, list) else "input"
        for found in read_step(item, path, mistakes):
            if run is None or run.by_model != found.by_model:
                if run is not None and run.parts:
                    yield run
                run = _Run(found.by_model, path)
            run.add(found)
    if run is not None and run.parts:
        yield run


def _check(run: _Run, due: Sequence[ToolCall], after_something: bool, mistakes: Mistakes) -> None:
    """Note calls and results that stand where they must not, and name the results."""
    if run.by_model:
        if run.calls and not after_something:
            mistakes.say(run.calls[0][1], CALL_TURN)
        return
    if run.results and (not due or not run.opened_with_result):
        mistakes.say(run.results[0][1], RESPONSE_TURN)
    elif len(run.results) != len(due):
        mistakes.say(run.path, COUNTS)
    else:
        _name(run, due, mistakes)


def _name(run: _Run, due: Sequence[ToolCall], mistakes: Mistakes) -> None:
    waiting = {call.id: call for call in due}
    named: dict[int, ToolResult] = {}
    for result, path in run.results:
        call = waiting.pop(result.id, None)
        if call is None:
            mistakes.refuse(f"{path}.call_id", UNKNOWN_CALL)
        else:
            named[id(result)] = msgspec.structs.replace(result, name=call.name)
    run.parts = [named.get(id(part), part) for part in run.parts]


def _check_signatures(runs: Sequence[_Run], genuine: Genuine, mistakes: Mistakes) -> None:
    """See to the calls that were made since the user last said something else than results."""
    spoken = [index for index, run in enumerate(runs) if not run.by_model and run.says]
    for run in runs[spoken[-1] + 1 if spoken else 0 :]:
        if not run.by_model or not run.calls:
            continue
        (signature, at), (call, path) = run.signature, run.calls[0]
        if not signature:
            mistakes.say(path, MISSING.format(clip(call.name), path))
        elif not is_bypass(signature) and not genuine(signature):
            mistakes.say(at if at.endswith(".signature") else f"{at}.signature", NOT_VALID)
