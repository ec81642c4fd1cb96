"""From a request's turns to the messages that chat templates know.

The server's half of building a prompt; :mod:`geminid.engines.openvino.prompt` is the engine process's.
It knows no template, so that the server need not import a template engine.
"""

from __future__ import annotations

from collections.abc import Iterable

from geminid.core.content import Part, Text
from geminid.core.request import GenerateRequest
from geminid.engines.openvino.messages import Message

ROLES = {"user": "user", "model": "assistant"}


def messages_of(request: GenerateRequest) -> tuple[Message, ...]:
    """Return the chat messages of a request: system first, neighbours of one role joined.

    Thoughts of earlier turns are left out: they are not prompted again.
    """
    messages = [Message("system", _joined(request.system))] if request.system else []
    for turn in request.turns:
        role, content = ROLES[turn.role], _joined(turn.parts)
        if messages and messages[-1].role == role:
            messages[-1] = Message(role, f"{messages[-1].content}\n{content}")
        else:
            messages.append(Message(role, content))
    return tuple(messages)


def _joined(parts: Iterable[Part]) -> str:
    return "".join(part.text for part in parts if isinstance(part, Text))
