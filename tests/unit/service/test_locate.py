"""What a reference means: files of this machine on the command line only, and only real ones."""

import hashlib
import os

import pytest

from geminid.core.content import FileRef
from geminid.core.errors import InvalidArgument
from geminid.service.locate import NO_BUCKET, NO_FETCHING, NO_VIDEO_SITE, Locator


async def located(tmp_path, uri, *, local=False):
    async with Locator(None, None, tmp_path, lambda: "x", local=local).open(FileRef(uri), "p") as found:
        return found


async def test_a_file_of_this_machine_is_found_on_the_command_line(tmp_path):
    path = tmp_path / "a b%20?.txt"
    path.write_bytes(b"words")
    found = await located(tmp_path, f"file://{path}", local=True)
    assert found == (path, hashlib.sha256(b"words").hexdigest(), "")


@pytest.mark.parametrize(
    "uri", ["file:///etc/passwd", "FILE:///etc/passwd", "/etc/passwd", "data:text/plain,a"]
)
async def test_a_server_opens_no_file_of_its_machine(tmp_path, uri):
    with pytest.raises(InvalidArgument, match="neither a file of this server nor"):
        await located(tmp_path, uri)


@pytest.mark.parametrize(
    ("name", "reason"), [("pipe", "is not a file"), (".", "is not a file"), ("no", "No such")]
)
async def test_pipes_folders_and_what_is_not_there_are_refused_at_once(tmp_path, name, reason):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidArgument, match=reason):
        await located(tmp_path, f"file://{tmp_path / name}", local=True)


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("gs://bucket/film.mp4", NO_BUCKET),
        ("https://www.youtube.com/watch?v=1", NO_VIDEO_SITE),
        ("https://youtu.be/1", NO_VIDEO_SITE),
        ("https://example.com/a.png", NO_FETCHING),
    ],
)
async def test_an_address_that_is_never_fetched_says_why(tmp_path, uri, reason):
    with pytest.raises(InvalidArgument) as caught:
        await located(tmp_path, uri)
    assert caught.value.message == reason
