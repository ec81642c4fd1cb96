"""Files on the wire: what is read of a new one, and the resource byte for byte."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminid.core.errors import InvalidArgument
from geminid.core.file import File, NewFile, Place
from geminid.wire.gemini import files, uploads
from geminid.wire.multipart import Began, Data, Ended, MultipartReader, boundary_of

FILE = File(
    project="default",
    id="abc-123",
    display_name="A film",
    mime_type="video/mp4",
    size_bytes=12345678901,
    sha256_hex="0123456789abcdef" * 4,
    created_us=1_790_000_000_123_456,
    updated_us=1_790_000_001_000_000,
    expires_us=1_790_172_800_123_456,
    duration_ms=61_500,
)
WRITTEN = b"""\
{
  "name": "files/abc-123",
  "displayName": "A film",
  "mimeType": "video/mp4",
  "sizeBytes": "12345678901",
  "createTime": "2026-09-21T14:13:20.123456Z",
  "updateTime": "2026-09-21T14:13:21Z",
  "expirationTime": "2026-09-23T14:13:20.123456Z",
  "sha256Hash": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZg==",
  "uri": "https://h/p/v1beta/files/abc-123",
  "downloadUri": "https://h/p/v1beta/files/abc-123:download?alt=media",
  "state": "ACTIVE",
  "source": "UPLOADED",
  "videoMetadata": {
    "videoDuration": "61.500s"
  }
}
"""


def changed(**fields: object) -> File:
    return File(**{name: getattr(FILE, name) for name in FILE.__struct_fields__} | fields)


def test_a_file_is_written_byte_for_byte():
    assert files.write_file(FILE, "https://h/p") == WRITTEN


def test_only_the_answer_to_an_upload_wraps_its_file():
    inner = b"\n".join(b"  " + line for line in WRITTEN.strip().split(b"\n")).strip()
    assert files.write_created(FILE, "https://h/p") == b'{\n  "file": ' + inner + b"\n}\n"


def test_a_file_that_failed_says_why():
    told = files.write_file(changed(state="failed", duration_ms=None, fault="It is broken."), "")
    assert b'"state": "FAILED"' in told
    assert b'"error": {\n    "code": 3,\n    "message": "It is broken."\n  }' in told
    assert b"videoMetadata" not in told


def test_sound_has_no_film_in_it():
    assert b"videoMetadata" not in files.write_file(changed(mime_type="audio/mpeg"), "")


def test_whole_seconds_have_no_fraction():
    assert b'"videoDuration": "60s"' in files.write_file(changed(duration_ms=60_000), "")


def test_an_empty_list_is_an_empty_object():
    assert files.write_list([], None, "") == b"{}\n"


@given(created_us=st.integers(0, 10**17), file_id=st.from_regex(r"[a-z0-9-]{1,40}", fullmatch=True))
def test_a_page_token_leads_back_to_its_place(created_us, file_id):
    place = Place(created_us, file_id)
    written = files.write_list([FILE], place, "").decode()
    token = written.partition('"nextPageToken": "')[2].partition('"')[0]
    assert files.read_page("5", token) == (5, place)


@given(st.text(min_size=1, max_size=50))
def test_a_token_that_was_not_given_is_refused(token):
    with pytest.raises(InvalidArgument, match=r"ListFilesRequest\.page_token: page_token is invalid"):
        files.read_page(None, token)


@pytest.mark.parametrize(("said", "size"), [(None, 10), ("0", 10), ("1", 1), ("100", 100), ("101", 100)])
def test_page_sizes_have_a_default_and_a_top(said, size):
    assert files.read_page(said, None) == (size, None)


def test_a_page_size_that_is_no_number_is_refused():
    with pytest.raises(InvalidArgument, match=r"Invalid value at 'page_size' \(TYPE_INT32\), \"ten\""):
        files.read_page("ten", None)


@pytest.mark.parametrize(
    "body",
    [
        b'{"file":{"display_name":"A","mime_type":"image/png","size_bytes":5,"name":"files/x"}}',
        b'{"file":{"displayName":"A","mimeType":"image/png","sizeBytes":"5","name":"files/x"}}',
        b"{'file':{'displayName':'A','mimeType':'IMAGE/PNG; a=b','sizeBytes':5.0,name:'files/x',}}",
    ],
)
def test_what_is_said_of_a_file_is_read_in_every_spelling(body):
    assert files.read_create(body, NewFile()) == NewFile(
        id="x", display_name="A", mime_type="image/png", size_bytes=5
    )


@pytest.mark.parametrize("body", [b"", b"{}", b'{"file":{}}', b'{"file":null}'])
def test_nothing_need_be_said(body):
    around = NewFile(mime_type="text/plain", size_bytes=3, file_name="a.txt")
    assert files.read_create(body, around) == around


def test_headers_come_before_the_body_and_what_the_server_says_is_ignored():
    body = b'{"file":{"mimeType":"a/b","sizeBytes":1,"uri":"x","state":"ACTIVE","sha256Hash":"x"}}'
    around = NewFile(mime_type="text/plain", size_bytes=3)
    assert files.read_create(body, around) == around


@pytest.mark.parametrize(
    ("file", "field"),
    [
        ({"name": "my-id"}, "file.name"),
        ({"name": "files/-a"}, "file.name"),
        ({"name": "files/a-"}, "file.name"),
        ({"name": "files/A"}, "file.name"),
        ({"name": "files/" + "a" * 41}, "file.name"),
        ({"name": "files/a/b"}, "file.name"),
        ({"displayName": "x" * 513}, "file.display_name"),
        ({"mimeType": "nonsense"}, "file.mime_type"),
        ({"mimeType": "text/plain\nx: y"}, "file.mime_type"),
        ({"sizeBytes": -1}, "file.size_bytes"),
    ],
)
def test_what_cannot_be_is_refused_with_its_field(file, field):
    with pytest.raises(InvalidArgument) as caught:
        files.read_create(json.dumps({"file": file}).encode(), NewFile())
    assert [violation.field for violation in caught.value.violations] == [field]
    assert caught.value.message.startswith(f"* CreateFileRequest.{field}: ")


@pytest.mark.parametrize("name", ["a", "a-b", "0" * 40])
def test_names_that_may_be(name):
    assert files.read_create(f'{{"file":{{"name":"files/{name}"}}}}'.encode(), NewFile()).id == name


# -- headers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "query", "protocol"),
    [
        ({"x-goog-upload-protocol": "Resumable"}, {}, "resumable"),
        ({"x-goog-upload-command": "start"}, {}, "resumable"),
        ({}, {"uploadType": "resumable"}, "location"),
        ({}, {"uploadType": "media"}, "raw"),
        ({}, {"upload_protocol": "multipart"}, "multipart"),
        ({"content-type": "multipart/related; boundary=x"}, {}, "multipart"),
    ],
)
def test_protocols_are_told_in_many_ways(headers, query, protocol):
    assert uploads.read_protocol(headers, query) == protocol


@pytest.mark.parametrize(
    ("headers", "query"),
    [({}, {}), ({"x-goog-upload-protocol": "ftp"}, {}), ({}, {"uploadType": "ftp"})],
)
def test_a_protocol_that_is_not_told_or_not_known_is_refused(headers, query):
    with pytest.raises(InvalidArgument):
        uploads.read_protocol(headers, query)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("report.pdf", "report.pdf"),
        ("C:\\Users\\me\\report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("résumé.pdf", "résumé.pdf"),
        ("日本.txt", "日本.txt"),
        ("a\x00b", "ab"),
        ("x" * 600, "x" * 512),
    ],
)
def test_file_names_are_only_names_whatever_their_script(sent, read):
    header = {"x-goog-upload-file-name": sent.encode().decode("latin-1")}
    assert uploads.read_announcement(header, "resumable").file_name == read


@given(st.text())
def test_a_content_range_is_read_or_refused(said):
    try:
        start, length, total = uploads.read_content_range(said)
    except InvalidArgument:
        return
    assert (start is None) == (length is None)
    assert total is None or total >= (start or 0) + (length or 0)


# -- multipart -----------------------------------------------------------------------------------------


def parts(body: bytes, cuts: list[int], boundary: str = "xyz"):
    """Read a body that comes in pieces; return (headers, bytes) of each part, and whether it was complete."""
    reader, found = MultipartReader(boundary), []
    edges = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    for begin, end in itertools.pairwise(edges):
        for event in reader.feed(body[begin:end]):
            match event:
                case Began(headers):
                    found.append([dict(headers), b""])
                case Data(data):
                    found[-1][1] += data
                case Ended():
                    pass
    return [tuple(part) for part in found], reader.complete


@given(
    st.lists(st.binary(max_size=60).filter(lambda data: b"--xyz" not in data), min_size=1, max_size=4),
    st.lists(st.integers(0, 1000), max_size=12),
    st.sampled_from([b"\r\n", b"\n"]),
    st.sampled_from([b"", b"preamble"]),
)
def test_however_a_body_is_cut_the_same_parts_come_out(datas, cuts, newline, preamble):
    body = (preamble + newline if preamble else b"") + b"".join(
        b"--xyz" + newline + b"X-N: %d" % n + newline * 2 + data + newline for n, data in enumerate(datas)
    )
    found, complete = parts(body + b"--xyz--" + newline + b"epilogue", cuts)
    assert found == [({"x-n": str(n)}, data) for n, data in enumerate(datas)]
    assert complete
    assert not parts(body, cuts)[1]


@given(st.binary(max_size=300), st.lists(st.integers(0, 1000), max_size=5))
def test_whatever_comes_the_reader_ends(body, cuts):
    parts(b"--xyz\r\n" + body, cuts)


def test_headers_without_an_end_are_refused():
    with pytest.raises(InvalidArgument, match="do not end"):
        parts(b"--xyz\r\n" + b"a" * 20_000, [])


@pytest.mark.parametrize(
    ("said", "boundary"),
    [("multipart/related; boundary=abc", "abc"), ('multipart/related; boundary="==a b=="', "==a b==")],
)
def test_boundaries_are_read_with_and_without_quotes(said, boundary):
    assert boundary_of(said) == boundary


@pytest.mark.parametrize("said", ["", "multipart/related", "multipart/related; boundary=", "x; boundary=ü"])
def test_a_boundary_that_is_missing_is_refused(said):
    with pytest.raises(InvalidArgument, match="boundary"):
        boundary_of(said)


@pytest.mark.parametrize("around", [NewFile(), NewFile(mime_type="JSONL")])
def test_the_word_that_guides_to_batches_use_is_a_type(around):
    assert files.read_create(b'{"file":{"mimeType":"jsonl"}}', around).mime_type == "application/jsonl"


def test_a_file_that_the_server_made_says_so():
    assert b'"source": "GENERATED"' in files.write_file(changed(source="generated"), "https://h")
