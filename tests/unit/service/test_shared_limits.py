"""Limits over four processes of one database, in a time that runs as the test says."""

import asyncio
from contextlib import AsyncExitStack

from geminid.billing.standing import Override
from geminid.core.errors import QuotaExceeded
from geminid.core.usage import Usage
from money import Clock, house

STEP_MS = 500
MINUTE_MS = 60_000


async def ask(home, caller, tokens):
    """Ask as a client does, and give the place back at once."""
    try:
        charge = home.open(caller)
        await home.meter.admit(charge, Usage(prompt=tokens), 1, 1)
    except QuotaExceeded:
        return 0
    await home.settled(charge, Usage(prompt=tokens))
    return tokens


async def run(url, minutes, tokens, **limits):
    """Four processes ask twice in each step; return (time, tokens) of what was admitted."""
    clock, admitted = Clock(), []
    async with AsyncExitStack() as stack:
        homes = [
            await stack.enter_async_context(house(url, clock=clock, owner=f"process-{number}"))
            for number in range(4)
        ]
        caller = await homes[0].project(mode="postpaid", every_model=Override(**limits))
        for _ in range(minutes * MINUTE_MS // STEP_MS):
            came = await asyncio.gather(*(ask(home, caller, tokens) for home in homes))
            admitted += [(clock.ms, each) for each in came if each]
            clock.ms += STEP_MS
    return admitted


def most_in_a_minute(admitted, of):
    """The fullest of all minutes that begin with something admitted."""
    return max(
        sum(of(each) for time, each in admitted if start <= time < start + MINUTE_MS) for start, _ in admitted
    )


async def test_requests_a_minute_are_never_more_and_hardly_less_than_is_allowed(database_url):
    admitted = await run(database_url, 2, 1, rpm=60)
    assert most_in_a_minute(admitted, lambda each: 1) == 60
    assert len(admitted) >= 0.98 * 2 * 60


async def test_tokens_a_minute_are_never_more_and_hardly_less_than_is_allowed(database_url):
    admitted = await run(database_url, 2, 10, tpm=500)
    assert most_in_a_minute(admitted, lambda each: each) == 500
    assert sum(tokens for _, tokens in admitted) >= 0.98 * 2 * 500


async def test_requests_a_day_are_as_many_as_is_allowed(database_url):
    admitted = await run(database_url, 1, 1, rpd=70)
    assert len(admitted) == 70
