"""Parts of OpenAI's API that this server has not, and what to use instead."""

from __future__ import annotations

_ASSISTANTS = (
    "The Assistants API was shut down on 2026-08-26. Use the Responses API instead: POST /v1/responses."
)
_HINTS: tuple[tuple[str, str], ...] = (
    ("/v1/assistants", _ASSISTANTS),
    ("/v1/threads", _ASSISTANTS),
    ("/v1/completions", "Use chat completions instead: POST /v1/chat/completions."),
    ("/v1/edits", "Use chat completions instead: POST /v1/chat/completions."),
    ("/v1/engines", "Use models instead: GET /v1/models."),
    ("/v1/chat/completions/", "Chat completions are not kept by this server."),
    (
        "/v1/responses/compact",
        "Nothing is compacted here. Go on with previous_response_id, or send fewer items of the input.",
    ),
    ("/v1/conversations", "Conversations are chains of responses here: use previous_response_id."),
    ("/v1/prompts", "Prompt templates are not kept here; send instructions and input."),
    (
        "/v1/moderations",
        "This server has no classifier of its own, and an invented verdict would be worse than none. Ask a "
        "model for one in a form of yours: chat completions with response_format; examples/moderate.py shows "
        "how.",
    ),
    ("/v1/images", "This server makes no pictures; it reads them."),
    ("/v1/videos", "This server makes no films; it reads them."),
    ("/v1/audio/speech", "This server does not speak; it hears: POST /v1/audio/transcriptions."),
    ("/v1/realtime/calls", "This server takes no calls; open a WebSocket at /v1/realtime instead."),
    ("/v1/realtime/sessions", "Use client secrets instead: POST /v1/realtime/client_secrets."),
    ("/v1/realtime", "Open a WebSocket at /v1/realtime."),
    ("/v1/fine_tuning", "This server does not train models; it serves weights that were trained elsewhere."),
    ("/v1/fine-tunes", "This server does not train models; it serves weights that were trained elsewhere."),
    ("/v1/uploads", "Send the file whole instead, however large: POST /v1/files."),
    ("/v1/evals", "This server runs no evaluations; a batch answers their requests: POST /v1/batches."),
    ("/v1/containers", "This server runs no code of a model's."),
    ("/v1/organization", "Projects, keys and usage are administered at /admin/v1."),
)
"""Beginnings of paths; the first that fits counts."""


def hint_of(path: str) -> str:
    """Return what to use instead of a path; empty where nothing is known of it."""
    return next((hint for begin, hint in _HINTS if path.startswith(begin)), "")
