"""Cached contents on the wire: what a client may say of them, in which words it is refused, what is told."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminid.core.cache import Cache, CachePlace
from geminid.core.errors import InvalidArgument
from geminid.core.usage import Usage
from geminid.wire.gemini import caches, generate, times

NS = 1_000_000_000
MODEL = "models/gemini-3.1-flash-lite"
TEXT = [{"role": "user", "parts": [{"text": "a contract"}]}]
NOW = 1_790_000_000_123_456_789
CACHE = Cache(
    project="p",
    id="a1" * 20,
    model="tiny",
    asked="gemini-3.1-flash-lite",
    usage=Usage(prompt=7021),
    created_ns=NOW,
    updated_ns=NOW + 1_000_000,
    expires_ns=NOW + 300 * NS,
)


def create(**fields):
    return caches.read_create(json.dumps({"model": MODEL, "contents": TEXT, **fields}).encode())


def update(mask=None, **fields):
    return caches.read_update(json.dumps(fields).encode(), mask)


def refusal(read, *args, **fields):
    with pytest.raises(InvalidArgument) as caught:
        read(*args, **fields)
    return caught.value.message, [violation.field for violation in caught.value.violations]


def test_everything_that_can_be_cached_is_read():
    tool = {"functionDeclarations": [{"name": "look_up"}]}
    new = create(
        systemInstruction={"parts": [{"text": "Be brief."}]},
        tools=[tool],
        toolConfig={"functionCallingConfig": {"mode": "ANY"}},
        displayName="a contract",
        ttl="300s",
    )
    request = new.request
    assert (request.model, request.turns[0].parts[0].text) == ("gemini-3.1-flash-lite", "a contract")
    assert (request.system[0].text, request.tools[0].name, request.call_mode) == (
        "Be brief.",
        "look_up",
        "any",
    )
    assert (new.display_name, new.expiration.ttl_ns, new.expiration.time_ns) == ("a contract", 300 * NS, None)


def test_either_spelling_is_read_and_what_the_server_says_is_ignored_if_it_comes_back():
    body = {
        "model": "gemini-3.1-flash-lite",
        "system_instruction": {"parts": {"text": "x"}},
        "display_name": "n",
        "expire_time": "2026-11-25T12:00:00.5+01:00",
        "name": "cachedContents/x",
        "createTime": "2026-11-25T12:00:00Z",
        "usageMetadata": {"totalTokenCount": 5},
    }
    new = caches.read_create(json.dumps(body).encode())
    assert new.request.model == "gemini-3.1-flash-lite"
    assert new.expiration.time_ns == times.read_time("2026-11-25T11:00:00.500Z")


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"model": ""}, "model"),
        ({"model": "models/a/b"}, "model"),
        ({"displayName": "x" * 129}, "display_name"),
        ({"displayName": "a\0b"}, "display_name"),
        ({"contents": [{"parts": []}]}, "contents[0].parts"),
        ({"tools": [{"googleSearch": {}}]}, "tools[0].google_search"),
    ],
)
def test_mistakes_are_told_with_their_field(fields, path):
    message, (field,) = refusal(create, **fields)
    assert field == f"cached_content.{path}"
    assert message.startswith(f"* CreateCachedContentRequest.cached_content.{path}: ")


def test_both_ends_at_once_are_refused_as_a_oneof():
    message, _ = refusal(create, ttl="5s", expireTime="2026-11-25T12:00:00Z")
    assert "oneof field 'expiration' is already set. Cannot set 'expireTime'" in message


@pytest.mark.parametrize("field", ["temperature", "generationConfig", "safetySettings", "cachedContent"])
def test_what_is_no_field_of_cached_contents_is_told(field):
    message, _ = refusal(create, **{field: {}})
    assert f'Unknown name "{field}"' in message


@pytest.mark.parametrize("ttl", ["5", "5m", "s", "1e3s", "5s ", "١s"])
def test_what_is_no_duration_is_refused(ttl):
    message, fields = refusal(create, ttl=ttl)
    assert fields == ["cached_content.ttl"]
    assert message == (
        "Invalid value at 'cached_content.ttl' (type.googleapis.com/google.protobuf.Duration), "
        "Field 'ttl', Illegal duration format; duration must end with 's'"
    )


@pytest.mark.parametrize("time", ["tomorrow", "2026-11-25", "2026-11-25T12:00:00", "2026-13-01T00:00:00Z"])
def test_what_is_no_time_is_refused(time):
    assert refusal(create, expireTime=time)[1] == ["cached_content.expire_time"]


# -- change ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mask", [None, "", "ttl", "cached_content.ttl", "expiration", "*"])
def test_a_life_is_read_with_and_without_a_mask(mask):
    assert update(mask, ttl="600s").ttl_ns == 600 * NS


@pytest.mark.parametrize("mask", [None, "expireTime", "expire_time"])
def test_an_end_is_read_with_and_without_a_mask(mask):
    assert update(mask, expireTime="2026-11-25T12:00:00Z").time_ns == times.read_time("2026-11-25T12:00:00Z")


def test_a_resource_that_was_read_may_be_sent_back_with_its_end_changed():
    told = json.loads(caches.write_cache(CACHE))
    del told["displayName"]
    assert update(None, **{**told, "expireTime": "2026-11-25T12:00:00Z"}).time_ns


@pytest.mark.parametrize("name", ["displayName", "contents", "systemInstruction", "tools", "toolConfig"])
def test_nothing_but_the_end_can_be_changed(name):
    values = {"displayName": "x", "contents": TEXT, "tools": [{}]}
    message, _ = refusal(update, ttl="5s", **{name: values.get(name, {})})
    assert "only ttl and expire_time can be changed" in message
    assert update("ttl", ttl="5s", **{name: values.get(name, {})}).ttl_ns == 5 * NS
    assert refusal(update, name, ttl="5s")[1] == ["update_mask"]


@pytest.mark.parametrize(("mask", "fields"), [(None, {}), ("ttl", {"expireTime": "2026-11-25T12:00:00Z"})])
def test_a_change_of_nothing_is_refused(mask, fields):
    assert refusal(update, mask, **fields)[1] == ["cached_content.expiration"]


# -- telling ---------------------------------------------------------------------------------------------


def test_a_resource_is_told_without_what_is_in_it_and_with_an_empty_name():
    assert json.loads(caches.write_cache(CACHE)) == {
        "name": f"cachedContents/{CACHE.id}",
        "model": MODEL,
        "createTime": "2026-09-21T14:13:20.123456789Z",
        "updateTime": "2026-09-21T14:13:20.124456789Z",
        "expireTime": "2026-09-21T14:18:20.123456789Z",
        "displayName": "",
        "usageMetadata": {"totalTokenCount": 7021},
    }


def test_an_empty_list_is_an_empty_object():
    assert json.loads(caches.write_list((), None)) == {}


def test_the_token_of_a_page_leads_to_where_it_ended():
    place = CachePlace(NOW, CACHE.id)
    told = json.loads(caches.write_list((CACHE,), place))
    assert caches.read_page("7", told["nextPageToken"]) == (7, place)
    assert caches.read_page(None, None) == (50, None)
    assert caches.read_page("5000", None)[0] == 1000
    assert refusal(caches.read_page, None, "bm9uc2Vuc2U")[1] == ["page_token"]


@given(st.integers(0, 253_402_300_799 * NS + NS - 1))
def test_a_time_is_read_back_as_the_same_nanosecond(ns):
    assert times.read_time(times.write_time(ns)) == ns


@given(st.integers(0, 10**12 - 1), st.text("0123456789", max_size=9), st.booleans())
def test_a_duration_is_read_exactly(seconds, digits, negative):
    text = f"{'-' if negative else ''}{seconds}{'.' + digits if digits else ''}s"
    ns = seconds * NS + int(digits.ljust(9, "0") or 0)
    assert times.read_duration(text) == (-ns if negative else ns)


# -- a request with cached contents ----------------------------------------------------------------------


def ask(**fields):
    return generate.read_request(json.dumps({"contents": TEXT, **fields}).encode(), "gemini-3.1-flash-lite")


@pytest.mark.parametrize("name", ["cachedContents/abc", "abc"])
def test_a_request_names_cached_contents(name):
    assert ask(cachedContent=name).request.cached_content == "abc"
    assert ask(cachedContent="").request.cached_content == ""


@pytest.mark.parametrize(
    "beside",
    [
        {"systemInstruction": {"parts": [{"text": "x"}]}},
        {"tools": [{"functionDeclarations": [{"name": "f"}]}]},
        {"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}},
    ],
)
def test_what_belongs_into_the_cached_contents_is_refused_beside_them(beside):
    message, fields = refusal(ask, cachedContent="cachedContents/x", **beside)
    assert message == (
        "CachedContent can not be used with GenerateContent request setting system_instruction, tools or "
        "tool_config.\n\nProposed fix: move those values to CachedContent from GenerateContent request."
    )
    assert len(fields) == 1


def test_empty_tools_are_none():
    assert ask(cachedContent="x", tools=[]).request.cached_content == "x"
