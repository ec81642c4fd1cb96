"""Cached contents as rows: what goes in comes out, in every database, and what has expired is not found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caching import den
from geminid.core.cache import CachePlace
from geminid.core.usage import Usage
from geminid.store import caches
from geminid.store.caches import CacheRow, cache_of, columns
from geminid.store.copying import copy
from geminid.store.database import Database, sqlite_url

counts = st.integers(0, 10**9)
times = st.integers(0, 2**62)
words = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=20)


@st.composite
def rows(draw):
    media = draw(st.dictionaries(st.sampled_from(caches.MEDIA), st.integers(1, 10**6)))
    return CacheRow(
        project=draw(words),
        id=draw(words),
        model=draw(words),
        asked=draw(words),
        display_name=draw(words),
        key_id=draw(words),
        key_name=draw(words),
        usage=Usage(prompt=sum(media.values()) + draw(counts), media=media),
        nano_per_million=draw(st.none() | counts),
        holds=draw(counts),
        created_ns=draw(times),
        updated_ns=draw(times),
        expires_ns=draw(times),
    )


@given(rows())
def test_a_row_comes_out_as_it_went_in(row):
    assert cache_of(columns(row)) == row


@pytest.fixture
async def house(database_url):
    async with den(database_url) as opened:
        opened.caller = await opened.home.project(credit_nano=10**12)
        yield opened


async def test_what_has_expired_is_not_found_whether_or_not_it_was_removed(house):
    cache = await house.make(house.caller, ttl_s=10)
    await house.keeper.close()
    read = house.home.database.read
    for now, there in ((cache.expires_ns - 1, True), (cache.expires_ns, False)):
        assert (await read(lambda c, now=now: caches.find(c, "p", cache.id, now)) is not None) == there
        found = await read(lambda c, now=now: caches.find_anywhere(c, cache.id, now))
        assert (found is not None) == there
        assert len(await read(lambda c, now=now: caches.living(c, now))) == there
        assert len(await read(lambda c, now=now: caches.page(c, "p", now, None, 5))) == there
        assert len(await read(lambda c, now=now: caches.expired(c, now))) == (not there)
    assert await read(lambda c: caches.find(c, "other", cache.id, 0)) is None
    assert await read(lambda c: caches.content(c, "other", cache.id)) is None


async def test_a_page_begins_after_a_place_also_among_those_of_one_moment(house):
    made = sorted([(await house.make(house.caller)).id for _ in range(4)])
    (first, *_) = await house.home.database.read(lambda c: caches.living(c, 0))
    place, found = None, []
    while True:
        page = await house.home.database.read(lambda c, place=place: caches.page(c, "p", 0, place, 3))
        found += [row.id for row in page]
        if len(page) < 3:
            break
        place = CachePlace(first.created_ns, page[-1].id)
    assert found == made


async def test_a_copied_database_has_them_with_their_contents(tmp_path, postgresql):
    async with den(sqlite_url(tmp_path / "geminid.db")) as house:
        caller = await house.home.project(credit_nano=10**12)
        made = [await house.make(caller) for _ in range(20)]
        target = await Database.open(postgresql.database())
        copied = copy(house.home.database.engine, target.engine, house.home.clock())
        assert (copied.rows["caches"], copied.rows["cache_contents"], copied.ledger.open_holds) == (
            20,
            20,
            20,
        )
        for cache in made:
            content = [
                await each.read(lambda c, cache=cache: caches.content(c, "p", cache.id))
                for each in (house.home.database, target)
            ]
            assert content[0] == content[1]
        await target.close()
