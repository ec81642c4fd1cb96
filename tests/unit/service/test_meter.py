"""Requests at the meter, over real databases of both kinds: what is held, counted, charged and written."""

import asyncio

import pytest

from geminid.billing.standing import Override, Spending
from geminid.core.caller import ANYBODY, Caller
from geminid.core.errors import (
    Aborted,
    AlreadyExists,
    ExpiredKey,
    InvalidKey,
    OutOfCredits,
    QuotaExceeded,
    Unavailable,
)
from geminid.core.usage import Usage
from geminid.service.meter import Times
from geminid.service.recovery import Recovery
from geminid.service.retention import DAY_MS, Retention
from geminid.store import keys, owners, quotas
from geminid.store.keys import Key
from geminid.store.owners import Owner
from money import MODEL, Clock, Prices, house, together

DONE = Usage(prompt=10, candidates=5)
COST = 10 * 1_000 + 5 * 2_000
BOUND = 10 * 1_000 + 1 + 10 * 2_000 + 1
"""Of ten tokens in and ten out; a line may be split in two, each rounded up."""


@pytest.fixture
async def home(database_url):
    async with house(database_url) as opened:
        yield opened


async def test_a_request_is_held_by_its_bound_and_charged_by_what_it_used(home):
    caller = await home.project(credit_nano=100_000)
    charge = await home.admitted(caller)
    assert (charge.bound_nano, (await home.balance()).held_nano) == (BOUND, BOUND)
    await home.settled(charge, DONE)
    balance = await home.balance()
    assert (charge.cost_nano, balance.posted_nano, balance.held_nano) == (COST, 100_000 - COST, 0)
    (row,) = await home.rows()
    assert (row.id, row.usage, row.cost_nano, row.bound_nano, row.outcome) == (
        charge.asked.receipt,
        DONE,
        COST,
        BOUND,
        "finished",
    )
    assert [(line.item, line.quantity, line.cost_nano) for line in row.lines] == [
        ("prompt", 10, 10_000),
        ("candidates", 5, 10_000),
    ]
    assert (await home.verified()).open_holds == 0


@pytest.mark.parametrize("outcome", ["UNAVAILABLE", "INTERNAL", "DEADLINE_EXCEEDED", "empty"])
async def test_what_failed_costs_nothing_and_says_so(home, outcome):
    caller = await home.project(credit_nano=100_000)
    charge = await home.settled(await home.admitted(caller), DONE, outcome)
    assert (charge.cost_nano, (await home.balance()).posted_nano) == (0, 100_000)
    (row,) = await home.rows()
    assert (row.cost_nano, row.lines, row.usage, row.outcome) == (0, (), DONE, outcome)
    assert (await home.verified()).open_holds == 0


async def test_who_leaves_pays_for_what_was_produced(home):
    caller = await home.project(credit_nano=100_000)
    charge = await home.settled(await home.admitted(caller), Usage(prompt=10, candidates=2), "cancelled")
    assert charge.cost_nano == 10_000 + 2 * 2_000
    await home.verified()


async def test_a_price_of_zero_stays_zero_and_no_price_is_402(home):
    caller = await home.project(credit_nano=100_000)
    home.meter._prices = Prices(input_dollars="0", output_dollars="0")
    charge = await home.settled(await home.admitted(caller), DONE)
    assert (charge.cost_nano, charge.bound_nano) == (0, 0)
    for prices in (Prices(input_dollars=None, output_dollars=None), Prices(output_dollars=None)):
        home.meter._prices = prices
        with pytest.raises(OutOfCredits, match="has no price"):
            await home.admitted(caller)
    postpaid = await home.project("later", mode="postpaid")
    charge = await home.settled(await home.admitted(postpaid), DONE)
    assert charge.cost_nano is None
    assert [row.cost_nano for row in await home.rows("later")] == [None]
    await home.verified()


async def test_a_balance_that_covers_so_many_lets_exactly_so_many_run(home):
    caller = await home.project(credit_nano=7 * BOUND)
    charges = await together(*(home.admitted(caller) for _ in range(40)))
    refused = [each for each in charges if isinstance(each, OutOfCredits)]
    assert len(refused) == 33
    assert "needed and $" in refused[0].message
    assert (await home.balance()).available_nano == 0
    await together(*(home.settled(each, DONE) for each in charges if not isinstance(each, Exception)))
    assert (await home.balance()).posted_nano == 7 * (BOUND - COST)
    assert len(await home.rows()) == 7
    await home.verified()


async def test_two_processes_on_one_database_share_one_balance(database_url):
    clock = Clock()
    async with house(database_url, clock=clock) as one, house(database_url, clock=clock, owner="two") as two:
        caller = await one.project(credit_nano=20 * BOUND)

        async def run(home):
            charge = await home.admitted(caller)
            await asyncio.sleep(0.001)
            return await home.settled(charge, Usage(prompt=10, candidates=10))

        came = await together(*(run(home) for _ in range(20) for home in (one, two)))
        paid = [each for each in came if not isinstance(each, Exception)]
        assert {type(each) for each in came if isinstance(each, Exception)} == {OutOfCredits}
        balance = await one.balance()
        assert balance.posted_nano == 20 * BOUND - 30_000 * len(paid) < BOUND
        assert (await two.verified()).open_holds == 0


async def test_limits_hold_for_all_and_say_which_they_are_and_when_they_clear(home):
    caller = await home.project(mode="postpaid", every_model=Override(rpm=3))
    came = await together(*(home.admitted(caller) for _ in range(5)))
    problems = [each for each in came if isinstance(each, QuotaExceeded)]
    assert len(problems) == 2
    (violation,) = problems[0].violations
    assert (violation.quota_id, violation.value) == ("GenerateRequestsPerMinutePerProjectPerModel", 3)
    assert problems[0].retry_after_ms == 60_500
    home.clock.ms += 1_000
    with pytest.raises(QuotaExceeded) as again:
        home.open(caller)
        await home.admitted(caller)
    assert again.value.retry_after_ms == 59_500
    home.clock.ms += 59_500
    await home.admitted(caller)


async def test_tokens_are_counted_as_they_are_and_places_are_given_back(home):
    limits = Override(tpm=25, concurrent=2)
    caller = await home.project(mode="postpaid", every_model=limits)
    first = await home.admitted(caller)
    await home.admitted(caller)
    with pytest.raises(QuotaExceeded) as refused:
        await home.admitted(caller, prompt=6)
    assert {each.quota_id for each in refused.value.violations} == {
        "GenerateContentPaidTierInputTokensPerModelPerMinute",
        "ConcurrentRequestsPerProjectPerModel",
    }
    await home.settled(first, DONE)
    await home.admitted(caller, prompt=5)


async def test_spending_is_limited_by_what_is_reserved_and_then_by_what_was_spent(home):
    caller = await home.project(mode="postpaid", spending=Spending(day_nano=BOUND + COST))
    charge = await home.admitted(caller)
    with pytest.raises(QuotaExceeded):
        await home.admitted(caller)
    await home.settled(charge, DONE)
    await home.settled(await home.admitted(caller), DONE)
    with pytest.raises(QuotaExceeded) as refused:
        await home.admitted(caller)
    assert refused.value.violations[0].quota_id == "SpendPerDayPerProject"


async def test_a_limit_that_refuses_leaves_no_hold_and_no_count(home):
    caller = await home.project(credit_nano=10 * BOUND, every_model=Override(rpm=1))
    await home.admitted(caller)
    home.meter._reached.clear()
    with pytest.raises(QuotaExceeded):
        await home.admitted(caller)
    assert (await home.balance()).holds == 1
    poor = await home.project("poor", credit_nano=BOUND - 1, every_model=Override(rpm=1))
    for _ in range(3):
        with pytest.raises(OutOfCredits):
            await home.admitted(poor)
    assert (await home.database.read(lambda c: quotas.of_project(c, "poor"))) == {}


async def test_the_callers_id_charges_once_and_a_failure_may_be_tried_again(home):
    caller = await home.project(credit_nano=100_000)
    charge = await home.admitted(caller, request="~mine")
    with pytest.raises(Aborted, match="is being answered"):
        await home.admitted(caller, request="~mine")
    await home.settled(charge, DONE, "UNAVAILABLE")
    charge = await home.admitted(caller, request="~mine")
    assert charge.admission.result().hold.attempt == 2
    await home.settled(charge, DONE)
    with pytest.raises(AlreadyExists, match="answered and paid"):
        await home.admitted(caller, request="~mine")
    assert (await home.balance()).posted_nano == 100_000 - COST
    assert [row.outcome for row in await home.rows()] == ["UNAVAILABLE", "finished"]
    await home.verified()


async def test_settling_again_changes_nothing(home):
    caller = await home.project(credit_nano=100_000)
    charge = await home.settled(await home.admitted(caller), DONE)
    await home.settled(charge, DONE, "UNAVAILABLE")
    await home.meter.end(charge, DONE, "cancelled", Times())
    assert len(await home.rows()) == 1
    assert (await home.balance()).seq == 3


async def test_whoever_leaves_while_he_is_admitted_leaves_no_hold(home):
    caller = await home.project(credit_nano=100_000)
    charge = home.open(caller)
    task = asyncio.create_task(home.meter.admit(charge, Usage(prompt=10), 10, 1))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await home.meter.end(charge, Usage(prompt=10), "cancelled", Times())
    assert (await home.verified()).open_holds == 0
    assert (await home.balance()).posted_nano == 100_000 - 10_000


async def test_what_was_never_admitted_is_not_settled(home):
    caller = await home.project(credit_nano=1)
    charge = home.open(caller)
    await home.meter.end(charge, DONE, "UNAVAILABLE", Times())
    with pytest.raises(OutOfCredits):
        await home.meter.admit(charge, Usage(prompt=10), 10, 1)
    await home.meter.end(charge, DONE, "RESOURCE_EXHAUSTED", Times())
    assert await home.rows() == ()


async def test_an_open_server_counts_nothing_and_writes_everything(home):
    charge = await home.settled(await home.admitted(ANYBODY), DONE)
    assert charge.cost_nano == COST
    (row,) = await home.rows("default")
    assert (row.project, row.usage) == ("default", DONE)
    assert (await home.verified()).projects == 0


async def test_keys_that_were_revoked_or_expired_admit_nobody_any_more(home):
    await home.project(mode="postpaid")
    key = Key(id="k", project="p", name="n", hint="sk-…", digest="d", created_ms=1)

    def put(**changes):
        def act(connection):
            connection.exec_driver_sql("DELETE FROM keys")
            keys.add(connection, Key(**{**{n: getattr(key, n) for n in Key.__struct_fields__}, **changes}))

        return home.database.write(act)

    caller = Caller(project="p", key_id="k", key_name="n")
    with pytest.raises(InvalidKey):
        await home.admitted(caller)
    await put()
    await home.settled(await home.admitted(caller, labels={"team": "blue"}), DONE)
    (row,) = await home.rows()
    assert (row.key_id, row.key_name, row.labels) == ("k", "n", {"team": "blue"})
    await put(revoked_ms=home.clock.ms - 1)
    with pytest.raises(InvalidKey):
        await home.admitted(caller)
    await put(expires_ms=home.clock.ms)
    with pytest.raises(ExpiredKey):
        await home.admitted(caller)


async def test_a_request_that_cannot_be_settled_is_settled_later(home):
    caller = await home.project(credit_nano=100_000)
    charge = await home.admitted(caller)
    real, failures = home.hot.do, iter([Unavailable("gone"), Unavailable("gone")])

    def do(act):
        future = real(act) if (problem := next(failures, None)) is None else asyncio.Future()
        if problem is not None:
            future.set_exception(problem)
        return future

    home.hot.do = do
    with pytest.raises(Unavailable):
        await home.settled(charge, DONE)
    await home.meter.end(charge, DONE, "UNAVAILABLE", Times())
    assert (await home.balance()).holds == 1
    for _ in range(100):
        await asyncio.sleep(0.01)
        if not (await home.balance()).holds:
            break
    assert [row.outcome for row in await home.rows()] == ["UNAVAILABLE"]
    await home.verified()


async def test_holds_of_dead_processes_and_old_holds_are_released(home):
    caller = await home.project(credit_nano=10 * BOUND, every_model=Override(concurrent=5))
    dead = await home.admitted(caller)
    living = {"dead": True}

    def recovery(owner, host="here"):
        me = Owner(id=owner, host=host, pid=len(owner), born_ms=1, heartbeat_ms=0)
        return Recovery(home.database, me, lambda pid, born: living["dead"], now_ms=home.clock, beat_s=3600)

    await recovery("one").beat()
    other = recovery("other")
    await other.start()
    assert (await home.balance()).holds == 1, "its process lives"
    living["dead"] = False
    assert await other.sweep() == 1
    balance = await home.balance()
    assert (balance.holds, balance.held_nano, balance.posted_nano) == (0, 0, 10 * BOUND)
    states = await home.database.read(lambda c: quotas.of_project(c, "p"))
    assert [state.running for state in states.values()] == [(), ()]
    assert len(states[MODEL].window.buckets) == 1, "what it had asked for still counts"
    assert [each.id for each in await home.database.read(owners.everybody)] == ["other"]
    await home.settled(dead, DONE)  # it was not dead after all: too late
    assert dead.cost_nano == 0
    (row,) = await home.rows()
    assert (row.cost_nano, row.unpaid_nano) == (0, COST)
    home.meter._owner = "other"
    await home.admitted(caller)
    assert await other.sweep() == 0
    home.clock.ms += 60_000
    assert await other.sweep() == 1
    await home.admitted(caller)
    await other.close()
    assert (await home.verified()).open_holds == 0


async def test_a_process_on_another_machine_is_dead_when_its_heart_has_stopped_for_a_minute(home):
    await home.project()

    def recovery(owner):
        me = Owner(id=owner, host=owner, pid=1, born_ms=1, heartbeat_ms=0)
        return Recovery(home.database, me, lambda pid, born: False, now_ms=home.clock, beat_s=3600)

    await recovery("far").beat()
    home.clock.ms += 59_000
    await recovery("near").beat()
    assert len(await home.database.read(owners.everybody)) == 2
    home.clock.ms += 2_000
    await recovery("near").beat()
    assert [each.id for each in await home.database.read(owners.everybody)] == ["near"]


async def test_rows_of_usage_are_kept_as_long_as_is_wanted(home):
    caller = await home.project(mode="postpaid")
    for _ in range(3):
        await home.settled(await home.admitted(caller), DONE)
        home.clock.ms += DAY_MS
    assert await Retention(home.database, 0, home.clock).sweep() == 0
    retention = Retention(home.database, 1, home.clock)
    assert await retention.sweep() == 2
    assert await retention.sweep() == 0
    assert len(await home.rows()) == 1
