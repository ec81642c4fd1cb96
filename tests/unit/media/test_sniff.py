"""What a file is, is told by its bytes; the type that is said is a hint and no more."""

import contextlib
import random
import struct
import zipfile
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from geminid.media.faults import Unreadable
from geminid.media.sniff import HEAD_BYTES, Sniffed, sniff
from made.documents import pdf, presentation, word, workbook
from made.films import CONTAINERS, card, film
from made.sounds import CODECS, tone, write_sound

SOUNDS = {
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".aac": "audio/aac",
    ".aiff": "audio/aiff",
    ".webm": "audio/webm",
}
FILMS = {
    ".mp4": "video/mp4",
    ".mkv": "video/x-matroska",
    ".mov": "video/quicktime",
    ".avi": "video/x-msvideo",
    ".webm": "video/webm",
    ".3gp": "video/3gpp",
    ".mpg": "video/mpeg",
    ".ts": "video/mp2t",
    ".wmv": "video/x-ms-wmv",
    ".flv": "video/x-flv",
}
PICTURES = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
    "AVIF": "image/avif",
    "HEIF": "image/heic",
}
MP3_FRAME = b"\xff\xfb\x90\x00" + bytes(413)
ADTS_FRAME = b"\xff\xf1\x50\x80\x02\x1f\xfc" + bytes(9)


def picture(form):
    body = BytesIO()
    Image.new("RGB", (64, 48), "orange").save(body, form)
    return body.getvalue()


@pytest.fixture
def file(tmp_path):
    def write(content):
        path = tmp_path / "file"
        path.write_bytes(content)
        return path

    return write


def boxes(brand, *others):
    body = b"ftyp" + brand + bytes(4) + b"".join(others)
    return struct.pack(">I", len(body) + 4) + body + bytes(100)


def zipped(**members):
    body = BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/"), content)
    return body.getvalue()


@pytest.mark.parametrize("form", PICTURES)
def test_pictures_are_known(file, form):
    import pillow_heif

    pillow_heif.register_heif_opener()
    path = file(picture(form))
    assert sniff(path, "") == sniff(path, "image/png") == Sniffed("image", PICTURES[form])


@pytest.mark.parametrize("suffix", sorted(CODECS.keys() & SOUNDS))
def test_sounds_are_known(tmp_path, suffix):
    path = write_sound(tmp_path / f"s{suffix}", tone(1.0))
    assert sniff(path, "audio/mpeg") == Sniffed("audio", SOUNDS[suffix])


@pytest.mark.parametrize("suffix", sorted(CONTAINERS.keys() & FILMS))
def test_films_are_known(tmp_path, suffix):
    path = film(tmp_path / f"f{suffix}", [(1, card("x"))])
    assert sniff(path, "") == Sniffed("video", FILMS[suffix])


@pytest.mark.parametrize(
    ("content", "kind", "mime_type"),
    [
        (b"FLV\x01\x05" + bytes(90), "video", "video/x-flv"),
        (bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + bytes(90), "video", "video/x-ms-wmv"),
        (b"\x00\x00\x01\xba\x44" + bytes(90), "video", "video/mpeg"),
        (b"\x00\x00\x01\xb3\x14" + bytes(90), "video", "video/mpeg"),
        ((b"G" + bytes(187)) * 6, "video", "video/mp2t"),
        (boxes(b"3gp5", b"isom"), "video", "video/3gpp"),
        (boxes(b"isom", b"mp42"), "video", "video/mp4"),
        (b"\x00\x00\x00\x20moov" + bytes(90), "video", "video/quicktime"),
        (boxes(b"mif1", b"heic"), "image", "image/heif"),
        (boxes(b"mif1", b"avif"), "image", "image/avif"),
        (boxes(b"heix"), "image", "image/heic"),
        (b"ID3\x04" + bytes(90), "audio", "audio/mpeg"),
        (MP3_FRAME * 4, "audio", "audio/mpeg"),
        (MP3_FRAME, "audio", "audio/mpeg"),
        (bytes(100) + MP3_FRAME * 4, "audio", "audio/mpeg"),
        (ADTS_FRAME * 4, "audio", "audio/aac"),
        (b"OggS" + bytes(24) + b"\x80theora" + bytes(90), "video", "video/ogg"),
        (b"#!AMR\n" + bytes(90), "audio", "audio/amr"),
        (b"{\\rtf1 hello}", "text", "text/rtf"),
        (b"%PDF-1.7\n", "pdf", "application/pdf"),
        (b"hello", "text", "text/plain"),
        (b"\xff\xfeh\0i\0", "text", "text/plain"),
        ("ÿþ".encode("utf-16"), "text", "text/plain"),
        (b"  <!DOCTYPE html><p>x", "text", "text/html"),
        (b"<?xml version='1.0'?><a/>", "text", "application/xml"),
        ("Grüße aus Köln".encode("latin-1"), "text", "text/plain"),
        ("日本語".encode("shift_jis"), "text", "text/plain"),
        ("a,b\n".encode("utf-16-le"), "text", "text/plain"),
    ],
)
def test_what_a_file_is(file, content, kind, mime_type):
    assert sniff(file(content), "application/octet-stream") == Sniffed(kind, mime_type)


def test_office_files_are_told_from_each_other_and_from_other_zips(tmp_path, file):
    office = "application/vnd.openxmlformats-officedocument"
    assert sniff(word(tmp_path / "a"), "").mime_type == f"{office}.wordprocessingml.document"
    assert sniff(workbook(tmp_path / "b", {"S": [[1]]}), "").mime_type == f"{office}.spreadsheetml.sheet"
    assert sniff(presentation(tmp_path / "c"), "").mime_type == f"{office}.presentationml.presentation"
    # Another office type is a harmless confusion.
    assert (
        sniff(tmp_path / "a", f"{office}.spreadsheetml.sheet").mime_type
        == f"{office}.wordprocessingml.document"
    )
    with pytest.raises(Unreadable, match="zip archive"):
        sniff(file(zipped(a__b="x")), "")
    with pytest.raises(Unreadable, match="OpenDocument"):
        sniff(file(zipped(mimetype="application/vnd.oasis.opendocument.text")), "")
    with pytest.raises(Unreadable, match=r"\.xlsb"):
        sniff(file(zipped(**{"[Content_Types].xml": "", "xl__workbook.bin": ""})), "")
    with pytest.raises(Unreadable, match="broken or truncated zip"):
        sniff(file((tmp_path / "a").read_bytes()[:3000]), "")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"%PDF-1.4\n", "image/png"),
        (b"%PDF-1.4\n", "text/plain"),
        (picture("PNG"), "application/pdf"),
        (picture("PNG"), "audio/wav"),
        (picture("GIF"), "video/mp4"),
        (b"just words", "image/png"),
        (b"just words", "application/pdf"),
        (b"just words", "video/mp4"),
        (MP3_FRAME * 4, "image/jpeg"),
        (b"{\\rtf1 x}", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ],
)
def test_a_type_of_another_family_is_refused(file, content, said):
    with pytest.raises(Unreadable, match=f"^The type {said} does not fit the file: its bytes are those of "):
        sniff(file(content), said)


@pytest.mark.parametrize(
    ("content", "said", "kind", "mime_type"),
    [
        (picture("PNG"), "image/jpeg", "image", "image/png"),
        (boxes(b"isom"), "audio/mp4", "audio", "audio/mp4"),
        (boxes(b"M4A "), "video/mp4", "audio", "audio/mp4"),
        (MP3_FRAME * 4, "video/mp4", "audio", "audio/mpeg"),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x82\x84webm" + bytes(90), "audio/webm", "audio", "audio/webm"),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x82\x84webm" + bytes(90), "video/webm", "video", "video/webm"),
        (b"a,b\n", "text/csv", "text", "text/csv"),
        (b"{}", "application/json", "text", "application/json"),
        (b"<svg/>", "image/svg+xml", "text", "image/svg+xml"),
        (b"words", "application/zip", "text", "text/plain"),
        (b"%PDF-1.4", "application/x-pdf", "pdf", "application/pdf"),
    ],
)
def test_harmless_confusions_are_settled_by_the_bytes(file, content, said, kind, mime_type):
    assert sniff(file(content), said) == Sniffed(kind, mime_type)


@pytest.mark.parametrize(
    ("content", "said", "words"),
    [
        (b"", "image/png", "The file is empty."),
        (bytes(1000), "", "The file is of no type that is known here."),
        (bytes(1000), "image/png", "The type image/png does not fit the file"),
        (bytes(1000), "audio/l16", "send them as WAV"),
        (b"\x1f\x8b\x08" + bytes(50), "", "a gzip archive"),
        (b"\x7fELF\x02" + bytes(50), "application/octet-stream", "a program"),
        (b"SQLite format 3\0" + bytes(50), "", "an SQLite database"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "", "an OLE container"),
        (b"PK\3\4" + bytes(50), "", "broken or truncated zip"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_sentence(file, content, said, words):
    with pytest.raises(Unreadable) as refused:
        sniff(file(content), said)
    assert words in refused.value.message
    assert refused.value.message.endswith(".")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("WordDocument", "an old Word document"),
        ("Workbook", "an old Excel workbook"),
        ("PowerPoint Document", "an old PowerPoint"),
        ("EncryptedPackage", "encrypted with a password"),
    ],
)
def test_old_and_encrypted_office_files_are_named(file, name, words):
    header = bytearray(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504))
    header[30:32], header[48:52] = struct.pack("<H", 9), struct.pack("<I", 1)
    directory = b"".join(each.encode("utf-16-le").ljust(128, b"\0") for each in ("Root Entry", name))
    with pytest.raises(Unreadable, match=words):
        sniff(file(bytes(header) + bytes(512) + directory), "")


def test_a_file_that_is_two_things_is_the_one_that_begins_it(tmp_path, file):
    document, archive = pdf(tmp_path / "d", ["x"]).read_bytes(), zipped(a="x")
    assert sniff(file(document + archive), "").kind == "pdf"
    assert sniff(file(picture("GIF") + archive), "").kind == "image"
    with pytest.raises(Unreadable, match="zip archive"):
        sniff(file(archive + document), "")
    with pytest.raises(Unreadable, match="does not fit"):
        sniff(file(picture("GIF") + document), "application/pdf")


def test_a_pdf_may_begin_with_something_else(file):
    assert sniff(file(b"\0\0\0 junk \xff\n%PDF-1.4\n"), "").kind == "pdf"
    assert sniff(file(b"HTTP/1.1 200 OK\n\n%PDF-1.4\n"), "application/pdf").kind == "pdf"
    assert sniff(file(b"if head.startswith('%PDF-'):\n"), "").kind == "text"


@pytest.mark.parametrize("count", [20, 200, 5000])
def test_random_bytes_are_neither_sound_nor_text(file, count):
    for seed in range(40):
        content = random.Random(seed).randbytes(count)
        with pytest.raises(Unreadable):
            sniff(file(b"\x00\x80" + content), "")


def test_only_the_beginning_is_read(tmp_path):
    path = tmp_path / "huge"
    with path.open("wb") as stream:
        stream.write(b"word " * HEAD_BYTES)
        stream.truncate(1 << 33)  # a hole: nothing of it is on disk
    assert sniff(path, "").kind == "text"


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=400)
    | st.builds(
        bytes.__add__,
        st.sampled_from(
            [
                b"RIFF",
                b"\0\0\0\x18ftyp",
                b"PK\3\4",
                b"OggS",
                b"\xff\xfb\x90",
                b"\xff\xf1",
                b"II*\0",
                b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
            ]
        ),
        st.binary(max_size=300),
    ),
    st.sampled_from(["", "image/png", "audio/mpeg", "video/mp4", "application/pdf", "text/plain"]),
)
def test_any_bytes_are_something_or_refused(tmp_path_factory, content, said):
    path = tmp_path_factory.getbasetemp() / "sniffed"
    path.write_bytes(content)
    with contextlib.suppress(Unreadable):
        assert sniff(path, said) == sniff(path, said)
