"""Client secrets: whose they are, when they end, and that nobody else makes any."""

import base64
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminid.core.caller import ANYBODY, Caller, Scopes
from geminid.core.errors import ExpiredKey, InvalidArgument, InvalidKey, NoKey, Problem
from geminid.service.client_secrets import PREFIX, PROOF_CHARACTERS, ClientSecrets, is_client_secret
from geminid.service.digests import Digester

NOW_MS = 1_790_000_000_000
SOMEBODY = Caller(project="p", key_id="k1", key_name="a key", scopes=Scopes(models=("tiny",)))
SESSION = b'{"session":{"type":"realtime"}}'


class Server:
    def __init__(self, secret=b"1" * 32, is_open=False):
        self.now_ms, self.open = NOW_MS, is_open
        self.secrets = ClientSecrets(Digester(secret), self.is_open, lambda: self.now_ms)

    async def is_open(self):
        return self.open


async def test_a_secret_tells_every_server_of_the_database_whose_it_is_and_what_for():
    value, expires_s = Server().secrets.make(SOMEBODY, SESSION, 600)
    assert is_client_secret(value)
    assert expires_s == NOW_MS // 1000 + 600
    assert await Server().secrets.caller(value) == (SOMEBODY, SESSION)


async def test_it_ends():
    server = Server()
    value, _ = server.secrets.make(SOMEBODY, SESSION, 10)
    server.now_ms += 10_000
    with pytest.raises(ExpiredKey):
        await server.secrets.caller(value)


async def test_that_of_an_open_server_ends_with_the_first_key():
    server = Server(is_open=True)
    value, _ = server.secrets.make(ANYBODY, SESSION, 600)
    assert (await server.secrets.caller(value))[0] is ANYBODY
    server.open = False
    with pytest.raises(NoKey):
        await server.secrets.caller(value)


async def test_that_of_another_database_is_none():
    value, _ = Server(b"2" * 32).secrets.make(SOMEBODY, SESSION, 600)
    with pytest.raises(InvalidKey):
        await Server().secrets.caller(value)


async def test_what_it_says_cannot_be_changed():
    value, _ = Server().secrets.make(SOMEBODY, SESSION, 600)
    packed = value.removeprefix(PREFIX)[PROOF_CHARACTERS:]
    said = zlib.decompress(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)))
    forged = base64.urlsafe_b64encode(zlib.compress(said.replace(b"k1", b"k2"))).decode().rstrip("=")
    with pytest.raises(InvalidKey):
        await Server().secrets.caller(value[: len(PREFIX) + PROOF_CHARACTERS] + forged)


@given(st.text(max_size=200) | st.binary(max_size=80).map(lambda data: data.hex()))
async def test_whatever_else_is_sent_is_refused(words):
    with pytest.raises(Problem):
        await Server().secrets.caller(PREFIX + words)


def test_a_session_that_no_header_would_hold_is_refused():
    large = json.dumps([f"{number:x}" for number in range(10_000)]).encode()
    with pytest.raises(InvalidArgument, match=r"session\.update"):
        Server().secrets.make(SOMEBODY, large, 600)
