"""Budgets and the messages that tell of them, over both databases."""

import base64
import hmac
import json

import pytest

from geminid.billing.budgets import Budget
from geminid.core.errors import InvalidArgument
from geminid.core.usage import Usage
from geminid.fetch.faults import Unfetchable
from geminid.service.budgets import Budgets, UnknownBudget
from geminid.service.hooks import HookSigner
from geminid.service.outbox import PAUSES_MS, Outbox
from geminid.service.projects import UnknownProject
from geminid.service.retention import Retention
from money import house

DAY_MS = 86_400_000
HOOK = "http://hooks.example/money"
SIGNER = HookSigner(bytes(32))


def genuine(body, headers):
    """What a receiver does, by the words of Standard Webhooks and not by our code."""
    key = base64.b64decode(SIGNER.secret("p").removeprefix("whsec_"))
    signed = b".".join((headers[b"webhook-id"], headers[b"webhook-timestamp"], body))
    return headers[b"webhook-signature"] == b"v1," + base64.b64encode(hmac.digest(key, signed, "sha256"))


class Hook:
    """Takes messages, with the statuses that a test says first."""

    def __init__(self, *answers):
        self.answers, self.bodies = list(answers), []

    async def post(self, url, body, headers, ms_max):
        assert (url, dict(headers)[b"Content-Type"]) == (HOOK, b"application/json")
        assert genuine(body, dict(headers))
        self.bodies.append(json.loads(body))
        answer = self.answers.pop(0) if self.answers else 204
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
async def home(database_url):
    async with house(database_url) as opened:
        yield opened


async def spend(home, caller, tokens):
    """Spend so many thousands of nano-dollars."""
    charge = await home.admitted(caller, prompt=tokens)
    await home.settled(charge, Usage(prompt=tokens))


@pytest.mark.parametrize("mode", ["prepaid", "postpaid"])
@pytest.mark.parametrize("period", ["day", "month", "ever"])
async def test_each_threshold_is_told_once(home, mode, period):
    caller = await home.project(mode=mode, credit_nano=10**9)
    budgets, hook = Budgets(home.database, home.clock), Hook()
    outbox = Outbox(home.database, hook.post, SIGNER, home.clock)
    budget = Budget(name="team", period=period, amount_nano=100_000)
    await budgets.set("ann", "p", budget, HOOK)
    assert await budgets.look() == 0
    await spend(home, caller, 50)
    assert (await budgets.look(), await budgets.look()) == (1, 0)
    await spend(home, caller, 55)
    assert await budgets.look() == 2
    assert (await outbox.send(), await outbox.send()) == (3, 0)
    told = sorted((body["threshold_permille"], body["spent_nano"]) for body in hook.bodies)
    assert told == [(500, 50_000), (900, 105_000), (1000, 105_000)]
    assert {body["budget"] for body in hook.bodies} == {"team"}
    home.clock.ms += 40 * DAY_MS
    await spend(home, caller, 50)
    assert await budgets.look() == (0 if period == "ever" else 1)


async def test_a_budget_is_set_shown_replaced_and_removed(home):
    await home.project()
    budgets = Budgets(home.database, home.clock)
    first = await budgets.set("ann", "p", Budget(name="a", period="day", amount_nano=1))
    assert await budgets.of_project("p") == (first,)
    second = await budgets.set("ann", "p", Budget(name="a", period="month", amount_nano=2), HOOK)
    assert await budgets.of_project("p") == (second,)
    await budgets.remove("ann", "p", "a")
    with pytest.raises(UnknownBudget):
        await budgets.remove("ann", "p", "a")
    with pytest.raises(UnknownProject):
        await budgets.of_project("q")
    with pytest.raises(InvalidArgument) as refused:
        await budgets.set("ann", "p", Budget(name="", period="day", amount_nano=0), "ftp://x")
    assert {each.field for each in refused.value.violations} == {"name", "amount_nano", "webhook"}


async def test_a_message_is_tried_again_and_in_the_end_given_up(home):
    caller = await home.project(credit_nano=10**9)
    budgets = Budgets(home.database, home.clock)
    await budgets.set(
        "ann", "p", Budget(name="a", period="day", amount_nano=1_000, thresholds_permille=(1,)), HOOK
    )
    await spend(home, caller, 1)
    await budgets.look()
    hook = Hook(500, Unfetchable("It is away."), 302)
    outbox = Outbox(home.database, hook.post, SIGNER, home.clock)
    for pause in PAUSES_MS[:3]:
        assert (await outbox.send(), await outbox.send()) == (0, 0)
        home.clock.ms += pause
    assert await outbox.send() == 1
    assert len(hook.bodies) == 4
    assert len({body["id"] for body in hook.bodies}) == 1
    await budgets.set(
        "ann", "p", Budget(name="b", period="day", amount_nano=1_000, thresholds_permille=(1,)), HOOK
    )
    await budgets.look()
    never = Hook(*[500] * 20)
    outbox = Outbox(home.database, never.post, SIGNER, home.clock)
    for _ in range(12):
        await outbox.send()
        home.clock.ms += PAUSES_MS[-1]
    assert len(never.bodies) == len(PAUSES_MS) + 1


async def test_secrets_of_hooks_are_kept_and_differ_by_project(home):
    signer, again = await HookSigner.open(home.database), await HookSigner.open(home.database)
    assert signer.secret("p") == again.secret("p") != signer.secret("q")


async def test_a_budget_for_ever_counts_what_is_kept_by_the_hour_too(home):
    caller = await home.project(mode="postpaid")
    budgets = Budgets(home.database, home.clock)
    await spend(home, caller, 60)
    home.clock.ms += 3 * DAY_MS
    assert await Retention(home.database, 1, home.clock).sweep() == 1
    await spend(home, caller, 50)
    await budgets.set("ann", "p", Budget(name="a", period="ever", amount_nano=110_000))
    assert await budgets.look() == 3
