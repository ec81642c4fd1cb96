import asyncio

import pytest

from geminid.core.errors import FailedPrecondition, InvalidArgument, Unavailable, UnknownFile
from geminid.core.file import NewFile
from geminid.service import file_types
from geminid.service.file_names import id_of, new_id
from geminid.service.files import is_file_uri
from storage import PROJECT, Clock, blocks_of, settled, storing


async def keep(storage, data=b"hello", project=PROJECT, **said):
    upload = await storage.uploads.start(project, NewFile(**said))
    async with storage.uploads.open(upload.id) as session:
        await session.append(0, blocks_of(data))
        return await session.finalize()


class Gate:
    """A probe that answers when it is told to."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.opened, self.fault, self.asked = asyncio.Event(), fault, 0

    async def __call__(self, path, mime_type):
        self.asked += 1
        await self.opened.wait()
        if self.fault is not None:
            raise self.fault
        from geminid.media.messages import Probed

        return Probed("video", mime_type, 90_000)


@pytest.mark.parametrize(
    "form",
    [
        "files/{}",
        "http://127.0.0.1:8080/v1beta/files/{}",
        "https://generativelanguage.googleapis.com/v1beta/files/{}",
        "https://h/prefix/v1/files/{}",
        "https://h/v1alpha/files/{}:download?alt=media",
    ],
)
async def test_a_file_is_found_by_every_form_of_its_name(tmp_path, form):
    async with storing(tmp_path) as storage:
        file = await keep(storage, mime_type="text/plain")
        uri = form.format(file.id)
        assert is_file_uri(uri)
        found = await storage.files.find(PROJECT, uri)
        assert found.path.read_bytes() == b"hello"
        assert (found.sha256_hex, found.mime_type) == (file.sha256_hex, "text/plain")


@pytest.mark.parametrize(
    "uri",
    [
        *("https://example.com/report.pdf", "https://h/files/x", "gs://b/o", "https://h/v1beta/files/", ""),
        *("https://h/api/v1/files/report.pdf", "https://h/v1/files/a/b", f"https://h/v1/files/{'a' * 41}"),
    ],
)
def test_other_addresses_are_no_files(uri):
    assert not is_file_uri(uri)


def test_ids_are_like_googles():
    assert new_id(lambda n: b"\xff" * n).isalnum()
    assert len(new_id(lambda n: b"\0" * n)) == 12
    assert id_of("files/my-id") == "my-id"


async def test_unknown_expired_and_foreign_files_are_one_refusal(tmp_path):
    async with storing(tmp_path, ttl_s=100) as storage:
        foreign = await keep(storage, project="other", id="theirs")
        expired = await keep(storage, id="old")
        storage.clock.advance(100)
        for file_id in ("theirs", "old", "never-was"):
            words = f"You do not have permission to access the File {file_id} or it may not exist."
            for act in (
                storage.files.get(PROJECT, file_id),
                storage.files.find(PROJECT, f"files/{file_id}"),
                storage.files.delete(PROJECT, file_id),
                storage.files.path(PROJECT, file_id),
            ):
                with pytest.raises(UnknownFile, match=words):
                    await act
        assert (await storage.files.page(PROJECT, 10)).files == ()
        assert {foreign.project, expired.project} == {"other", PROJECT}


async def test_a_file_lives_for_its_time_and_is_swept_with_its_bytes(tmp_path):
    async with storing(tmp_path, ttl_s=100) as storage:
        file = await keep(storage)
        assert file.expires_us == file.created_us + 100_000_000
        storage.clock.advance(99)
        await storage.sweeper.sweep()
        assert (await storage.files.get(PROJECT, file.id)) == file
        storage.clock.advance(1)
        await storage.sweeper.sweep()
        assert storage.blobs.keys() == set()


async def test_pages_hold_every_file_once_the_newest_first(tmp_path):
    async with storing(tmp_path) as storage:
        for n in range(7):
            await keep(storage, id=f"f{n}")
            storage.clock.advance(n % 2)  # some are of the same moment
        seen, after = [], None
        while True:
            page = await storage.files.page(PROJECT, 3, after)
            seen += page.files
            if (after := page.next) is None:
                break
            await keep(storage, id=f"new{len(seen)}")  # made meanwhile: disturbs no later page
        assert [file.id for file in seen if file.id.startswith("f")] == [
            "f6",
            "f4",
            "f5",
            "f2",
            "f3",
            "f0",
            "f1",
        ]
        assert sorted(seen, key=lambda file: (-file.created_us, file.id)) == seen


async def test_a_full_page_is_the_last_when_nothing_follows(tmp_path):
    async with storing(tmp_path) as storage:
        await keep(storage)
        await keep(storage)
        assert (await storage.files.page(PROJECT, 2)).next is None


async def test_a_deleted_file_is_gone_and_its_bytes_too(tmp_path):
    async with storing(tmp_path) as storage:
        file = await keep(storage)
        found = await storage.files.find(PROJECT, f"files/{file.id}")
        with found.path.open("rb") as reading:
            await storage.files.delete(PROJECT, file.id)
            assert reading.read() == b"hello"  # whoever reads it reads on
        assert not found.path.exists()
        with pytest.raises(UnknownFile):
            await storage.files.delete(PROJECT, file.id)


async def test_films_are_processing_until_they_were_looked_into(tmp_path):
    gate = Gate()
    async with storing(tmp_path, probe=gate) as storage:
        file = await keep(storage, mime_type="video/mp4")
        assert file.state == "processing"
        with pytest.raises(FailedPrecondition) as caught:
            await storage.files.find(PROJECT, f"files/{file.id}")
        words = f"The File {file.id} is not in an ACTIVE state and usage is not allowed."
        assert caught.value.message == words
        storage.clock.advance(5)
        gate.opened.set()
        film = await settled(storage, file.id)
        assert (film.state, film.duration_ms) == ("active", 90_000)
        assert film.updated_us == film.created_us + 5_000_000
        assert (await storage.files.find(PROJECT, f"files/{file.id}")).path.exists()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (InvalidArgument("The file cannot be opened as sound or film."), "The file cannot be opened as"),
        (ZeroDivisionError(), "The file could not be looked into."),
    ],
)
async def test_a_film_that_cannot_be_opened_has_failed_and_says_why(tmp_path, fault, words, caplog):
    gate = Gate(fault)
    gate.opened.set()
    async with storing(tmp_path, probe=gate) as storage:
        file = await settled(storage, (await keep(storage, mime_type="audio/mpeg")).id)
        assert file.state == "failed"
        assert file.fault.startswith(words)
        with pytest.raises(FailedPrecondition):
            await storage.files.find(PROJECT, f"files/{file.id}")


async def test_a_busy_probe_is_asked_again(tmp_path):
    gate = Gate(Unavailable("full", retry_after_ms=10))
    gate.opened.set()
    async with storing(tmp_path, probe=gate) as storage:
        file = await keep(storage, mime_type="video/mp4")
        while gate.asked < 3:
            await asyncio.sleep(0.01)
        gate.fault = None
        assert (await settled(storage, file.id)).state == "active"


async def test_films_are_looked_into_after_a_restart(tmp_path):
    async with storing(tmp_path, probe=Gate()) as storage:
        file = await keep(storage, mime_type="video/mp4")
    async with storing(tmp_path, clock=Clock()) as storage:
        assert (await settled(storage, file.id)).duration_ms == 1_500


async def test_a_film_that_was_deleted_meanwhile_stays_deleted(tmp_path):
    gate = Gate()
    async with storing(tmp_path, probe=gate) as storage:
        first = await keep(storage, id="film", mime_type="video/mp4")
        await storage.files.delete(PROJECT, "film")
        storage.clock.advance(1)
        await keep(storage, id="film", mime_type="text/plain")
        gate.opened.set()
        await asyncio.sleep(0.05)
        now = await storage.files.get(PROJECT, "film")
        assert (now.mime_type, now.duration_ms) == ("text/plain", None)
        assert first.state == "processing"


@pytest.mark.parametrize(
    ("said", "name", "head", "type_"),
    [
        ("image/png", "x.txt", b"%PDF-", "image/png"),
        ("", "notes.md", b"", "text/markdown"),
        ("application/octet-stream", "a.docx", b"PK", file_types._BY_NAME.guess_type("a.docx")[0]),
        ("", "", b"%PDF-1.7", "application/pdf"),
        ("", "", b"RIFF\0\0\0\0WAVEfmt ", "audio/wav"),
        ("", "", b"\0\0\0\x20ftypisom", "video/mp4"),
        ("", "", "Grüße".encode(), "text/plain"),
        ("", "", "Grüße".encode()[:3], "text/plain"),
        ("", "archive.tar.gz", b"\x1f\x8b", "application/octet-stream"),
        ("", "", b"a\0b", "application/octet-stream"),
        ("", "", b"\xff\xfe\xfd", "application/octet-stream"),
        ("", "", b"", "text/plain"),
    ],
)
def test_types_are_said_or_guessed_by_name_or_by_bytes(said, name, head, type_):
    assert file_types.guess(said, name, head) == type_
