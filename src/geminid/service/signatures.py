"""Thought signatures: opaque words that a client must send back with a function call, made and checked.

A signature proves that this installation wrote the step; it holds no thought. What is signed is a name
(answer, candidate, part), not the words, so that a client may format them anew. It knows no wire.
Invariant: whoever has not the key makes no genuine signature, and checking takes the same time for
every wrong one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from geminid.core.codec import decode_base64
from geminid.core.errors import FailedPrecondition

KEY_FILE = "signing.key"
KEY_BYTES = 32

_VERSION = b"\x01"
_NAME_BYTES = 20
_PROOF_BYTES = hashlib.sha256().digest_size
_BYTES = len(_VERSION) + _NAME_BYTES + _PROOF_BYTES


class Signer:
    """Makes signatures with one secret, and tells its own from others."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def sign(self, response_id: str, candidate: int, part: int) -> str:
        """Return the signature of one part of an answer, in standard base64."""
        name = f"{response_id}/{candidate}/{part}".encode()
        signed = _VERSION + hashlib.blake2b(name, digest_size=_NAME_BYTES).digest()
        return base64.b64encode(signed + self._proof(signed)).decode()

    def genuine(self, raw: str) -> bool:
        """Tell whether ``raw``, in either alphabet of base64 and padded or not, was made here."""
        try:
            given = decode_base64(raw)
        except ValueError:
            return False
        signed, proof = given[:-_PROOF_BYTES], given[-_PROOF_BYTES:]
        right = hmac.compare_digest(proof, self._proof(signed))
        return right and len(given) == _BYTES and signed[:1] == _VERSION

    def _proof(self, signed: bytes) -> bytes:
        return hmac.digest(self._secret, signed, "sha256")


def kept_secret(folder: Path) -> bytes:
    """Return the secret that is kept in ``folder``; the first start makes one, for its owner alone.

    Raises FailedPrecondition when it can be neither read nor made.
    """
    path = folder / KEY_FILE
    try:
        if not path.exists():
            _make(path)
        secret = path.read_bytes()
    except OSError as error:
        raise FailedPrecondition(f"The key of thought signatures, {path}, cannot be used: {error}") from error
    if len(secret) != KEY_BYTES:
        raise FailedPrecondition(
            f"The key of thought signatures, {path}, has {len(secret)} bytes instead of {KEY_BYTES}; "
            "remove the file to have a new one made."
        )
    return secret


def _make(path: Path) -> None:
    """Put a new secret at ``path`` in one step; of servers that start together, one secret stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        _put(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _put(draft: Path, path: Path) -> None:
    try:
        os.link(draft, path)  # unlike a renaming, it never replaces the secret of another server
    except FileExistsError:
        return
    except OSError:  # a file system without links
        draft.replace(path)
