"""Uploads and files at the level of HTTP, in every protocol."""

import asyncio
import base64
import hashlib
import json
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from starlette.applications import Starlette

from geminid.config import FilesConfig
from geminid.core.caller import Scopes
from geminid.service.digests import Digester
from geminid.service.keys import Keys
from geminid.service.projects import Projects
from geminid.web.app import Storage, file_routes
from geminid.web.auth import Doorkeeper
from geminid.web.uploads import UploadsApi
from storage import storing

START = {"X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "start"}
BASE = "http://testserver"


@asynccontextmanager
async def api(folder, *, keys=(), public_url="", **options):
    """A client of the routes, and what is behind them."""
    async with storing(folder, **options) as storage:
        config = FilesConfig(public_url=public_url)
        kept = Keys(storage.database, Digester(b"secret"), keys)
        routes = file_routes(Storage(storage.files, storage.uploads, config), Doorkeeper(kept))
        app = Starlette(routes=routes)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
            client.storage = storage
            client.keys = kept
            yield client


async def begin(client, body=None, path="/upload/v1beta/files", **headers):
    reply = await client.post(path, headers={**START, **headers}, json=body or {})
    assert reply.status_code == 200, reply.text
    assert reply.headers["x-goog-upload-status"] == "active"
    return reply.headers["x-goog-upload-url"]


async def command(client, url, said, content=b"", offset=None, **headers):
    place = {} if offset is None else {"X-Goog-Upload-Offset": str(offset)}
    return await client.post(
        url, headers={"X-Goog-Upload-Command": said, **place, **headers}, content=content
    )


def error(reply):
    body = reply.json()["error"]
    return body["code"], body["status"], body["message"]


async def put(client, data=b"hello", **file):
    """Upload in one go; return the resource."""
    url = await begin(client, {"file": file})
    reply = await command(client, url, "upload, finalize", data, 0)
    assert reply.status_code == 200, reply.text
    return reply.json()["file"]


# -- resumable -----------------------------------------------------------------------------------------


async def test_a_file_in_chunks_as_the_sdks_send_them(tmp_path):
    async with api(tmp_path) as client:
        started = await client.post(
            "/upload/v1beta/files",
            headers={
                **START,
                "X-Goog-Upload-Header-Content-Length": "10",
                "X-Goog-Upload-Header-Content-Type": "image/png",
                "X-Goog-Upload-File-Name": "a.png",
            },
            content=b'{"file":{"display_name":"A picture","mime_type":"image/png","size_bytes":10}}',
        )
        assert (started.status_code, started.content) == (200, b"")
        assert started.headers["content-type"] == "text/plain; charset=utf-8"
        url = started.headers["x-goog-upload-url"]
        query = parse_qs(urlsplit(url).query)
        assert url.startswith(f"{BASE}/upload/v1beta/files?upload_id=")
        assert query["upload_protocol"] == ["resumable"]
        first = await command(client, url, "upload", b"01234", 0, **{"Content-Type": "application/json"})
        assert (first.status_code, first.content) == (200, b"")
        assert first.headers["x-goog-upload-status"] == "active"
        last = await command(client, url, "upload, finalize", b"56789", 5)
        assert last.headers["x-goog-upload-status"] == "final"
        assert last.headers["content-type"] == "application/json; charset=UTF-8"
        file = last.json()["file"]
        assert list(file) == [
            *("name", "displayName", "mimeType", "sizeBytes", "createTime", "updateTime", "expirationTime"),
            *("sha256Hash", "uri", "downloadUri", "state", "source"),
        ]
        digest = hashlib.sha256(b"0123456789").hexdigest().encode()
        assert file["sha256Hash"] == base64.b64encode(digest).decode()
        assert (file["displayName"], file["mimeType"], file["sizeBytes"]) == ("A picture", "image/png", "10")
        assert (file["state"], file["source"]) == ("ACTIVE", "UPLOADED")
        assert file["uri"] == f"{BASE}/v1beta/{file['name']}"


async def test_query_tells_what_is_there_in_every_state(tmp_path):
    async with api(tmp_path) as client:
        url = await begin(client)
        await command(client, url, "upload", b"abc", 0)
        told = await command(client, url, "query")
        assert told.headers["x-goog-upload-status"] == "active"
        assert told.headers["x-goog-upload-size-received"] == "3"
        done = await command(client, url, "finalize")
        told = await command(client, url, "query")
        assert told.headers["x-goog-upload-status"] == "final"
        assert told.headers["x-goog-upload-size-received"] == "3"
        assert told.json() == done.json()
        other = await begin(client)
        gone = await command(client, other, "cancel")
        assert (gone.status_code, gone.headers["x-goog-upload-status"]) == (200, "cancelled")
        told = await command(client, other, "query")
        assert (told.status_code, told.headers["x-goog-upload-status"]) == (200, "cancelled")


async def test_a_lost_answer_to_the_last_chunk_is_given_again(tmp_path):
    async with api(tmp_path) as client:
        url = await begin(client)
        first = await command(client, url, "upload, finalize", b"abc", 0)
        again = await command(client, url, "upload, finalize", b"abc", 0)
        assert (again.status_code, again.headers["x-goog-upload-status"]) == (200, "final")
        assert again.json() == first.json()
        assert len((await client.get("/v1beta/files")).json()["files"]) == 1


async def test_a_lost_answer_to_a_chunk_may_be_asked_for_again(tmp_path):
    async with api(tmp_path) as client:
        url = await begin(client)
        for _ in range(2):
            reply = await command(client, url, "upload", b"abc", 0)
            assert (reply.status_code, reply.headers["x-goog-upload-status"]) == (200, "active")
        assert (await command(client, url, "upload, finalize", b"def", 3)).json()["file"]["sizeBytes"] == "6"


async def test_a_wrong_offset_is_a_400_and_the_upload_goes_on(tmp_path):
    async with api(tmp_path) as client:
        url = await begin(client)
        await command(client, url, "upload", b"abc", 0)
        wrong = await command(client, url, "upload", b"xyz", 7)
        assert error(wrong) == (
            *(400, "INVALID_ARGUMENT"),
            "The upload has 3 bytes; go on at offset 3, not at 7.",
        )
        assert wrong.headers["x-goog-upload-status"] == "active"
        assert (await command(client, url, "upload, finalize", b"def", 3)).status_code == 200


@pytest.mark.parametrize(
    ("said", "offset", "words"),
    [
        ("", None, "Invalid X-Goog-Upload-Command ''"),
        ("start", None, "Invalid X-Goog-Upload-Command 'start'"),
        ("upload", None, "Invalid X-Goog-Upload-Offset ''"),
        ("upload", "x", "Invalid X-Goog-Upload-Offset 'x'"),
        ("upload, cancel", 0, "Invalid X-Goog-Upload-Command 'upload, cancel'"),
    ],
)
async def test_commands_that_make_no_sense_are_400(tmp_path, said, offset, words):
    async with api(tmp_path) as client:
        reply = await command(client, await begin(client), said, offset=offset)
        assert error(reply)[0] == 400
        assert error(reply)[2].startswith(words)
        assert reply.headers["x-goog-upload-status"] == "active"


async def test_an_upload_that_never_was_is_404(tmp_path):
    async with api(tmp_path) as client:
        reply = await command(client, "/upload/v1beta/files?upload_id=abc", "query")
        assert error(reply)[:2] == (404, "NOT_FOUND")
        assert reply.headers["x-goog-upload-status"] == "cancelled"


@pytest.mark.parametrize(
    "path",
    [
        *(f"/upload/{version}/files" for version in ("v1", "v1beta", "v1alpha")),
        *("/resumable/upload/v1beta/files", "/v1beta/upload/v1beta/files", "/v1/upload/v1beta/files"),
        *("/v1beta/files", "/v1beta/v1beta/files"),
    ],
)
async def test_uploads_begin_at_every_path_that_clients_use(tmp_path, path):
    async with api(tmp_path) as client:
        url = await begin(client, path=path)
        assert (await command(client, url, "upload, finalize", b"abc", 0)).status_code == 200


async def test_a_key_is_needed_to_begin_and_none_to_go_on(tmp_path):
    async with api(tmp_path, keys=("sk-one",)) as client:
        refused = await client.post("/upload/v1beta/files", headers=START)
        assert error(refused)[:2] == (403, "PERMISSION_DENIED")
        wrong = await client.post("/upload/v1beta/files?key=sk-two", headers=START)
        assert error(wrong)[:2] == (400, "INVALID_ARGUMENT")
        url = await begin(client, **{"x-goog-api-key": "sk-one"})
        assert "sk-one" not in url
        name = (await command(client, url, "upload, finalize", b"abc", 0)).json()["file"]["name"]
        for path in ("/v1beta/files", f"/v1beta/{name}", f"/v1beta/{name}:download?alt=media"):
            assert (await client.get(path)).status_code == 403
        assert (await client.delete(f"/v1beta/{name}")).status_code == 403


async def test_a_second_writer_is_409_without_a_status_so_that_sdks_try_again(tmp_path):
    async with api(tmp_path) as client:
        url = await begin(client)
        begun, go = asyncio.Event(), asyncio.Event()

        async def slow():
            yield b"abc"
            begun.set()
            await go.wait()

        first = asyncio.create_task(command(client, url, "upload", slow(), 0))
        await begun.wait()
        second = await command(client, url, "upload", b"abc", 0)
        assert error(second) == (409, "ABORTED", "Another request is writing to this upload.")
        assert "x-goog-upload-status" not in second.headers
        go.set()
        assert (await first).status_code == 200


async def test_a_full_project_is_429_and_a_large_file_400(tmp_path):
    async with api(tmp_path, file_bytes_max=10, project_bytes_max=15) as client:
        too_large = await client.post(
            "/upload/v1beta/files", headers={**START, "X-Goog-Upload-Header-Content-Length": "11"}
        )
        assert error(too_large)[:2] == (400, "INVALID_ARGUMENT")
        await put(client, b"x" * 10)
        url = await begin(client)
        full = await command(client, url, "upload", b"x" * 6, 0)
        assert error(full)[:2] == (429, "RESOURCE_EXHAUSTED")
        assert "x-goog-upload-status" not in full.headers
        assert (await command(client, url, "query")).headers["x-goog-upload-size-received"] == "0"


async def test_a_taken_name_is_409(tmp_path):
    async with api(tmp_path) as client:
        assert (await put(client, name="files/my-id"))["name"] == "files/my-id"
        taken = await client.post(
            "/upload/v1beta/files", headers=START, json={"file": {"name": "files/my-id"}}
        )
        assert error(taken) == (409, "ALREADY_EXISTS", "The File my-id already exists.")


# -- other protocols -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "headers"),
    [("", {"X-Goog-Upload-Protocol": "raw"}), ("?uploadType=media", {}), ("?upload_protocol=raw", {})],
)
async def test_raw_bytes_in_one_request(tmp_path, query, headers):
    async with api(tmp_path) as client:
        reply = await client.post(
            f"/upload/v1beta/files{query}",
            headers={"Content-Type": "text/csv; charset=utf-8", **headers},
            content=b"a,b\n1,2\n",
        )
        assert reply.headers["x-goog-upload-status"] == "final"
        file = reply.json()["file"]
        assert (file["mimeType"], file["sizeBytes"]) == ("text/csv", "8")


def related(metadata, data, end, newline="\r\n"):
    lines = [
        *("--xyz", "Content-Type: application/json; charset=UTF-8", "", json.dumps(metadata)),
        *("--xyz", "Content-Type: image/gif", "MIME-Version: 1.0", "Content-Transfer-Encoding: binary", ""),
    ]
    head = newline.join(lines) + newline
    return head.encode() + data + (newline + end).encode()


@pytest.mark.parametrize("newline", ["\r\n", "\n"])
@pytest.mark.parametrize("query", ["?uploadType=multipart", "?upload_protocol=multipart", ""])
async def test_metadata_and_bytes_in_one_request(tmp_path, newline, query):
    data = b"GIF89a\r\n--xy\n--x\r\n" + bytes(range(256))
    async with api(tmp_path) as client:
        reply = await client.post(
            f"/upload/v1beta/files{query}",
            headers={"Content-Type": 'multipart/related; boundary="xyz"'},
            content=related({"file": {"displayName": "Moving", "name": "files/m"}}, data, "--xyz--", newline),
        )
        assert reply.status_code == 200, reply.text
        file = reply.json()["file"]
        assert (file["name"], file["displayName"], file["mimeType"]) == ("files/m", "Moving", "image/gif")
        assert (await client.get("/v1beta/files/m:download?alt=media")).content == data


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (related({}, b"abc", "--xyz--")[:-4], "The multipart body ended early."),
        (b"--xyz\r\n\r\n{}\r\n--xyz--", "A multipart upload has two parts"),
        (b"no boundary at all", "The multipart body ended early."),
        (related({}, b"abc", "--xyz\r\n\r\nthird\r\n--xyz--"), "this one has more."),
        (related({"file": {"name": "files/NO"}}, b"abc", "--xyz--"), "'files/NO' is no name"),
        (related({}, b"abc", "--xyz--").replace(b"binary", b"base64"), "base64 is not supported"),
    ],
)
async def test_a_multipart_body_that_is_wrong_leaves_nothing(tmp_path, body, words):
    async with api(tmp_path) as client:
        reply = await client.post(
            "/upload/v1beta/files",
            headers={
                "X-Goog-Upload-Protocol": "multipart",
                "Content-Type": "multipart/related; boundary=xyz",
            },
            content=body,
        )
        assert error(reply)[:2] == (400, "INVALID_ARGUMENT")
        assert words in error(reply)[2]
        assert (await client.get("/v1beta/files")).json() == {}
        assert client.storage.blobs.keys() == set()


async def begin_old(client, **headers):
    reply = await client.post(
        "/resumable/upload/v1beta/files?uploadType=resumable",
        headers={"X-Upload-Content-Type": "text/plain", **headers},
        json={"file": {"displayName": "Old"}},
    )
    assert reply.status_code == 200, reply.text
    return reply.headers["location"]


async def placed(client, url, said, content=b""):
    return await client.put(url, headers={"Content-Range": said}, content=content)


async def test_the_older_protocol_with_location_and_content_range(tmp_path):
    async with api(tmp_path) as client:
        url = await begin_old(client, **{"X-Upload-Content-Length": "6"})
        none = await placed(client, url, "bytes */6")
        assert none.status_code == 308
        assert "range" not in none.headers
        some = await placed(client, url, "bytes 0-2/6", b"abc")
        assert (some.status_code, some.headers["range"]) == (308, "bytes=0-2")
        told = await placed(client, url, "bytes */6")
        assert (told.status_code, told.headers["range"]) == (308, "bytes=0-2")
        done = await placed(client, url, "bytes 3-5/6", b"def")
        assert done.status_code == 200
        assert (done.json()["file"]["displayName"], done.json()["file"]["sizeBytes"]) == ("Old", "6")
        assert (await placed(client, url, "bytes */6")).json() == done.json()


@pytest.mark.parametrize(
    "steps",
    [
        [("bytes 0-2/*", b"abc"), ("bytes 3-5/6", b"def")],
        [("bytes 0-5/*", b"abcdef"), ("bytes */6", b"")],
        [("bytes 0-5/6", b"abcdef")],
    ],
)
async def test_a_length_that_is_known_only_at_the_end(tmp_path, steps):
    async with api(tmp_path) as client:
        url = await begin_old(client)
        replies = [await placed(client, url, *step) for step in steps]
        assert [reply.status_code for reply in replies] == [308] * (len(steps) - 1) + [200]
        assert replies[-1].json()["file"]["sizeBytes"] == "6"


async def test_a_put_without_a_range_is_the_whole_file(tmp_path):
    async with api(tmp_path) as client:
        reply = await client.put(await begin_old(client), content=b"abc")
        assert reply.json()["file"]["sizeBytes"] == "3"


@pytest.mark.parametrize("said", ["bytes 0-2/2", "bytes 3-2/9", "items 0-2/3", "bytes 0-2/9"])
async def test_ranges_that_make_no_sense_are_400(tmp_path, said):
    async with api(tmp_path) as client:
        url = await begin_old(client, **{"X-Upload-Content-Length": "3"})
        assert error(await placed(client, url, said, b"abc"))[0] == 400


async def test_an_older_upload_is_cancelled_by_deleting_it(tmp_path):
    async with api(tmp_path) as client:
        url = await begin_old(client)
        assert (await client.delete(url)).status_code == 200
        assert error(await placed(client, url, "bytes 0-2/3", b"abc"))[:2] == (400, "FAILED_PRECONDITION")


async def test_a_request_that_says_of_no_protocol_is_told_how(tmp_path):
    async with api(tmp_path) as client:
        reply = await client.post("/v1beta/files", json={"file": {"displayName": "x"}})
        assert error(reply)[0] == 400
        assert "X-Goog-Upload-Protocol: resumable" in error(reply)[2]


async def test_packed_bytes_are_refused_because_they_would_be_kept_packed(tmp_path):
    async with api(tmp_path) as client:
        url = await begin(client)
        reply = await command(client, url, "upload", b"abc", 0, **{"Content-Encoding": "gzip"})
        assert "Content-Encoding gzip is not supported" in error(reply)[2]


# -- addresses -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "base"),
    [
        ({"Host": "example.com:8443"}, "http://example.com:8443"),
        ({"Host": "[::1]:80"}, "http://[::1]:80"),
        (
            {"X-Forwarded-Host": "ai.example.com", "X-Forwarded-Proto": "https"},
            "https://ai.example.com",
        ),
        (
            {"X-Forwarded-Host": "a.example, b.internal", "X-Forwarded-Prefix": "/gemini/"},
            "http://a.example/gemini",
        ),
        ({"X-Forwarded-Host": "evil.example/x?y=", "X-Forwarded-Proto": "javascript"}, BASE),
        ({"X-Forwarded-Prefix": '/a b"<'}, BASE),
    ],
)
async def test_clients_are_sent_to_where_they_reached_this_server(tmp_path, headers, base):
    async with api(tmp_path) as client:
        assert (await begin(client, **headers)).startswith(f"{base}/upload/v1beta/files?")


async def test_a_public_url_comes_before_everything(tmp_path):
    async with api(tmp_path, public_url="https://ai.example.com/gemini/") as client:
        url = await begin(client, **{"X-Forwarded-Host": "other"})
        assert url.startswith("https://ai.example.com/gemini/upload/v1beta/files?")
        file = (await command(client, f"{BASE}/upload/v1beta/files?{urlsplit(url).query}", "finalize")).json()
        assert file["file"]["uri"].startswith("https://ai.example.com/gemini/v1beta/files/")


# -- files ---------------------------------------------------------------------------------------------


async def test_get_list_and_delete(tmp_path):
    async with api(tmp_path) as client:
        file = await put(client, name="files/one")
        for version in ("v1", "v1beta", "v1alpha", "v1beta/v1beta"):
            assert (await client.get(f"/{version}/files/one")).json() == file
        assert (await client.get("/v1/files")).json() == {"files": [file]}
        gone = await client.delete("/v1/files/one")
        assert (gone.status_code, gone.content) == (200, b"{}\n")
        words = "You do not have permission to access the File one or it may not exist."
        for method in ("GET", "DELETE"):
            again = await client.request(method, "/v1beta/files/one")
            assert error(again) == (403, "PERMISSION_DENIED", words)


async def test_lists_come_page_by_page(tmp_path):
    async with api(tmp_path) as client:
        made = []
        for n in range(12):
            made.insert(0, (await put(client, name=f"files/f{n}"))["name"])
            client.storage.clock.advance(1)
        first = (await client.get("/v1beta/files")).json()
        assert [file["name"] for file in first["files"]] == made[:10]
        query = {"pageSize": "10", "pageToken": first["nextPageToken"]}
        last = (await client.get("/v1beta/files", params=query)).json()
        assert [file["name"] for file in last["files"]] == made[10:]
        assert "nextPageToken" not in last
        wrong = await client.get("/v1beta/files?pageToken=abc")
        assert error(wrong)[2] == "* ListFilesRequest.page_token: page_token is invalid."


async def test_files_are_downloaded_whole_and_in_ranges_and_never_run_as_pages(tmp_path):
    async with api(tmp_path) as client:
        await put(client, b"<script>alert(1)</script>", name="files/page", mimeType="text/html")
        for path in ("/v1beta/files/page:download", "/download/v1beta/files/page:download"):
            whole = await client.get(f"{path}?alt=media")
            assert (whole.status_code, whole.content) == (200, b"<script>alert(1)</script>")
            assert whole.headers["content-type"].startswith("text/html")
            assert whole.headers["content-disposition"] == "attachment"
            assert whole.headers["x-content-type-options"] == "nosniff"
        part = await client.get("/v1beta/files/page:download?alt=media", headers={"Range": "bytes=1-6"})
        assert (part.status_code, part.content) == (206, b"script")
        missing = await client.get("/v1beta/files/none:download?alt=media")
        assert error(missing)[:2] == (403, "PERMISSION_DENIED")


async def test_film_is_processing_first_and_tells_its_length_then(tmp_path):
    async with api(tmp_path) as client:
        url = await begin(client, {"file": {"mimeType": "video/mp4"}})
        file = (await command(client, url, "upload, finalize", b"film", 0)).json()["file"]
        assert file["state"] == "PROCESSING"
        while (now := (await client.get(f"/v1beta/{file['name']}")).json())["state"] == "PROCESSING":
            await asyncio.sleep(0.01)
        assert (now["state"], now["videoMetadata"]) == ("ACTIVE", {"videoDuration": "1.500s"})


# -- connections ---------------------------------------------------------------------------------------


async def call(api, url, messages, **headers):
    """One request at the level of ASGI; return its status, or None when nobody was answered."""
    parts = urlsplit(url)
    scope = {
        "type": "http",
        "method": "POST",
        "path": parts.path,
        "query_string": parts.query.encode(),
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }
    sent = []

    async def receive():
        while not messages:
            await asyncio.sleep(3600)
        return messages.pop(0)

    async def send(message):
        sent.append(message)

    await Starlette(routes=api.routes("v1beta", "/v1beta"))(scope, receive, send)
    return sent[0]["status"]


@pytest.mark.parametrize(
    ("after", "status"), [([{"type": "http.disconnect"}], 499), ([], 504)], ids=["broken", "silent"]
)
async def test_what_a_broken_or_silent_connection_brought_is_kept(tmp_path, after, status):
    async with api(tmp_path) as client:
        url = await begin(client)
        impatient = UploadsApi(client.storage.uploads, Doorkeeper(client.keys), FilesConfig(), silent_s=0.05)
        chunk = [{"type": "http.request", "body": b"abc", "more_body": True}, *after]
        said = {"x_goog_upload_command": "upload", "x_goog_upload_offset": "0"}
        assert await call(impatient, url, chunk, **said) == status
        told = await command(client, url, "query")
        assert told.headers["x-goog-upload-size-received"] == "3"
        assert (await command(client, url, "upload, finalize", b"def", 3)).json()["file"]["sizeBytes"] == "6"


# -- projects ------------------------------------------------------------------------------------------


async def test_a_file_of_another_project_is_as_one_that_is_not_there(tmp_path):
    async with api(tmp_path) as client:
        projects = Projects(client.storage.database)
        keys = {}
        for name in ("ours", "theirs"):
            await projects.create("test", name)
            keys[name] = {"x-goog-api-key": (await client.keys.create("test", name, "a key")).words}
        started = await client.post(
            "/upload/v1beta/files", headers={**START, **keys["ours"]}, json={"file": {"name": "files/mine"}}
        )
        url = started.headers["x-goog-upload-url"]
        assert (await command(client, url, "upload, finalize", b"hello", 0)).status_code == 200
        path, never = "/v1beta/files/mine", "/v1beta/files/none"
        assert (await client.get(path, headers=keys["ours"])).status_code == 200
        for method in ("GET", "DELETE"):
            there = await client.request(method, path, headers=keys["theirs"])
            nowhere = await client.request(method, never, headers=keys["theirs"])
            assert there.status_code == 403
            assert there.text == nowhere.text.replace("none", "mine")
        there = await client.get(f"/download{path}:download?alt=media", headers=keys["theirs"])
        assert there.status_code == 403
        assert "files" not in (await client.get("/v1beta/files", headers=keys["theirs"])).json()
        taken = await client.post(
            "/upload/v1beta/files", headers={**START, **keys["theirs"]}, json={"file": {"name": "files/mine"}}
        )
        assert taken.status_code == 200, "a name that another project has is free"


async def test_a_key_without_the_verb_has_no_files(tmp_path):
    async with api(tmp_path) as client:
        made = await client.keys.create("test", "default", "a key", scopes=Scopes(verbs=("generate",)))
        header = {"x-goog-api-key": made.words}
        assert error(await client.get("/v1beta/files", headers=header))[0] == 403
        assert error(await client.post("/upload/v1beta/files", headers={**START, **header}))[0] == 403
