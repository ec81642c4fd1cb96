"""What a seed decides: accounts, requests and when they are left, entries, clocks, who is killed when."""

import random
from typing import Literal

import msgspec

from geminid.billing.standing import LimitRules, Override, Spending

PROCESSES = 8
NOON_MS = 1_790_017_200_000
"""Midday in California, so that only a clock that jumps turns the day."""
SCALE = 60
"""Virtual time runs so much faster: a second is a minute, and a round sees limits clear."""
TTL_MS = 240_000
MODELS = ("tiny", "odd", "free", "unpriced")
TIERS = ("standard", "flex", "priority")
MINUTE_MS = 60_000

Manner = Literal["together", "apart", "wild"]
"""Clocks that agree; that differ by seconds and are set back and forth; that jump by hours and days."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One history's project. ``limited``: the model that has limits of its own."""

    id: str
    mode: str
    credit_nano: int
    limits: LimitRules
    limited: str
    key_id: str


class Errand(msgspec.Struct, frozen=True, kw_only=True):
    """One request and what becomes of it.

    steps: tokens of each chunk. ahead: tokens that the engine makes before they are read. fails: refused,
    broken or with a bug, after so many chunks. leaves_after, leaves_ms: when its reader leaves, and how
    often he says so. whole: nothing of the answer is passed on before its end. request: the id that several errands share, or nothing.
    """

    number: int
    project: str
    key_id: str
    model: str
    tier: str
    prompt: int
    cached: int
    thoughts: int
    steps: tuple[int, ...]
    tokens_max: int
    candidates: int
    step_ms: float
    ahead: int
    fails: str = ""
    fails_after: int = 0
    leaves_after: int | None = None
    leaves_ms: float | None = None
    leaves_twice: bool = False
    deadline_ms: int | None = None
    own_deadline: bool = False
    whole: bool = False
    request: str = ""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One act of an operator: credits in or out, or the end of a key. Several have the same key."""

    number: int
    project: str
    kind: str
    key: str
    amount_nano: int = 0
    expires_ms: int | None = None
    key_id: str = ""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One life of one process. offsets: (real milliseconds after its start, by how much its clock is off).

    killed_at_end: it dies instead of leaving in order.
    """

    url: str
    journal: str
    owner: str
    origin_s: float
    offsets: tuple[tuple[int, int], ...]
    errands: tuple[Errand, ...]
    entries: tuple[Entry, ...]
    killed_at_end: bool


class Blow(msgspec.Struct, frozen=True, kw_only=True):
    """What is done to a process, or to its connections, at a moment."""

    at_s: float
    worker: int
    how: Literal["kill", "freeze", "cut"]


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one seed means."""

    seed: int
    manner: Manner
    accounts: tuple[Account, ...]
    blows: tuple[Blow, ...]


def round_of(seed: int, histories: int, *, postgres: bool) -> Round:
    """Return the round of a seed."""
    chance = random.Random(f"round {seed}")
    manner = chance.choice(("together", "together", "apart", "wild"))
    ways = ("kill", "kill", "kill", "freeze", "cut") if postgres else ("kill", "kill", "kill", "freeze")
    blows = sorted(
        (
            Blow(at_s=chance.uniform(0.02, 0.7), worker=chance.randrange(PROCESSES), how=chance.choice(ways))
            for _ in range(chance.randint(2, 6))
        ),
        key=lambda blow: blow.at_s,
    )
    accounts = tuple(_account(chance, f"s{seed}-{number}") for number in range(histories))
    return Round(seed=seed, manner=manner, accounts=accounts, blows=tuple(blows))


def job_of(plan: Round, worker: int, life: int, url: str, journal: str, origin_s: float) -> Job:
    """Return what one life of one process does: the first most of it, later ones the less."""
    chance = random.Random(f"round {plan.seed} worker {worker} life {life}")
    owner = f"{plan.seed}.{worker}.{life}"
    errands, entries = [], []
    for account in plan.accounts:
        for _ in range(chance.choice((1, 2, 3, 4)) if life == 0 else chance.choice((0, 0, 1, 1))):
            errands.append(_errand(chance, account, len(errands)))
        if chance.random() < 0.25:
            entries.append(_entry(chance, account, len(entries)))
    chance.shuffle(errands)
    return Job(
        url=url,
        journal=journal,
        owner=owner,
        origin_s=origin_s,
        offsets=_offsets(chance, plan.manner),
        errands=tuple(errands),
        entries=tuple(entries),
        killed_at_end=chance.random() < 0.4,
    )


def _account(chance: random.Random, name: str) -> Account:
    limited = chance.choice(MODELS[:3])
    own = Override(
        rpm=chance.choice((None, None, 3, 8)),
        tpm=chance.choice((None, None, 300, 2_000)),
        rpd=chance.choice((None, None, None, 10)),
        concurrent=chance.choice((None, None, 1, 3)),
    )
    spending = Spending(day_nano=chance.choice((None, None, None, 2_000_000)))
    return Account(
        id=name,
        mode="prepaid" if chance.random() < 0.8 else "postpaid",
        credit_nano=chance.choice((0, 500_000, 2_000_000, 1_000_000_000)),
        limits=LimitRules(models={limited: own}, spending=spending),
        limited=limited,
        key_id=f"key-{name}" if chance.random() < 0.4 else "",
    )


def _errand(chance: random.Random, account: Account, number: int) -> Errand:
    candidates = chance.choice((1, 1, 1, 2))
    steps = tuple(chance.choice((1, 1, 2, 5)) for _ in range(chance.choice((0, 1, 3, 8, 15))))
    thoughts = chance.choice((0, 0, 0, 4))
    prompt = chance.randint(1, 400)
    said = {}
    how = chance.random()
    if how < 0.1:
        said = {
            "fails": chance.choice(("UNAVAILABLE", "RESOURCE_EXHAUSTED")),
            "fails_after": chance.randint(0, len(steps)),
        }
    elif how < 0.13:
        said = {"fails": "bug", "fails_after": chance.randint(0, len(steps))}
    elif how < 0.16:
        said = {"fails": "refused"}
    elif how < 0.26:
        said = {"leaves_after": chance.randint(0, len(steps) + 1)}
    elif how < 0.40:
        said = {"leaves_ms": chance.uniform(0, 60), "leaves_twice": chance.random() < 0.3}
    elif how < 0.45:
        said = {"deadline_ms": chance.randint(1, 50), "own_deadline": chance.random() < 0.5}
    model = account.limited if chance.random() < 0.6 else chance.choice(MODELS)
    request = ""
    if chance.random() < 0.25:  # the same request each time: its model and its size follow from its id
        which = chance.randrange(6)
        request, model, prompt = (
            f"~{account.id}-{which}",
            (account.limited, "tiny")[which % 2],
            60 * which + 1,
        )
    total = (sum(steps) + thoughts) or 1
    over = chance.random() < 0.02 and account.mode == "prepaid"
    return Errand(
        number=number,
        project=account.id,
        key_id=account.key_id,
        model=model,
        tier=chance.choice(TIERS),
        prompt=prompt,
        cached=chance.choice((0, 0, prompt // 2, prompt)),
        thoughts=thoughts,
        steps=steps,
        tokens_max=max(total // 2, 1) if over else total + chance.choice((0, 10, 100)),
        candidates=candidates,
        step_ms=chance.choice((0, 0, 1, 4)),
        ahead=chance.choice((0, 0, 1, 3)),
        whole=chance.random() < 0.4 and "leaves_after" not in said,
        request=request,
        **said,
    )


def _entry(chance: random.Random, account: Account, number: int) -> Entry:
    kind = chance.choice(("top_up", "top_up", "grant", "grant", "adjust", "refund", "revoke"))
    amount = chance.choice((1, 300_000, 5_000_000))
    end_ms = None
    if kind == "grant" and chance.random() < 0.7:
        end_ms = NOON_MS + chance.randint(1, 4) * MINUTE_MS
    return Entry(
        number=number,
        project=account.id,
        kind=kind,
        key=f"{kind}-{chance.randrange(3)}",
        amount_nano=-amount if kind == "adjust" and chance.random() < 0.5 else amount,
        expires_ms=end_ms,
        key_id=account.key_id,
    )


def _offsets(chance: random.Random, manner: Manner) -> tuple[tuple[int, int], ...]:
    if manner == "together":
        return ()
    most = 90_000 if manner == "apart" else chance.choice((60_000, 20 * MINUTE_MS, 30 * 3_600_000))
    moments = sorted(chance.randint(0, 700) for _ in range(3))
    return tuple((at_ms, chance.randint(-most, most)) for at_ms in (0, *moments))
