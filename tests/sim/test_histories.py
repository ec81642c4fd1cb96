"""Promises 1, 2, 6, 7 and 19 under fire: random histories of money, eight processes, one database.

A failure names its seed; ``SIM_SEED=… pytest tests/sim`` plays that round again, with the same plan and the same
blows (which process gets how far before a blow, the machine decides). Without it, the ordinary run takes the
same few hundred histories each time, ``PROVE=all`` ten thousand.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from postgres import postgres
from sim.plan import round_of
from sim.rounds import Figures, Rounds

PROVING = os.environ.get("PROVE") == "all"
HISTORIES_A_ROUND = 25
ROUNDS = {"sqlite": (6, 200), "postgres": (6, 200)}
"""Rounds of an ordinary run, and of one that proves."""
MEMORY = Path("/dev/shm")

pytestmark = [pytest.mark.timeout(7_200 if PROVING else 300)]


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request) -> str:
    return request.param


@pytest.fixture
def rounds(kind: str) -> Iterator[Rounds]:
    """Rounds on an empty database: what is killed are processes, not the machine, so memory will do."""
    with ExitStack() as stack:
        place = MEMORY if MEMORY.is_dir() else None
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="geminid-sim-", dir=place)))
        if kind == "postgres":
            url = stack.enter_context(postgres("fsync=off", "max_connections=200")).database()
        else:
            url = f"sqlite:///{folder / 'geminid.db'}"
        made = Rounds(url, folder)
        stack.callback(made.close)
        yield made


def test_whatever_happens_every_nano_dollar_is_accounted_for(kind, rounds):
    some, all_of_them = ROUNDS[kind]
    if seed := os.environ.get("SIM_SEED"):
        seeds = [int(seed)]
    else:
        seeds = list(range(all_of_them if PROVING else some))
    total = Figures()
    for seed in seeds:
        total.add(rounds.run(round_of(seed, HISTORIES_A_ROUND, postgres=kind == "postgres")))
    print(f"{kind}: {total}")
    assert total.admitted > total.rounds
    assert total.looks > total.rounds, "nobody watched"
    if not os.environ.get("SIM_SEED"):
        assert min(total.kills, total.voided, total.refused, total.repeated) > 0, (
            f"nothing was tried: {total}"
        )
