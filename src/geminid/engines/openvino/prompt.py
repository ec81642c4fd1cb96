"""From chat messages to the text that the model reads.

Templates come with the weights and are other people's programs: they are rendered in Jinja's
sandbox, in the engine process. Invariant: text of a caller never becomes a control token, nor a place for
a picture; a marker such as ``<|im_end|>`` inside it is broken by a zero-width space.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import count, groupby
from typing import Any, NoReturn

import jinja2
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from geminid.core.content import Modality, Picture, Text
from geminid.engines.openvino.eyes import ZERO_WIDTH_SPACE, harmless, place
from geminid.engines.openvino.messages import Call, Content, Conversation, Message

PLAIN_TEMPLATE = (
    "{% for message in messages %}"
    "{{ message['role'] | capitalize }}: {{ message['content'] }}\n\n"
    "{% endfor %}"
    "Assistant:"
)
"""For weights that carry no template: a plain dialogue."""


_HERE = "\u2060HERE\u2060"
"""A text that no conversation holds by chance; word joiners are left alone by templates that trim."""


class TemplateRefusal(ValueError):
    """The template does not take this conversation; the message is the template's own."""


class Prompt:
    """A model's chat template, ready to render.

    control_tokens: the texts of its markers. sees: whether the model takes pictures. names: what else the
    template may use.
    """

    def __init__(
        self, template: str, control_tokens: Sequence[str], *, sees: bool = False, **names: str | bool
    ) -> None:
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
        )
        environment.filters["tojson"] = _to_json  # Jinja's own escapes for HTML
        environment.globals["raise_exception"] = _refuse
        environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
        self._template = environment.from_string(template or PLAIN_TEMPLATE)
        self._markers = re.compile("|".join(map(re.escape, control_tokens))) if control_tokens else None
        self._sees = sees
        self._names = names
        self._as_list = False
        self._as_list = sees and not self._takes_words()

    def render(self, conversation: Conversation) -> str:
        """Return the prompt text; raises :class:`TemplateRefusal` with the template's own words."""
        places = count()
        chat = [self._chat_message(message, places) for message in conversation.messages]
        names: dict[str, Any] = {**self._names, **conversation.options}
        if conversation.tools:
            names["tools"] = [self._inert(json.loads(tool)) for tool in conversation.tools]
        text = self._rendered(chat, names)
        if any(text.count(place(number)) != 1 for number in range(next(places))):
            raise TemplateRefusal("The chat template of this model takes no pictures there.")
        return text

    def follow_up(self, conversation: Conversation, words: str) -> str:
        """Return what stands behind an answer when the user then says ``words``: up to the next answer.

        The rendered conversation, an answer and this text are the prompt of the second answer.
        """
        said = Message("assistant", _HERE), Message("user", words)
        longer = Conversation((*conversation.messages, *said), conversation.tools, conversation.options)
        _, here, behind = self.render(longer).rpartition(_HERE)
        if not here:
            raise TemplateRefusal("The chat template of this model leaves answers out.")
        return behind

    def passages(self, conversation: Conversation) -> Iterator[tuple[str, Modality]]:
        """Yield what was read from media as it is rendered, in the order of the conversation."""
        for message in conversation.messages:
            for piece in () if isinstance(message.content, str) else message.content:
                if isinstance(piece, Text) and piece.modality != "text":
                    yield self._inert(piece.text), piece.modality

    def _chat_message(self, message: Message, places: Iterator[int]) -> dict[str, Any]:
        chat: dict[str, Any] = {"role": message.role, "content": self._words(message.content, places)}
        if message.name:
            chat["name"] = self._inert(message.name)
        if message.calls:
            chat["tool_calls"] = [self._tool_call(call) for call in message.calls]
        return chat

    def _words(self, content: Content, places: Iterator[int]) -> str:
        """Return content as text, with a place for each picture. Texts are joined before they are looked
        at, so that no marker comes together from two."""
        if isinstance(content, str):
            return str(self._inert(content))
        said: list[str] = []
        for seen, pieces in groupby(content, key=lambda piece: isinstance(piece, Picture)):
            if seen:
                said += [place(next(places)) for _ in pieces]
            else:
                said.append(self._inert("".join(piece.text for piece in pieces if isinstance(piece, Text))))
        return "".join(said)

    def _takes_words(self) -> bool:
        """Whether the template takes content as text; those of some models with eyes want a list."""
        try:
            return _HERE in self.render(Conversation((Message("user", _HERE),)))
        except TemplateRefusal:
            return False

    def _tool_call(self, call: Call) -> dict[str, Any]:
        arguments = self._inert(json.loads(call.args))
        return {"type": "function", "function": {"name": self._inert(call.name), "arguments": arguments}}

    def _rendered(self, chat: list[dict[str, Any]], names: dict[str, Any]) -> str:
        try:
            return self._render(chat, names)
        except (jinja2.TemplateError, TypeError, ValueError) as error:
            if chat and chat[0]["role"] == "system":
                return self._without_system(chat, names, error)
            raise TemplateRefusal(str(error)) from error

    def _render(self, chat: list[dict[str, Any]], names: dict[str, Any]) -> str:
        if self._as_list:
            chat = [{**each, "content": [{"type": "text", "text": each["content"]}]} for each in chat]
        return self._template.render({**names, "messages": chat, "add_generation_prompt": True})

    def _without_system(self, chat: list[dict[str, Any]], names: dict[str, Any], error: Exception) -> str:
        """Templates that know no system role (Gemma's) get its words before the first user's."""
        system, *rest = chat
        if not rest or rest[0]["role"] != "user":
            raise TemplateRefusal(str(error)) from error
        first = {"role": "user", "content": f"{system['content']}\n\n{rest[0]['content']}"}
        try:
            return self._render([first, *rest[1:]], names)
        except (jinja2.TemplateError, TypeError, ValueError) as again:
            raise TemplateRefusal(str(again)) from again

    def _inert(self, value: Any) -> Any:
        """Return a JSON value in which no text is a control token or a place for a picture."""
        if self._markers is None and not self._sees:
            return value
        if isinstance(value, str):
            if self._markers is not None:
                value = self._markers.sub(lambda match: match[0][0] + ZERO_WIDTH_SPACE + match[0][1:], value)
            return harmless(value) if self._sees else value
        if isinstance(value, list):
            return [self._inert(item) for item in value]
        if isinstance(value, dict):
            return {self._inert(key): self._inert(item) for key, item in value.items()}
        return value


def _to_json(value: Any, indent: int | None = None, **_: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _refuse(message: str) -> NoReturn:
    raise TemplateRefusal(message)
