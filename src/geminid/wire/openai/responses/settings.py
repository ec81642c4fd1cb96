"""What a response tells again of how it was asked for, with what holds where nothing was said.

It decides nothing. Invariant: what is told is what holds, not what was wished for.
"""

from __future__ import annotations

from typing import Any

from geminid.core.card import ModelCard
from geminid.core.request import GenerateRequest
from geminid.wire.openai.answers import TIERS
from geminid.wire.openai.responses.refusals import summary_of
from geminid.wire.openai.responses.replies import Settings
from geminid.wire.openai.responses.schema import JsonSchemaFormat, ResponsesRequest, TextConfig
from geminid.wire.openai.responses.tools import Calling
from geminid.wire.openai.schema import JsonObjectFormat

FREE_TEXT = {"type": "text"}
_EFFORTS = {"xhigh": "high", "max": "high"}


def settings_of(
    message: ResponsesRequest,
    request: GenerateRequest,
    calling: Calling,
    card: ModelCard,
    *,
    folds: bool,
) -> Settings:
    """Return what is told again. card: the model that answers; folds: whether inputs too long are folded."""
    sampling = request.sampling.over(card.defaults)
    return Settings(
        background=bool(message.background),
        instructions=message.instructions,
        max_output_tokens=message.max_output_tokens,
        max_tool_calls=message.max_tool_calls,
        parallel_tool_calls=message.parallel_tool_calls is not False,
        previous_response_id=message.previous_response_id,
        prompt_cache_key=message.prompt_cache_key,
        prompt_cache_retention=message.prompt_cache_retention,
        reasoning=_told_reasoning(message),
        safety_identifier=message.safety_identifier,
        service_tier=TIERS[request.tier],
        store=message.store is not False,
        temperature=sampling.temperature,
        text=_told_text(message.text or TextConfig()),
        tool_choice="auto" if message.tool_choice is None else message.tool_choice,
        tools=calling.told,
        top_logprobs=message.top_logprobs or 0,
        top_p=sampling.top_p,
        truncation="auto" if message.truncation == "auto" and folds else "disabled",
        user=message.user,
        metadata=message.metadata or {},
    )


def _told_reasoning(message: ResponsesRequest) -> dict[str, Any]:
    effort = message.reasoning.effort if message.reasoning else None
    summary = summary_of(message)
    return {
        "effort": effort if effort is None else _EFFORTS.get(effort, effort),
        "summary": None if summary is None else "detailed",
    }


def _told_text(text: TextConfig) -> dict[str, Any]:
    told: dict[str, Any] = dict(FREE_TEXT)
    match text.format:
        case JsonObjectFormat():
            told = {"type": "json_object"}
        case JsonSchemaFormat() as form:
            told = {
                "type": "json_schema",
                "description": form.description,
                "name": form.name,
                "schema": form.schema,
                "strict": bool(form.strict),
            }
    return {"format": told, "verbosity": "medium"}
