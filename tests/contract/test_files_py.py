"""The Files API through the official Python SDK, unmodified, against a server process."""

import asyncio
import base64
import hashlib
import io
import random
import threading
import time

import psutil
import pytest
from google.genai import errors, types

from e2e.crowd import cases
from made.films import card, film

proves = pytest.mark.proves

MIB = 1024**2
WORDS = b"The warehouse is run by Ms Okafor.\n"


@pytest.fixture(autouse=True)
def no_files_left(client):
    """Leave the shared server as it was."""
    before = names(client)
    yield
    for name in names(client) - before:
        client.files.delete(name=name)


def names(client):
    return {file.name for file in client.files.list(config={"page_size": 100})}


class Generated(io.RawIOBase):
    """A file of any size that takes no disk and no memory, as a stream that can be sought."""

    block = random.Random(4).randbytes(MIB)

    def __init__(self, size):
        super().__init__()
        self.size, self.at = size, 0

    def readable(self):
        return True

    def seekable(self):
        return True

    def tell(self):
        return self.at

    def seek(self, offset, whence=io.SEEK_SET):
        self.at = {io.SEEK_SET: 0, io.SEEK_CUR: self.at, io.SEEK_END: self.size}[whence] + offset
        return self.at

    def read(self, size=-1):
        size = max(0, min(size if size >= 0 else self.size, self.size - self.at))
        begin = self.at % MIB
        whole = (self.block * (-(-(begin + size) // MIB)))[begin : begin + size]
        self.at += size
        return whole

    def sha256(self):
        digest = hashlib.sha256()
        for _ in range(self.size // MIB):
            digest.update(self.block)
        return digest.hexdigest()


def hash_of(file) -> str:
    """The hash as the SDK tells it: base64 of the hexadecimal text."""
    return base64.b64decode(file.sha256_hash).decode()


def put(client, data=WORDS, **config):
    return client.files.upload(file=io.BytesIO(data), config={"mime_type": "text/plain", **config})


def looked_into(client, file):
    """Poll as the documentation of the SDK says."""
    while file.state is types.FileState.PROCESSING:
        time.sleep(0.05)
        file = client.files.get(name=file.name)
    return file


@proves("files · upload of a path")
def test_a_path(client, tmp_path):
    path = tmp_path / "report.txt"
    path.write_bytes(WORDS)
    file = client.files.upload(file=path)
    assert file.name.startswith("files/")
    assert len(file.name) == len("files/") + 12
    assert (file.mime_type, file.size_bytes, file.display_name) == ("text/plain", len(WORDS), "report.txt")
    assert hash_of(file) == hashlib.sha256(WORDS).hexdigest()
    assert file.state is types.FileState.ACTIVE
    assert file.source is types.FileSource.UPLOADED
    assert (file.expiration_time - file.create_time).total_seconds() == 48 * 3600


@proves("files · upload of a stream, with name, displayName and mimeType")
def test_a_stream(client):
    file = put(client, name="my-notes-1", display_name="Notes · Notizen", mime_type="text/markdown")
    assert (file.name, file.display_name, file.mime_type) == (
        *("files/my-notes-1", "Notes · Notizen"),
        "text/markdown",
    )
    assert file.uri.endswith("/v1beta/files/my-notes-1")


@proves("files · an empty file")
def test_an_empty_file(client):
    assert put(client, b"").size_bytes in (0, None)


class Watch:
    """The largest memory of a process while the block runs."""

    def __init__(self, server):
        self.process = psutil.Process(server.process.pid)
        self.before = self.most = self.process.memory_info().rss
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _look(self):
        while not self._done.wait(0.02):
            self.most = max(self.most, self.process.memory_info().rss)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()

    @property
    def grown_mib(self):
        return (self.most - self.before) / MIB


@proves("files · a large upload in chunks of 8 MiB")
@pytest.mark.timeout(600)
def test_a_large_file_leaves_memory_flat(client, scripted):
    """100 MB in every run, 2 GiB where the promise is proved."""
    put(client, b"warm" * MIB)
    source = Generated(cases(96, 2048) * MIB)
    began = time.monotonic()
    with Watch(scripted) as watch:
        file = client.files.upload(file=source, config={"mime_type": "application/pdf"})
    took_s = time.monotonic() - began
    print(f"{source.size / MIB:.0f} MiB in {took_s:.1f} s, server memory grew by {watch.grown_mib:.1f} MiB")
    assert file.size_bytes == source.size
    assert hash_of(file) == source.sha256()
    assert watch.grown_mib < 50


@proves("files · get")
def test_get(client):
    file = put(client)
    assert client.files.get(name=file.name) == file


@proves("files · PROCESSING, then ACTIVE with videoMetadata")
def test_polling(client, tmp_path):
    path = film(tmp_path / "film.mp4", [(2, card("Hello"))])
    made = client.files.upload(file=path)
    assert made.state is types.FileState.PROCESSING
    made = looked_into(client, made)
    assert made.state is types.FileState.ACTIVE
    assert made.video_metadata == {"videoDuration": "2s"}
    assert made.update_time > made.create_time


@proves("files · FAILED, with its error")
def test_what_is_no_sound(client):
    sound = client.files.upload(file=io.BytesIO(b"no sound" * 100), config={"mime_type": "audio/wav"})
    sound = looked_into(client, sound)
    assert sound.state is types.FileState.FAILED
    assert sound.error.code == 3
    assert sound.error.message


@proves("files · fileData of a request")
@pytest.mark.parametrize(
    "form", ["{name}", "{uri}", "https://generativelanguage.googleapis.com/v1beta/{name}"]
)
def test_use(client, form):
    file = put(client)
    part = types.Part.from_uri(file_uri=form.format(name=file.name, uri=file.uri), mime_type="text/plain")
    answer = client.models.generate_content(model="gemini-3.1-flash-lite", contents=[part])
    assert WORDS.decode().strip() in answer.text


@proves("files · fileData of a request")
def test_use_of_what_is_not_there(client):
    part = types.Part.from_uri(file_uri="files/never-was", mime_type="text/plain")
    with pytest.raises(errors.ClientError) as caught:
        client.models.generate_content(model="gemini-3.1-flash-lite", contents=[part, "hello"])
    assert (caught.value.code, caught.value.status) == (403, "PERMISSION_DENIED")
    words = "You do not have permission to access the File never-was or it may not exist."
    assert caught.value.message == words


@proves("files · fileData of a request")
def test_use_of_what_has_failed(client):
    sound = put(client, b"no sound" * 100, mime_type="audio/wav")
    with pytest.raises(errors.ClientError) as caught:
        client.models.generate_content(model="gemini-3.1-flash-lite", contents=[looked_into(client, sound)])
    assert (caught.value.code, caught.value.status) == (400, "FAILED_PRECONDITION")
    assert caught.value.message.endswith("is not in an ACTIVE state and usage is not allowed.")


@proves("files · list, page by page")
def test_list(client):
    made = [put(client).name for _ in range(5)]
    listed = [file.name for file in client.files.list(config={"page_size": 2})]
    assert listed[:5] == made[::-1]
    assert len(listed) == len(set(listed))
    assert len(client.files.list(config={"page_size": 2}).page) == 2


@proves("files · delete")
def test_delete(client):
    file = put(client)
    client.files.delete(name=file.name)
    with pytest.raises(errors.ClientError) as caught:
        client.files.get(name=file.name)
    assert (caught.value.code, caught.value.status) == (403, "PERMISSION_DENIED")
    file_id = file.name.removeprefix("files/")
    words = f"You do not have permission to access the File {file_id} or it may not exist."
    assert caught.value.message == words


@proves("files · download", approximated="served for uploaded files too, which the hosted service refuses")
def test_download(client, tmp_path):
    file = put(client)
    assert client.files.download(file=file) == WORDS
    assert client.files.download(file=file.name) == WORDS
    client.files.download(file=file, destination=tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == WORDS


@proves("files · a name that is taken or cannot be")
@pytest.mark.parametrize(
    ("name", "code", "status"),
    [
        ("taken", 409, "ALREADY_EXISTS"),
        ("Not-A-Name", 400, "INVALID_ARGUMENT"),
        ("-x", 400, "INVALID_ARGUMENT"),
    ],
)
def test_names(client, name, code, status):
    put(client, name="taken")
    with pytest.raises(errors.ClientError) as caught:
        put(client, name=name)
    assert (caught.value.code, caught.value.status) == (code, status)


@proves("files · upload of a path", "files · get", "files · list, page by page", "files · delete")
async def test_the_asynchronous_client(scripted, client_of, tmp_path):
    path = tmp_path / "large.txt"
    path.write_bytes(WORDS * 500_000)  # more than one chunk
    async with client_of(scripted).aio as client:
        file, other = await asyncio.gather(
            client.files.upload(file=path), client.files.upload(file=path, config={"name": "second"})
        )
        assert hash_of(file) == hash_of(other) == hashlib.sha256(path.read_bytes()).hexdigest()
        assert await client.files.get(name=file.name) == file
        listed = [each.name async for each in await client.files.list(config={"page_size": 1})]
        assert sorted(listed[:2]) == sorted([file.name, "files/second"])
        assert await client.files.download(file=file) == path.read_bytes()
        await client.files.delete(name=file.name)


@proves("transport · /v1, /v1beta, /v1alpha")
@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha"])
def test_versions(scripted, client_of, version):
    client = client_of(scripted, api_version=version)
    assert client.files.get(name=put(client).name).size_bytes == len(WORDS)


@proves("files · keys: needed to begin an upload, not to go on")
def test_keys(keyed, client_of):
    with pytest.raises(errors.ClientError) as caught:
        put(client_of(keyed))
    assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT")
    good = client_of(keyed, headers={"x-goog-api-key": "sk-one"})
    file = put(good)
    assert file.size_bytes == len(WORDS)
    good.files.delete(name=file.name)
