"""OpenAI's Realtime: what a client sends over its socket."""

import typing
from collections.abc import Iterable
from typing import Any

from contract.bodies.remarks import TABLED, UNSERVED, VALUE
from contract.fields import Remark, Request, Row, Unserved
from geminid.wire.openai.realtime import client_events, prompt, session
from geminid.wire.openai.realtime.client_events import ResponseCreate, SessionUpdate
from geminid.wire.openai.realtime.conversation import Bounds, Conversation

MCP_ITEMS = ("mcp_approval_request", "mcp_approval_response", "mcp_call", "mcp_list_tools")
MCP_TOOLS = ("tools[]", "tool_choice")
ECHO = Remark("without effect", "of items that are sent back")


def sdk() -> Iterable[Any]:
    from openai.types.realtime import realtime_client_event_param as params

    return (params.RealtimeClientEventParam,)


def read(body: bytes) -> tuple[str, ...]:
    """Take an event as a session does at its beginning."""
    event = client_events.read_event(body.decode())
    begun = session.Session(id="sess_1", kind="realtime", model="tiny")
    match event:
        case SessionUpdate():
            session.updated(begun, event.session)
        case ResponseCreate():
            prompt.asked(begun, Conversation(Bounds(items_max=9, bytes_max=99), str), event.response)
    return ()


def _session(**fields: Any) -> dict[str, Any]:
    return {"type": "session.update", "session": {"type": "realtime", **fields}}


def _sound(**fields: Any) -> dict[str, Any]:
    return _session(audio={"input": fields})


def _response(**fields: Any) -> dict[str, Any]:
    return {"type": "response.create", "response": fields}


def refused(code: str, how: str = "", sample: dict[str, Any] | None = None) -> Remark:
    """Return that a field is refused: there is no status in a session, but an event of this code."""
    return Remark("refused", f"error `{code}`" + (f"; {how}" if how else ""), sample, code)


REALTIME = Request(
    "WS /v1/realtime: events of clients",
    typing.get_args(client_events.AnyEvent),
    sdk,
    least={"type": "input_audio_buffer.clear"},
    read=read,
    more=(
        Row("type", ("output_audio_buffer.clear",), "string", f"refused: error `{UNSERVED}`"),
        Row(
            "type", ("conversation.item.truncate",), "string", f"refused: error `{VALUE}`; nothing was spoken"
        ),
    ),
    status="error",
    unserved=(
        Unserved("item", MCP_ITEMS, VALUE),
        Unserved("response.input[]", MCP_ITEMS, VALUE),
        *(
            Unserved(f"{place}.{tool}", ("mcp",), VALUE)
            for place in ("session", "response")
            for tool in MCP_TOOLS
        ),
    ),
    remarks={
        "session.output_modalities": refused(
            TABLED, 'let through: `["text"]`', _session(output_modalities=["audio"])
        ),
        "session.include": refused(TABLED, "let through: an empty list", _session(include=["x"])),
        "session.prompt": refused(TABLED, "", _session(prompt={"id": "p"})),
        "session.audio.output": Remark("without effect", "answers are text"),
        "session.audio.input.noise_reduction": refused(
            TABLED, "", _sound(noise_reduction={"type": "near_field"})
        ),
        "session.audio.input.turn_detection (semantic_vad)": refused(
            TABLED, "", _sound(turn_detection={"type": "semantic_vad"})
        ),
        "session.audio.input.turn_detection.idle_timeout_ms": refused(
            TABLED, "", _sound(turn_detection={"type": "server_vad", "idle_timeout_ms": 6000})
        ),
        "response.output_modalities": refused(
            TABLED, 'let through: `["text"]`', _response(output_modalities=["audio"])
        ),
        "response.prompt": refused(TABLED, "", _response(prompt={"id": "p"})),
        "session.truncation.token_limits": Remark("without effect", "the model's window is the bound"),
        "item.object": ECHO,
        "item.status": ECHO,
        "response.input[].object": ECHO,
        "response.input[].status": ECHO,
        "item.content[].transcript": Remark("without effect", "it is not told to the model"),
    },
)
