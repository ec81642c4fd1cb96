"""Cached contents on the Gemini wire: the resource, lists of it, and what a client wants cached or changed.

It knows no tokens, no time of day and no HTTP. Invariant: what is in cached contents is never written back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from geminid.core.cache import Cache, CachePlace, Expiration, NewCache
from geminid.core.errors import FieldViolation, InvalidArgument
from geminid.core.request import GenerateRequest
from geminid.wire.gemini import answers, pages, times
from geminid.wire.gemini.cached import PREFIX
from geminid.wire.gemini.complaints import Complaints
from geminid.wire.gemini.content import Content
from geminid.wire.gemini.media import MediaReader
from geminid.wire.gemini.reading import LENIENT, Reading
from geminid.wire.gemini.refusals import refused_in_request
from geminid.wire.gemini.schema import GenerateContentRequest, Tool, ToolConfig
from geminid.wire.gemini.tools import read_tools
from geminid.wire.gemini.turns import read_system, read_turns
from geminid.wire.protojson import FreeForm, Message, Reader
from geminid.wire.scalars import Int32, clip

PAGE_SIZE = 50
PAGE_SIZE_MAX = 1000
NAME_CHARACTERS_MAX = 128

_CREATE, _UPDATE, _LIST = (
    "CreateCachedContentRequest",
    "UpdateCachedContentRequest",
    "ListCachedContentsRequest",
)
_FIELD = "cached_content."
_MODEL = re.compile(r"models/[A-Za-z0-9][\w.:@-]{0,200}", re.ASCII)
_PLACE = re.compile(r"(\d{1,19}):([a-z0-9]{1,40})", re.ASCII)
_MUTABLE = {
    "ttl": "ttl",
    "expire_time": "expire_time",
    "expireTime": "expire_time",
    "expiration": "",
    "*": "",
}
"""What an update mask may name, and which field it means; both where it is empty."""
_FIXED = ("display_name", "contents", "system_instruction", "tools", "tool_config")


class CachedContent(Message):
    """Cached contents, as a client says them. What is the server's to say is ignored if it comes back."""

    ONEOFS: ClassVar[Mapping[str, tuple[str, ...]]] = {"expiration": ("ttl", "expire_time")}

    model: str | None = None
    contents: list[Content] | None = None
    system_instruction: Content | None = None
    tools: list[Tool] | None = None
    tool_config: ToolConfig | None = None
    display_name: str | None = None
    ttl: str | None = None
    expire_time: str | None = None
    name: FreeForm | None = None
    create_time: FreeForm | None = None
    update_time: FreeForm | None = None
    usage_metadata: FreeForm | None = None

    def __post_init__(self) -> None:
        # The strict decoder knows no oneof; refusing here sends the body to the reader that words it.
        if self.ttl is not None and self.expire_time is not None:
            raise ValueError("oneof field 'expiration' is already set")


class CachedUsage(Message, kw_only=True):
    """How large cached contents are."""

    total_token_count: Int32


class CachedContentResource(Message, kw_only=True):
    """Cached contents, as they are told; a display name is told even if it is empty."""

    name: str
    model: str
    create_time: str
    update_time: str
    expire_time: str
    display_name: str
    usage_metadata: CachedUsage


class ListCachedContentsResponse(Message):
    """One page of cached contents."""

    cached_contents: list[CachedContentResource] | None = None
    next_page_token: str | None = None


_READER = Reader(CachedContent)


def read_create(body: bytes, reading_of: Callable[[str], Reading] = lambda model: LENIENT) -> NewCache:
    """Return what a client wants cached. reading_of: how requests to a model, by its bare name, are read.

    Raises InvalidArgument, in Google's words where those are known, with a violation for each field.
    """
    message = _READER.read(body)
    complaints = Complaints(_CREATE, _FIELD)
    model = message.model or ""
    if not model:
        complaints.refuse("model", "model is required")
    elif not _MODEL.fullmatch(model if "/" in model else f"models/{model}"):
        complaints.refuse("model", "unexpected model name format")
    if len(message.display_name or "") > NAME_CHARACTERS_MAX:
        complaints.refuse("display_name", f"it may have {NAME_CHARACTERS_MAX} characters.")
    if "\0" in (message.display_name or ""):
        complaints.refuse("display_name", "it must not have NUL in it.")
    bare, media = model.removeprefix("models/"), MediaReader(None, complaints)
    turns = read_turns(message.contents, reading_of(bare), media, complaints) if message.contents else ()
    system = read_system(message.system_instruction, complaints)
    tools, call_mode = read_tools(message.tools or (), message.tool_config, complaints)
    for path, reason in refused_in_request(_as_request(message)):
        if not complaints.covers(path):
            complaints.refuse(path, reason)
    expiration = _expiration(message, complaints)
    complaints.settle()
    request = GenerateRequest(model=bare, turns=turns, system=system, tools=tools, call_mode=call_mode)
    return NewCache(request=request, display_name=message.display_name or "", expiration=expiration)


def read_update(body: bytes, mask: str | None) -> Expiration:
    """Return until when cached contents shall live, which is all that can be changed of them.

    mask: names of fields, with commas; without one, everything that the body says counts. Raises
    InvalidArgument for what cannot be changed, and where no end is said.
    """
    message = _READER.read(body)
    complaints = Complaints(_UPDATE, _FIELD)
    named = [name.strip() for name in (mask or "").split(",") if name.strip()]
    for name in named:
        if name.removeprefix(_FIELD) not in _MUTABLE:
            raise _wrong("update_mask", f"* {_UPDATE}.update_mask: {_only(clip(name))}")
    if not named:
        for name in _FIXED:
            if getattr(message, name) not in (None, []):
                complaints.refuse(name, _only(name))
    wanted = {_MUTABLE[name.removeprefix(_FIELD)] for name in named}
    for field in ("ttl", "expire_time"):
        if wanted and "" not in wanted and field not in wanted and getattr(message, field) is not None:
            setattr(message, field, None)
    if message.ttl is None and message.expire_time is None:
        complaints.refuse("expiration", "one of ttl and expire_time must be set.")
    expiration = _expiration(message, complaints)
    complaints.settle()
    return expiration


def read_page(page_size: str | None, page_token: str | None) -> tuple[int, CachePlace | None]:
    """Return (size, place to begin after) of the page that the query asks for; raises InvalidArgument."""
    size = pages.read_size(page_size, _LIST, usual=PAGE_SIZE, most=PAGE_SIZE_MAX)
    if not page_token:
        return size, None
    found = pages.read_token(page_token, _PLACE, _LIST)
    return size, CachePlace(int(found[1]), found[2])


def write_cache(cache: Cache) -> bytes:
    """Return the resource."""
    return answers.pretty(_resource(cache))


def write_list(caches: Sequence[Cache], following: CachePlace | None) -> bytes:
    """Return one page, with the token of the page after it if there is one."""
    token = pages.write_token(f"{following.created_ns}:{following.id}") if following else None
    resources = [_resource(cache) for cache in caches]
    return answers.pretty(
        ListCachedContentsResponse(cached_contents=resources or None, next_page_token=token)
    )


def _resource(cache: Cache) -> CachedContentResource:
    return CachedContentResource(
        name=f"{PREFIX}{cache.id}",
        model=f"models/{cache.asked}",
        create_time=times.write_time(cache.created_ns),
        update_time=times.write_time(cache.updated_ns),
        expire_time=times.write_time(cache.expires_ns),
        display_name=cache.display_name,
        usage_metadata=CachedUsage(total_token_count=cache.usage.prompt),
    )


def _as_request(message: CachedContent) -> GenerateContentRequest:
    """Return what is to be cached as the request that it will be a part of: the same things are refused."""
    return GenerateContentRequest(
        contents=message.contents,
        system_instruction=message.system_instruction,
        tools=message.tools,
        tool_config=message.tool_config,
    )


def _expiration(message: CachedContent, complaints: Complaints) -> Expiration:
    try:
        if message.ttl is not None:
            where = f"{_FIELD}ttl", "Duration"
            return Expiration(ttl_ns=times.read_duration(message.ttl), field=where[0])
        if message.expire_time is not None:
            where = f"{_FIELD}expire_time", "Timestamp"
            return Expiration(time_ns=times.read_time(message.expire_time), field=where[0])
    except ValueError as error:
        path, kind = where
        name = path.removeprefix(_FIELD)
        complaints.say(
            name,
            f"Invalid value at '{path}' (type.googleapis.com/google.protobuf.{kind}), "
            f"Field '{name}', {error}",
        )
    return Expiration()


def _only(name: str) -> str:
    return f"only ttl and expire_time can be changed, not {name}."


def _wrong(field: str, message: str) -> InvalidArgument:
    return InvalidArgument(message, violations=(FieldViolation(message, field),))
