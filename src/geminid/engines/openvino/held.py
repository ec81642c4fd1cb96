"""One request that an engine holds: what was asked, what was planned, and its answer on the way.

It turns what the engine process says of the request into events for its reader: text, thoughts, whole
function calls. It knows no process and no other request.
"""

from __future__ import annotations

from collections.abc import Callable

from geminid.core.errors import Unavailable
from geminid.core.events import FinishReason, PrefixFound, ToolCallMade
from geminid.core.request import GenerateRequest
from geminid.core.usage import Usage
from geminid.engines.calls import CallReader
from geminid.engines.openvino.messages import Delta, Found
from geminid.engines.openvino.submission import Plan
from geminid.engines.slot import Slot

RETRY_AFTER_MS = 5_000
MALFORMED = "The model began a function call and did not write one that can be read."


class Held:
    """A request inside of an engine. ``new_call_id`` names the function calls of its answer."""

    def __init__(self, request: GenerateRequest, plan: Plan, new_call_id: Callable[[], str]) -> None:
        self.plan = plan
        self.slot = Slot(request)
        self._new_call_id = new_call_id
        self.waited_ms: int | None = None
        self._calls: dict[int, CallReader] = {}

    def produced(self) -> Usage:
        """Return the tokens that the engine has made of the answer, also those that nobody has read."""
        calls = sum(reader.unread_tokens for reader in self._calls.values())
        return self.slot.made + Usage(candidates=calls)

    def waited(self) -> int | None:
        """Return for how long the request had waited when it was begun; None before that."""
        return self.waited_ms

    def begin_again(self) -> None:
        """Forget what a process that died had begun to write."""
        self._calls.clear()

    def find(self, found: Found) -> None:
        """Take what was found of the prompt when the request was begun."""
        self.slot.find(PrefixFound(found.tokens, found.media))

    def deliver(self, delta: Delta) -> None:
        """Take what one step produced for one candidate."""
        if delta.finish == "failed":
            self.slot.fail(
                Unavailable("The engine ran out of memory for this request.", retry_after_ms=RETRY_AFTER_MS)
            )
            return
        reason = FinishReason(delta.finish) if delta.finish else None
        match delta.kind:
            case "thought":
                self.slot.put_thought(delta.text, delta.tokens, delta.candidate)
            case "call":
                self._deliver_calls(delta, reason)
            case "text":
                self.slot.put(
                    delta.text, delta.tokens, delta.candidate, logprobs=delta.logprobs, reason=reason
                )

    def _deliver_calls(self, delta: Delta, reason: FinishReason | None) -> None:
        """Tell calls as wholes, each with the tokens since the one before it."""
        reader = self._calls.get(delta.candidate)
        if reader is None:
            reader = self._calls[delta.candidate] = CallReader(self.plan.form, self._new_call_id)
        for call, tokens in reader.put(delta.text, delta.tokens):
            self.slot.put_call(ToolCallMade(call, tokens, delta.candidate))
        if reason is None:
            return
        detail = ""
        if reason is FinishReason.STOP and not reader.found:
            reason, detail = FinishReason.MALFORMED_CALL, MALFORMED
        del self._calls[delta.candidate]
        self.slot.put("", reader.unread_tokens, delta.candidate, reason=reason, detail=detail)
