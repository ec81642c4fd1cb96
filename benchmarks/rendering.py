"""Prompts as geminid renders them, for arms that take rendered text: both then read the same tokens.

The words that geminid adds by itself (the list of labels, the schema) are in them.
"""

from __future__ import annotations

from collections.abc import Callable

import openvino_genai

from benchmarks.machine import Model
from geminid.core.card import ModelCard
from geminid.engines.openvino.conversation import conversation_of
from geminid.engines.openvino.messages import Conversation
from geminid.engines.openvino.prompt import Prompt
from geminid.wire.gemini.generate import read_request


def conversation(card: ModelCard, body: str) -> Conversation:
    """Return the chat messages that a body of generateContent becomes."""
    return conversation_of(card, read_request(body.encode(), card.name).request)


def renderer(model: Model) -> Callable[[str], str]:
    """Return what renders a body of generateContent. Texts with control tokens in them are not for it."""
    tokenizer = openvino_genai.Tokenizer(str(model.folder))
    prompt = Prompt(
        model.card.chat_template or tokenizer.chat_template,
        (),
        bos_token=tokenizer.get_bos_token(),
        eos_token=tokenizer.get_eos_token(),
        **model.card.template_options,
    )
    return lambda body: prompt.render(conversation(model.card, body))
