import errno
import hashlib
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geminid.store.blobs import Blobs


@pytest.fixture
def blobs(tmp_path):
    return Blobs(tmp_path / "blobs")


def sha256(data):
    return hashlib.sha256(data).hexdigest()


@settings(max_examples=50)
@given(pieces=st.lists(st.binary(max_size=50)), cut=st.integers(0, 500))
def test_bytes_that_came_in_pieces_have_the_hash_of_the_whole(tmp_path_factory, pieces, cut):
    blobs, whole = Blobs(tmp_path_factory.mktemp("blobs")), b"".join(pieces)
    first = blobs.open("a", 0, hashlib.sha256)
    for piece in pieces:
        first.write(piece)
    first.sync()
    first.close()
    assert first.digest.hexdigest() == sha256(whole)
    again = blobs.open("a", cut, hashlib.sha256)
    again.close()
    assert (again.size, again.digest.hexdigest()) == (min(cut, len(whole)), sha256(whole[:cut]))
    assert blobs.path("a").read_bytes() == whole[:cut]


def test_bytes_that_were_not_acknowledged_are_cut_off_and_written_again(blobs):
    first = blobs.open("a", 0, hashlib.sha256)
    first.write(b"kept, lost")
    first.close()
    again = blobs.open("a", 4, hashlib.sha256)
    again.write(b" anew")
    again.sync()
    again.close()
    assert blobs.path("a").read_bytes() == b"kept anew"
    assert again.digest.hexdigest() == sha256(b"kept anew")


def test_a_block_that_was_written_by_half_does_not_count(blobs, monkeypatch):
    pwrite, calls = os.pwrite, []

    def half(file, data, at):
        calls.append(at)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return pwrite(file, data[:3], at)

    appender = blobs.open("a", 0, hashlib.sha256)
    monkeypatch.setattr(os, "pwrite", half)
    with pytest.raises(OSError, match="No space left"):
        appender.write(b"abcdef")
    monkeypatch.undo()
    assert blobs.path("a").read_bytes() == b"abc"
    appender.sync()
    assert (appender.size, blobs.path("a").read_bytes()) == (0, b"")
    appender.write(b"xyz")
    appender.close()
    assert appender.digest.hexdigest() == sha256(b"xyz")


def test_what_is_there_can_be_compared(blobs):
    appender = blobs.open("a", 0, hashlib.sha256)
    appender.write(b"0123456789")
    assert appender.holds(b"345", 3)
    assert not appender.holds(b"346", 3)
    assert not appender.holds(b"89a", 8)
    appender.close()


def test_keys_are_what_is_there_and_removing_is_repeatable(blobs):
    blobs.open("a", 0, hashlib.sha256).close()
    blobs.open("b", 0, hashlib.sha256).close()
    assert blobs.keys() == {"a", "b"}
    blobs.remove("a")
    blobs.remove("a")
    assert blobs.keys() == {"b"}


def test_files_are_their_owners_alone(blobs):
    blobs.open("a", 0, hashlib.sha256).close()
    assert blobs.path("a").stat().st_mode & 0o077 == 0
