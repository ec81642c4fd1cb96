"""From chat messages to the text that the model reads.

Templates come with the weights and are other people's programs: they are rendered in Jinja's
sandbox, in the engine process. Invariant: text of a caller never becomes a control token; a marker
such as ``<|im_end|>`` inside it is broken by a zero-width space.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NoReturn

import jinja2
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from geminid.engines.openvino.messages import Message

ZERO_WIDTH_SPACE = "\u200b"

PLAIN_TEMPLATE = (
    "{% for message in messages %}"
    "{{ message['role'] | capitalize }}: {{ message['content'] }}\n\n"
    "{% endfor %}"
    "Assistant:"
)
"""For weights that carry no template: a plain dialogue."""


class TemplateRefusal(ValueError):
    """The template does not take this conversation; the message is the template's own."""


class Prompt:
    """A model's chat template, ready to render.

    control_tokens: the texts of its markers. names: what else the template may use.
    """

    def __init__(self, template: str, control_tokens: Sequence[str], **names: str | bool) -> None:
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
        )
        environment.globals["raise_exception"] = _refuse
        environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
        self._template = environment.from_string(template or PLAIN_TEMPLATE)
        self._markers = re.compile("|".join(map(re.escape, control_tokens))) if control_tokens else None
        self._names = names

    def render(self, messages: Iterable[Message]) -> str:
        """Return the prompt text; raises :class:`TemplateRefusal` with the template's own words."""
        chat = [{"role": message.role, "content": self._inert(message.content)} for message in messages]
        try:
            return self._render(chat)
        except (jinja2.TemplateError, TypeError, ValueError) as error:
            if chat and chat[0]["role"] == "system":
                return self._without_system(chat, error)
            raise TemplateRefusal(str(error)) from error

    def _render(self, chat: list[dict[str, str]]) -> str:
        context: dict[str, Any] = {**self._names, "messages": chat, "add_generation_prompt": True}
        return self._template.render(context)

    def _without_system(self, chat: list[dict[str, str]], error: Exception) -> str:
        """Templates that know no system role (Gemma's) get its words before the first user's."""
        system, *rest = chat
        if not rest or rest[0]["role"] != "user":
            raise TemplateRefusal(str(error)) from error
        first = {"role": "user", "content": f"{system['content']}\n\n{rest[0]['content']}"}
        try:
            return self._render([first, *rest[1:]])
        except (jinja2.TemplateError, TypeError, ValueError) as again:
            raise TemplateRefusal(str(again)) from again

    def _inert(self, text: str) -> str:
        if self._markers is None:
            return text
        return self._markers.sub(lambda match: match[0][0] + ZERO_WIDTH_SPACE + match[0][1:], text)


def _refuse(message: str) -> NoReturn:
    raise TemplateRefusal(message)
