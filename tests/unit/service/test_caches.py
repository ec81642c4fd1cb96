"""Cached contents: what is made is there and paid for, what fails leaves nothing, and time is billed exactly."""

import asyncio
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import make
from caching import CARD, HOUR_S, NS, WORDS, CachePrices, den, wanted
from geminid.billing import ledger
from geminid.billing.orders import Credit
from geminid.billing.standing import Spending
from geminid.core.cache import CachePlace, Expiration
from geminid.core.caller import ANYBODY, Caller
from geminid.core.errors import (
    AlreadyExists,
    CachesFull,
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    OutOfCredits,
    Problem,
    QuotaExceeded,
    Unavailable,
    UnknownCache,
)
from geminid.core.events import fold
from geminid.core.usage import Usage
from geminid.engines.scripted import ScriptedEngine
from geminid.service.cache_book import CacheBook, UnknownCacheId
from geminid.service.cache_contents import CachedContents, Contents, Memory, decode, encode
from geminid.service.cache_storage import receipt_of
from geminid.service.projects import Projects
from geminid.service.recovery import Recovery
from geminid.service.resolve import Resolved
from geminid.service.statements import Statements
from geminid.store import ledger as ledger_rows
from geminid.store import quotas
from geminid.store.owners import Owner
from money import Clock, together

CREDIT = 10**12
READ = 1_000  # nano-dollars for a token that is read
CACHED = 100  # for one from a cache
KEPT = 10  # for one that is kept for a second
HELD = WORDS * HOUR_S * KEPT


@pytest.fixture
async def house(database_url):
    async with den(database_url) as opened:
        opened.caller = await opened.home.project(credit_nano=CREDIT)
        yield opened


@pytest.fixture
async def small(tmp_path):
    """Over SQLite alone, where the database makes no difference."""
    async with den(f"sqlite:///{tmp_path / 'geminid.db'}", project_max=3) as opened:
        opened.caller = await opened.home.project(credit_nano=CREDIT)
        yield opened


async def answered(house, cache, caller=None, text="sixty", model=None):
    request = make.request(text, model=model or cache.asked, cached_content=cache.id)
    async with house.generator.generate(request, caller or house.caller) as generation:
        return await fold(generation.events)


async def moved(house, cache, seconds):
    return await house.caches.prolong(cache.project, cache.id, Expiration(ttl_ns=int(seconds * NS)))


# -- making ----------------------------------------------------------------------------------------------


async def test_making_is_charged_for_its_prompt_and_the_whole_time_is_held(house):
    made = await house.caches.create(house.caller, wanted())
    balance = await house.home.balance()
    assert (balance.posted_nano, balance.held_nano, balance.holds) == (CREDIT - WORDS * READ, HELD, 1)
    (row,) = await house.home.rows()
    assert (row.id, row.verb, row.cache, row.outcome) == (made.receipt, "cache", made.cache.id, "finished")
    assert (row.usage.prompt, row.usage.cached, row.cost_nano) == (WORDS, 0, WORDS * READ)
    assert (made.cost_nano, row.bound_nano >= row.cost_nano, row.bound_nano < HELD) == (
        row.cost_nano,
        True,
        True,
    )
    assert made.cache.usage.prompt == WORDS
    assert made.cache.expires_ns - made.cache.created_ns == HOUR_S * NS
    await house.home.verified()


async def test_what_was_made_is_in_the_database_before_it_is_answered(house, database_url):
    cache = await house.make(house.caller)
    async with den(database_url, clock=house.home.clock, owner="two", start=False) as other:
        assert await other.caches.get("p", cache.id) == cache


async def test_names_are_forty_letters_and_digits_and_no_two_are_the_same(small):
    names = {(await small.make(small.caller)).id for _ in range(3)}
    assert all(len(name) == 40 and name.isalnum() and name == name.lower() for name in names)
    assert len(names) == 3


@pytest.mark.parametrize("words", [0, 3, 1023])
async def test_too_little_is_refused_in_googles_words_and_costs_nothing(small, words):
    with pytest.raises(InvalidArgument) as caught:
        await small.make(small.caller, words)
    assert caught.value.message == (
        f"Cached content is too small. total_token_count={words}, min_total_token_count=1024"
    )
    await nothing_is_left(small)


async def test_the_smallest_that_is_taken(small):
    assert (await small.make(small.caller, 1024)).usage.prompt == 1024


async def nothing_is_left(house, credit=CREDIT):
    balance = await house.home.balance()
    assert (balance.posted_nano, balance.held_nano, balance.holds) == (credit, 0, 0)
    assert (await house.caches.page("p", 10)).caches == ()
    assert house.prefixes() == 0
    assert sum(row.cost_nano or 0 for row in await house.home.rows()) == 0
    await house.home.verified()


async def test_credits_that_do_not_cover_the_keeping_are_told_before_anything_is_computed(house):
    poor = await house.home.project("poor", WORDS * READ + HELD - 1)
    computed = []
    house.engine.keep = lambda *args: computed.append(args)
    with pytest.raises(OutOfCredits, match="do not cover"):
        await house.make(poor)
    assert not computed
    assert (await house.home.balance("poor")).held_nano == 0


async def test_credits_that_just_cover_it_are_enough(house):
    exact = await house.home.project("exact", WORDS * READ + HELD + 1)
    cache = await house.make(exact)
    house.home.clock.ms += HOUR_S * 1000
    house.keeper.look()
    await house.until(lambda: _gone(house, cache))
    assert (await house.home.balance("exact")).posted_nano == 1


async def _gone(house, cache):
    return await house.row(cache) is None


async def test_an_engine_without_room_leaves_nothing_behind(database_url):
    async with den(database_url, engine=ScriptedEngine(cached_tokens_max=WORDS + 100)) as house:
        caller = await house.home.project(credit_nano=CREDIT)
        kept = await house.make(caller)
        with pytest.raises(CachesFull, match=f"take {WORDS} of {WORDS + 100} tokens"):
            await house.make(caller)
        assert house.prefixes() == 1
        await house.caches.delete("p", kept.id)
        assert await house.make(caller)
        (refused,) = [row for row in await house.home.rows() if row.outcome == "RESOURCE_EXHAUSTED"]
        assert (refused.cost_nano, (await house.home.balance()).holds) == (0, 1)


@pytest.mark.parametrize("error", [Unavailable("lost"), ZeroDivisionError()])
async def test_a_making_that_fails_leaves_nothing_behind(small, error):
    async def fail(card, prefix):
        raise error

    small.engine.keep = fail
    with pytest.raises(type(error)):
        await small.make(small.caller)
    await nothing_is_left(small)


async def test_who_leaves_while_it_is_computed_leaves_nothing_behind(small):
    computing = asyncio.Event()

    async def slowly(card, prefix):
        computing.set()
        await asyncio.sleep(60)

    small.engine.keep = slowly
    making = asyncio.create_task(small.make(small.caller))
    await computing.wait()
    making.cancel()
    with pytest.raises(asyncio.CancelledError):
        await making
    await nothing_is_left(small)


async def test_who_leaves_while_it_is_written_pays_for_the_computing_alone(small, monkeypatch):
    """It is too late to undo that, but nobody could use what nobody was told of."""
    writing = asyncio.Event()
    do = small.home.meter.do

    async def watched(act):
        writing.set()
        return await do(act)

    monkeypatch.setattr(small.home.meter, "do", watched)
    making = asyncio.create_task(small.make(small.caller))
    await writing.wait()
    making.cancel()
    with pytest.raises(asyncio.CancelledError):
        await making
    await small.maker.close()
    assert (await small.caches.page("p", 10)).caches == ()
    balance = await small.home.balance()
    assert (balance.posted_nano, balance.holds) == (CREDIT - WORDS * READ, 0)
    await small.home.verified()


async def test_a_project_has_as_many_as_it_may_whoever_is_first(small):
    made = await together(*(small.make(small.caller) for _ in range(8)))
    refused = [each for each in made if isinstance(each, QuotaExceeded)]
    assert len(refused) == 5
    (violation,) = refused[0].violations
    assert (violation.quota_id, violation.value) == ("CachedContentsPerProject", 3)
    assert (await small.home.balance()).holds == 3
    assert small.prefixes() == 3
    await small.home.verified()


async def test_keeping_without_a_price_is_refused_to_who_pays_in_advance_only(tmp_path):
    prices = CachePrices(storage_dollars=None)
    async with den(f"sqlite:///{tmp_path / 'geminid.db'}", prices=prices) as house:
        with pytest.raises(OutOfCredits, match="no price for storage"):
            await house.make(await house.home.project("before", CREDIT))
        after = await house.home.project("after", mode="postpaid")
        cache = await house.make(after)
        await house.caches.delete("after", cache.id)
        making, keeping = sorted(await house.home.rows("after"), key=lambda row: row.verb)
        assert (making.cost_nano, keeping.cost_nano, keeping.lines) == (WORDS * READ, None, ())


async def test_a_limit_of_spending_counts_the_keeping_of_all(small):
    much = await small.home.project("much", CREDIT, spending=Spending(day_nano=2 * (WORDS * READ + HELD)))
    first = await small.make(much)
    with pytest.raises(QuotaExceeded):
        await small.make(much, ttl_s=2 * HOUR_S)
    with pytest.raises(QuotaExceeded):
        await small.caches.prolong("much", first.id, Expiration(ttl_ns=3 * HOUR_S * NS))
    assert await small.make(much, ttl_s=HOUR_S / 2)
    await small.home.verified()


async def test_an_open_server_keeps_and_bills_without_credits(small):
    cache = await small.make(ANYBODY)
    await small.caches.delete(ANYBODY.project, cache.id)
    making, keeping = sorted(await small.home.rows(ANYBODY.project), key=lambda row: row.verb)
    assert (making.entry, keeping.entry, keeping.verb) == (None, None, "storage")


@pytest.mark.parametrize("ttl_s", [0, -5, 0.5, 31 * 86_400])
async def test_an_end_out_of_bounds_is_refused_with_its_field(small, ttl_s):
    with pytest.raises(InvalidArgument, match="between 1s and 2592000s") as caught:
        await small.make(small.caller, ttl_s=ttl_s)
    assert caught.value.violations[0].field == "ttl"


# -- using -----------------------------------------------------------------------------------------------


async def test_an_answer_is_billed_a_tenth_on_the_cached_part(house):
    cache = await house.make(house.caller)
    answer = await answered(house, cache)
    assert (answer.usage.prompt, answer.usage.cached) == (WORDS + 1, WORDS)
    (row,) = [row for row in await house.home.rows() if row.verb == "generate"]
    assert (row.cache, row.usage.cached) == (cache.id, WORDS)
    assert row.cost_nano == READ + WORDS * CACHED + 60 * 2 * READ
    assert row.saved_nano == WORDS * (READ - CACHED)
    assert (
        await house.generator.count(
            make.request("sixty", model=CARD.name, cached_content=cache.id), house.caller
        )
    ).usage.cached == WORDS


async def test_what_is_cached_comes_before_what_is_asked(small):
    cache = await small.make(small.caller)
    seen = []
    count = small.engine.count

    async def watched(card, request):
        seen.append(request)
        return await count(card, request)

    small.engine.count = watched
    await answered(small, cache)
    request = seen[-1]
    assert [turn.parts[0].text[:5] for turn in request.turns] == ["w0 w1", "sixty"]
    assert (request.prefix, request.cached_content) == (cache.id, "")


async def test_another_model_is_refused_in_googles_words(small):
    cache = await small.make(small.caller)
    with pytest.raises(InvalidArgument) as caught:
        await answered(small, cache, model="other")
    assert caught.value.message == (
        "Model used by GenerateContent request (models/other) and CachedContent (models/tiny) has to be the same."
    )


async def test_a_name_that_means_another_model_by_now_says_so(small):
    cache = await small.make(small.caller, model="alias")
    small.generator.served = type(small.generator.served)(
        small.generator.served.cards, ("alias",), pins={"alias": "other"}
    )
    with pytest.raises(FailedPrecondition, match="models/alias is another model now"):
        await answered(small, cache)


async def test_unknown_foreign_deleted_and_expired_are_one_and_the_same(house):
    foreign = await house.home.project("foreign", CREDIT)
    mine = await house.make(house.caller)
    gone = await house.make(house.caller)
    late = await house.make(house.caller, ttl_s=5)
    await house.caches.delete("p", gone.id)
    house.home.clock.ms += 5_000
    for caller, name in (
        (foreign, mine.id),
        (house.caller, gone.id),
        (house.caller, late.id),
        (house.caller, "x"),
    ):
        with pytest.raises(UnknownCache) as caught:
            await answered(house, named(name), caller, model=CARD.name)
        assert caught.value.message == "CachedContent not found (or permission denied)"
        for act in (house.caches.get, house.caches.delete):
            with pytest.raises(UnknownCache):
                await act(caller.project, name)
        with pytest.raises(UnknownCache):
            await house.caches.prolong(caller.project, name, Expiration(ttl_ns=NS))


def named(name):
    return SimpleNamespace(id=name, asked=CARD.name)


@pytest.mark.parametrize("name", ["", "a\0b", "\udc80", "A" * 40, "x" * 10_000, "../x", "ä"])
async def test_what_is_no_name_is_unknown_in_every_database(house, name):
    with pytest.raises(UnknownCache):
        await house.caches.get("p", name)
    if name:
        with pytest.raises(UnknownCache):
            await answered(house, named(name))


# -- the end ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ms", "seconds"), [(0, 0), (1, 1), (1_000, 1), (12_001, 13), (3_599_999, 3600)])
async def test_deleting_bills_the_seconds_that_have_begun(small, ms, seconds):
    cache = await small.make(small.caller)
    small.home.clock.ms += ms
    await small.caches.delete("p", cache.id)
    (row,) = await small.storage_rows()
    assert (row.id, row.cost_nano, row.took_ms) == (receipt_of(cache), WORDS * seconds * KEPT, ms)
    assert [(line.item, line.quantity) for line in row.lines] == (
        [("storage", WORDS * seconds)] if seconds else []
    )
    assert row.bound_nano == HELD
    balance = await small.home.balance()
    assert (balance.posted_nano, balance.held_nano) == (CREDIT - WORDS * READ - row.cost_nano, 0)
    assert small.prefixes() == 0
    await small.home.verified()


async def test_expiry_is_refused_and_billed_to_its_second_however_late_it_is_noticed(database_url):
    clock = Clock()
    async with den(database_url, clock=clock) as house:
        caller = await house.home.project(credit_nano=CREDIT)
        cache = await house.make(caller)
    clock.ms += 7 * 86_400_000  # nobody was there for a week
    async with den(database_url, clock=clock, owner="two", start=False) as late:
        with pytest.raises(UnknownCache):
            await late.caches.get("p", cache.id)
        await late.keeper.start()
        (row,) = await late.storage_rows()
        assert (row.cost_nano, row.took_ms) == (HELD, HOUR_S * 1000)
        assert (await late.home.balance()).holds == 0
        await late.home.verified()


async def test_a_timer_ends_it_and_frees_the_engine(house):
    cache = await house.make(house.caller, ttl_s=10)
    await house.make(house.caller)
    house.home.clock.ms += 9_999
    await asyncio.sleep(0.1)
    assert await house.row(cache) is not None
    house.home.clock.ms += 1
    await house.until(lambda: _gone(house, cache))
    await house.until(lambda: house.prefixes() == 1)
    (row,) = await house.storage_rows()
    assert row.cost_nano == 10 * WORDS * KEPT


async def test_its_spending_counts_when_it_is_billed(small):
    cache = await small.make(small.caller)
    small.home.clock.ms += 60_000
    await small.caches.delete("p", cache.id)
    state = await small.home.database.read(lambda c: quotas.find(c, "p"))
    assert state.spend_day.used == WORDS * READ + 60 * WORDS * KEPT


# -- moving the end --------------------------------------------------------------------------------------


async def test_a_longer_life_holds_more_and_a_shorter_one_less(house):
    cache = await house.make(house.caller)
    longer = await moved(house, cache, 2 * HOUR_S)
    assert (longer.expires_ns - cache.expires_ns, (await house.home.balance()).held_nano) == (
        HOUR_S * NS,
        2 * HELD,
    )
    house.home.clock.ms += 60_000
    shorter = await moved(house, cache, 60)
    assert (await house.home.balance()).held_nano == 120 * WORDS * KEPT
    assert (shorter.updated_ns - cache.created_ns, shorter.created_ns) == (60 * NS, cache.created_ns)
    await house.caches.delete("p", cache.id)
    (row,) = await house.storage_rows()
    assert row.cost_nano == 60 * WORDS * KEPT
    await house.home.verified()


async def test_a_life_that_credits_do_not_cover_stays_as_it_is(house):
    exact = await house.home.project("exact", WORDS * READ + HELD + 1)
    cache = await house.make(exact)
    with pytest.raises(OutOfCredits, match="keeping the cached contents"):
        await moved(house, cache, HOUR_S + 1)
    assert await house.caches.get("exact", cache.id) == cache
    assert (await house.home.balance("exact")).held_nano == HELD
    await house.home.verified()


async def test_the_end_may_be_moved_any_number_of_times(small):
    cache = await small.make(small.caller)
    for number in range(20):
        await moved(small, cache, HOUR_S + number)
    await small.caches.delete("p", cache.id)
    assert (await small.home.balance()).holds == 0
    await small.home.verified()


async def test_who_moves_the_end_at_the_same_time_as_others_gets_what_he_asked_for(house):
    cache = await house.make(house.caller)
    results = await together(*(moved(house, cache, 100 * n) for n in range(1, 6)))
    assert not [each for each in results if isinstance(each, BaseException)]
    row = await house.row(cache)
    seconds = (row.expires_ns - row.created_ns) // NS
    balance = await house.home.balance()
    assert (seconds in range(100, 600, 100), balance.holds) == (True, 1)
    assert balance.held_nano == seconds * WORDS * KEPT
    await house.home.verified()


async def test_a_shorter_life_keeps_what_a_grant_gave_that_has_ended(small):
    now = small.home.clock()
    project = await small.home.project("granted")

    def grant(connection):
        balance = ledger_rows.lock(connection, "granted")
        order = Credit(kind="grant", key="g", amount_nano=WORDS * READ + HELD + 1, expires_ms=now + 1_000)
        entered = ledger.credit(balance, order, None, now)
        ledger_rows.enter(connection, entered.balance, entered.rows)

    await small.home.database.write(grant)
    cache = await small.make(project)
    small.home.clock.ms += 2_000
    await moved(small, cache, 60)
    small.home.clock.ms += 60_000
    small.keeper.look()
    await small.until(lambda: _gone(small, cache))
    (row,) = await small.storage_rows("granted")
    assert (row.cost_nano, row.unpaid_nano) == (62 * WORDS * KEPT, 0)
    await small.home.verified()


# -- other processes -------------------------------------------------------------------------------------


async def test_recovery_after_a_process_leaves_the_holds_of_what_is_kept(house):
    cache = await house.make(house.caller)
    me = Owner(id="other", host="here", pid=1, born_ms=0, heartbeat_ms=0)
    recovery = Recovery(house.home.database, me, lambda pid, born: False, now_ms=house.home.clock)
    house.home.clock.ms += 100_000
    assert await recovery.sweep() == 0
    await recovery.close()
    assert (await house.home.balance()).held_nano == HELD
    assert await answered(house, cache)


async def test_what_one_server_makes_another_uses_ends_and_bills_once(house, database_url):
    cache = await house.make(house.caller)
    async with den(database_url, clock=house.home.clock, owner="two", start=False) as other:
        assert (await answered(other, cache, house.caller)).usage.cached == WORDS
        assert other.prefixes() == 1
        house.home.clock.ms += HOUR_S * 1000
        row = await house.row(cache)
        now = house.now_ns()
        bills = await together(*(each.keeper.end(row, now, expired=True) for each in (house, other)))
        assert len([bill for bill in bills if bill is not None]) <= 1
        assert len(await house.storage_rows()) == 1
        await other.keeper.start()
        await other.until(lambda: other.prefixes() == 0)
        await house.home.verified()


async def test_an_end_that_was_moved_by_another_server_is_not_taken_for_over(house, database_url):
    cache = await house.make(house.caller, ttl_s=10)
    seen = await house.row(cache)
    async with den(database_url, clock=house.home.clock, owner="two", start=False) as other:
        await moved(other, cache, HOUR_S)
    house.home.clock.ms += 11_000
    assert await house.keeper.end(seen, house.now_ns(), expired=True) is None
    assert await house.caches.get("p", cache.id)


async def test_after_a_start_what_lives_is_computed_in_the_background(house, database_url):
    caches = [await house.make(house.caller) for _ in range(3)]
    async with den(database_url, clock=house.home.clock, owner="two") as other:
        await other.until(lambda: other.prefixes() == 3)
        assert (await answered(other, caches[0], house.caller)).usage.cached == WORDS
        await house.caches.delete("p", caches[1].id)
        await other.until(lambda: other.prefixes() == 2)


async def test_contents_survive_in_the_database_alone(small, tmp_path):
    cache = await small.make(small.caller)
    stored = await small.home.database.read(
        lambda c: c.exec_driver_sql("SELECT length(value) FROM cache_contents").scalar()
    )
    assert stored > WORDS
    await small.caches.delete("p", cache.id)
    assert (
        await small.home.database.read(
            lambda c: c.exec_driver_sql("SELECT count(*) FROM cache_contents").scalar()
        )
        == 0
    )


async def test_deleted_contents_are_not_in_the_file_of_the_database_any_more(tmp_path):
    """What is free in a file of SQLite's keeps its bytes unless they are overwritten."""
    path = tmp_path / "geminid.db"
    async with den(f"sqlite:///{path}") as house:
        caller = await house.home.project(credit_nano=CREDIT)
        cache = await house.make(caller, words=5_000)
        await house.home.database.checkpoint()
        assert b"w4321 w4322 w4323" in path.read_bytes()
        await house.caches.delete("p", cache.id)
    assert b"w4321 w4322 w4323" not in path.read_bytes()


# -- lists and memory ------------------------------------------------------------------------------------


async def test_pages_are_the_newest_first_and_end(tmp_path):
    async with den(f"sqlite:///{tmp_path / 'geminid.db'}") as house:
        caller = await house.home.project(credit_nano=CREDIT)
        made = []
        for _ in range(5):
            house.home.clock.ms += 1
            made.append(await house.make(caller))
        found, after = [], None
        while True:
            page = await house.caches.page("p", 2, after)
            found += page.caches
            if page.next is None:
                break
            after = page.next
        assert [each.id for each in found] == [each.id for each in reversed(made)]
        assert after == CachePlace(made[1].created_ns, made[1].id)


def test_contents_come_out_as_they_went_in():
    contents = Contents(turns=wanted(5).request.turns, call_mode="any", figures={"image": 1120})
    assert decode(encode(contents)) == contents
    with pytest.raises(Problem, match="cannot be read"):
        decode(b"\xc1")


def test_memory_forgets_what_was_not_used_longest():
    memory, some = Memory(10), Contents()
    for name in "abc":
        memory.put(name, some, 4)
    assert (memory.get("a"), memory.get("b"), memory.get("c")) == (None, some, some)
    memory.get("b")
    memory.put("d", some, 4)
    assert (memory.get("c"), memory.get("b")) == (None, some)
    memory.put("huge", some, 11)
    assert memory.get("huge") is None
    memory.forget("b")
    memory.put("e", some, 6)
    assert memory.get("d") is some


# -- any history -----------------------------------------------------------------------------------------

STEP = st.one_of(
    st.tuples(st.just("make"), st.integers(1, 5_000)),
    st.tuples(st.just("move"), st.integers(1, 5_000)),
    st.tuples(st.just("delete"), st.integers(0, 2)),
    st.tuples(st.just("wait"), st.integers(1, 2_000_000)),
    st.tuples(st.just("restart"), st.just(0)),
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEP, min_size=3, max_size=12))
async def test_whatever_happens_every_second_is_paid_once_and_nothing_else(tmp_path_factory, steps):
    url = f"sqlite:///{tmp_path_factory.mktemp('history') / 'geminid.db'}"
    clock, caller, lives = Clock(), Caller(project="p"), {}
    async with den(url, clock=clock, start=False) as house:
        await house.home.project(credit_nano=10**9)
    for number, (act, value) in enumerate(steps):
        async with den(url, clock=clock, owner=f"run{number}", start=False, project_max=4) as house:
            await house.keeper._end_expired()
            now = house.now_ns()
            alive = [name for name, (_, ends) in lives.items() if ends > now]
            try:
                if act == "make":
                    cache = await house.make(caller, 1024, value)
                    lives[cache.id] = (cache.created_ns, cache.expires_ns)
                elif act == "move" and alive:
                    changed = await house.caches.prolong("p", alive[0], Expiration(ttl_ns=value * NS))
                    lives[changed.id] = (changed.created_ns, changed.expires_ns)
                elif act == "delete" and alive:
                    name = alive[value % len(alive)]
                    await house.caches.delete("p", name)
                    lives[name] = (lives[name][0], now)
                elif act == "wait":
                    clock.ms += value
            except (OutOfCredits, QuotaExceeded):
                pass
    clock.ms += 10**8
    async with den(url, clock=clock, owner="last") as house:
        storage = await house.storage_rows()
        assert {row.cache: row.cost_nano for row in storage} == {
            name: -(-(end - begin) // NS) * 1024 * KEPT for name, (begin, end) in lives.items()
        }
        balance = await house.home.balance()
        assert (balance.holds, balance.held_nano) == (0, 0)
        assert balance.posted_nano == 10**9 - sum(row.cost_nano for row in await house.home.rows())
        await house.home.verified()


async def test_every_making_is_observed_once(small):
    await small.make(small.caller)
    with pytest.raises(InvalidArgument):
        await small.make(small.caller, 3)
    with pytest.raises(OutOfCredits):
        await small.make(await small.home.project("poor", 1))
    assert [(each.outcome, each.usage.prompt, each.refused_by) for each in small.observed] == [
        ("finished", WORDS, ()),
        ("INVALID_ARGUMENT", 0, ()),
        ("RESOURCE_EXHAUSTED", 0, ("credits",)),
    ]
    assert small.observed[0].admitted_s >= small.observed[0].accepted_s >= small.observed[0].read_s >= 0


async def test_a_making_that_takes_too_long_leaves_nothing_behind(small):
    async def slowly(card, prefix):
        await asyncio.sleep(60)

    small.engine.keep = slowly
    with pytest.raises(DeadlineExceeded):
        await small.caches.create(small.caller, wanted(), deadline_ms=50)
    await nothing_is_left(small)
    assert [each.outcome for each in small.observed] == ["DEADLINE_EXCEEDED"]


async def test_a_making_under_an_id_of_the_callers_own_is_charged_once(small):
    await small.caches.create(small.caller, wanted(), "~mine")
    with pytest.raises(AlreadyExists):
        await small.caches.create(small.caller, wanted(), "~mine")
    assert len((await small.caches.page("p", 10)).caches) == small.prefixes() == 1


async def test_the_months_statement_is_sound_with_making_use_and_keeping(small):
    cache = await small.make(small.caller)
    await answered(small, cache)
    small.home.clock.ms += 90_000
    await moved(small, cache, HOUR_S)
    await small.caches.delete("p", cache.id)
    statement = await Statements(small.home.database, small.home.clock).statement("p")
    assert statement.sound, statement.checks
    (kept,) = [line for line in statement.lines if line.item == "storage"]
    assert (kept.quantity, kept.cost_nano) == (90 * WORDS, 90 * WORDS * KEPT)
    assert sum(model.total.requests for model in statement.models) == 2


async def test_a_book_of_caches_tells_hits_savings_and_cost(small):
    cache = await small.make(small.caller)
    for _ in range(3):
        await answered(small, cache)
    await small.make(await small.home.project("other", CREDIT))
    small.home.clock.ms += 10_000
    book = CacheBook(small.home.database, small.home.clock, small.now_ns)
    found = await book.get(cache.id)
    assert (found.use.hits, found.use.tokens) == (3, 3 * WORDS)
    assert found.use.saved_nano == 3 * WORDS * (READ - CACHED)
    assert found.storage_nano == 10 * WORDS * KEPT
    assert [each.row.project for each in (await book.page(10)).items].count("other") == 1
    first = await book.page(1, project="p")
    assert ([each.row.id for each in first.items], first.next) == ([cache.id], "")
    page = await book.page(1)
    assert page.next
    assert len((await book.page(1, page.next)).items) == 1
    await book.end("test", cache.id)
    for act in (book.get(cache.id), book.end("test", cache.id)):
        with pytest.raises(UnknownCacheId):
            await act
    (row,) = await small.storage_rows()
    assert row.cost_nano == 10 * WORDS * KEPT
    await small.home.verified()


@pytest.mark.parametrize("written", [True, False])
async def test_a_database_that_is_lost_while_it_writes_leaves_nothing_behind(house, monkeypatch, written):
    """Whether it had written what it did not acknowledge or not."""
    do, lost = house.home.meter.do, []

    async def losing(act):
        if not lost:
            lost.append(act)
            if written:
                await do(act)
            raise Unavailable("The database cannot be used now.")
        return await do(act)

    monkeypatch.setattr(house.home.meter, "do", losing)
    with pytest.raises(Unavailable):
        await house.make(house.caller)
    assert (await house.caches.page("p", 10)).caches == ()
    assert house.prefixes() == 0
    balance = await house.home.balance()
    assert (balance.posted_nano, balance.holds) == (CREDIT - written * WORDS * READ, 0)
    rows = {row.verb: (row.outcome, row.cost_nano) for row in await house.home.rows()}
    charged = {"cache": ("finished", WORDS * READ), "storage": ("finished", 0)}
    assert rows == (charged if written else {"cache": ("UNAVAILABLE", 0)})
    await house.home.verified()


def test_cached_media_are_told_by_the_hosted_services_figures_where_that_is_wanted():
    row = SimpleNamespace(id="x")
    cached = CachedContents(row, Contents(turns=wanted(5).request.turns, figures={"image": 1_120}))
    joined = cached.before(Resolved(request=make.request("hi", cached_content="x")))
    usage = Usage(prompt=100, cached=90, media={"image": 50}, cached_media={"image": 50})
    told = joined.told(usage)
    assert (told.prompt, told.media) == (50 + 1_120, {"image": 1_120})
    assert (told.cached, told.cached_media) == (40 + 1_120, {"image": 1_120})
    plain = CachedContents(row, Contents()).before(Resolved(request=make.request("hi")))
    assert plain.told(usage) == usage


async def test_what_a_deleted_project_leaves_is_ended_and_billed(house):
    cache = await house.make(await house.home.project("gone", CREDIT))
    kept = await house.make(house.caller)
    house.home.clock.ms += 20_000
    await Projects(house.home.database, house.home.clock).delete("test", "gone")
    house.keeper.look()
    await house.until(lambda: _gone(house, cache))
    (row,) = await house.storage_rows("gone")
    assert (row.cost_nano, await house.row(kept) is not None) == (20 * WORDS * KEPT, True)
    assert (await house.home.balance("gone")).holds == 0
    await house.home.verified()
