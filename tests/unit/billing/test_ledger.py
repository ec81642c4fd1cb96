"""What may be entered, what is entered once, and who pays for what."""

import pytest

from geminid.billing import ledger
from geminid.billing.balance import GRANTS_MAX, Balance
from geminid.billing.orders import Declined, Entered, Hold, Post, Void
from geminid.core.errors import Internal, InvalidArgument
from geminid.core.money import NANO_MAX
from unit.billing.books import HOUR, NOW, Books, check


@pytest.fixture
def books():
    made = Books()
    made.credit("top_up", "first", 1_000)
    yield made
    check(made)


def test_a_request_pays_what_it_used_and_the_rest_is_free_again(books):
    hold = books.hold("r", 300)
    assert (books.balance.posted_nano, books.balance.available_nano) == (1_000, 700)
    assert (hold.transfer.debit, hold.transfer.credit, hold.transfer.owner) == ("credits", "revenue", "one")
    post = books.post("r", 120)
    assert (books.balance.posted_nano, books.balance.available_nano, books.balance.revenue_nano) == (
        880,
        880,
        120,
    )
    assert (post.transfer.pending, post.transfer.amount_nano) == (hold.transfer.id, 120)


def test_a_void_costs_nothing(books):
    books.hold("r", 300)
    books.void("r", note="the engine failed")
    assert (books.balance.posted_nano, books.balance.available_nano, books.balance.revenue_nano) == (
        1_000,
        1_000,
        0,
    )


def test_zero_is_zero(books):
    books.hold("r", 0)
    assert books.post("r", 0).transfer.amount_nano == 0
    assert books.balance.posted_nano == 1_000


def test_nothing_is_held_beyond_what_is_available(books):
    books.hold("r1", 600)
    declined = books.hold("r2", 401)
    assert isinstance(declined, Declined)
    assert (declined.reason, declined.available_nano) == ("insufficient", 400)
    assert declined.message == "Up to $0.000000401 is needed and $0.0000004 is available."
    assert isinstance(books.hold("r2", 400), Entered)


def test_a_batch_for_exactly_a_thousand_lets_exactly_a_thousand_through():
    books = Books()
    books.credit("top_up", "first", 1_000 * 7)
    orders = [Hold(request=f"r{n}", amount_nano=7, owner="one", expires_ms=NOW + HOUR) for n in range(5_000)]
    outcomes = books.decide(*orders)
    assert [isinstance(each, Entered) for each in outcomes] == [True] * 1_000 + [False] * 4_000
    books.decide(*(Post(request=f"r{n}", amount_nano=7) for n in range(1_000)))
    assert (books.balance.posted_nano, books.balance.seq) == (0, 2_001)
    check(books)


def test_the_same_request_twice_in_one_batch_is_one_hold_and_one_charge(books):
    hold = Hold(request="r", amount_nano=10, owner="one", expires_ms=NOW + HOUR)
    post = Post(request="r", amount_nano=8)
    first, second, paid, again, later = books.decide(hold, hold, post, post, hold)
    assert first.transfer == second.transfer
    assert paid.transfer == again.transfer == later.transfer
    assert [each.repeated for each in (first, second, paid, again, later)] == [False, True, False, True, True]
    assert books.balance.posted_nano == 992


def test_a_batch_is_the_same_as_its_orders_one_by_one(books):
    other = Books()
    other.credit("top_up", "first", 1_000)
    other.hold("a", 600)
    other.hold("b", 600)
    other.post("a", 1)
    other.hold("b", 600)
    other.void("b")
    books.decide(
        Hold(request="a", amount_nano=600, owner="one", expires_ms=NOW + HOUR),
        Hold(request="b", amount_nano=600, owner="one", expires_ms=NOW + HOUR),
        Post(request="a", amount_nano=1),
        Hold(request="b", amount_nano=600, owner="one", expires_ms=NOW + HOUR),
        Void(request="b"),
    )
    assert (books.balance, books.rows) == (other.balance, other.rows)


def test_a_paid_request_that_comes_again_finds_its_charge(books):
    books.hold("r", 300)
    paid = books.post("r", 100).transfer
    again = books.hold("r", 300)
    assert (again.repeated, again.transfer) == (True, paid)
    assert books.post("r", 250).transfer == paid
    assert books.balance.posted_nano == 900


def test_a_voided_request_may_be_tried_again_and_is_charged_once(books):
    books.hold("r", 300)
    books.void("r")
    assert books.hold("r", 300).transfer.attempt == 2
    late = books.post("r", 100)  # of the first attempt, by a process that was slow
    assert isinstance(late, Declined)
    assert late.reason == "ended"
    books.post("r", 80, attempt=2)
    assert books.hold("r", 300).repeated
    assert books.balance.posted_nano == 920


def test_a_running_request_is_not_held_twice_and_a_dearer_one_under_its_id_is_declined(books):
    first = books.hold("r", 300).transfer
    assert books.hold("r", 300).transfer == first
    assert books.hold("r", 200).transfer == first
    assert books.hold("r", 301).reason == "conflict"
    assert books.balance.held_nano == 300


def test_the_first_ending_stands(books):
    books.hold("r", 300)
    books.void("r", note="its time ended")
    declined = books.post("r", 100)
    assert (declined.reason, declined.standing.kind) == ("ended", "void")
    assert "its time ended" in declined.message
    books.hold("s", 300)
    paid = books.post("s", 100).transfer
    assert books.void("s").standing == paid
    assert books.balance.posted_nano == 900


def test_what_was_never_held_is_neither_charged_nor_released(books):
    assert books.post("r", 1).reason == books.void("r").reason == "no_hold"


def test_more_than_was_held_is_not_charged_and_is_told(books):
    books.hold("r", 300)
    post = books.post("r", 450).transfer
    assert (post.amount_nano, post.unpaid_nano) == (300, 150)
    assert books.balance.posted_nano == 700


def test_credits_are_entered_once_by_their_key(books):
    again = books.credit("top_up", "first", 1_000)
    assert (again.repeated, books.balance.posted_nano) == (True, 1_000)
    assert books.credit("top_up", "first", 999).reason == "conflict"
    books.credit("grant", "first", 5)  # another kind has keys of its own
    assert books.balance.posted_nano == 1_005


@pytest.mark.parametrize(
    ("kind", "amount", "ttl_ms"),
    [
        *(("top_up", 0, None), ("top_up", -1, None), ("top_up", 1, HOUR), ("top_up", 2**63, None)),
        *(("grant", -1, None), ("grant", 1, 0), ("grant", 1, -1)),
        *(("adjust", 0, None), ("adjust", 1, HOUR), ("adjust", -(2**63), None)),
    ],
)
def test_senseless_credits_are_refused(books, kind, amount, ttl_ms):
    with pytest.raises(InvalidArgument):
        books.credit(kind, "k", amount, ttl_ms)
    with pytest.raises(InvalidArgument):
        books.credit("top_up", "", 1)


def test_an_adjustment_goes_both_ways_but_not_below_what_is_held(books):
    books.credit("adjust", "plus", 50)
    books.hold("r", 900)
    assert books.credit("adjust", "minus", -151).reason == "insufficient"
    books.credit("adjust", "minus", -150)
    assert (books.balance.available_nano, books.balance.adjustments_nano) == (0, 100)


def test_a_balance_that_cannot_be_kept_is_declined():
    books = Books()
    books.credit("top_up", "all", NANO_MAX)
    declined = books.credit("top_up", "more", 1)
    assert (declined.reason, books.balance.posted_nano) == ("full", NANO_MAX)


def test_a_charge_is_refunded_once_and_never_by_more_than_it_was(books):
    books.hold("r", 300)
    books.post("r", 200)
    with pytest.raises(InvalidArgument):
        books.refund("r", 201)
    with pytest.raises(InvalidArgument):
        books.refund("r", 0)
    books.refund("r", 150)
    assert books.refund("r", 150).repeated
    assert books.refund("r", 50).reason == "conflict"
    assert (books.balance.posted_nano, books.balance.revenue_nano) == (950, 50)


def test_only_a_charge_of_the_project_is_refunded(books):
    hold = books.hold("r", 300).transfer
    with pytest.raises(InvalidArgument):
        ledger.refund(books.balance, hold, 1, None, NOW)
    books.post("r", 200)
    with pytest.raises(InvalidArgument):
        ledger.refund(Balance(project="other"), books.rows[-1], 1, None, NOW)


def test_what_expires_first_is_spent_first(books):
    books.credit("grant", "late", 100, 3 * HOUR)
    books.credit("grant", "soon", 100, HOUR)
    books.credit("grant", "never", 100)
    books.hold("r", 150)
    books.post("r", 150)
    assert [(grant.subject, grant.left_nano) for grant in books.balance.grants] == [("late", 50)]
    books.now += 4 * HOUR
    (row,) = books.expire()
    assert (row.kind, row.subject, row.amount_nano) == ("expire", "late", 50)
    assert (books.balance.posted_nano, books.balance.expired_nano, books.balance.grants) == (1_100, 50, ())


def test_a_grant_that_is_spent_to_the_last_is_gone(books):
    books.credit("grant", "g", 100, HOUR)
    books.hold("r", 100)
    books.post("r", 100)
    assert (books.balance.grants, books.balance.posted_nano) == ((), 1_000)


def test_of_several_expired_grants_the_first_is_kept_for_what_is_held():
    books = Books()
    books.credit("grant", "first", 50, HOUR)
    books.credit("grant", "second", 50, HOUR + 1)
    books.hold("r", 60)
    books.now += 2 * HOUR
    assert [(row.subject, row.amount_nano) for row in books.expire()] == [("second", 40)]
    assert books.balance.available_nano == 0
    check(books)


def test_an_expired_grant_admits_nothing():
    books = Books()
    books.credit("grant", "g", 100, HOUR)
    books.now += HOUR - 1
    books.hold("in time", 10)
    books.now += 1
    assert books.hold("too late", 91).reason == "insufficient"
    assert books.hold("too late", 1).reason == "insufficient"
    check(books)


def test_a_grant_keeps_what_running_requests_hold_and_no_more():
    books = Books()
    books.credit("grant", "g", 100, HOUR)
    books.credit("top_up", "t", 50)
    books.hold("r1", 60)
    books.hold("r2", 30)
    books.now += HOUR
    assert [row.amount_nano for row in books.expire()] == [10]
    assert books.balance.available_nano == 50
    books.post("r1", 20)  # out of the grant; the 40 that it leaves were given until now only
    assert [row.amount_nano for row in books.expire()] == [40]
    books.void("r2")
    assert [row.amount_nano for row in books.expire()] == [30]
    assert (books.balance.posted_nano, books.balance.expired_nano, books.balance.revenue_nano) == (50, 80, 20)
    assert books.credit("grant", "h", 1, HOUR).transfer.kind == "grant"
    check(books)


def test_a_retried_grant_is_found_even_after_its_end(books):
    expires = books.now + HOUR
    first = books.credit("grant", "g", 100, HOUR).transfer
    books.now = expires + HOUR
    again = books.credit("grant", "g", 100, -HOUR)
    assert (again.repeated, again.transfer) == (True, first)


def test_a_project_has_a_bounded_number_of_grants(books):
    for number in range(GRANTS_MAX):
        assert isinstance(books.credit("grant", f"g{number}", 1, HOUR + number), Entered)
    assert books.credit("grant", "one more", 1, HOUR).reason == "full"
    assert isinstance(books.credit("grant", "without an end", 1), Entered)


def test_holds_of_dead_processes_and_past_holds_are_told_with_the_reason(books):
    books.hold("dead", 1, owner="gone")
    books.hold("old", 2, ttl_ms=HOUR)
    books.hold("alive", 3, ttl_ms=3 * HOUR)
    books.now += HOUR
    found = [(hold.subject, why) for hold, why in ledger.lapsed(books.open_holds(), books.now, {"gone"})]
    assert found == [("dead", "its process ended"), ("old", "its time ended")]
    books.sweep({"gone"})
    assert (books.balance.held_nano, books.balance.holds) == (3, 1)


def test_a_post_after_its_time_counts_as_long_as_nobody_ended_the_hold(books):
    books.hold("r", 100, ttl_ms=HOUR)
    books.now += 2 * HOUR
    assert isinstance(books.post("r", 60), Entered)


@pytest.mark.parametrize("amount", [-1, 2**63])
def test_an_impossible_amount_stops_the_posting_and_never_becomes_zero(books, amount):
    books.hold("r", 100)
    with pytest.raises(Internal):
        books.post("r", amount)
    with pytest.raises(Internal):
        books.hold("s", amount)
    assert books.balance.held_nano == 100


def test_an_entry_that_the_audit_would_not_accept_is_not_made(books):
    books.hold("r", 100)
    past = books.past("r")
    broken = Balance(project="p", posted_nano=10, payments_nano=-10)
    with pytest.raises(Internal, match="refused its own entry"):
        ledger.post(broken, Post(request="r", amount_nano=10), past, NOW)
