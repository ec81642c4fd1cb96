"""Odd names and bodies of cached contents: each is refused in words, none breaks the server or stays behind."""

import json

import httpx
import pytest

PATH = "/v1beta/cachedContents"
TEXT = " ".join(f"w{number}" for number in range(1_100))
GONE = "CachedContent not found (or permission denied)"
NAMES = [
    "%00",
    "a%00b",
    "%ff",
    "%2e%2e",
    "..%2f..%2fetc",
    "x" * 5_000,
    "A" * 40,
    "%F0%9F%98%80",
    "a%20b",
    "*",
]


def good(**fields):
    return {"model": "models/scripted", "contents": [{"parts": [{"text": TEXT}]}], **fields}


@pytest.fixture(autouse=True)
def nothing_stays(scripted):
    yield
    assert scripted.get(PATH).json() == {}
    assert scripted.get("/healthz").status_code == 200


@pytest.mark.parametrize("name", NAMES)
def test_odd_names_are_unknown(scripted, name):
    for method in ("GET", "DELETE", "PATCH"):
        answer = httpx.request(
            method, f"{scripted.url}{PATH}/{name}", json={"ttl": "600s"} if method == "PATCH" else None
        )
        assert answer.status_code in (403, 404), answer.text
        assert answer.json()["error"]["message"] == GONE or answer.status_code == 404


@pytest.mark.parametrize(
    "name", ["a\0b", "\ud800", "cachedContents/", "/", "x" * 100_000, "'; DROP TABLE caches"]
)
def test_odd_names_in_a_request_are_unknown(scripted, name):
    body = json.dumps({"contents": [{"parts": [{"text": "hi"}]}], "cachedContent": name})
    for verb in ("generateContent", "streamGenerateContent", "countTokens"):
        answer = scripted.post(f"/v1beta/models/scripted:{verb}", content=body)
        assert answer.status_code in (400, 403), answer.text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"model":"models/scripted"}',
        good(model=5),
        good(model="models/../x"),
        good(model="models/" + "x" * 10_000),
        good(contents="text"),
        good(contents=[{"role": "x", "parts": [{"text": TEXT}]}]),
        good(contents=[{"parts": [{"fileData": {"fileUri": "files/none"}}]}]),
        good(contents=[{"parts": [{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]}]),
        good(displayName="x" * 1_000_000),
        good(displayName="a\0b"),
        good(ttl="999999999999999999999s"),
        good(ttl="-1s"),
        good(ttl=5),
        good(expireTime="9999-12-31T23:59:59Z"),
        good(expireTime="0001-01-01T00:00:00Z"),
        good(expireTime={"seconds": 5}),
        good(tools=[{"functionDeclarations": [{"name": "f", "parameters": {"type": 12}}]}]),
        good(tools=[{"functionDeclarations": [{"name": f"f{n}"} for n in range(1_000)]}]),
        good(systemInstruction={"parts": [{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]}),
        good(generationConfig={}),
        b'{"contents":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
    ids=lambda body: str(body)[-40:],
)
def test_odd_bodies_are_refused_in_words(scripted, body):
    answer = scripted.post(PATH, content=body if isinstance(body, bytes) else json.dumps(body))
    assert answer.status_code in (400, 403, 404), answer.text
    assert len(answer.json()["error"]["message"]) > 10
    assert len(answer.content) < 50_000


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("", {}),
        ("", {"ttl": "x"}),
        ("", {"ttl": "600s", "expireTime": "2030-01-01T00:00:00Z"}),
        ("", {"displayName": "x"}),
        ("?updateMask=model", {"ttl": "600s"}),
        ("?updateMask=ttl,ttl,*,,", {"ttl": "1s"}),
        ("?updateMask=" + "x" * 10_000, {"ttl": "600s"}),
        ("?update_mask=contents", {"contents": []}),
    ],
)
def test_odd_changes_are_refused_in_words(scripted, query, body):
    name = scripted.post(PATH, json=good()).json()["name"]
    answer = httpx.patch(f"{scripted.url}/v1beta/{name}{query}", json=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["status"] == "INVALID_ARGUMENT"
    assert httpx.delete(f"{scripted.url}/v1beta/{name}").json() == {}


@pytest.mark.parametrize(
    "query", ["?pageSize=-1", "?pageSize=x", "?pageToken=%00", "?pageToken=" + "A" * 9_999]
)
def test_odd_pages_are_refused(scripted, query):
    assert scripted.get(PATH + query).status_code == 400
