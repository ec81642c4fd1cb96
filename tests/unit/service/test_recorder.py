"""Timelines: every moment of a request belongs to one phase, and only the last requests are kept."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminid.core.usage import Usage
from geminid.service.generate import RequestRecord
from geminid.service.recorder import PHASES, Recorder, UnknownTimeline, phases_of, timeline_of

FIELDS = ("read_s", "accepted_s", "admitted_s", "begun_s", "first_token_s")


def record(receipt="r", project="p", **fields):
    return RequestRecord(model="m", asked="m", id=receipt, project=project, **fields)


def test_a_whole_request_phase_by_phase():
    made = record(
        read_s=0.1,
        accepted_s=0.15,
        admitted_s=0.151,
        begun_s=0.2,
        first_token_s=0.5,
        took_s=2.0,
        settled_s=2.004,
        outcome="finished",
        usage=Usage(prompt=10, cached=4, candidates=5),
        cost_nano=7,
    )
    told = timeline_of(made, 10_000)
    assert [(phase.name, phase.start_ms, phase.took_ms) for phase in told.phases] == [
        ("read", 0, 100),
        ("accept", 100, 50),
        ("admit", 150, 1),
        ("queue", 151, 49),
        ("prefill", 200, 300),
        ("decode", 500, 1500),
        ("settle", 2000, 4),
    ]
    assert (told.created_ms, told.took_ms, told.cost_nano, told.usage.cached) == (7_996, 2_004, 7, 4)


@pytest.mark.parametrize(
    ("reached", "cut_off_in"),
    [(0, "read"), (1, "accept"), (2, "admit"), (3, "prefill"), (4, "prefill"), (5, "decode")],
)
def test_a_request_that_was_cut_off_says_in_which_phase(reached, cut_off_in):
    times = {name: 0.1 * (place + 1) for place, name in enumerate(FIELDS[:reached])}
    told = timeline_of(record(**times, took_s=1.0), 5_000)
    assert told.phases[-1].name == cut_off_in
    assert sum(phase.took_ms for phase in told.phases) == 1_000


def test_an_engine_that_tells_no_queue_and_a_server_without_meter():
    told = timeline_of(record(read_s=0.0, accepted_s=0.1, first_token_s=0.4, took_s=0.5), 5_000)
    assert [phase.name for phase in told.phases] == ["read", "accept", "prefill", "decode"]


@given(st.lists(st.none() | st.integers(0, 10**6), min_size=len(PHASES), max_size=len(PHASES)))
def test_phases_never_overlap_and_leave_no_gap(ends):
    phases = list(phases_of(dict(zip(PHASES, ends, strict=True))))
    for one, other in itertools.pairwise(phases):
        assert one.start_ms + one.took_ms == other.start_ms
    assert sum(phase.took_ms for phase in phases) == max((end for end in ends if end is not None), default=0)


def test_the_last_requests_are_kept_and_no_more():
    recorder = Recorder(3, lambda: 1_000)
    for number in range(10):
        recorder.observe(record(str(number), "p" if number % 2 else "q"))
    assert [each.id for each in recorder.page(10).items] == ["9", "8", "7"]
    assert [each.id for each in recorder.page(10, project="p").items] == ["9", "7"]
    with pytest.raises(UnknownTimeline):
        recorder.get("6")
    Recorder(0).observe(record())


def test_pages_follow_on_each_other_also_when_newer_ones_come():
    recorder = Recorder(100, lambda: 1_000)
    for number in range(7):
        recorder.observe(record(str(number)))
    first = recorder.page(3)
    recorder.observe(record("new"))
    second = recorder.page(3, first.next)
    third = recorder.page(3, second.next)
    assert [each.id for page in (first, second, third) for each in page.items] == list("6543210")
    assert third.next == ""


def test_another_projects_timeline_is_as_one_that_never_was():
    recorder = Recorder(3, lambda: 1_000)
    recorder.observe(record("r", "p"))
    assert recorder.get("r", "p") == recorder.get("r")
    with pytest.raises(UnknownTimeline) as other:
        recorder.get("r", "q")
    with pytest.raises(UnknownTimeline) as never:
        recorder.get("x", "q")
    assert str(other.value).replace(" r;", " x;") == str(never.value)
