"""The acts on jobs: what is taken is durable and somebody's own; what is refused leaves nothing."""

import pytest

from batching import bulk
from geminid.core.batch import NewJob, Webhook
from geminid.core.errors import InvalidArgument, QuotaExceeded, UnknownFile
from geminid.service.batches import Pace, UnknownBatch
from money import MODEL


@pytest.fixture
async def made(tmp_path):
    """Batches at which nobody is at work."""
    url = f"sqlite:///{tmp_path / 'geminid.db'}"
    async with bulk(url, tmp_path, start=False, jobs_max=3, tokens_max=1_000) as opened:
        yield opened


async def test_what_was_taken_is_there_and_is_nobody_elses(made):
    team = await made.house.project("team")
    job = await made.create(team, ["a", "b"], display_name="x", priority=7)
    assert await made.batches.get("team", job.id) == job
    assert (job.state, job.lines, job.pending, job.priority) == ("pending", 2, 2, 7)
    for act in (made.batches.get, made.batches.cancel, made.batches.delete):
        with pytest.raises(UnknownBatch):
            await act("other", job.id)


@pytest.mark.parametrize(
    "new",
    [
        NewJob(model=MODEL),
        NewJob(model=MODEL, lines=()),
        NewJob(model=MODEL, lines=(b"{}",), file_id="x"),
        NewJob(model=MODEL, lines=(b"{}",), priority=2**63),
        NewJob(model=MODEL, lines=(b"{}",), display_name="x" * 513),
        NewJob(model=MODEL, lines=(b"{}",), webhook=Webhook(uris=("ftp://x",))),
        NewJob(model=MODEL, lines=(b"x" * 21_000_000,)),
    ],
)
async def test_what_means_nothing_is_refused_and_leaves_nothing(made, new):
    team = await made.house.project("team")
    with pytest.raises(InvalidArgument):
        await made.batches.create(team, new)
    assert not set(made.blobs.keys())


async def test_a_file_that_is_not_there_is_somebody_elses(made):
    team = await made.house.project("team")
    with pytest.raises(UnknownFile):
        await made.batches.create(team, NewJob(model=MODEL, file_id="nothing"))


async def test_a_project_has_so_many_jobs_and_so_many_tokens_at_the_most(made):
    team = await made.house.project("team")
    with pytest.raises(QuotaExceeded, match="Tokens"):
        await made.create(team, ["x" * 5_000])
    jobs = [await made.create(team, ["a"]) for _ in range(3)]
    before = set(made.blobs.keys())
    with pytest.raises(QuotaExceeded, match="Jobs"):
        await made.create(team, ["a"])
    assert set(made.blobs.keys()) == before
    await made.batches.cancel("team", jobs[0].id)
    await made.create(team, ["a"])


async def test_cancelling_is_final_and_happens_once(made):
    team = await made.house.project("team")
    job = await made.create(team, ["a"])
    ended = await made.batches.cancel("team", job.id)
    made.clock.ms += 5
    assert (ended.state, await made.batches.cancel("team", job.id)) == ("cancelled", ended)


async def test_names_and_priorities_may_change(made):
    team = await made.house.project("team")
    job = await made.create(team, ["a"])
    changed = await made.batches.update("team", job.id, display_name="new", priority=-4)
    assert (changed.display_name, changed.priority) == ("new", -4)
    assert (await made.batches.update("team", job.id)).display_name == "new"


async def test_a_deleted_job_is_found_by_nobody(made):
    team = await made.house.project("team")
    job = await made.create(team, ["a"])
    await made.batches.delete("team", job.id)
    with pytest.raises(UnknownBatch):
        await made.batches.get("team", job.id)
    assert not (await made.batches.page("team", 5)).jobs


async def test_what_ended_long_ago_is_forgotten_with_its_results(tmp_path):
    url = f"sqlite:///{tmp_path / 'geminid.db'}"
    async with bulk(url, tmp_path, keep_ms=1_000) as made:
        team = await made.house.project("team", 10**9)
        job = await made.create(team, ["a"])
        await made.ended(job)
        await made.batches.sweep()
        assert len(set(made.blobs.keys())) == 1
        made.clock.ms += 2_000
        await made.batches.sweep()
        assert not set(made.blobs.keys())
        with pytest.raises(UnknownBatch):
            await made.batches.get("team", job.id)


def test_the_pace_follows_what_happens_now():
    pace = Pace(half_s=10)
    assert pace.lines_per_s("p") is None
    for second in range(100):
        pace.note("p", 10, second)
    assert 9 < pace.lines_per_s("p") < 11
    for second in range(100, 200):
        pace.note("p", 1, second)
    assert 0.9 < pace.lines_per_s("p") < 1.2
