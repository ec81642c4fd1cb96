"""Any history of credits, requests, retries, crashes and clocks keeps every promise about money.

A failing history is printed with the blob or the seed that makes it again.
"""

import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from geminid.billing.audit import verify
from geminid.billing.orders import Declined, Entered
from unit.billing.books import HOUR, Books, check

amounts = st.integers(0, 400)
keys = st.sampled_from("abcdef")
owners = st.sampled_from(["one", "two"])


class Histories(RuleBasedStateMachine):
    """A project, and beside it what its users would write on paper."""

    requests = Bundle("requests")

    def __init__(self):
        super().__init__()
        self.books = Books()
        self.paid = {}
        self.refunded = {}
        self.given = {}
        self.expired = 0

    def _expired_by(self, before):
        rows = self.books.rows[before:]
        self.expired += sum(row.amount_nano for row in rows if row.kind == "expire")

    def _act(self, act, *arguments, **options):
        before = len(self.books.rows)
        outcome = act(*arguments, **options)
        self._expired_by(before)
        return outcome

    @rule(
        kind=st.sampled_from(["top_up", "grant"]),
        key=keys,
        amount=st.integers(1, 900),
        ttl=st.none() | st.integers(1, 50),
    )
    def give(self, kind, key, amount, ttl):
        ttl_ms = ttl * HOUR if ttl and kind == "grant" else None
        if (
            isinstance(outcome := self._act(self.books.credit, kind, key, amount, ttl_ms), Entered)
            and not outcome.repeated
        ):
            assert (kind, key) not in self.given
            self.given[kind, key] = amount

    @rule(key=keys, amount=st.integers(-500, 500).filter(bool))
    def correct(self, key, amount):
        outcome = self._act(self.books.credit, "adjust", key, amount)
        if isinstance(outcome, Entered) and not outcome.repeated:
            self.given["adjust", key] = amount

    @rule(
        target=requests,
        request=st.sampled_from("rstuvwxyz"),
        amount=amounts,
        owner=owners,
        ttl=st.integers(1, 30),
    )
    def begin(self, request, amount, owner, ttl):
        available = self.books.balance.available_nano
        outcome = self._act(self.books.hold, request, amount, owner=owner, ttl_ms=ttl * HOUR)
        if isinstance(outcome, Entered) and outcome.transfer.kind == "post":
            assert request in self.paid
        elif isinstance(outcome, Entered) and not outcome.repeated:
            assert amount <= available
            assert request not in self.paid
        past = self.books.past(request)
        return request, past.hold.attempt if past.hold else 1

    @rule(which=requests, amount=amounts)
    def finish(self, which, amount):
        request, attempt = which
        hold = self.books.row(f"hold:{request}/{attempt}")
        outcome = self._act(self.books.post, request, amount, attempt)
        if isinstance(outcome, Entered) and not outcome.repeated:
            assert request not in self.paid
            self.paid[request] = min(amount, hold.amount_nano)
            assert outcome.transfer.unpaid_nano == max(amount - hold.amount_nano, 0)

    @rule(which=requests)
    def fail(self, which):
        self._act(self.books.void, *which)

    @rule(which=requests, amount=st.integers(1, 400))
    def refund(self, which, amount):
        request, attempt = which
        charge = self.books.row(f"end:{request}/{attempt}")
        if charge is None or charge.kind != "post" or amount > charge.amount_nano:
            return
        outcome = self._act(self.books.refund, request, amount, attempt)
        if isinstance(outcome, Entered) and not outcome.repeated:
            assert request not in self.refunded
            self.refunded[request] = amount

    @rule(owner=owners)
    def crash(self, owner):
        self._act(self.books.sweep, {owner})
        assert not any(hold.owner == owner for hold in self.books.open_holds())

    @rule()
    def tidy(self):
        self._act(self.books.sweep)
        self._act(self.books.expire)
        assert not any(hold.expires_ms <= self.books.now for hold in self.books.open_holds())

    @rule(hours=st.integers(-20, 40))
    def clock(self, hours):
        self.books.now += hours * HOUR

    @invariant()
    def every_amount_is_where_it_belongs(self):
        balance = self.books.balance
        earned = sum(self.paid.values()) - sum(self.refunded.values())
        assert balance.revenue_nano == earned
        assert balance.expired_nano == self.expired
        assert balance.posted_nano == sum(self.given.values()) - earned - self.expired
        assert balance.held_nano == sum(hold.amount_nano for hold in self.books.open_holds())
        assert 0 <= balance.held_nano <= balance.posted_nano

    def teardown(self):
        check(self.books)
        self.books.now += 10**6 * HOUR
        self.books.sweep()
        self.books.expire()
        check(self.books)
        assert (self.books.balance.held_nano, self.books.balance.grants) == (0, ())
        assert verify(self.books.rows, [self.books.balance]).sound


Histories.TestCase.settings = settings(
    max_examples=100, stateful_step_count=50, print_blob=True, deadline=None
)
TestHistories = Histories.TestCase


@pytest.mark.parametrize("seed", range(40))
def test_racing_clients_never_spend_what_is_not_there(seed):
    """Holds, settlements and retries of many clients in any order, in batches; the seed is the test's name."""
    rng, books = random.Random(seed), Books()
    books.credit("top_up", "t", rng.randint(500, 5_000))
    running, ended, top_up = {}, {}, books.balance.posted_nano
    for number in range(300):
        choice = rng.random()
        if choice < 0.5 or not running:
            request = f"r{number}" if rng.random() < 0.8 else f"r{rng.randint(0, number)}"
            outcome = books.hold(request, rng.randint(0, 200), owner=rng.choice("ab"))
            if isinstance(outcome, Entered) and not outcome.repeated:
                running[request] = outcome.transfer
            else:
                assert isinstance(outcome, Declined) or outcome.transfer.subject == request
            continue
        request = rng.choice(list(running))
        hold = running[request] if rng.random() < 0.2 else running.pop(request)  # some settle twice
        act = books.void if choice < 0.6 else books.post
        arguments = (hold.attempt,) if act == books.void else (rng.randint(0, 250), hold.attempt)
        outcome = act(request, *arguments)
        if isinstance(outcome, Entered):
            assert ended.setdefault(outcome.transfer.id, outcome.transfer) == outcome.transfer
        assert 0 <= books.balance.held_nano <= books.balance.posted_nano
    paid = sum(each.amount_nano for each in ended.values() if each.kind == "post")
    assert books.balance.posted_nano == top_up - paid
    check(books)
