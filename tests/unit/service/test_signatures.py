"""Thought signatures: made, told apart, and their secret kept."""

import base64
import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminid.core.errors import FailedPrecondition
from geminid.service.signatures import KEY_FILE, Signer, kept_secret

SIGNER = Signer(b"\1" * 32)
SIGNED = SIGNER.sign("aB3dE5fG7hI9jK1lM3nO5p", 0, 1)


def test_a_signature_is_opaque_base64_of_at_least_fifty_bytes():
    assert len(base64.b64decode(SIGNED, validate=True)) >= 50


def test_the_same_part_has_the_same_signature_and_another_part_another():
    names = [("a", 0, 0), ("a", 0, 1), ("a", 1, 0), ("b", 0, 0)]
    assert SIGNER.sign(*names[0]) == SIGNER.sign(*names[0])
    assert len({SIGNER.sign(*name) for name in names}) == 4


@given(st.text(max_size=8), st.integers(0, 7), st.integers(0, 99))
def test_every_spelling_of_a_signature_is_genuine(response_id, candidate, part):
    signed = SIGNER.sign(response_id, candidate, part)
    url_safe = signed.replace("+", "-").replace("/", "_")
    assert all(SIGNER.genuine(raw) for raw in (signed, url_safe, signed.rstrip("="), url_safe.rstrip("=")))
    assert not Signer(b"\2" * 32).genuine(signed)


@pytest.mark.parametrize(
    "raw", ["", "=", "A", "AAAA", "not base64!", "é", "\0", SIGNED[:-4], SIGNED + "AAAA", "x" * 1_000_000]
)
def test_what_was_not_made_here_is_not_genuine(raw):
    assert not SIGNER.genuine(raw)


@given(st.integers(0, 52), st.integers(1, 255))
def test_no_byte_of_a_signature_may_change(place, change):
    broken = bytearray(base64.b64decode(SIGNED))
    broken[place] ^= change
    assert not SIGNER.genuine(base64.b64encode(broken).decode())


@given(st.text() | st.binary().map(lambda value: base64.b64encode(value).decode()))
def test_whatever_is_offered_is_no_crash(raw):
    assert not SIGNER.genuine(raw)


def test_a_signature_of_another_version_is_not_genuine():
    signed = b"\2" + base64.b64decode(SIGNED)[1:21]
    assert not SIGNER.genuine(base64.b64encode(signed + SIGNER._proof(signed)).decode())


def test_the_secret_survives_a_restart_and_is_its_owners_alone(tmp_path):
    folder = tmp_path / "data" / "geminid"
    secret = kept_secret(folder)
    assert len(secret) == 32
    assert kept_secret(folder) == secret
    assert stat.S_IMODE((folder / KEY_FILE).stat().st_mode) == 0o600
    assert [path.name for path in folder.iterdir()] == [KEY_FILE]
    assert kept_secret(tmp_path) != secret


def test_servers_that_start_together_have_one_secret(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(kept_secret, [tmp_path] * 32))) == 1
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]


def test_a_file_system_without_links_will_do(tmp_path, monkeypatch):
    def no_links(*_):
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", no_links)
    secret = kept_secret(tmp_path)
    assert kept_secret(tmp_path) == secret
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]


def test_a_secret_that_cannot_be_used_is_told_with_its_path(tmp_path):
    (tmp_path / KEY_FILE).write_bytes(b"short")
    with pytest.raises(FailedPrecondition, match=r"signing\.key, has 5 bytes instead of 32"):
        kept_secret(tmp_path)
    (tmp_path / "directory" / KEY_FILE).mkdir(parents=True)
    with pytest.raises(FailedPrecondition, match=r"directory/signing\.key, cannot be used: "):
        kept_secret(tmp_path / "directory")
    (tmp_path / "file").touch()
    with pytest.raises(FailedPrecondition, match=r"file/signing\.key, cannot be used: "):
        kept_secret(tmp_path / "file")
