"""A store of one project in memory, as the database will be one: rows appended, past found by id."""

from geminid.billing import ledger
from geminid.billing.audit import Replay
from geminid.billing.balance import Balance
from geminid.billing.orders import Credit, Entered, Hold, Post, Void, past_of
from geminid.billing.transfers import id_of

NOW = 1_790_000_000_000
HOUR = 3_600_000


class Books:
    """Keeps what the acts return, and gives them what they need to know."""

    def __init__(self, project="p"):
        self.balance = Balance(project=project)
        self.rows = []
        self.now = NOW

    def _keep(self, outcome):
        if isinstance(outcome, Entered):
            assert outcome.repeated == (not outcome.rows)
            self.balance = outcome.balance
            self.rows.extend(outcome.rows)
        return outcome

    def past(self, request):
        return past_of(row for row in self.rows if row.subject == request)

    def row(self, id_):
        return next((row for row in self.rows if row.id == id_), None)

    def open_holds(self):
        ended = {row.pending for row in self.rows}
        return [row for row in self.rows if row.kind == "hold" and row.id not in ended]

    def hold(self, request, amount, *, owner="one", ttl_ms=HOUR):
        order = Hold(request=request, amount_nano=amount, owner=owner, expires_ms=self.now + ttl_ms)
        return self._keep(ledger.hold(self.balance, order, self.past(request), self.now))

    def post(self, request, amount, attempt=1):
        order = Post(request=request, amount_nano=amount, attempt=attempt)
        return self._keep(ledger.post(self.balance, order, self.past(request), self.now))

    def void(self, request, attempt=1, note=""):
        order = Void(request=request, attempt=attempt, note=note)
        return self._keep(ledger.void(self.balance, order, self.past(request), self.now))

    def credit(self, kind, key, amount, ttl_ms=None):
        expires = None if ttl_ms is None else self.now + ttl_ms
        order = Credit(kind=kind, key=key, amount_nano=amount, expires_ms=expires)
        return self._keep(ledger.credit(self.balance, order, self.row(id_of(kind, key)), self.now))

    def refund(self, request, amount, attempt=1):
        same = self.row(id_of("refund", request, attempt))
        charge = self.row(id_of("post", request, attempt))
        return self._keep(ledger.refund(self.balance, charge, amount, same, self.now))

    def expire(self):
        decided = ledger.expire(self.balance, self.now)
        self.balance = decided.balance
        self.rows.extend(decided.rows)
        return decided.rows

    def sweep(self, gone=()):
        """End the holds that nobody will end, as a process does when it starts."""
        for hold, why in list(ledger.lapsed(self.open_holds(), self.now, gone)):
            self.void(hold.subject, hold.attempt, why)

    def decide(self, *orders):
        pasts = {order.request: self.past(order.request) for order in orders}
        decided = ledger.decide(self.balance, orders, pasts, self.now)
        self.balance = decided.balance
        self.rows.extend(decided.rows)
        return decided.outcomes


def check(books):
    """Hold a project against the promises: nothing below zero, debits equal credits, all of it re-derivable."""
    balance = books.balance
    assert 0 <= balance.held_nano <= balance.posted_nano
    assert balance.posted_nano + balance.house_nano == 0
    assert sum(grant.left_nano for grant in balance.grants) <= balance.posted_nano
    replay = Replay(balance.project)
    assert replay.run(books.rows) is None
    assert replay.difference(balance) is None
    assert set(replay.holds) == {hold.id for hold in books.open_holds()}
    assert len({row.id for row in books.rows}) == len(books.rows)
