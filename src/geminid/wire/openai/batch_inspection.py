"""What is wrong with the lines of a batch before any of them is answered, as OpenAI tells it.

A file is taken whole or not at all: lines that are no requests, that ask another endpoint or another model,
and ids that come twice fail it. What an endpoint would refuse of a body costs that line alone, later. Memory
is bounded by one line and the digests of all ids. Invariant: of a file without faults, every line can be
read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Any

import msgspec

from geminid.core.batch import Inspection, LineFault
from geminid.core.errors import UnknownModel
from geminid.wire.lenient import check_free
from geminid.wire.openai import refused
from geminid.wire.openai.batch_lines import ENDPOINTS, NO_STREAM, SPELLED, Endpoint, Work
from geminid.wire.openai.chat import PREFIX
from geminid.wire.openai.refused import Refused
from geminid.wire.scalars import clip

REQUESTS_MAX = 50_000
FAULTS_MAX = 100
METHOD = "POST"
NOT_JSON = "This line is not parseable as valid JSON."
NO_OBJECT = "Each line must be a JSON object."
NO_POST = "The method provided for this request is not supported; use 'POST'."
WRONG_URL = "The URL provided for this request does not match the batch endpoint."
TWICE = (
    "The custom_id for this request is a duplicate of another request. The custom_id parameter must be "
    "unique for each request in a batch."
)
OTHER_MODEL = (
    "The model '{}' of this request is not that of the requests before it, '{}'; a batch has one model."
)
NO_MODEL = "The provided model '{}' is not supported by the Batch API."
EMPTY = "The input file has no requests."
MANY = f"The input file has more than {REQUESTS_MAX} requests, which is the most that a batch may have."

_ANY = msgspec.json.Decoder(Any)
_FIELDS: dict[str, str] = {
    "custom_id": "a string",
    "method": "a string",
    "url": "a string",
    "body": "an object",
}

Known = Callable[[str], object]


class _Body(msgspec.Struct):
    """What is looked at of a body; the rest is its endpoint's."""

    model: str
    stream: bool | None = None
    messages: msgspec.Raw = msgspec.Raw()
    input: msgspec.Raw = msgspec.Raw()


_BODY = msgspec.json.Decoder(_Body)


def inspect(endpoint: Endpoint, lines: Iterable[tuple[bytes, int]], known: Known) -> Inspection:
    """Look at all lines: (bytes without their end, empty where they are too many; how many they are).

    known: raises ``UnknownModel`` for a model that does no such work.
    """
    inspector = _Inspector(endpoint, known)
    for number, (raw, _) in enumerate(lines, 1):
        if number > REQUESTS_MAX:
            inspector.say(LineFault(code="too_many_tasks", message=MANY))
            break
        if (fault := inspector.look(raw)) is not None:
            inspector.say(msgspec.structs.replace(fault, line=number))
        if len(inspector.faults) == FAULTS_MAX:
            break
    return inspector.found()


class _Inspector:
    """What was seen of a file so far."""

    def __init__(self, endpoint: Endpoint, known: Known) -> None:
        self._endpoint = endpoint
        self._work = ENDPOINTS[endpoint]
        self._known = known
        self._ids: set[bytes] = set()
        self._model = ""
        self.faults: list[LineFault] = []

    def say(self, fault: LineFault) -> None:
        """Note what is wrong."""
        self.faults.append(fault)

    def found(self) -> Inspection:
        """Return what there is to be said of the file."""
        if not self._ids and not self.faults:
            self.say(LineFault(code="empty_file", message=EMPTY))
        return Inspection(model=self._model, faults=tuple(self.faults))

    def look(self, raw: bytes) -> LineFault | None:
        """Return what is wrong with a line."""
        try:
            spelled = SPELLED.decode(raw)
            body = _BODY.decode(spelled.body)
        except (ValueError, RecursionError):
            return _mistake(raw, self._endpoint, self._work)
        needed: msgspec.Raw = getattr(body, self._work.needed)
        sound = spelled.method == METHOD and spelled.url == self._endpoint
        if not sound or body.stream or not bytes(needed) or not body.model:
            return _mistake(raw, self._endpoint, self._work)
        return self._id_fault(spelled.custom_id) or self._model_fault(body.model)

    def _id_fault(self, custom_id: str) -> LineFault | None:
        digest = blake2b(custom_id.encode(), digest_size=16).digest()
        if digest in self._ids:
            return LineFault(code="duplicate_custom_id", message=TWICE, param="custom_id")
        self._ids.add(digest)
        return None

    def _model_fault(self, said: str) -> LineFault | None:
        model = said.removeprefix(PREFIX)
        if self._model:
            if model == self._model:
                return None
            words = OTHER_MODEL.format(clip(said), clip(self._model))
            return LineFault(code="model_mismatch", message=words, param="body.model")
        try:
            self._known(model)
        except UnknownModel:
            return LineFault(code="model_not_found", message=NO_MODEL.format(clip(said)), param="body.model")
        self._model = model
        return None


def _mistake(raw: bytes, endpoint: Endpoint, work: Work) -> LineFault:
    """Return the first mistake of a line that has one."""
    try:
        said = _ANY.decode(raw)
        check_free(said)
    except (ValueError, RecursionError):
        return LineFault(code="invalid_json_line", message=NOT_JSON)
    if not isinstance(said, dict):
        return LineFault(code="invalid_request", message=NO_OBJECT)
    return _of_fields(said) or _of_place(said, endpoint) or _of_body(said["body"], work)


def _of_fields(said: dict[str, Any]) -> LineFault | None:
    for name, expected in _FIELDS.items():
        if said.get(name) is None:
            return _told(refused.missing(name))
        if not isinstance(said[name], dict if name == "body" else str):
            return _told(refused.wrong_type(name, expected, said[name]))
    strangers = [name for name in said if name not in _FIELDS]
    return _told(refused.unknown(strangers[0])) if strangers else None


def _of_place(said: dict[str, Any], endpoint: Endpoint) -> LineFault | None:
    if said["method"] != METHOD:
        return LineFault(code="invalid_method", message=NO_POST, param="method")
    if said["url"] != endpoint:
        return LineFault(code="invalid_url", message=WRONG_URL, param="url")
    return None


def _of_body(body: dict[str, Any], work: Work) -> LineFault:
    model, stream = body.get("model"), body.get("stream")
    if model is None or model == "":
        return LineFault(code="invalid_request", message="Model parameter is required.", param="body.model")
    if not isinstance(model, str):
        return _told(refused.wrong_type("body.model", "a string", model))
    if stream is not None and not isinstance(stream, bool):
        return _told(refused.wrong_type("body.stream", "a boolean", stream))
    if stream:
        message = f"{work.word}: {NO_STREAM}"
        return LineFault(code="streaming_unsupported", message=message, param="body.stream")
    words = f"{work.needed.capitalize()} parameter is required."
    return LineFault(code="invalid_request", message=words, param=f"body.{work.needed}")


def _told(mistake: Refused) -> LineFault:
    return LineFault(code=mistake.kind or "invalid_request", message=mistake.message, param=mistake.param)
