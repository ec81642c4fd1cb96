"""Whatever is done to the rows or to a balance, the first thing that does not fit is named."""

import hashlib
import json
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geminid.billing.audit import verify
from geminid.billing.balance import Balance
from geminid.billing.transfers import Transfer, canonical, sealed
from unit.billing.books import HOUR, Books


def history(project="p", seed=1):
    rng, books = random.Random(seed), Books(project)
    books.credit("top_up", "t", 10_000)
    books.credit("grant", "g", 5_000, HOUR)
    for number in range(12):
        books.hold(f"r{number}", rng.randint(1, 300))
        (books.void if number % 4 == 3 else lambda request: books.post(request, rng.randint(1, 300)))(
            f"r{number}"
        )
    books.hold("open", 50)
    books.refund("r0", 1)
    books.now += HOUR
    books.hold("after", 50)
    return books


BOOKS = history()


def verdict(rows, balance=BOOKS.balance):
    return verify(rows, [balance]).misfit


def chained(rows):
    """Seal rows anew, each behind the one before: what somebody would do who forges a whole history."""
    made, previous = [], bytes(32)
    for number, row in enumerate(rows, 1):
        made.append(sealed(msgspec.structs.replace(row, seq=number, previous=previous)))
        previous = made[-1].seal
    return made


def test_a_sound_ledger_is_told_to_be_sound():
    others = [history(f"p{number}", number) for number in range(3)]
    rows = [row for books in others for row in books.rows]
    report = verify(iter(rows), [*(books.balance for books in others), Balance(project="new")])
    assert report.sound
    assert (report.transfers, report.projects, report.open_holds) == (len(rows), 3, 6)
    assert report.posted_nano == sum(books.balance.posted_nano for books in others)
    assert report.posted_nano + report.house_nano == 0
    assert verify([], []).sound


def test_history_has_every_kind_but_adjustments():
    assert {row.kind for row in BOOKS.rows} == {"top_up", "grant", "hold", "post", "void", "refund", "expire"}


def test_the_seal_can_be_made_by_anybody_from_the_fields():
    row = BOOKS.rows[5]
    fields = json.loads(canonical(row))
    assert fields[:5] == ["geminid/ledger/1", "p", row.seq, row.id, row.kind]
    spelled = json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()
    assert hashlib.sha256(spelled).digest() == row.seal
    assert fields[-1] == BOOKS.rows[4].seal.hex()


CHANGES = {
    "project": "q",
    "seq": 99,
    "id": "hold:other/1",
    "kind": "adjust",
    "debit": "expired",
    "credit": "expired",
    "amount_nano": 7_777,
    "time_ms": 5,
    "subject": "other",
    "attempt": 9,
    "pending": "hold:other/1",
    "expires_ms": 5,
    "owner": "other",
    "unpaid_nano": 5,
    "note": "other",
    "previous": b"1" * 32,
    "seal": b"1" * 32,
}


@pytest.mark.parametrize("field", Transfer.__struct_fields__)
def test_no_field_of_any_row_can_be_changed(field):
    for place, row in enumerate(BOOKS.rows):
        rows = list(BOOKS.rows)
        rows[place] = msgspec.structs.replace(row, **{field: CHANGES[field]})
        if rows[place] == row:
            continue
        wrong = verdict(rows)
        assert wrong is not None
        if field not in ("project", "seal"):
            assert (wrong.project, wrong.seq) == ("p", rows[place].seq)


@given(st.data())
@settings(max_examples=150)
def test_rows_cannot_be_lost_doubled_or_swapped(data):
    rows = list(BOOKS.rows)
    one, other = data.draw(st.integers(0, len(rows) - 1)), data.draw(st.integers(0, len(rows) - 1))
    change = data.draw(st.sampled_from(["lose", "double", "swap", "cut"]))
    if change == "lose":
        del rows[one]
    elif change == "double":
        rows.insert(other, rows[one])
    elif change == "cut":
        del rows[one:]
    else:
        rows[one], rows[other] = rows[other], rows[one]
    assert (verdict(rows) is None) == (rows == BOOKS.rows)


@pytest.mark.parametrize("field", [name for name in Balance.__struct_fields__ if name != "project"])
def test_no_field_of_a_balance_can_be_changed(field):
    value = {"grants": (), "head": b"2" * 32}.get(field, 12_345)
    balance = msgspec.structs.replace(BOOKS.balance, **{field: value})
    if balance != BOOKS.balance:
        wrong = verdict(BOOKS.rows, balance)
        assert wrong.what.startswith(f"the balance: {field} is stored as")


def find(kind, number=0):
    return [place for place, row in enumerate(BOOKS.rows) if row.kind == kind][number]


def with_field(kind, **changes):
    rows = list(BOOKS.rows)
    rows[find(kind)] = msgspec.structs.replace(rows[find(kind)], **changes)
    return rows


def again(*kinds):
    """Enter the first of each kind once more at the end."""
    return [*BOOKS.rows, *(BOOKS.rows[find(kind)] for kind in kinds)]


def tried_twice():
    """Hold once more for a request whose hold is open."""
    first = find("hold")
    second = msgspec.structs.replace(BOOKS.rows[first], attempt=2, id="hold:r0/2")
    return [*BOOKS.rows[: first + 1], second, *BOOKS.rows[first + 1 :]]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (with_field("hold", amount_nano=10**6), "takes 1000000 where 15000 is available"),
        (with_field("post", amount_nano=301), "is held"),
        (with_field("void", amount_nano=0), "gives 0 back where"),
        (with_field("expire", amount_nano=10**6), "takes more than is left of grant g"),
        (with_field("expire", time_ms=5), "takes grant g before its end"),
        (tried_twice(), "is attempt 2 where 1 is the latest"),
        (with_field("top_up", amount_nano=-5), "moves an impossible amount"),
        (again("hold"), "holds for a request that was paid already"),
        (again("post"), "names no open hold"),
        (again("void"), "names no open hold"),
        (again("top_up"), "was entered before"),
        (again("refund"), "was entered before"),
        (again("expire"), "has an id that is not its own"),
        ([row for row in BOOKS.rows if row.kind != "post"], "refunds what was never paid"),
    ],
)
def test_a_forged_history_breaks_a_rule(rows, words):
    wrong = verdict(chained(rows))
    assert wrong is not None
    assert words in wrong.what


def test_a_history_that_breaks_no_rule_still_ends_elsewhere():
    forged = chained(with_field("top_up", amount_nano=20_000))
    assert "posted_nano is stored as" in verdict(forged).what


def test_what_is_stored_without_transfers_or_not_at_all_is_named():
    assert verify(BOOKS.rows, []).misfit.what == "the balance: is not stored"
    assert verdict([]).what.startswith("the balance: posted_nano")


def test_projects_must_come_one_after_the_other():
    other = history("q")
    rows = [*BOOKS.rows[:3], *other.rows, *BOOKS.rows[3:]]
    assert verify(rows, [BOOKS.balance, other.balance]).misfit.project == "p"
    apart = [*other.rows, *BOOKS.rows, other.rows[-1]]
    wrong = verify(apart, [BOOKS.balance, other.balance]).misfit
    assert (wrong.project, wrong.what) == ("q", "comes apart from the others of its project")


def test_the_first_of_several_misfits_is_named():
    rows = list(BOOKS.rows)
    for place in (9, 4, 15):
        rows[place] = msgspec.structs.replace(rows[place], note="forged")
    assert verdict(rows).seq == 5
    assert verdict(rows).what == "was changed after it was sealed"
