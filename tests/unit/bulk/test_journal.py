"""The journal of a job: what was appended is there, whatever a crash has left behind it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminid.bulk.index import Index, Seen
from geminid.bulk.journal import Journal, Kind, Record
from geminid.core.errors import Aborted

RECORDS = st.lists(
    st.builds(Record, st.integers(0, 2**40), st.sampled_from(list(Kind)), st.binary(max_size=99), st.binary())
)


def reopened(path):
    journal = Journal(path)
    return journal, [placed.record for placed in journal.recover()]


@given(groups=st.lists(RECORDS, max_size=4), cut=st.integers(0, 10**6), rubbish=st.binary(max_size=60))
def test_a_crash_costs_the_last_records_at_the_most_and_never_one_in_between(
    tmp_path_factory, groups, cut, rubbish
):
    path = tmp_path_factory.mktemp("journal") / "j"
    journal, _ = reopened(path)
    ends = [0]
    for group in groups:
        journal.append(group)
        ends.append(journal.size)
    journal.close()
    written = [record for group in groups for record in group]
    whole = path.read_bytes()
    kept = cut % (len(whole) + 1)
    path.write_bytes(whole[:kept] + rubbish)
    journal, found = reopened(path)
    assert found == written[: len(found)]
    sure = sum(len(group) for group, end in zip(groups, ends[1:], strict=True) if end <= kept)
    assert len(found) >= sure
    more = Record(7, Kind.ERROR, b"", b"goes on")
    (offset,) = journal.append([more])
    assert journal.at(offset) == more
    journal.close()
    journal, again = reopened(path)
    assert again == [*found, more]
    journal.close()


def test_large_results_are_read_whole(tmp_path):
    journal, _ = reopened(tmp_path / "j")
    records = [Record(n, Kind.ANSWER, b"d" * n, b"r" * 5_000 * n) for n in range(4)]
    assert [journal.at(offset) for offset in journal.append(records)] == records
    journal.close()


def test_a_second_process_keeps_away(tmp_path):
    first = Journal(tmp_path / "j")
    with pytest.raises(Aborted):
        Journal(tmp_path / "j")
    first.close()
    Journal(tmp_path / "j").close()


@given(places=st.dictionaries(st.integers(0, 9_999), st.integers(0, 2**50), max_size=50))
def test_the_index_tells_where_each_line_is(tmp_path_factory, places):
    index = Index(tmp_path_factory.mktemp("index") / "i", 10_000)
    for line, offset in places.items():
        index.put(line, offset)
    assert all(index.get(line) == offset for line, offset in places.items())
    assert {line: at for line, at in enumerate(index.places()) if at is not None} == places
    index.close()


@given(digests=st.lists(st.integers(0, 40), max_size=100), near=st.booleans())
def test_what_was_asked_first_is_found_again(tmp_path_factory, digests, near):
    seen = Seen(tmp_path_factory.mktemp("seen") / "s", len(digests))
    first: dict[int, int] = {}
    for line, number in enumerate(digests):
        # all in the same slots, or all over the table
        digest = (b"\xff" * 8 if near else (number * 977).to_bytes(8, "little")) + number.to_bytes(8, "big")
        assert seen.first(digest, line) == first.setdefault(number, line)
    seen.close()
