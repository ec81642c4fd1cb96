"""``cachedContent`` of a request: what it begins with, and what it may not say beside it."""

from __future__ import annotations

from geminid.wire.gemini.complaints import Complaints
from geminid.wire.gemini.schema import GenerateContentRequest

PREFIX = "cachedContents/"
EXCLUDED = ("system_instruction", "tools", "tool_config")
BESIDE = (
    "CachedContent can not be used with GenerateContent request setting system_instruction, tools or "
    "tool_config.\n\nProposed fix: move those values to CachedContent from GenerateContent request."
)


def read_cached_content(message: GenerateContentRequest, complaints: Complaints) -> str:
    """Return the id of the cached contents that a request names, empty for none.

    Raises InvalidArgument for what cannot be said beside it. Whether there are any of that name, the service
    says: it is the same whatever the name looks like.
    """
    said = message.cached_content
    if not said:
        return ""
    beside = [name for name in EXCLUDED if getattr(message, name) not in (None, [])]
    if beside:
        complaints.say(beside[0], BESIDE)
        complaints.settle()  # in these very words, whatever else is wrong
    return said.removeprefix(PREFIX) or said
