import asyncio
import errno
import hashlib
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geminid.core.errors import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    Unavailable,
    UnknownFile,
)
from geminid.core.file import NewFile
from geminid.store.blobs import Appender, Blobs
from storage import PROJECT, blocks_of, storing

MIB = 1024 * 1024


async def start(storage, **said):
    return (await storage.uploads.start(PROJECT, NewFile(**said))).id


async def send(storage, upload_id, offset, *blocks, length=None):
    async with storage.uploads.open(upload_id) as session:
        await session.append(offset, blocks_of(*blocks), length)
        return session.received_bytes


async def finish(storage, upload_id):
    async with storage.uploads.open(upload_id) as session:
        return await session.finalize()


async def received(storage, upload_id):
    return (await storage.uploads.query(upload_id))[0].received_bytes


async def test_a_file_comes_in_pieces_and_has_the_hash_of_the_whole(tmp_path):
    data = random.Random(1).randbytes(3 * MIB + 17)
    async with storing(tmp_path) as storage:
        upload = await start(storage, size_bytes=len(data), mime_type="image/png", file_name="a.png")
        for at in range(0, len(data), MIB):
            assert await send(storage, upload, at, data[at : at + MIB]) == min(at + MIB, len(data))
        file = await finish(storage, upload)
        assert file.sha256_hex == hashlib.sha256(data).hexdigest()
        assert (file.size_bytes, file.mime_type, file.state) == (len(data), "image/png", "active")
        assert file.display_name == "a.png"
        _, path = await storage.files.path(PROJECT, file.id)
        assert path.read_bytes() == data


@settings(max_examples=12, deadline=None)
@given(data=st.binary(max_size=200), chance=st.randoms(use_true_random=False))
def test_however_it_is_cut_repeated_and_interrupted_the_same_file_arrives(tmp_path_factory, data, chance):
    folder = tmp_path_factory.mktemp("cut")

    async def body():
        async with storing(folder) as storage:
            upload = await start(storage, size_bytes=len(data))
        for restart in range(3):
            async with storing(folder, seed=100 * restart + 100) as storage:
                at = await received(storage, upload)
                for _ in range(chance.randrange(5)):
                    begin = chance.randrange(at + 1)
                    end = chance.randrange(begin, len(data) + 1)
                    at = max(at, end)
                    assert await send(storage, upload, begin, data[begin:end]) == at
        async with storing(folder, seed=900) as storage:
            await send(storage, upload, at, data[at:])
            return await finish(storage, upload)

    assert asyncio.run(body()).sha256_hex == hashlib.sha256(data).hexdigest()


async def test_an_empty_file_is_a_file(tmp_path):
    async with storing(tmp_path) as storage:
        file = await finish(storage, await start(storage, size_bytes=0))
        assert (file.size_bytes, file.sha256_hex) == (0, hashlib.sha256().hexdigest())
        assert (await storage.files.path(PROJECT, file.id))[1].read_bytes() == b""


async def test_a_gap_is_refused_and_the_upload_goes_on(tmp_path):
    async with storing(tmp_path) as storage:
        upload = await start(storage)
        await send(storage, upload, 0, b"abc")
        with pytest.raises(InvalidArgument, match="has 3 bytes; go on at offset 3, not at 5"):
            await send(storage, upload, 5, b"fgh")
        assert await send(storage, upload, 3, b"def") == 6


async def test_bytes_that_come_again_are_taken_once_and_must_be_the_same(tmp_path):
    async with storing(tmp_path) as storage:
        upload = await start(storage)
        await send(storage, upload, 0, b"abcdef")
        assert await send(storage, upload, 3, b"defghi") == 9
        with pytest.raises(InvalidArgument, match=r"differ .* go on at offset 9"):
            await send(storage, upload, 0, b"abX")
        assert (await finish(storage, upload)).sha256_hex == hashlib.sha256(b"abcdefghi").hexdigest()


async def test_more_or_less_than_was_announced_is_refused_and_the_upload_goes_on(tmp_path):
    async with storing(tmp_path) as storage:
        upload = await start(storage, size_bytes=5)
        with pytest.raises(InvalidArgument, match="announced with 5 bytes; this would make it 6"):
            await send(storage, upload, 0, b"", length=6)
        with pytest.raises(InvalidArgument, match="announced with 5 bytes; this would make it 6"):
            await send(storage, upload, 0, b"abcdef")
        await send(storage, upload, 0, b"abc")
        with pytest.raises(InvalidArgument, match="3 of the 5 bytes that were announced; go on at offset 3"):
            await finish(storage, upload)
        await send(storage, upload, 3, b"de")
        assert (await finish(storage, upload)).size_bytes == 5


async def test_what_came_before_the_connection_broke_is_kept(tmp_path):
    async def broken():
        yield b"x" * (MIB + 5)
        yield b"y" * 10
        raise ConnectionResetError

    async with storing(tmp_path) as storage:
        upload = await start(storage)
        with pytest.raises(ConnectionResetError):
            async with storage.uploads.open(upload) as session:
                await session.append(0, broken())
        assert await received(storage, upload) == MIB + 15
        await send(storage, upload, MIB + 15, b"z")
        whole = b"x" * (MIB + 5) + b"y" * 10 + b"z"
        assert (await finish(storage, upload)).sha256_hex == hashlib.sha256(whole).hexdigest()


async def test_a_second_writer_is_refused_while_the_first_is_at_it(tmp_path):
    begun, go = asyncio.Event(), asyncio.Event()

    async def slow():
        yield b"abc"
        begun.set()
        await go.wait()

    async with storing(tmp_path) as storage:
        upload = await start(storage)

        async def first():
            async with storage.uploads.open(upload) as session:
                await session.append(0, slow())

        writing = asyncio.create_task(first())
        await begun.wait()
        with pytest.raises(Aborted, match="Another request is writing"):
            await send(storage, upload, 0, b"x")
        assert await received(storage, upload) == 0  # a query is answered meanwhile
        go.set()
        await writing
        assert await send(storage, upload, 3, b"d") == 4


async def test_a_final_upload_answers_with_its_file_again(tmp_path):
    async with storing(tmp_path) as storage:
        upload = await start(storage)
        await send(storage, upload, 0, b"abc")
        file = await finish(storage, upload)
        assert await finish(storage, upload) == file
        assert (await storage.uploads.query(upload))[1] == file
        with pytest.raises(FailedPrecondition, match="final"):
            await send(storage, upload, 3, b"d")
        with pytest.raises(FailedPrecondition, match="final"):
            async with storage.uploads.open(upload) as session:
                await session.cancel()
        await storage.files.delete(PROJECT, file.id)
        with pytest.raises(UnknownFile):
            await storage.uploads.query(upload)


async def test_a_cancelled_upload_leaves_nothing_and_cannot_go_on(tmp_path):
    async with storing(tmp_path) as storage:
        upload = await start(storage)
        await send(storage, upload, 0, b"abc")
        async with storage.uploads.open(upload) as session:
            await session.cancel()
        assert storage.blobs.keys() == set()
        assert (await storage.uploads.query(upload))[0].state == "cancelled"
        with pytest.raises(FailedPrecondition, match="cancelled"):
            await send(storage, upload, 3, b"d")


async def test_an_upload_that_never_was_is_not_found(tmp_path):
    async with storing(tmp_path) as storage:
        with pytest.raises(NotFound):
            await storage.uploads.query("made-up")
        with pytest.raises(NotFound):
            await finish(storage, "made-up")


async def test_upload_ids_cannot_be_guessed(tmp_path):
    async with storing(tmp_path) as storage:
        assert len(bytes.fromhex(await start(storage))) == 32


async def test_a_name_can_be_taken_once_and_again_when_it_has_expired(tmp_path):
    async with storing(tmp_path, ttl_s=100) as storage:
        early, late = await start(storage, id="mine"), await start(storage, id="mine")
        assert (await finish(storage, early)).id == "mine"
        with pytest.raises(AlreadyExists, match="The File mine already exists"):
            await start(storage, id="mine")
        with pytest.raises(AlreadyExists):
            await finish(storage, late)
        assert (await storage.uploads.start("other", NewFile(id="mine"))).project == "other"
        storage.clock.advance(100)
        assert (await finish(storage, late)).created_us == storage.clock.us
        assert len(storage.blobs.keys()) == 1


async def test_files_and_projects_have_limits(tmp_path):
    async with storing(tmp_path, file_bytes_max=100, project_bytes_max=250) as storage:
        with pytest.raises(InvalidArgument, match="has 101 bytes or more; at most 100 are allowed"):
            await start(storage, size_bytes=101)
        endless = await start(storage)
        with pytest.raises(InvalidArgument, match="at most 100 are allowed"):
            await send(storage, endless, 0, b"x" * 101)
        first = await start(storage)
        await send(storage, first, 0, b"x" * 100)
        await finish(storage, first)
        second = await start(storage, size_bytes=100)
        third = await start(storage, size_bytes=100)  # there is room as long as nothing has come
        await send(storage, second, 0, b"x" * 100)
        with pytest.raises(
            ResourceExhausted, match="may have 250 bytes; 200 are taken, and this file needs 60"
        ):
            await send(storage, third, 0, b"x" * 60)
        with pytest.raises(ResourceExhausted, match="needs 51"):
            await start(storage, size_bytes=51)
        assert await send(storage, third, 0, b"x" * 50) == 50
        (await storage.uploads.start("other", NewFile(size_bytes=100)))
        async with storage.uploads.open(second) as session:
            await session.cancel()
        assert await send(storage, third, 50, b"x" * 50) == 100


async def test_forgotten_uploads_are_swept_with_their_bytes_and_others_are_not(tmp_path):
    async with storing(tmp_path, upload_idle_s=100) as storage:
        old, going, done = await start(storage), await start(storage), await start(storage)
        await send(storage, old, 0, b"abc")
        await send(storage, done, 0, b"abc")
        file = await finish(storage, done)
        storage.clock.advance(60)
        await send(storage, going, 0, b"abc")
        storage.clock.advance(40)
        await storage.sweeper.sweep()
        for gone in (old, done):
            with pytest.raises(NotFound):
                await storage.uploads.query(gone)
        assert await received(storage, going) == 3
        assert len(storage.blobs.keys()) == 2
        assert (await storage.files.path(PROJECT, file.id))[1].exists()


async def test_bytes_that_belong_to_nothing_are_removed_at_the_start(tmp_path):
    async with storing(tmp_path) as storage:
        upload = await start(storage)
        await send(storage, upload, 0, b"abc")
        kept = storage.blobs.keys()
    (tmp_path / "blobs" / "orphan").write_bytes(b"x")
    async with storing(tmp_path, seed=50) as storage:
        assert storage.blobs.keys() == kept
        assert await send(storage, upload, 3, b"d") == 4


class SmallDisk(Blobs):
    """Holds so many bytes of each file and no more."""

    space = 2 * MIB

    def open(self, key, size, new_digest):
        disk, appender = self, super().open(key, size, new_digest)

        class Small(Appender):
            def write(self, data):
                if self.size + len(data) > disk.space:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                super().write(data)

        appender.__class__ = Small
        return appender


async def test_a_full_disk_is_told_and_the_upload_goes_on_when_there_is_room(tmp_path):
    disk = SmallDisk(tmp_path / "blobs")
    async with storing(tmp_path, blobs=disk) as storage:
        upload, block = await start(storage), b"x" * MIB
        with pytest.raises(Unavailable, match="cannot keep these bytes now: No space left on device"):
            await send(storage, upload, 0, block, block, block)
        assert await received(storage, upload) == 2 * MIB
        disk.space = 9 * MIB
        await send(storage, upload, 2 * MIB, block)
        assert (await finish(storage, upload)).sha256_hex == hashlib.sha256(block * 3).hexdigest()


CHILD = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from geminid.core.file import NewFile
from storage import PROJECT, blocks_of, storing

async def main():
    async with storing(Path(sys.argv[1])) as storage:
        upload = await storage.uploads.start(PROJECT, NewFile(size_bytes=1 << 30))
        print(upload.id, flush=True)
        at = 0
        while True:
            async with storage.uploads.open(upload.id) as session:
                await session.append(at, blocks_of(bytes([at // 65536 % 251]) * 65536))
                at = session.received_bytes
                print(at, flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("acknowledged", [1, 7])
async def test_what_was_acknowledged_survives_sigkill_and_the_upload_goes_on(tmp_path, acknowledged):
    command = [sys.executable, "-c", CHILD, str(tmp_path), str(Path(__file__).parents[2])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:  # noqa: ASYNC220
        upload = child.stdout.readline().strip()
        told = [int(child.stdout.readline()) for _ in range(acknowledged)][-1]
        os.kill(child.pid, signal.SIGKILL)
    async with storing(tmp_path, seed=1000) as storage:
        there = await received(storage, upload)
        assert there >= told
        whole = b"".join(bytes([n % 251]) * 65536 for n in range(there // 65536)) + b"end"
        await send(storage, upload, there, b"end")
        async with storage.uploads.open(upload) as session:
            assert session.appender.digest.hexdigest() == hashlib.sha256(whole).hexdigest()
