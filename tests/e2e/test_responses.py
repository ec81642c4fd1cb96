"""Responses of projects that pay: whose they are, what they cost, what is left of one that was left."""

import asyncio
import json
import time

import openai
import pytest

from geminid.core.caller import Scopes
from geminid.service.digests import Digester
from geminid.service.keys import Keys
from geminid.store.database import Database
from serving import serving
from tenants import PRICES, balance_of, proved, rows_of, tenant

pytestmark = pytest.mark.e2e

MODEL = "gemini-3.1-flash-lite"
PRICED = (
    PRICES
    + """
[[price]]
key = "scripted-embedding"
input = "1"
output = "0"
"""
)
PATIENCE_S = 60


class Team:
    """A project, its database and its client."""

    def __init__(self, server, url: str, name: str) -> None:
        self.url, self.name = url, name
        self.key = tenant(url, name, credit_nano=10**12)
        self.client = openai.OpenAI(api_key=self.key, base_url=server.url + "/v1", max_retries=0)

    def ask(self, words, **options):
        return self.client.responses.create(model=MODEL, input=words, **options)

    def posted(self) -> int:
        return balance_of(self.url, self.name).posted_nano


def waited(until):
    deadline = time.monotonic() + PATIENCE_S
    while not (found := until()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def ended(team, name):
    """Return a response when it has ended."""

    def look():
        response = team.client.responses.retrieve(name)
        return None if response.status in ("queued", "in_progress") else response

    return waited(look)


def spent(team, before):
    """Return what was charged, once something was."""
    waited(lambda: team.posted() != before)
    return before - team.posted()


def limited(team) -> str:
    """Return a key of a project that is good for answers alone."""

    async def make() -> str:
        database = await Database.open(team.url)
        try:
            keys = Keys(database, await Digester.open(database))
            return (await keys.create("test", team.name, "answers", scopes=Scopes(verbs=("generate",)))).words
        finally:
            await database.close()

    return asyncio.run(make())


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("responses")
    (folder / "prices.toml").write_text(PRICED)
    (folder / "data").mkdir()
    (folder / "script.toml").write_text(SCRIPT)
    environ = {
        "GEMINID_BILLING_PRICES": str(folder / "prices.toml"),
        "GEMINID_SCRIPTED_SCRIPT": str(folder / "script.toml"),
    }
    tenant(f"sqlite:///{folder / 'data' / 'geminid.db'}", "first")
    with serving(folder, "--model", "scripted", environ=environ) as server:
        server.database = f"sqlite:///{folder / 'data' / 'geminid.db'}"
        yield server


SCRIPT = """
[[rule]]
match = "^file_search: "
text = "Found."

[[rule]]
match = "^look it up"
calls = [{ name = "file_search", args = { query = "the lamp" } }]

[[rule]]
match = "^slowly"
text = "tick "
repeat = 2000
token_ms = 5
"""


@pytest.fixture(scope="module")
def ours(server):
    return Team(server, server.database, "ours")


@pytest.fixture(scope="module")
def theirs(server):
    return Team(server, server.database, "theirs")


def test_another_projects_response_is_as_one_that_does_not_exist(ours, theirs):
    response = ours.ask("hello")
    store = ours.client.vector_stores.create(name="ours")
    asked = theirs.client
    for act in (
        lambda: asked.responses.retrieve(response.id),
        lambda: asked.responses.delete(response.id),
        lambda: asked.responses.cancel(response.id),
        lambda: asked.responses.input_items.list(response.id),
        lambda: theirs.ask([{"type": "item_reference", "id": response.output[0].id}]),
        lambda: asked.vector_stores.retrieve(store.id),
        lambda: theirs.ask("a", tools=[{"type": "file_search", "vector_store_ids": [store.id]}]),
    ):
        with pytest.raises(openai.NotFoundError):
            act()
    with pytest.raises(openai.BadRequestError) as caught:
        theirs.ask("hello", previous_response_id=response.id)
    assert caught.value.code == "previous_response_not_found"
    assert ours.client.responses.retrieve(response.id) == response


def test_a_response_costs_what_it_says_however_it_is_asked_for(ours):
    costs = []
    for options in ({}, {"stream": True}, {"background": True}):
        before = ours.posted()
        response = ours.ask("one two three", **options)
        if "stream" in options:
            response = list(response)[-1].response
        assert ended(ours, response.id).usage.total_tokens == 6
        costs.append(spent(ours, before))
    assert costs == [9_000] * 3
    assert proved(ours.url)


def test_a_search_is_charged_with_every_request_that_it_takes(ours):
    file = ours.client.files.create(file=("lamp.txt", b"The lamp is green."), purpose="assistants")
    store = ours.client.vector_stores.create().id
    ours.client.vector_stores.files.create_and_poll(file.id, vector_store_id=store)
    before, known = ours.posted(), {row.id for row in rows_of(ours.url, ours.name)}
    answer = ours.client.responses.with_raw_response.create(
        model=MODEL, input="look it up", tools=[{"type": "file_search", "vector_store_ids": [store]}]
    )
    response = answer.parse()
    rows = [row for row in rows_of(ours.url, ours.name) if row.id not in known]
    steps = [row for row in rows if row.usage.candidates]
    assert len(steps) == 2
    assert len(rows) == 3  # the query was embedded
    assert sum(row.usage.prompt for row in steps) == response.usage.input_tokens
    assert sum(row.usage.candidates for row in steps) == response.usage.output_tokens
    assert int(answer.headers["x-geminid-cost-nano"]) == sum(row.cost_nano for row in steps)
    assert before - ours.posted() == sum(row.cost_nano for row in rows)


def test_a_request_with_a_key_of_its_own_is_charged_once(ours):
    headers = {"idempotency-key": "only-once"}
    ours.ask("hello", extra_headers=headers)
    after = ours.posted()
    with pytest.raises(openai.ConflictError) as caught:
        ours.ask("hello", extra_headers=headers)
    assert caught.value.code == "already_exists"
    assert ours.posted() == after


def test_who_leaves_pays_for_what_was_made_and_finds_it(ours):
    before = ours.posted()
    stream = ours.ask("slowly", stream=True)
    name = next(stream).response.id
    assert any(event.type == "response.output_text.delta" for event in stream)
    stream.close()
    left = ended(ours, name)
    assert left.status == "cancelled"
    assert 0 < left.usage.output_tokens < 2000
    assert left.output[0].status == "incomplete"
    assert spent(ours, before) == 1_000 * left.usage.input_tokens + 2_000 * left.usage.output_tokens
    assert proved(ours.url)


def test_what_is_cancelled_is_paid_as_far_as_it_was_made(ours):
    before = ours.posted()
    stream = ours.ask("slowly", stream=True, background=True)
    name = next(stream).response.id
    assert any(event.type == "response.output_text.delta" for event in stream)
    cancelled = ours.client.responses.cancel(name)
    *_, last = stream
    assert (last.type, last.response) == ("response.incomplete", cancelled)
    assert cancelled.status == "cancelled"
    cost = 1_000 * cancelled.usage.input_tokens + 2_000 * cancelled.usage.output_tokens
    assert spent(ours, before) == cost
    assert proved(ours.url)


def test_a_key_for_answers_alone_makes_responses_and_reads_none(server, ours):
    client = openai.OpenAI(api_key=limited(ours), base_url=server.url + "/v1", max_retries=0)
    response = client.responses.create(model=MODEL, input="hello")
    with pytest.raises(openai.PermissionDeniedError):
        client.responses.retrieve(response.id)
    assert client.responses.create(model=MODEL, input="on", previous_response_id=response.id).output_text
    client.close()


def test_where_nothing_is_kept_a_response_says_so(tmp_path):
    environ = {"GEMINID_INTERACTIONS_TTL_DAYS": "0"}
    with (
        serving(tmp_path, "--model", "scripted", environ=environ) as server,
        openai.OpenAI(api_key="any", base_url=server.url + "/v1", max_retries=0) as client,
    ):
        answer = client.responses.with_raw_response.create(model=MODEL, input="hello")
        assert answer.headers["x-geminid-downgraded"] == "store=not-kept"
        assert json.loads(answer.text)["store"] is False
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(answer.parse().id)
        with pytest.raises(openai.BadRequestError):
            client.responses.create(model=MODEL, input="hello", background=True)
