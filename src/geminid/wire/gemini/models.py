"""Models on the Gemini wire: cards as resources, and lists of them page by page."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence

from geminid.core.card import EmbeddingCard, ModelCard
from geminid.core.errors import FieldViolation, InvalidArgument
from geminid.wire.gemini import answers
from geminid.wire.gemini.replies import ListModelsResponse, Model
from geminid.wire.scalars import INT32_MAX, clip

PAGE_SIZE = 50
PAGE_SIZE_MAX = 1000
METHODS = ("generateContent", "countTokens", "createCachedContent", "batchGenerateContent")
"""What every served model can be asked; streaming is a form of generateContent."""
EMBED_METHODS = (
    "embedContent",
    "batchEmbedContents",
    "asyncBatchEmbedContent",
    "countTextTokens",
    "countTokens",
)
"""What a model that embeds can be asked."""
EMBED_OUTPUT_TOKENS = 1
"""What Google tells of such models, which put out no tokens at all."""

Card = ModelCard | EmbeddingCard

_INTEGER = re.compile(r"-?\d{1,20}", re.ASCII)
_TOKEN = re.compile(r"after:(\d{1,15})", re.ASCII)


def write_model(card: Card, name: str) -> bytes:
    """Return the resource ``models/<name>``, where ``name`` is the card's own or an alias of it."""
    return answers.pretty(_model(card, name))


def write_list(entries: Sequence[tuple[str, Card]], next_page_token: str | None) -> bytes:
    """Return one page of (name, card), with the token of the page after it if there is one."""
    models = [_model(card, name) for name, card in entries]
    return answers.pretty(ListModelsResponse(models=models or None, next_page_token=next_page_token or None))


def write_page_token(offset: int) -> str:
    """Return the token that stands for "after the first ``offset`` entries"."""
    return base64.urlsafe_b64encode(f"after:{offset}".encode()).rstrip(b"=").decode()


def read_page(page_size: str | None, page_token: str | None) -> tuple[int, int]:
    """Return (size, offset) of the page that the query asks for, in entries.

    No size, or 0, is 50; more than 1000 is 1000. Raises InvalidArgument for a size that is no number
    or negative, and for a token that this server did not give.
    """
    return _page_size(page_size or "0"), _page_offset(page_token or "")


def _page_size(said: str) -> int:
    if not _INTEGER.fullmatch(said) or not -INT32_MAX <= int(said) <= INT32_MAX:
        raise _refusal("page_size", f"Invalid value at 'page_size' (TYPE_INT32), \"{clip(said)}\"")
    if int(said) < 0:
        raise _refusal("page_size", "* ListModelsRequest.page_size: page_size must not be negative.")
    return min(int(said) or PAGE_SIZE, PAGE_SIZE_MAX)


def _page_offset(token: str) -> int:
    if not token:
        return 0
    try:
        text = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        text = ""
    found = _TOKEN.fullmatch(text)
    if found is None:
        raise _refusal("page_token", "* ListModelsRequest.page_token: page_token is invalid.")
    return int(found[1])


def _refusal(field: str, message: str) -> InvalidArgument:
    return InvalidArgument(message, violations=(FieldViolation(message, field),))


def _model(card: Card, name: str) -> Model:
    if isinstance(card, EmbeddingCard):
        return _embedding_model(card, name)
    return Model(
        name=f"models/{name}",
        base_model_id=card.name if card.name != name else None,
        version=card.version,
        display_name=card.title,
        description=card.description or None,
        input_token_limit=card.input_tokens_max,
        output_token_limit=card.output_tokens_max,
        supported_generation_methods=list(METHODS),
        temperature=_plain(card.defaults.temperature),
        top_p=_plain(card.defaults.top_p),
        top_k=card.defaults.top_k or None,  # 0 is no limit, which the resource tells by silence
        max_temperature=_plain(card.temperature_max),
        thinking=True,
    )


def _embedding_model(card: EmbeddingCard, name: str) -> Model:
    return Model(
        name=f"models/{name}",
        base_model_id=card.name if card.name != name else None,
        version=card.version,
        display_name=card.title,
        description=card.description or None,
        input_token_limit=card.context_tokens_max,
        output_token_limit=EMBED_OUTPUT_TOKENS,
        supported_generation_methods=list(EMBED_METHODS),
    )


def _plain(number: float | None) -> float | None:
    """Write whole numbers without a fraction, as Google's printer does."""
    return int(number) if number is not None and number == int(number) else number
