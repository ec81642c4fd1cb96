"""What crosses the link between the server and an engine process: small encoded values.

They travel in frames of :mod:`geminid.process.frames`. Nothing here knows a socket or OpenVINO,
so that an engine on another machine would be a new transport, not a new design.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from geminid.core.content import Modality, Picture, Text
from geminid.core.events import TokenLogprob
from geminid.core.request import Sampling


class Call(msgspec.Struct, frozen=True, array_like=True):
    """A function call in the history. ``args`` is a JSON object as text: JSON knows larger numbers than a
    frame does."""

    name: str
    args: str


Content: TypeAlias = str | tuple[Text | Picture, ...]
"""Plain words; or pieces, where some of them came from media."""


class Message(msgspec.Struct, frozen=True, array_like=True):
    """One chat message as chat templates know it. ``name`` is that of the function whose result it is."""

    role: str
    content: Content
    calls: tuple[Call, ...] = ()
    name: str = ""


class Conversation(msgspec.Struct, frozen=True, array_like=True):
    """What a prompt is rendered from.

    tools: declarations for templates that take them, each a JSON object as text. options: names for the
    template beside its own.
    """

    messages: tuple[Message, ...]
    tools: tuple[str, ...] = ()
    options: dict[str, bool | str] = {}


class Load(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """The first frame: what to load and how.

    kv_cache_gib: the bound on KV memory. batch_tokens_max: tokens computed in one step, the size of
    the pieces in which long prompts are prefilled. sequences_max: answers that advance together.
    properties: passed to the OpenVINO device as they are. sees: whether the model takes pictures, and
    picture_tokens_max: how many tokens of them in one prompt. cached_tokens_max: of all prefixes that are
    kept; 0 for half of the KV cells. implicit_tokens_min: what was found computed is told from so many tokens
    on. label_graph: whether lines of batches that ask for labels are read by a graph of their own.
    """

    weights: str
    chat_template: str
    template_options: dict[str, bool | str]
    context_tokens_max: int
    kv_cache_gib: int
    batch_tokens_max: int
    sequences_max: int
    properties: dict[str, str | int | float | bool]
    sees: bool = False
    picture_tokens_max: int = 0
    cached_tokens_max: int = 0
    implicit_tokens_min: int = 32
    label_graph: bool = False


class Think(msgspec.Struct, frozen=True, array_like=True):
    """Think first, in at most ``budget`` tokens; see :class:`geminid.core.forms.ThinkingForm`."""

    budget: int
    opening: str
    stop: str
    closing: str
    follow_up: str
    repeats: bool = True


class CallForm(msgspec.Struct, frozen=True, array_like=True):
    """Function calls may, or if ``forced`` must, follow.

    begin: the text that announces a call; with ``at_start`` only as the first thing that is said.
    opening: what is then put behind it. grammar: what the rest of the answer must look like, in EBNF.
    between: what stands between two calls. repeats: whether an answer goes on after the same call twice.
    """

    begin: str
    opening: str
    at_start: bool
    forced: bool
    grammar: str
    between: str
    repeats: bool = True


Kind = Literal["text", "thought", "call"]
"""What a stretch of an answer is: for the reader, for the model itself, or calls as they were written."""


class Submit(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Answer this conversation with ``candidates`` independent answers.

    tokens_max: bound on thoughts and answer together. skip: put behind the prompt when the model shall
    not think. grammar: EBNF that the text must fit; empty for any text. labels: the answer is one of
    these, and ``grammar`` accepts exactly them. urgency: the smaller, the sooner it is begun. project: whose
    turn it is then.
    """

    id: int
    conversation: Conversation
    sampling: Sampling
    candidates: int
    tokens_max: int
    stop: tuple[str, ...] = ()
    logprobs: bool = False
    think: Think | None = None
    skip: str = ""
    grammar: str = ""
    labels: tuple[str, ...] = ()
    calling: CallForm | None = None
    urgency: int = 1
    project: str = ""
    prefix: str = ""


class Count(msgspec.Struct, frozen=True, tag=True):
    """How many tokens would this prompt have, and how many of them are of a kept ``prefix``?"""

    id: int
    conversation: Conversation
    prefix: str = ""


class Keep(msgspec.Struct, frozen=True, tag=True):
    """Compute what these conversations have in common, and keep it as ``prefix`` until it is dropped."""

    id: int
    prefix: str
    conversations: tuple[Conversation, ...]
    urgency: int = 1


class Drop(msgspec.Struct, frozen=True, tag=True):
    """Keep a prefix no longer."""

    prefix: str


class Cancel(msgspec.Struct, frozen=True, tag=True):
    """Nobody waits for this request any more: free what it holds."""

    id: int


ToWorker = Load | Submit | Count | Cancel | Keep | Drop


class Ready(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """The model answers. ``kv_tokens_max`` is how many tokens fit into the KV cells together,
    ``cached_tokens_max`` how many of them prefixes may take that are kept."""

    load_ms: int
    kv_tokens_max: int
    context_tokens_max: int
    cached_tokens_max: int = 0


class Accepted(msgspec.Struct, frozen=True, tag=True):
    """The request is tokenised, fits and is queued. ``media``: the share of the prompt's tokens that came
    from media, by modality. cached_tokens: what the kept prefix makes up that it names, cached_media:
    likewise of these."""

    id: int
    prompt_tokens: int
    media: dict[Modality, int] = {}
    cached_tokens: int = 0
    cached_media: dict[Modality, int] = {}


class Counted(msgspec.Struct, frozen=True, tag=True):
    """The answer to ``Count``, in the terms of ``Accepted``."""

    id: int
    prompt_tokens: int
    media: dict[Modality, int] = {}
    cached_tokens: int = 0
    cached_media: dict[Modality, int] = {}


class Kept(msgspec.Struct, frozen=True, tag=True):
    """The answer to ``Keep``: the prefix is computed, and has so many tokens."""

    id: int
    prompt_tokens: int
    media: dict[Modality, int] = {}


class Refused(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """The request cannot be answered by this model, and will not be on another try.

    ``too_long``: ``tokens`` of prompt where ``tokens_max`` are allowed. ``invalid``: the message says
    why, in words for the caller. ``failed``: the engine could not, the message is for the log. ``full``: a
    prefix of ``tokens`` does not fit beside the ``kept`` tokens of others, where ``tokens_max`` are kept.
    """

    id: int
    kind: Literal["too_long", "invalid", "failed", "full"]
    message: str = ""
    tokens: int = 0
    tokens_max: int = 0
    kept: int = 0


Finish = Literal["", "stop", "max_tokens", "failed"]
"""Why an answer is over; empty while it is not. ``failed``: it did not fit into the KV cells."""


class Delta(msgspec.Struct, frozen=True, array_like=True):
    """What one step produced for one candidate."""

    id: int
    candidate: int
    text: str
    tokens: int
    finish: Finish = ""
    logprobs: tuple[TokenLogprob, ...] = ()
    kind: Kind = "text"


class Found(msgspec.Struct, frozen=True, array_like=True):
    """So many tokens of a prompt, beyond its kept prefix, were not computed again."""

    tokens: int
    media: dict[Modality, int] = {}


class Stepped(msgspec.Struct, frozen=True, tag=True):
    """One step of all running requests. Also the proof that the engine is alive.

    begun: requests that were begun since the step before, and for how many milliseconds they had waited
    since they were accepted. found: of those of them that found anything.
    """

    deltas: list[Delta]
    running: int
    kv_used: float
    begun: dict[int, int] = {}
    found: dict[int, Found] = {}


FromWorker = Ready | Accepted | Counted | Kept | Refused | Stepped

decode_to_worker = msgspec.msgpack.Decoder(ToWorker).decode
decode_from_worker = msgspec.msgpack.Decoder(FromWorker).decode
