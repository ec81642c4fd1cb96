"""Parts of OpenAI's API that this server has not, and what to use instead."""

from __future__ import annotations

_ASSISTANTS = (
    "The Assistants API was shut down on 2026-08-26. Use the Responses API instead: POST /v1/responses."
)
_HINTS: tuple[tuple[str, str], ...] = (
    ("/v1/assistants", _ASSISTANTS),
    ("/v1/threads", _ASSISTANTS),
    ("/v1/completions", "Use chat completions instead: POST /v1/chat/completions."),
    ("/v1/engines", "Use models instead: GET /v1/models."),
    ("/v1/chat/completions/", "Chat completions are not kept by this server."),
)
"""Beginnings of paths; the first that fits counts."""


def hint_of(path: str) -> str:
    """Return what to use instead of a path; empty where nothing is known of it."""
    return next((hint for begin, hint in _HINTS if path.startswith(begin)), "")
