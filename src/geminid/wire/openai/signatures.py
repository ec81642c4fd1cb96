"""Thought signatures of calls that come back, where Google's imitation of OpenAI's API asks for them.

As on Google's own wire, the first call of each message since the user last spoke must carry one. It knows no
secret: whether a signature is genuine is told by a function.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from geminid.core.codec import decode_base64
from geminid.wire.openai.refused import Refused
from geminid.wire.openai.schema import (
    AnyMessage,
    AssistantMessage,
    ExtraContent,
    FunctionCallMade,
    UserMessage,
)

NOT_VALID = "Thought signature is not valid"
BYPASSES = (b"skip_thought_signature_validator", b"context_engineering_is_the_way_to_go")
"""Documented values for histories that another model wrote; sent as they are, or as base64."""


def check_signatures(messages: Sequence[AnyMessage], genuine: Callable[[str], bool]) -> None:
    """Raise ``Refused`` for the first signature that is missing or wrong."""
    asked = [index for index, message in enumerate(messages) if isinstance(message, UserMessage)]
    for index in range(asked[-1] + 1 if asked else 0, len(messages)):
        message = messages[index]
        if isinstance(message, AssistantMessage) and message.tool_calls:
            _check(message, index, genuine)


def _check(message: AssistantMessage, index: int, genuine: Callable[[str], bool]) -> None:
    call = (message.tool_calls or [])[0]
    if not isinstance(call, FunctionCallMade):
        return
    path = f"messages[{index}].tool_calls[0].extra_content.google.thought_signature"
    signature = _signature(call.extra_content) or _signature(message.extra_content)
    if not signature:
        raise Refused(
            f"Function call `{call.function.name}` in the `{index + 1}.` content block is missing a "
            "`thought_signature`.",
            path,
        )
    if not _is_bypass(signature) and not genuine(signature):
        raise Refused(NOT_VALID, path)


def _signature(extra: ExtraContent | None) -> str:
    return (extra and extra.google and extra.google.thought_signature) or ""


def _is_bypass(signature: str) -> bool:
    if signature.encode(errors="replace") in BYPASSES:
        return True
    try:
        return decode_base64(signature) in BYPASSES
    except ValueError:
        return False
