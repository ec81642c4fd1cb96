"""The routes of administration, each as a person meets it."""

import json
import re

import httpx
import pytest

from administering import asking
from geminid.core.secret import new_secret
from geminid.web.admin.api import HANDLERS
from geminid.wire.admin.operations import OPERATIONS, PREFIX


@pytest.fixture
async def client(tmp_path):
    async with asking(tmp_path) as opened:
        yield opened


@pytest.fixture
async def team(client):
    await client.done("POST", "/projects", {"id": "team", "mode": "prepaid"})
    return client


def filled(path):
    return re.sub(r"\{\w+\}", "default", path)


def test_every_operation_has_its_handler_and_no_handler_is_left_over():
    assert {operation.id for operation in OPERATIONS} == HANDLERS.keys()


# -- who may ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.id)
async def test_no_route_answers_without_an_administrators_token(client, operation):
    made = await client.room.acts.keys.create("test", "default", "a user's")
    for token in ("", "nonsense", made.words, new_secret("adm"), "adm-" + "0" * 39, "x" * 5000):
        answer = await client.ask(operation.method, filled(operation.path), {}, token=token)
        assert answer.status_code == 401, token
        assert answer.json()["error"]["status"] == "UNAUTHENTICATED"
        assert answer.headers["www-authenticate"] == "Bearer"
        assert token[4:] == "" or token[4:20] not in answer.text


async def test_a_users_key_opens_nothing_in_any_other_form_either(client):
    made = await client.room.acts.keys.create("test", "default", "a user's")
    for options in ({"params": {"key": client.token}}, {"params": {"key": made.words}}):
        assert (await client.ask("GET", "/projects", token="", **options)).status_code == 401
    direct = await client.http.get(f"{PREFIX}/projects", headers={"x-goog-api-key": client.token})
    assert direct.status_code == 401


async def test_a_revoked_or_expired_token_opens_nothing(client):
    made = await client.done("POST", "/tokens", {"name": "gone"})
    assert (await client.ask("GET", "/projects", token=made["secret"])).status_code == 200
    await client.done("DELETE", f"/tokens/{made['token']['id']}")
    assert (await client.ask("GET", "/projects", token=made["secret"])).status_code == 401
    short = await client.room.acts.tokens.create("test", "short", "admin", client.room.clock.ms + 5)
    client.room.clock.ms += 5
    assert (await client.ask("GET", "/projects", token=short.words)).status_code == 401


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.id)
async def test_a_viewer_reads_and_changes_nothing(client, operation):
    viewer = (await client.room.acts.tokens.create("test", "eyes", "viewer")).words
    answer = await client.ask(operation.method, filled(operation.path), {}, token=viewer)
    if operation.method == "GET":
        assert answer.status_code in (200, 404)
    else:
        assert answer.status_code == 403


# -- projects and limits ------------------------------------------------------------------------------


async def test_a_project_from_its_making_to_its_end(client):
    made = await client.done("POST", "/projects", {"id": "team", "title": "The team", "tier": "1"})
    assert (made["id"], made["mode"], made["tier"]) == ("team", "postpaid", "1")
    assert (await client.done("PATCH", "/projects/team", {"mode": "prepaid"}))["mode"] == "prepaid"
    assert (await client.done("GET", "/projects/team"))["title"] == "The team"
    assert (await client.ask("POST", "/projects", {"id": "team"})).status_code == 409
    assert (await client.ask("DELETE", "/projects/team")).status_code == 204
    gone, never = [await client.ask("GET", f"/projects/{name}") for name in ("team", "meat")]
    assert (
        (gone.status_code, gone.text)
        == (never.status_code, never.text.replace("meat", "team"))
        == (404, gone.text)
    )


async def test_lists_come_in_pages(client):
    for n in range(5):
        await client.done("POST", "/projects", {"id": f"team-{n}"})
    seen, token = [], ""
    while True:
        page = await client.done("GET", "/projects", params={"pageSize": 2, "pageToken": token})
        seen += [project["id"] for project in page["projects"]]
        if not (token := page["nextPageToken"]):
            break
    assert seen == ["default", *(f"team-{n}" for n in range(5))]


@pytest.mark.parametrize("size", ["-1", "x", "99999999999999"])
async def test_a_senseless_page_is_refused(client, size):
    assert (await client.ask("GET", "/projects", params={"pageSize": size})).status_code == 400


async def test_limits_are_set_by_number_by_nothing_and_back_to_the_tiers(client):
    await client.done("POST", "/projects", {"id": "team", "tier": "free"})
    limits = await client.done(
        "PATCH",
        "/projects/team/limits",
        {"everyModel": {"rpm": 7, "tpm": None}, "models": {"m": {"rpd": 0}}, "spending": {"day": "1.5"}},
    )
    assert limits["effective"]["everyModel"] == {"rpm": 7, "tpm": None, "rpd": 1000, "concurrent": None}
    assert limits["effective"]["models"]["m"]["rpd"] == 0
    assert limits["effective"]["spending"] == {"day": "1.5", "month": None}
    limits = await client.done(
        "PATCH",
        "/projects/team/limits",
        {"everyModel": {"rpm": "tier"}, "models": {"m": None}, "spending": {"day": None}},
    )
    assert limits["effective"]["everyModel"]["rpm"] == 15
    assert limits["effective"]["models"] == {}
    assert limits["changed"] == {"everyModel": {"tpm": None}, "spending": {"day": None}}
    assert limits == await client.done("GET", "/projects/team/limits")


# -- keys and tokens ----------------------------------------------------------------------------------


async def test_a_keys_secret_is_shown_once(team):
    made = await team.done(
        "POST",
        "/projects/team/keys",
        {"name": "robot", "scopes": {"models": ["gemini-*"], "verbs": ["generate"]}},
    )
    secret, key = made["secret"], made["key"]
    assert secret.startswith("sk-")
    assert key["state"] == "active"
    for path in ("/projects/team/keys", f"/projects/team/keys/{key['id']}", "/audit"):
        assert secret[6:] not in json.dumps(await team.done("GET", path))
    assert (await team.room.acts.keys.caller((secret,))).key_name == "robot"


async def test_answers_with_secrets_are_kept_by_nobody(team):
    answer = await team.ask("POST", "/projects/team/keys", {"name": "robot"})
    assert answer.headers["cache-control"] == "no-store"


async def test_a_key_is_rotated_and_revoked(team):
    made = await team.done("POST", "/projects/team/keys", {"name": "robot"})
    path = f"/projects/team/keys/{made['key']['id']}"
    rotated = await team.done("POST", f"{path}/rotate", {"overlapSeconds": 60})
    assert (await team.done("GET", path))["replacedBy"] == rotated["key"]["id"]
    new = f"/projects/team/keys/{rotated['key']['id']}"
    assert (await team.done("POST", f"{new}/revoke"))["state"] == "revoked"
    assert (await team.ask("POST", f"{new}/rotate")).status_code == 400
    assert len((await team.done("GET", "/projects/team/keys"))["keys"]) == 2


async def test_a_key_is_renamed_and_its_end_taken_away(team):
    made = await team.done(
        "POST", "/projects/team/keys", {"name": "robot", "expireTime": "2099-01-01T00:00:00Z"}
    )
    path = f"/projects/team/keys/{made['key']['id']}"
    assert (await team.done("GET", path))["expireTime"] == "2099-01-01T00:00:00Z"
    changed = await team.done("PATCH", path, {"name": "machine", "expireTime": None})
    assert (changed["name"], changed["expireTime"]) == ("machine", None)


async def test_tokens_are_listed_without_their_secrets(client):
    made = await client.done("POST", "/tokens", {"name": "ops", "role": "viewer"})
    listed = await client.ask("GET", "/tokens")
    assert made["secret"][8:] not in listed.text
    assert {token["name"] for token in listed.json()["tokens"]} == {"tests", "ops"}


# -- credits ------------------------------------------------------------------------------------------


async def test_credits_are_topped_up_once_for_each_key(team):
    entry = {"kind": "top_up", "key": "invoice-7", "amount": "12.5", "note": "by transfer"}
    first = await team.done("POST", "/projects/team/credits", entry)
    again = await team.done("POST", "/projects/team/credits", entry)
    assert (first["repeated"], again["repeated"]) == (False, True)
    assert first["entry"] == again["entry"]
    balance = await team.done("GET", "/projects/team/credits")
    assert (balance["available"], balance["posted"], balance["held"]) == ("12.5", "12.5", "0")
    assert balance["head"] == first["entry"]["seal"]
    assert (await team.ask("POST", "/projects/team/credits", {**entry, "amount": "12"})).status_code == 409


async def test_a_grant_tells_what_is_left_and_when_it_ends(team):
    entry = {"kind": "grant", "key": "hello", "amount": "0.000000001", "expireTime": "2099-01-01T00:00:00Z"}
    balance = (await team.done("POST", "/projects/team/credits", entry))["balance"]
    assert balance["grants"] == [
        {"key": "hello", "left": "0.000000001", "expireTime": "2099-01-01T00:00:00Z"}
    ]


@pytest.mark.parametrize(
    "amount", [1, 1.5, "1.0000000001", "1e3", "NaN", "", "-1", "0", "12,5", "9999999999.9"]
)
async def test_what_is_no_exact_amount_is_refused(team, amount):
    entry = {"kind": "top_up", "key": "k", "amount": amount}
    answer = await team.ask("POST", "/projects/team/credits", entry)
    assert answer.status_code == 400
    assert (await team.done("GET", "/projects/team/credits"))["entries"] == 0


async def test_what_was_never_charged_is_not_refunded(team):
    assert (await team.ask("POST", "/projects/team/refunds", {"request": "r1"})).status_code == 404


# -- prices and names ---------------------------------------------------------------------------------


async def test_an_own_price_stands_beside_the_lists_with_its_discount(client):
    await client.done(
        "POST", "/prices", {"key": "gemini-3.1-flash-lite", "kind": "input", "perMillion": "0.20"}
    )
    sheets = (await client.done("GET", "/prices"))["sheets"]
    lines = {
        (sheet["key"], sheet["tier"], line["kind"], line["modality"]): line
        for sheet in sheets
        for line in sheet["lines"]
    }
    own = lines["gemini-3.1-flash-lite", "standard", "input", "text"]
    assert (own["perMillion"], own["listPerMillion"], own["discountPercent"]) == ("0.2", "0.25", "20.0")
    assert lines["gemini-3.1-flash-lite", "batch", "input", "text"]["perMillion"] == "0.1"
    assert lines["gemini-3.1-flash-lite", "standard", "output", "text"]["discountPercent"] == "0.0"


async def test_a_price_to_come_holds_from_its_day_on_and_is_in_the_history(client):
    entry = {"key": "mine", "kind": "output", "perMillion": "3", "effectiveTime": "2099-01-01T00:00:00Z"}
    await client.done("POST", "/prices", {**entry, "perMillion": "2", "effectiveTime": None})
    await client.done("POST", "/prices", entry)
    listed = (await client.done("GET", "/prices", params={"pageSize": 1000}))["sheets"]
    mine = next(sheet for sheet in listed if sheet["key"] == "mine" and sheet["tier"] == "standard")
    assert (mine["lines"][0]["perMillion"], mine["untilTime"]) == ("2", "2099-01-01T00:00:00Z")
    history = (await client.done("GET", "/prices/mine/entries"))["entries"]
    assert [(each["perMillion"], each["author"]) for each in history] == [
        ("2", "token:tests"),
        ("3", "token:tests"),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"effectiveTime": "2001-01-01T00:00:00Z"},
        {"perMillion": "-1"},
        {"perMillion": 0.25},
        {"key": "No Name"},
        {"kind": "storage", "tier": "batch"},
        {"kind": "output", "modality": "audio"},
    ],
)
async def test_senseless_prices_are_refused(client, wrong):
    price = {"key": "mine", "kind": "input", "perMillion": "1", **wrong}
    assert (await client.ask("POST", "/prices", price)).status_code == 400


async def test_a_name_is_pinned_moved_retired_and_forgotten(client):
    path = "/aliases/gemini-3.1-flash-lite"
    assert (await client.done("PUT", path, {"target": "small-model"}))["retired"] is False
    assert (await client.done("PUT", path, {"target": "large-model"}))["target"] == "large-model"
    assert (await client.done("PUT", path, {"target": "large-model", "stage": "retired"}))["retired"] is True
    assert [each["name"] for each in (await client.done("GET", "/aliases"))["aliases"]] == [
        "gemini-3.1-flash-lite"
    ]
    await client.done("DELETE", path)
    assert (await client.ask("GET", path)).status_code == 404
    assert (await client.ask("DELETE", path)).status_code == 404


async def test_a_name_means_a_model_that_is_known(client):
    assert (await client.ask("PUT", "/aliases/mine", {"target": "nobody"})).status_code == 400
    assert (await client.ask("PUT", "/aliases/small-model", {"target": "large-model"})).status_code == 400
    assert (await client.ask("PUT", "/aliases/Not%20a%20name", {})).status_code == 400


# -- bodies -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"id": "team", "colour": "red"}, "colour"),
        ({"id": 7}, "id"),
        ({"id": "Team"}, "id"),
        ({}, ""),
        ({"id": "team", "mode": "free"}, "mode"),
        ([], ""),
    ],
)
async def test_what_a_body_says_is_used_or_refused_with_its_path(client, body, field):
    answer = await client.ask("POST", "/projects", body)
    assert answer.status_code == 400
    assert field in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"\xff\xfe", b'{"id": "te\\ud800m"}', b'{"id": "team"} x', b"[" * 100_000]
)
async def test_what_is_no_json_is_refused(client, raw):
    headers = {"authorization": f"Bearer {client.token}"}
    answer = await client.http.post(f"{PREFIX}/projects", content=raw, headers=headers)
    assert answer.status_code == 400


async def test_a_body_that_is_too_large_is_refused(client):
    answer = await client.ask("POST", "/projects", {"id": "team", "title": "x" * 300_000})
    assert answer.status_code == 400
    assert "exceeds the limit" in answer.text


async def test_nul_and_endless_names_are_refused(client):
    assert (await client.ask("GET", "/projects/te%00am")).status_code == 400
    assert (await client.ask("GET", f"/projects/{'x' * 600}")).status_code == 400


async def test_every_change_says_who_made_it(team):
    await team.done("POST", "/projects/team/keys", {"name": "robot"})
    await team.done("PATCH", "/projects/team/limits", {"tier": "2"})
    changes = (await team.done("GET", "/audit", params={"project": "team"}))["changes"]
    assert [change["action"] for change in changes] == ["limits.update", "key.create", "project.create"]
    assert {change["actor"] for change in changes} == {"token:tests"}


async def test_the_document_names_every_route(client):
    answer = await client.ask("GET", "/openapi.json")
    document = answer.json()
    assert isinstance(answer, httpx.Response)
    assert document["openapi"] == "3.1.0"
    told = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert told == {(operation.method, PREFIX + operation.path) for operation in OPERATIONS}
    text = json.dumps(document)
    for ref in re.findall(r'"#/components/schemas/(\w+)"', text):
        assert ref in document["components"]["schemas"]
