"""A file that is arriving: whole, or gone."""

import hashlib
import os
import resource
import signal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geminid.core.errors import Unavailable
from geminid.fetch.draft import PIECE_BYTES, Draft
from geminid.fetch.faults import Unfetchable


@settings(deadline=None)
@given(st.lists(st.integers(0, PIECE_BYTES), max_size=6))
async def test_what_was_added_is_there_under_its_hash(tmp_path_factory, sizes):
    path = tmp_path_factory.mktemp("draft") / "file"
    whole = b"".join(os.urandom(size) for size in sizes)
    with Draft(path, len(whole)) as draft:
        at = 0
        for size in sizes:
            await draft.add(whole[at : at + size])
            at += size
        assert await draft.finish() == hashlib.sha256(whole).hexdigest()
    assert path.read_bytes() == whole


async def test_one_byte_too_many_leaves_nothing(tmp_path):
    with (
        pytest.raises(Unfetchable, match=r"It is larger than 10 bytes\."),
        Draft(tmp_path / "x", 10) as draft,
    ):
        await draft.add(bytes(10))
        await draft.add(b"x")
    assert list(tmp_path.iterdir()) == []


async def test_a_full_disk_leaves_nothing(tmp_path):
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (PIECE_BYTES, before[1]))
    try:
        with (
            pytest.raises(Unavailable, match=r"now: File too large\."),
            Draft(tmp_path / "x", 2**30) as draft,
        ):
            for _ in range(3):
                await draft.add(bytes(PIECE_BYTES - 1))
            await draft.finish()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []
