"""Resolving media: what becomes of each part, whose fault is told where, and what is left on disk."""

import asyncio
import contextlib
import errno
import hashlib
import pathlib
from itertools import count

import pytest

import make
from geminid.core.card import ModelCard
from geminid.core.content import Blob, FileRef, Look, Picture, Text, ToolCall, ToolResult, Turn
from geminid.core.errors import InvalidArgument, PermissionDenied, Unavailable
from geminid.core.events import PrefixFound, Started, TextDelta
from geminid.core.usage import Usage
from geminid.media.bounds import Bounds
from geminid.media.faults import Unreadable
from geminid.media.library import Library, Maker
from geminid.media.reading import Measures, Passage, Reading, Still
from geminid.service import generate
from geminid.service.resolve import Located, Resolved, Resolver

CARD = ModelCard(
    name="m", title="", engine="scripted", context_tokens_max=9, input_tokens_max=9, output_tokens_max=9
)
PNG = Blob("image/png", b"png", field="contents[0].parts[0].inline_data")


class FakePool:
    """Reads every file as one picture with its content as words."""

    def __init__(self, reading=None) -> None:
        self.asked, self.reading, self.gate = [], reading, None

    async def read(self, path, ask):
        content = path.read_bytes()
        self.asked.append((content, ask))
        if self.gate:
            await self.gate.wait()
        if content == b"bad":
            raise Unreadable("The picture is broken.")
        return self.reading or Reading(
            kind="image",
            mime_type="image/png",
            parts=(Passage(f"saw {content.decode()}", "image"),),
            measures=Measures(images=1),
        )


@pytest.fixture
def resolver(tmp_path):
    def made(pool, tokens="own", files=None):
        numbers = count()
        (tmp_path / "incoming").mkdir()

        @contextlib.asynccontextmanager
        async def locate(ref, project):
            if ref.uri not in (files or {}):
                raise PermissionDenied("You do not have permission.")
            path = tmp_path / "stored"
            path.write_bytes(files[ref.uri])
            yield Located(path, hashlib.sha256(files[ref.uri]).hexdigest(), "image/png")

        library = Library(tmp_path / "library", 0, lambda: Maker(Bounds(), ""))
        return Resolver(pool, library, locate, tmp_path / "incoming", lambda: f"id{next(numbers)}", tokens)

    yield made
    assert list((tmp_path / "incoming").iterdir()) == []


def asking(*parts):
    return make.request("x", turns=(Turn("user", parts),))


async def parts_of(resolver, *parts, card=CARD):
    resolved = await resolver.resolve(asking(*parts), card, "default")
    return resolved.request.turns[0].parts


async def test_words_pass_without_a_reader(resolver):
    assert await parts_of(resolver(None), Text("a"), ToolResult("f", {})) == (Text("a"), ToolResult("f", {}))


async def test_a_medium_becomes_words_in_its_place(resolver):
    read = await parts_of(resolver(FakePool()), Text("before"), PNG, Text("after"))
    assert read == (Text("before"), Text("\nsaw png\n", "image"), Text("after"))


async def test_a_name_that_was_given_is_told_before_the_medium(resolver):
    read = await parts_of(resolver(FakePool()), Blob("image/png", b"png", name="cat.png"))
    assert read == (Text("\n[cat.png]\n"), Text("\nsaw png\n", "image"))


async def test_plain_text_needs_no_reader(resolver):
    read = await parts_of(resolver(None), Blob("text/plain", "naïve".encode()), Blob("text/csv", b"a,b"))
    assert read == (Text("\nnaïve\n"), Text("\na,b\n"))


@pytest.mark.parametrize(
    "blob", [Blob("text/plain", b"\xff\xfea\0"), Blob("text/html", b"<p>a"), Blob("text/plain", b"a\0b")]
)
async def test_text_that_is_not_plain_is_read_by_a_reader(resolver, blob):
    pool = FakePool(Reading(kind="text", mime_type="text/plain", parts=(Passage("read", "text"),)))
    assert await parts_of(resolver(pool), blob) == (Text("\nread\n"),)


async def test_a_model_with_eyes_is_given_pictures_and_its_reader_told(resolver):
    reading = Reading(
        kind="video",
        mime_type="video/mp4",
        parts=(
            Passage("[0:00]", "video"),
            Still(b"one", "video"),
            Still(b"two", "video"),
            Passage("said", "audio"),
            Passage("more", "audio"),
        ),
    )
    pool = FakePool(reading)
    seeing = ModelCard(
        name="m", title="", sees=True, context_tokens_max=9, input_tokens_max=9, output_tokens_max=9
    )
    assert await parts_of(resolver(pool), PNG, card=seeing) == (
        Text("\n[0:00]\n", "video"),
        Picture(b"one", "video"),
        Picture(b"two", "video"),
        Text("\nsaid\nmore\n", "audio"),
    )
    assert pool.asked[0][1].eyes


async def test_media_that_a_function_gave_back_are_read_too(resolver):
    result = ToolResult("f", {"a": 1}, parts=(PNG,))
    (read,) = await parts_of(resolver(FakePool()), result)
    assert read == ToolResult("f", {"a": 1}, parts=(Text("\nsaw png\n", "image"),))


async def test_calls_keep_their_place(resolver):
    read = await parts_of(resolver(FakePool()), ToolCall("f", {}), PNG)
    assert isinstance(read[0], ToolCall)


async def test_a_file_is_read_as_what_the_caller_says_or_what_it_was_stored_as(resolver):
    pool = FakePool()
    made = resolver(pool, files={"files/x": b"stored"})
    look = Look(start_ms=5)
    read = await parts_of(made, FileRef("files/x", look=look), FileRef("files/x", "image/webp"))
    assert read == (Text("\nsaw stored\n", "image"),) * 2
    # Both are read at once: which is asked first is nobody's promise.
    asked = sorted((ask.mime_type, ask.look.start_ms) for _, ask in pool.asked)
    assert asked == [("image/png", look.start_ms), ("image/webp", 0)]


async def test_the_same_bytes_are_read_once(resolver):
    pool = FakePool()
    await parts_of(resolver(pool), PNG, Blob("image/png", b"png", field="elsewhere"))
    assert len(pool.asked) == 1


async def test_a_model_without_eyes_needs_one_reading_for_all_resolutions(resolver):
    pool = FakePool()
    looks = [Look(resolution=resolution) for resolution in (None, "low", "high")]
    await parts_of(resolver(pool), *(Blob("image/png", b"png", look=look) for look in looks))
    assert len(pool.asked) == 1


async def test_a_medium_that_cannot_be_read_is_told_by_its_field(resolver):
    bad = Blob("image/png", b"bad", field="contents[3].parts[1].inline_data")
    with pytest.raises(InvalidArgument) as caught:
        await parts_of(resolver(FakePool()), PNG, bad)
    assert caught.value.violations[0].field == bad.field
    assert caught.value.message == f"Unable to process the input at {bad.field}: The picture is broken."


async def test_a_file_of_somebody_else_keeps_its_own_error(resolver):
    with pytest.raises(PermissionDenied, match="permission"):
        await parts_of(resolver(FakePool(), files={}), FileRef("files/x", field="f"))


async def test_a_caller_who_leaves_leaves_nothing_on_disk(resolver):
    pool = FakePool()
    pool.gate = asyncio.Event()
    asked = asyncio.create_task(parts_of(resolver(pool), PNG))
    while not pool.asked:
        await asyncio.sleep(0.01)
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    await asyncio.sleep(0.05)


async def test_of_many_media_a_few_are_read_at_once_and_all_in_the_end(resolver):
    pool = FakePool()
    pool.gate = asyncio.Event()
    blobs = [Blob("image/png", b"%d" % n) for n in range(300)]
    asked = asyncio.create_task(parts_of(resolver(pool), *blobs))
    while len(pool.asked) < 4:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    assert len(pool.asked) == 4
    pool.gate.set()
    assert await asked == tuple(Text(f"\nsaw {n}\n", "image") for n in range(300))


async def test_a_full_disk_is_unavailable_and_tells_no_path(resolver, monkeypatch):
    def full(path, data):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(pathlib.Path, "write_bytes", full)
    with pytest.raises(Unavailable) as caught:
        await parts_of(resolver(FakePool()), PNG)
    assert caught.value.message == "The server cannot keep these bytes now: No space left on device."


async def test_usage_is_told_as_it_is(resolver):
    resolved = await resolver(FakePool()).resolve(asking(PNG), CARD, "default")
    usage = Usage(prompt=30, media={"image": 20})
    assert resolved.told(usage) == usage


async def test_usage_may_be_told_in_googles_figures(resolver):
    low = Blob("image/png", b"other", look=Look(resolution="low"))
    resolved = await resolver(FakePool(), "google").resolve(asking(PNG, low), CARD, "default")
    told = resolved.told(Usage(prompt=30, media={"image": 20}))
    assert told == Usage(prompt=10 + 1120 + 280, media={"image": 1400})


async def test_in_googles_figures_an_office_document_counts_by_its_text(resolver):
    pool = FakePool(Reading(kind="office", mime_type="x", parts=(Passage("words", "document"),)))
    resolved = await resolver(pool, "google").resolve(asking(PNG), CARD, "default")
    assert resolved.request.turns[0].parts == (Text("\nwords\n", "text"),)
    assert resolved.told(Usage(prompt=30)) == Usage(prompt=30)


async def test_what_was_found_of_media_is_not_told_where_they_are_counted_by_other_figures():
    async def events():
        yield Started(Usage(prompt=20, media={"image": 8}))
        yield PrefixFound(12, {"image": 5})
        yield TextDelta("a", 1)

    resolved = Resolved(request=make.request(), figures={"image": 258})
    told = [event async for event in generate._told(events(), resolved)]
    assert told == [Started(Usage(prompt=270, media={"image": 258})), PrefixFound(7), TextDelta("a", 1)]
