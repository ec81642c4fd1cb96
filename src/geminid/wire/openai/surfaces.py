"""The two places where this wire is spoken, and how they differ, as data.

OpenAI's own API at ``/v1``, and Google's imitation of it at ``/v1beta/openai``, which clients of Gemini know
with its habits: thought signatures, errors in Google's form, tokens of thoughts beside those of the answer.
"""

from __future__ import annotations

import msgspec


class Surface(msgspec.Struct, frozen=True, kw_only=True):
    """One of them.

    prefix: of every path. google: whether problems are told in Google's form, and in its words where these
    are known; version: what they call the API. id_prefix: what stands before the id of an answer.
    name_prefix: what stands before a model's name in lists. owner: whose models these are.
    signatures: whether calls carry thought signatures, there and back. thoughts_apart: whether the tokens of
    the answer are told without those of its thoughts. whole_messages: whether a message has every field,
    ``null`` where there is nothing. stops_max: how many stop sequences a request may have.
    malformed: the finish reason of a call that was begun and not written. file_prefix, batch_prefix: what
    stands before the ids of files and batches.
    """

    prefix: str
    google: bool = False
    version: str = ""
    id_prefix: str = ""
    name_prefix: str = ""
    owner: str
    signatures: bool = False
    thoughts_apart: bool = False
    whole_messages: bool = True
    stops_max: int
    malformed: str
    file_prefix: str = "file-"
    batch_prefix: str = "batch_"


OPENAI = Surface(prefix="/v1", id_prefix="chatcmpl-", owner="geminid", stops_max=4, malformed="stop")
GOOGLE = Surface(
    prefix="/v1beta/openai",
    google=True,
    version="v1beta",
    name_prefix="models/",
    owner="google",
    signatures=True,
    thoughts_apart=True,
    whole_messages=False,
    stops_max=5,
    malformed="function_call_filter: MALFORMED_FUNCTION_CALL",
    file_prefix="files/",
    batch_prefix="batches/",
)

SURFACES = (OPENAI, GOOGLE)
