"""The routes of administration, made from the table of operations: who asks, may he, read, do, write.

What an operation does stands in the handlers beside this file. Every request bears an administrator's
token; nothing else opens these routes, and no such token opens any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from geminid.core.errors import InvalidArgument, PermissionDenied, Problem, Unauthenticated
from geminid.service.administration import Administration
from geminid.service.tokens import Token
from geminid.web.admin import batches, budgets, caches, catalogue, credit, keys, projects, usage
from geminid.web.admin.call import Call, Handler
from geminid.web.auth import bearer
from geminid.web.body import read_body
from geminid.web.replies import JSON, refusal
from geminid.wire.admin import message
from geminid.wire.admin.document import document
from geminid.wire.admin.operations import OPERATIONS, PREFIX, Operation
from geminid.wire.gemini.pages import read_size

BODY_BYTES_MAX = 256 * 1024
PAGE_SIZE, PAGE_SIZE_MAX = 50, 1000
TOKEN_CHARACTERS_MAX = 200
HANDLERS: Mapping[str, Handler] = {
    **projects.HANDLERS,
    **keys.HANDLERS,
    **credit.HANDLERS,
    **catalogue.HANDLERS,
    **usage.HANDLERS,
    **budgets.HANDLERS,
    **caches.HANDLERS,
    **batches.HANDLERS,
}
"""What each operation does, by its id."""


class AdminApi:
    """The routes of one server. ``version`` is the program's."""

    def __init__(self, acts: Administration, version: str) -> None:
        self._acts = acts
        self._document = msgspec.json.format(msgspec.json.encode(document(OPERATIONS, version)), indent=2)

    def routes(self) -> Sequence[BaseRoute]:
        """Return one route for each operation, and that of the document."""
        described = Route(f"{PREFIX}/openapi.json", self._described, methods=["GET"])
        return [
            described,
            *(
                Route(PREFIX + each.path, partial(self._answer, each), methods=[each.method])
                for each in OPERATIONS
            ),
        ]

    async def _described(self, request: Request) -> Response:
        try:
            await self._bearer(request)
        except Problem as problem:
            return refusal(problem, "openapi", "admin/v1")
        return Response(self._document, media_type=JSON)

    async def _answer(self, operation: Operation, request: Request) -> Response:
        try:
            token = await self._bearer(request)
            if operation.changes and token.role != "admin":
                raise PermissionDenied("The token of a viewer changes nothing.")
            call = await self._call(operation, request, token)
            answer = await HANDLERS[operation.id](self._acts, call)
        except Problem as problem:
            return _refused(problem, operation)
        if answer is None:
            return Response(status_code=operation.status)
        return Response(message.write(answer), operation.status, media_type=JSON, headers=dict(_PRIVATE))

    async def _bearer(self, request: Request) -> Token:
        words = bearer(request)
        if not words or len(words) > TOKEN_CHARACTERS_MAX:
            raise Unauthenticated
        return await self._acts.tokens.bearer(words)

    async def _call(self, operation: Operation, request: Request, token: Token) -> Call:
        body = None
        if operation.body is not None:
            raw = await read_body(request, BODY_BYTES_MAX)
            body = message.read(operation.body, raw or (b"{}" if operation.body_optional else b""))
        said = request.query_params
        size, after = 0, ""
        if operation.paged:
            size = read_size(said.get("pageSize"), operation.id, usual=PAGE_SIZE, most=PAGE_SIZE_MAX)
            after = _sayable(said.get("pageToken", ""), "pageToken")
        return Call(
            actor=f"token:{token.name}",
            path={name: _sayable(str(value), name) for name, value in request.path_params.items()},
            query={name: _sayable(said[name], name) for name, _ in operation.query if name in said},
            body=body,
            size=size,
            after=after,
        )


_PRIVATE = (("cache-control", "no-store"),)
"""Secrets are shown once, to whoever asked."""


def _refused(problem: Problem, operation: Operation) -> Response:
    answer = refusal(problem, operation.id, "admin/v1")
    if isinstance(problem, Unauthenticated):
        answer.headers["www-authenticate"] = "Bearer"
    return answer


def _sayable(text: str, field: str) -> str:
    """Return text that every database can keep: without NUL, and without halves of characters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidArgument(f"{field} is not text.") from None
    if "\0" in text or len(text) > TEXT_CHARACTERS_MAX:
        raise InvalidArgument(f"{field} is not text of at most {TEXT_CHARACTERS_MAX} characters.")
    return text


TEXT_CHARACTERS_MAX = 512
